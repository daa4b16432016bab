//! Outcomes in words: by kind, and whole.

use crate::contract::{Choice, Presence, RetryDecision};
use crate::policy::Verdict;
use crate::sandbox::record::Outcome;
use crate::text::counted;
use crate::time::in_full;

/// The kind of an outcome, as groups are named by it: the verdict's name in the contract, or the cause of a failure.
pub(super) fn kind(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Verdict(verdict) => verdict.kind().to_owned(),
        Outcome::Failed { cause, .. } => format!("failed: {cause}"),
    }
}

/// The outcome with all that it carries. Delays are told exactly, since they are compared so.
pub(super) fn whole(outcome: &Outcome) -> String {
    let verdict = match outcome {
        Outcome::Failed { cause, message } => return format!("failed: {cause}: {message}"),
        Outcome::Verdict(verdict) => verdict,
    };
    let name = verdict.kind();
    match verdict {
        Verdict::Existence(Presence::Absent(text) | Presence::NotExpected(text))
        | Verdict::Fallback(Choice::Skip(text) | Choice::Named(text) | Choice::Object(text))
        | Verdict::Retry(RetryDecision::Abandon(text)) => format!("{name}: {text}"),
        Verdict::Existence(Presence::Unsettled(delay))
        | Verdict::Retry(RetryDecision::After(delay)) => format!("{name} {}", in_full(*delay)),
        Verdict::Fallback(Choice::Document(text)) => {
            format!("{name} of {}", counted(text.len(), "byte"))
        }
        Verdict::Existence(Presence::Present | Presence::Abstain)
        | Verdict::Fallback(Choice::Peers | Choice::Abstain)
        | Verdict::Retry(RetryDecision::OnChange | RetryDecision::Abstain) => name.to_owned(),
    }
}
