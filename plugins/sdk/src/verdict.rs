use crate::Span;
use crate::bindings::existence::exports::tidegate::policy::existence::Presence as WirePresence;
use crate::bindings::fallback::exports::tidegate::policy::fallback::Choice as WireChoice;
use crate::bindings::retry::exports::tidegate::policy::retry::Decision as WireDecision;

/// The verdict of an [`Existence`](crate::Existence) policy. Reasons over 1 KiB are cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The local schema is there: sync it.
    Present,
    /// It ought to be there and is not: ask the fallback policies. Carries the reason, for people.
    Absent(String),
    /// Nothing is owed yet: look again when something changes. Carries the reason.
    NotExpected(String),
    /// Still being written or too young: look again after this long, at no cost in attempts.
    Unsettled(Span),
    /// Leave it to the next policy in the chain.
    Abstain,
}

/// The verdict of a [`Fallback`](crate::Fallback) policy. Reasons over 1 KiB are cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Publish nothing this time. Carries the reason, for people.
    Skip(String),
    /// The default schema of this name, one of [`Facts::defaults`](crate::Facts::defaults).
    Named(String),
    /// The schema in this object, which the policy must be granted to read.
    Object(String),
    /// The merge of what the stream's other nodes and its base schema hold.
    Peers,
    /// This document, in the layout's format (1 MiB at most).
    Document(String),
    /// Leave it to the next policy in the chain.
    Abstain,
}

/// The verdict of a [`Retry`](crate::Retry) policy. Reasons over 1 KiB are cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// After this long; the host clamps it to the operator's bounds.
    After(Span),
    /// Only when the local files or the configuration change; the host looks again hourly all the same.
    OnChange,
    /// Never by itself. Carries the reason, for people.
    Abandon(String),
    /// Leave it to the next policy in the chain.
    Abstain,
}

impl From<Presence> for WirePresence {
    fn from(presence: Presence) -> Self {
        match presence {
            Presence::Present => WirePresence::Present,
            Presence::Absent(reason) => WirePresence::Absent(within_bound(reason)),
            Presence::NotExpected(reason) => WirePresence::NotExpected(within_bound(reason)),
            Presence::Unsettled(wait) => WirePresence::Unsettled(wait.to_wire()),
            Presence::Abstain => WirePresence::Abstain,
        }
    }
}

impl From<Choice> for WireChoice {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Skip(reason) => WireChoice::Skip(within_bound(reason)),
            Choice::Named(name) => WireChoice::Named(name),
            Choice::Object(key) => WireChoice::Object(key),
            Choice::Peers => WireChoice::Peers,
            Choice::Document(document) => WireChoice::Document(document),
            Choice::Abstain => WireChoice::Abstain,
        }
    }
}

impl From<Decision> for WireDecision {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::After(delay) => WireDecision::After(delay.to_wire()),
            Decision::OnChange => WireDecision::OnChange,
            Decision::Abandon(reason) => WireDecision::Abandon(within_bound(reason)),
            Decision::Abstain => WireDecision::Abstain,
        }
    }
}

/// The longest reason that a verdict may carry, in bytes: the contract's bound.
const MAX_REASON: usize = 1024;

/// The reason, cut at a character's end and marked where it was cut. Keys and messages of stores end up in reasons, and
/// one over the bound would count as a failure of the policy.
pub(crate) fn within_bound(mut reason: String) -> String {
    const MARK: &str = "…";
    if reason.len() > MAX_REASON {
        reason.truncate(reason.floor_char_boundary(MAX_REASON - MARK.len()));
        reason.push_str(MARK);
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_to_the_bound_at_a_character() {
        let WirePresence::Absent(cut) = Presence::Absent("é".repeat(2000)).into() else {
            panic!("a reason stays with its verdict")
        };
        assert!(cut.len() <= 1024 && cut.len() > 1020, "{}", cut.len());
        assert!(cut.ends_with("é…"));
        assert_eq!(within_bound("short".to_owned()), "short");
    }
}
