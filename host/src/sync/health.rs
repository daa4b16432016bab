//! How the store does for all streams of the node together.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

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
    /// The first failure since the last success, and what the last one was.
    unanswered: Option<(Timestamp, String)>,
    streams: u32,
}

/// A store that has answered no request lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// The first failure since the last success.
    pub since: Timestamp,
    /// The last failure.
    pub cause: String,
}

impl Health {
    /// All requests of an attempt of this stream were answered. Returns whether it was the last stream that failed.
    pub fn succeeded(&self, stream: &StreamId, now: Timestamp) -> bool {
        let mut seen = self.lock();
        seen.last_success = Some(now);
        seen.unanswered = None;
        seen.failing.remove(stream) && seen.failing.is_empty()
    }

    /// A request of an attempt of this stream failed.
    pub fn failed(&self, stream: &StreamId, failure: &StoreFailure, now: Timestamp) {
        let mut seen = self.lock();
        let since = seen.unanswered.take().map_or(now, |(since, _)| since);
        seen.unanswered = Some((since, failure.to_string()));
        if !seen.failing.contains(stream) && !planted::is(Defect::HealthNeverFails) {
            seen.failing.insert(stream.clone());
        }
    }

    /// The node has this many streams.
    pub fn count(&self, streams: usize) {
        self.lock().streams = u32::try_from(streams).unwrap_or(u32::MAX);
    }

    /// The failures since the last success. `None` if there was none, or if they are of one stream among others, which
    /// may have a cause of its own.
    pub fn failing(&self) -> Option<Failing> {
        let seen = self.lock();
        let (since, cause) = seen.unanswered.clone()?;
        let failing = seen.failing.len();
        let is_general = failing > 1 || u32::try_from(failing).is_ok_and(|it| it >= seen.streams);
        is_general.then_some(Failing { since, cause })
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
        let (health, at) = (Health::default(), Timestamp::from_millis);
        let failure = StoreFailure::new(FailureKind::Unavailable, "down");
        let (a, b) = (StreamId::new("a"), StreamId::new("b"));
        health.count(1);
        health.failed(&a, &failure, at(1));
        let since = |health: &Health| health.failing().map(|failing| failing.since);
        assert_eq!(since(&health), Some(at(1)), "the only stream");
        health.count(2);
        assert_eq!(since(&health), None, "one among others");
        health.failed(&b, &failure, at(2));
        assert_eq!(since(&health), Some(at(1)));
        health.succeeded(&b, at(3));
        assert_eq!(since(&health), None);
    }
}
