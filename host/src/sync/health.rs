//! How the store does for all streams of the node together.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::contract::StoreHealth;
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
    streams: u32,
}

impl Health {
    /// All requests of an attempt of this stream were answered. Returns whether it was the last stream that failed.
    pub fn succeeded(&self, stream: &StreamId, now: Timestamp) -> bool {
        let mut seen = self.lock();
        seen.last_success = Some(now);
        seen.failing.remove(stream) && seen.failing.is_empty()
    }

    /// A request of an attempt of this stream failed.
    pub fn failed(&self, stream: &StreamId) {
        let mut seen = self.lock();
        if !seen.failing.contains(stream) && !planted::is(Defect::HealthNeverFails) {
            seen.failing.insert(stream.clone());
        }
    }

    /// The node has this many streams.
    pub fn count(&self, streams: usize) {
        self.lock().streams = u32::try_from(streams).unwrap_or(u32::MAX);
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
