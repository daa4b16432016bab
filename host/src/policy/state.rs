//! A policy's state as one decision sees it: the ledger's, with the decision's own changes on top.

use std::collections::BTreeMap;

use super::world::StateScope;

/// A key of the policy's state that a decision read or changed. The executor commits all of them with the verdict in
/// one transaction, if every key still holds `before`; otherwise another decision came first, and this one is made
/// again. A key that was only read has the same `before` and `after`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateSwap {
    /// Whose state.
    pub scope: StateScope,
    /// The key, 128 bytes at most.
    pub key: String,
    /// What the ledger held when the decision looked.
    pub before: Option<Vec<u8>>,
    /// What it shall hold; `None` removes the key.
    pub after: Option<Vec<u8>>,
}

impl StateSwap {
    /// Whether there is something to write.
    pub fn changes(&self) -> bool {
        self.before != self.after
    }
}

/// The keys that one decision has touched: as many as it makes host calls, at most.
#[derive(Debug, Default)]
pub(super) struct Overlay(BTreeMap<(StateScope, String), Held>);

/// What the ledger held under a key, and what the decision made of it.
#[derive(Debug)]
struct Held {
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
}

impl Overlay {
    /// The key's value as this decision sees it; `None` when it has not looked yet.
    pub(super) fn value(&self, scope: StateScope, key: &str) -> Option<Option<Vec<u8>>> {
        let held = self.0.get(&(scope, key.to_owned()))?;
        Some(held.after.clone())
    }

    /// Remembers what the ledger holds under a key.
    pub(super) fn read(&mut self, scope: StateScope, key: &str, committed: Option<Vec<u8>>) {
        self.0.insert(
            (scope, key.to_owned()),
            Held {
                before: committed.clone(),
                after: committed,
            },
        );
    }

    /// Changes a key that was read.
    pub(super) fn write(&mut self, scope: StateScope, key: String, value: Option<Vec<u8>>) {
        if let Some(held) = self.0.get_mut(&(scope, key)) {
            held.after = value;
        }
    }

    /// How many keys the scope holds with this decision's changes, given how many the ledger holds.
    pub(super) fn count(&self, scope: StateScope, committed: u32) -> u32 {
        let (mut created, mut removed) = (0u32, 0u32);
        for (_, held) in self.0.iter().filter(|((of, _), _)| *of == scope) {
            match (&held.before, &held.after) {
                (None, Some(_)) => created = created.saturating_add(1),
                (Some(_), None) => removed = removed.saturating_add(1),
                _ => {}
            }
        }
        committed.saturating_add(created).saturating_sub(removed)
    }

    /// What was touched, in order of scope and key.
    pub(super) fn into_swaps(self) -> Vec<StateSwap> {
        self.0
            .into_iter()
            .map(|((scope, key), held)| StateSwap {
                scope,
                key,
                before: held.before,
                after: held.after,
            })
            .collect()
    }
}
