//! One question with its answer still to come.

use crate::contract::{Facts, Role};
use crate::policy::{AskedFor, Decision, GrantValues, Policy, WorldCall};

/// A decision that is made again and again.
#[derive(Clone, Debug)]
pub(super) struct Task {
    /// Who is measured.
    pub(super) policy: Policy,
    pub(super) question: AskedFor,
    pub(super) facts: Facts,
    pub(super) values: GrantValues,
    /// What its imports are answered, where that is known.
    pub(super) calls: Vec<WorldCall>,
}

impl Task {
    pub(super) fn role(&self) -> Role {
        self.question.role()
    }
}

impl From<Decision> for Task {
    fn from(decision: Decision) -> Self {
        Self {
            policy: decision.policy,
            question: decision.question,
            facts: decision.facts,
            values: decision.values,
            calls: decision.calls,
        }
    }
}

/// At most so many of them, spread evenly.
pub(super) fn thinned(tasks: Vec<Task>, most: usize) -> Vec<Task> {
    let step = tasks.len().div_ceil(most.max(1)).max(1);
    tasks.into_iter().step_by(step).collect()
}
