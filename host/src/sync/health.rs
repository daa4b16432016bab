//! How the store does for all streams of the node together.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::contract::{StoreFailure, StoreHealth};
use crate::planted::{self, Defect};
use crate::stream::StreamId;
use crate::time::Timestamp;

/// The node's view of its store: at most one entry a stream.
#[derive(Debug, Default)]
pub struct Health {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    last_success: Option<Timestamp>,
    failing: HashSet<StreamId>,
    /// The failures since the last answer.
    unanswered: Option<Unanswered>,
    streams: u32,
}

#[derive(Debug)]
struct Unanswered {
    since: Timestamp,
    /// When the first and the last were, on the monotonic clock.
    first: Duration,
    last: Duration,
    cause: String,
}

/// A store that has answered no request lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// The first failure since the last answer.
    pub since: Timestamp,
    /// The last failure.
    pub cause: String,
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the store has answered no request since {}; streams are tried again, and `tidegate check --online` shows what \
             the store does: {}",
            self.since, self.cause
        )
    }
}

impl Health {
    /// All requests of an attempt of this stream were answered. Returns whether it was the last stream that failed.
    pub fn succeeded(&self, stream: &StreamId, now: Timestamp) -> bool {
        let mut seen = self.lock();
        seen.last_success = Some(now);
        seen.unanswered = None;
        seen.failing.remove(stream) && seen.failing.is_empty()
    }

    /// Some request of an attempt was answered.
    pub fn answered(&self) {
        self.lock().unanswered = None;
    }

    /// A request of an attempt of this stream failed, at this time of the wall clock and of the monotonic one.
    pub fn failed(
        &self,
        stream: &StreamId,
        failure: &StoreFailure,
        now: Timestamp,
        monotonic: Duration,
    ) {
        let mut seen = self.lock();
        let cause = failure.to_string();
        let before = seen.unanswered.take();
        let (since, first) = before.map_or((now, monotonic), |it| (it.since, it.first));
        seen.unanswered = Some(Unanswered {
            since,
            first,
            last: monotonic,
            cause,
        });
        if !seen.failing.contains(stream) && !planted::is(Defect::HealthNeverFails) {
            seen.failing.insert(stream.clone());
        }
    }

    /// Drops what is known of a stream that the node gave up.
    pub fn forget(&self, stream: &StreamId) {
        self.lock().failing.remove(stream);
    }

    /// The node has this many streams.
    pub fn count(&self, streams: usize) {
        self.lock().streams = u32::try_from(streams).unwrap_or(u32::MAX);
    }

    /// The failures since the last answer, if they go on for at least this long. `None` also if they are of one stream
    /// among others, which may have a cause of its own.
    pub fn failing(&self, patience: Duration) -> Option<Failing> {
        let seen = self.lock();
        let unanswered = seen.unanswered.as_ref()?;
        let lasted = unanswered.last.saturating_sub(unanswered.first);
        let failing = seen.failing.len();
        let is_general = failing > 1 || u32::try_from(failing).is_ok_and(|it| it >= seen.streams);
        (is_general && lasted >= patience).then(|| Failing {
            since: unanswered.since,
            cause: unanswered.cause.clone(),
        })
    }

    /// What the policies are told.
    pub fn facts(&self) -> StoreHealth {
        let seen = self.lock();
        let failing_streams = u32::try_from(seen.failing.len()).unwrap_or(u32::MAX);
        StoreHealth {
            last_success: seen.last_success,
            failing_streams,
            streams: seen.streams.max(failing_streams),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        // Nothing here panics while it holds the lock, and a count that is off by one harms nobody.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::FailureKind;

    #[test]
    fn a_store_fails_when_nothing_succeeds_after_a_failure_of_more_than_one_stream_among_others() {
        let health = Health::default();
        let failure = StoreFailure::new(FailureKind::Unavailable, "down");
        let (a, b) = (StreamId::new("a"), StreamId::new("b"));
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1_000);
        let fails = |stream: &StreamId, seconds: u64| {
            health.failed(stream, &failure, at(seconds), Duration::from_secs(seconds));
        };
        let since = |patience: u64| {
            let failing = health.failing(Duration::from_secs(patience));
            failing.map(|failing| failing.since)
        };
        health.count(1);
        fails(&a, 1);
        assert_eq!(since(0), Some(at(1)), "the only stream");
        assert_eq!(since(30), None, "one failure does not last");
        health.count(2);
        assert_eq!(since(0), None, "one among others");
        fails(&b, 31);
        assert_eq!(since(30), Some(at(1)));
        health.answered();
        assert_eq!(since(0), None, "one request was answered");
        fails(&b, 40);
        health.forget(&a);
        assert_eq!(since(0), None, "only one is left");
        health.succeeded(&b, at(50));
        assert_eq!(since(0), None);
    }
}
