//! What happened in a simulated world, in order.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::store::Request;
use crate::stream::StreamId;
use crate::sync::Outcome;

/// Entries that are kept; what comes behind is counted.
pub const MAX_ENTRIES: usize = 1_000_000;

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When, after the world's beginning.
    pub at: Duration,
    /// What.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The world did something.
    World {
        /// The node that it happened to, where it was one.
        node: Option<String>,
        /// The stream that it is about, where it is about one.
        stream: Option<StreamId>,
        /// What, for people.
        text: String,
    },
    /// The store took up a request.
    Request(Request),
    /// An attempt ended.
    Attempt {
        /// The node.
        node: String,
        /// The stream.
        stream: StreamId,
        /// What came of it.
        outcome: Box<Outcome>,
        /// How long from its end until the stream is looked at again, whatever staging does.
        delay: Option<Duration>,
    },
    /// An attempt could not be made: a defect of ours.
    Defect {
        /// The node.
        node: String,
        /// The stream, where it is about one.
        stream: Option<StreamId>,
        /// What went wrong.
        text: String,
    },
    /// An agent ended by itself.
    Ended {
        /// The node.
        node: String,
        /// Why.
        reason: String,
    },
}

/// Hears of everything that happens, in order.
pub type Witness = Box<dyn FnMut(Duration, Event) + Send>;

/// The entries so far. Clones are the same chronicle.
#[derive(Clone, Default)]
pub struct Chronicle(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    kept: Vec<Entry>,
    omitted: u64,
    witness: Option<Witness>,
}

impl Chronicle {
    /// A chronicle that keeps nothing: the witness makes of it what it likes.
    pub fn told_to(witness: Witness) -> Self {
        Self(Arc::new(Mutex::new(Entries {
            witness: Some(witness),
            ..Entries::default()
        })))
    }

    /// Adds an entry.
    pub fn tell(&self, at: Duration, event: Event) {
        let mut entries = self.entries();
        if let Some(witness) = &mut entries.witness {
            witness(at, event);
        } else if entries.kept.len() < MAX_ENTRIES {
            entries.kept.push(Entry { at, event });
        } else {
            entries.omitted += 1;
        }
    }

    /// Everything so far, and how many entries are not kept.
    pub fn take(&self) -> (Vec<Entry>, u64) {
        let mut entries = self.entries();
        (std::mem::take(&mut entries.kept), entries.omitted)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries().kept.len()
    }

    /// Whether nothing happened yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // An entry is added as a whole or not at all.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Chronicle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chronicle")
            .field("entries", &self.entries().kept.len())
            .finish_non_exhaustive()
    }
}
