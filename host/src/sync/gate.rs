//! Whether the agent may write to its store at all.

use std::sync::atomic::{AtomicU8, Ordering};

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
pub struct Gate(AtomicU8);

impl Gate {
    /// A gate in this state.
    pub fn new(writes: Writes) -> Self {
        let gate = Self(AtomicU8::new(0));
        gate.set(writes);
        gate
    }

    /// Opens or shuts the gate.
    pub fn set(&self, writes: Writes) {
        self.0.store(writes as u8, Ordering::Release);
    }

    /// The gate's state.
    pub fn get(&self) -> Writes {
        let state = self.0.load(Ordering::Acquire);
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

    /// What a write is answered with before the store was probed.
    pub fn shut() -> StoreFailure {
        StoreFailure::new(
            FailureKind::Unavailable,
            "nothing is written before the store's conditional writes were probed",
        )
    }
}
