//! A node's clocks in virtual time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;

use super::executor::Executor;
use crate::time::{Clock, Timestamp, millis};

/// When every simulated world begins: 2026-01-01T00:00:00Z.
pub const BEGINNING: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// The clocks of one node: its wall clock may be wrong, and be set. Clones are the same clocks.
#[derive(Clone, Debug)]
pub struct VirtualClock {
    executor: Executor,
    /// How many milliseconds the wall clock is ahead.
    skew: Arc<AtomicI64>,
}

impl VirtualClock {
    /// Clocks that are right.
    pub fn new(executor: Executor) -> Self {
        Self {
            executor,
            skew: Arc::new(AtomicI64::new(0)),
        }
    }

    /// Sets the wall clock, this many milliseconds ahead of the world's.
    pub fn set_skew(&self, millis: i64) {
        self.skew.store(millis, Ordering::Relaxed);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let right = BEGINNING.plus(self.executor.now()).as_millis();
        Timestamp::from_millis(right.saturating_add_signed(self.skew.load(Ordering::Relaxed)))
    }

    fn monotonic(&self) -> Duration {
        self.executor.now()
    }

    fn sleep(&self, length: Duration) -> BoxFuture<'static, ()> {
        Box::pin(self.executor.sleep(length))
    }
}

/// How long after the beginning this is.
pub fn since_beginning(moment: Timestamp) -> Duration {
    Duration::from_millis(millis(moment.since(BEGINNING)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_can_be_set_and_the_monotonic_one_goes_on() {
        let executor = Executor::new(None);
        let clock = VirtualClock::new(executor.clone());
        assert_eq!(clock.now().to_string(), "2026-01-01T00:00:00.000Z");
        executor.run(clock.sleep(Duration::from_secs(60))).unwrap();
        clock.set_skew(-3_600_000);
        assert_eq!(clock.now().to_string(), "2025-12-31T23:01:00.000Z");
        assert_eq!(clock.monotonic(), Duration::from_secs(60));
    }
}
