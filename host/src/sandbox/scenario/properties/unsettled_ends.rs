//! Verdicts that it is too early to tell add up to the operator's bound at most, then the schema counts as not expected.

use std::time::Duration;

use super::Found;
use crate::contract::Role;
use crate::sync::Event as Step;
use crate::time::in_full;

/// The verdict's name in the contract.
const UNSETTLED: &str = "unsettled";

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    for (node, stream, _) in history.pairs() {
        let limit = history.rules(stream).max_unsettled;
        let mut sum = Duration::ZERO;
        for attempt in history.attempts_of(node, stream) {
            if !attempt.outcome.unsettled {
                sum = Duration::ZERO;
                continue;
            }
            let verdicts: Vec<_> = attempt
                .outcome
                .story
                .steps
                .iter()
                .filter_map(|step| match step {
                    Step::Asked { role, kind, .. } if *role == Role::Existence => kind.as_deref(),
                    _ => None,
                })
                .collect();
            // An attempt that asks twice noticed in between that the stream was created again, and begins to count.
            if verdicts.len() > 1 || verdicts.iter().any(|kind| *kind != UNSETTLED) {
                sum = Duration::ZERO;
            }
            if !verdicts.is_empty() {
                sum = sum.saturating_add(attempt.outcome.again.unwrap_or_default());
            }
            // An attempt that was asked about earlier may have been cut off, so less may have been counted here.
            if sum > limit {
                let text = format!(
                    "too early to tell for {}, over {}",
                    in_full(sum),
                    in_full(limit)
                );
                found.tell(attempt.at, node, stream, text);
                break;
            }
        }
    }
}
