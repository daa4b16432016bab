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
    /// How many streams' requests fail.
    pub streams: usize,
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

    /// The failures since the last success; `None` if there was none.
    pub fn failing(&self) -> Option<Failing> {
        let seen = self.lock();
        let (since, cause) = seen.unanswered.clone()?;
        Some(Failing {
            since,
            streams: seen.failing.len(),
            cause,
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
