//! Whether the agent may write to its store at all.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::contract::{FailureKind, StoreFailure};

/// What is known of the store's conditional writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// Not probed yet: the store was down at start. Nothing is written.
    Unprobed,
    /// Conditions hold.
    Conditional,
    /// The store ignores conditions, or loses races, and the operator accepts that: every write is read back.
    ReadBack,
    /// The operator wants to see what would be written, and nothing is.
    Rehearsed,
}

/// The gate that every write of a schema passes.
#[derive(Debug)]
pub struct Gate {
    state: AtomicU8,
    /// Why the store could not be checked.
    failure: Mutex<Option<StoreFailure>>,
}

impl Gate {
    /// A gate in this state.
    pub fn new(writes: Writes) -> Self {
        Self {
            state: AtomicU8::new(writes as u8),
            failure: Mutex::new(None),
        }
    }

    /// A gate that stays shut, because the store could not be checked.
    pub fn unchecked(failure: StoreFailure) -> Self {
        let gate = Self::new(Writes::Unprobed);
        gate.shut(failure);
        gate
    }

    /// Shuts the gate, because the store could not be checked.
    pub fn shut(&self, failure: StoreFailure) {
        let mut known = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(failure);
        self.set(Writes::Unprobed);
    }

    /// Opens or shuts the gate.
    pub fn set(&self, writes: Writes) {
        self.state.store(writes as u8, Ordering::Release);
    }

    /// The gate's state.
    pub fn get(&self) -> Writes {
        let state = self.state.load(Ordering::Acquire);
        let all = [
            Writes::Unprobed,
            Writes::Conditional,
            Writes::ReadBack,
            Writes::Rehearsed,
        ];
        all.into_iter()
            .find(|writes| *writes as u8 == state)
            .unwrap_or(Writes::Unprobed)
    }

    /// The failure of a write that the gate holds back, with the reason why the check of the store failed.
    pub fn refusal(&self) -> StoreFailure {
        let known = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some(failure) => StoreFailure {
                message: format!(
                    "nothing is written, because the check of the store failed: {}",
                    failure.message
                ),
                ..failure.clone()
            },
            None => StoreFailure::new(
                FailureKind::Unavailable,
                "nothing is written before the store was checked",
            ),
        }
    }
}
