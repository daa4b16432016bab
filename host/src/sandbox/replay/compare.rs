//! Whether a decision came out as it did before.

use super::report::{Aspect, FuelUsed};
use super::words;
use super::world::RecordedWorld;
use crate::policy::{Ask, Cause, Instances};
use crate::sandbox::record::Outcome;
use crate::sandbox::record::read::Recorded;

/// A decision that was made again.
pub(super) struct Replayed {
    pub(super) outcome: Outcome,
    pub(super) state: Vec<crate::sandbox::record::StateLine>,
    pub(super) fuel: u64,
    pub(super) world: std::sync::Arc<RecordedWorld>,
    /// Whether fuel can be compared: the same component, on the same engine.
    pub(super) same_machine: bool,
}

/// What came of comparing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Same,
    Different(Difference),
    /// Nothing can be said, for this reason.
    Left(&'static str),
}

/// How a decision came out differently.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) aspect: Aspect,
    /// The new outcome's kind.
    pub(super) kind: String,
    /// The new outcome in full, or what happened in its place.
    pub(super) whole: String,
    /// The call that was not recorded, or the write that was not made again.
    pub(super) call: Option<Ask>,
    pub(super) fuel: Option<FuelUsed>,
}

/// Why a decision can't be made again, whatever component is asked.
pub(super) fn incomparable(recorded: &Recorded) -> Option<&'static str> {
    if !recorded.policy.redacted.is_empty() {
        return Some("its policy's settings were recorded without their secrets");
    }
    let Outcome::Failed { cause, .. } = &recorded.decision.outcome else {
        return None;
    };
    let unanswered = || {
        let mut calls = recorded.decision.calls.iter();
        calls.any(|call| call.answer.is_none())
    };
    let is = |known: Cause| cause == known.name();
    if is(Cause::PoolExhausted) || is(Cause::Unavailable) {
        Some("the host could not ask the policy")
    } else if is(Cause::Deadline { waiting: false }) && !unanswered() {
        Some("it was cut off by the machine's time, which no recording brings back")
    } else {
        None
    }
}

pub(super) fn compare(recorded: &Recorded, replayed: &Replayed) -> Comparison {
    let before = &recorded.decision.outcome;
    let difference = |aspect| Difference {
        aspect,
        kind: words::kind(&replayed.outcome),
        whole: words::whole(&replayed.outcome),
        call: None,
        fuel: None,
    };
    if let Some(ask) = replayed.world.diverged() {
        return Comparison::Different(Difference {
            kind: "diverged".to_owned(),
            whole: format!("diverged here: it called {ask}, which was not recorded"),
            call: Some(ask),
            ..difference(Aspect::Diverged)
        });
    }
    let same = match (before, &replayed.outcome) {
        // The details of a failure hold addresses and times.
        (Outcome::Failed { cause, .. }, Outcome::Failed { cause: now, .. }) => cause == now,
        (before, now) => before == now,
    };
    if !same {
        return Comparison::Different(difference(Aspect::Verdict));
    }
    if let Some(ask) = replayed.world.missed_write() {
        return Comparison::Different(Difference {
            call: Some(ask),
            ..difference(Aspect::Writes)
        });
    }
    if recorded.decision.state != replayed.state {
        return Comparison::Different(difference(Aspect::State));
    }
    let fuel = FuelUsed {
        recorded: recorded.decision.usage.fuel,
        replayed: replayed.fuel,
    };
    // Fuel is not exact without a verdict, and that of a reused instance depends on what it was asked before.
    let exact = replayed.same_machine
        && recorded.policy.instances == Instances::Fresh
        && matches!(before, Outcome::Verdict(_));
    if exact && fuel.recorded != fuel.replayed {
        return Comparison::Different(Difference {
            fuel: Some(fuel),
            ..difference(Aspect::Fuel)
        });
    }
    Comparison::Same
}
