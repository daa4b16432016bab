//! Time and randomness as the rest of the crate sees them: values that come in through a seam.

mod duration;

use std::fmt::{self, Debug};
use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

pub use duration::{in_full, in_short, parse_duration};

/// Milliseconds since the Unix epoch.
///
/// Arithmetic saturates: a clock that steps backwards makes differences zero, never negative or enormous.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment this many milliseconds after the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero when `earlier` lies later.
    pub const fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// This moment so many milliseconds later; earlier where they are negative.
    pub const fn shifted(self, millis: i64) -> Self {
        Self(self.0.saturating_add_signed(millis))
    }

    /// This moment and `by` later; whole milliseconds.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = i64::try_from(self.0)
            .ok()
            .and_then(chrono::DateTime::from_timestamp_millis);
        match moment {
            Some(moment) => write!(f, "{}", moment.format("%Y-%m-%dT%H:%M:%S%.3fZ")),
            None => write!(f, "{} ms after 1970", self.0),
        }
    }
}

/// The whole milliseconds of a length of time, saturating.
pub fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

/// Where time comes from. Production asks the system; the sandbox has a clock that jumps.
pub trait Clock: Debug + Send + Sync {
    /// The wall clock, which may step backwards.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment of this process; never steps backwards.
    fn monotonic(&self) -> Duration;

    /// Resolves after `length`.
    fn sleep(&self, length: Duration) -> BoxFuture<'static, ()>;
}

/// The system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    origin: std::time::Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one place where the system's time enters"
    )]
    pub fn new() -> Self {
        Self {
            origin: std::time::Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one place where the system's time enters"
    )]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(millis(since))
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    fn sleep(&self, length: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(length))
    }
}

/// Where random words come from. Production asks the system; the sandbox draws them from its seed.
pub trait Entropy: Debug + Send + Sync {
    /// The next random word.
    fn word(&self) -> u64;
}

/// The thread's own generator, seeded by the system.
#[derive(Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one place where the system's randomness enters"
    )]
    fn word(&self) -> u64 {
        rand::random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_steps_back_gives_zero() {
        let (early, late) = (Timestamp::from_millis(5), Timestamp::from_millis(9));
        assert_eq!(late.since(early), Duration::from_millis(4));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(late.plus(Duration::MAX).as_millis(), u64::MAX);
    }

    #[test]
    fn timestamps_read_as_rfc_3339() {
        assert_eq!(
            Timestamp::from_millis(1_795_375_771_829).to_string(),
            "2026-11-22T19:29:31.829Z"
        );
        assert_eq!(
            Timestamp::from_millis(u64::MAX).to_string(),
            "18446744073709551615 ms after 1970"
        );
    }
}
