use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::planted::{self, Defect};
use crate::time::Clock;

use super::settings::StoreSettings;

/// Bounds the requests in flight and the requests a second.
#[derive(Debug)]
pub(super) struct Limits {
    in_flight: Semaphore,
    bucket: Bucket,
}

impl Limits {
    pub(super) fn new(settings: &StoreSettings) -> Self {
        let permits = usize::try_from(settings.max_in_flight.get()).unwrap_or(usize::MAX);
        Self {
            in_flight: Semaphore::new(permits.min(Semaphore::MAX_PERMITS)),
            bucket: Bucket::new(settings.requests_per_second, settings.burst),
        }
    }

    /// Waits for a place and a token, in the order of the calls. The place is free again when the permit is dropped.
    ///
    /// The place comes first: a token that is taken while waiting for a place would be spent later, together with
    /// others, and so break the rate.
    pub(super) async fn admit(&self, clock: &dyn Clock) -> Option<SemaphorePermit<'_>> {
        // Acquiring fails on a closed semaphore only, and nobody closes this one.
        let permit = self.in_flight.acquire().await.ok();
        let wait = self.bucket.take(clock.monotonic());
        if !wait.is_zero() {
            clock.sleep(wait).await;
        }
        permit
    }
}

/// A token bucket, kept as the time at which it will be full again (the generic cell rate algorithm of ITU-T I.371).
#[derive(Debug)]
struct Bucket {
    /// The time in which one token comes back.
    interval: Duration,
    /// How far ahead of the steady rate requests may run.
    slack: Duration,
    full_at: Mutex<Duration>,
}

impl Bucket {
    fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        let interval = Duration::from_secs(1) / per_second.get();
        Self {
            interval,
            slack: interval.saturating_mul(burst.get() - 1),
            full_at: Mutex::new(Duration::ZERO),
        }
    }

    /// Takes a token and tells how long to wait before it may be used. A caller that goes away leaves its token unused.
    fn take(&self, now: Duration) -> Duration {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let due = (*full_at).max(now);
        *full_at = due.saturating_add(self.interval);
        if planted::is(Defect::NoRateLimit) {
            return Duration::ZERO;
        }
        due.saturating_sub(now.saturating_add(self.slack))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(per_second: u32, burst: u32) -> Bucket {
        Bucket::new(
            NonZeroU32::new(per_second).unwrap(),
            NonZeroU32::new(burst).unwrap(),
        )
    }

    #[test]
    fn a_burst_goes_out_at_once_and_the_rest_at_the_rate() {
        let bucket = bucket(10, 3);
        let waits: Vec<u128> = (0..6)
            .map(|_| bucket.take(Duration::ZERO).as_millis())
            .collect();
        assert_eq!(waits, [0, 0, 0, 100, 200, 300]);
    }

    #[test]
    fn a_quiet_time_saves_up_no_more_than_the_burst() {
        let bucket = bucket(10, 2);
        let later = Duration::from_secs(3600);
        bucket.take(Duration::ZERO);
        let waits: Vec<u128> = (0..4).map(|_| bucket.take(later).as_millis()).collect();
        assert_eq!(waits, [0, 0, 100, 200]);
    }

    #[tokio::test]
    async fn no_more_requests_are_in_flight_than_allowed() {
        use futures::FutureExt;

        let settings = StoreSettings {
            max_in_flight: NonZeroU32::new(2).unwrap(),
            ..StoreSettings::new("memory:///")
        };
        let clock = crate::time::SystemClock::new();
        let limits = Limits::new(&settings);
        let first = limits.admit(&clock).await;
        let _second = limits.admit(&clock).await;
        assert!(limits.admit(&clock).now_or_never().is_none());
        drop(first);
        assert!(limits.admit(&clock).now_or_never().is_some());
    }
}
