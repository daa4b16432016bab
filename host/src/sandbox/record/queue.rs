//! Decisions on their way to the disk.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::bounds::{MAX_WAITING_BYTES, MAX_WAITING_DECISIONS};
use crate::policy::Decision;

/// How long the writer waits for more once there is something to write: decisions that come in a burst wake it once.
const GATHERING: Duration = Duration::from_millis(100);

/// A bounded queue. Who puts something in never waits; what does not fit is counted.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    room: Room,
}

/// How much may wait.
#[derive(Clone, Copy, Debug)]
struct Room {
    decisions: usize,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    decisions: Vec<Numbered>,
    bytes: usize,
    /// Decisions seen, with those that did not fit.
    seen: u64,
    dropped: u64,
    closed: bool,
}

/// A decision and its number.
pub(super) type Numbered = (u64, Box<Decision>);

/// What the writer is given at a time.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) decisions: Vec<Numbered>,
    /// Decisions that did not fit since the last batch.
    pub(super) dropped: u64,
    /// Whether it is the last one.
    pub(super) last: bool,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            room: Room {
                decisions: MAX_WAITING_DECISIONS,
                bytes: MAX_WAITING_BYTES,
            },
        }
    }
}

impl Queue {
    pub(super) fn put(&self, decision: Box<Decision>) {
        let weight = decision.weight();
        let mut waiting = self.waiting();
        if waiting.closed {
            return;
        }
        waiting.seen += 1;
        let bytes = waiting.bytes.saturating_add(weight);
        if waiting.decisions.len() >= self.room.decisions || bytes > self.room.bytes {
            waiting.dropped += 1;
            return;
        }
        let before = self.is_pressing(&waiting);
        let number = waiting.seen;
        waiting.decisions.push((number, decision));
        waiting.bytes = bytes;
        // Waking costs more than all the rest, so it is done for the first one, and when room gets scarce.
        let wakes = waiting.decisions.len() == 1 || before != self.is_pressing(&waiting);
        drop(waiting);
        if wakes {
            self.arrived.notify_one();
        }
    }

    /// Lets nothing more in. What is there can still be taken.
    pub(super) fn close(&self) {
        self.waiting().closed = true;
        self.arrived.notify_all();
    }

    /// Waits for decisions, and for some more of them.
    pub(super) fn take(&self) -> Batch {
        let waiting = self.waiting();
        let waiting = self
            .arrived
            .wait_while(waiting, |waiting| {
                waiting.decisions.is_empty() && !waiting.closed
            })
            .unwrap_or_else(PoisonError::into_inner);
        let (mut waiting, _) = self
            .arrived
            .wait_timeout_while(waiting, GATHERING, |waiting| {
                !waiting.closed && !self.is_pressing(waiting)
            })
            .unwrap_or_else(PoisonError::into_inner);
        waiting.bytes = 0;
        Batch {
            decisions: std::mem::take(&mut waiting.decisions),
            dropped: std::mem::take(&mut waiting.dropped),
            last: waiting.closed,
        }
    }

    /// Whether half of the room is taken.
    fn is_pressing(&self, waiting: &Waiting) -> bool {
        waiting.decisions.len() >= self.room.decisions / 2 || waiting.bytes >= self.room.bytes / 2
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Every change leaves it whole, so a panic elsewhere does not spoil it.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn with_room(decisions: usize, bytes: usize) -> Self {
        Self {
            room: Room { decisions, bytes },
            ..Self::default()
        }
    }
}
