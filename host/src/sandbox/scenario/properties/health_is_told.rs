//! Policies are told how the store does: one that is asked after a failed request hears that a stream fails.

use super::Found;
use crate::contract::{Failure, Role};
use crate::sandbox::store::Outcome;
use crate::sync::Event as Step;

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    for attempt in &history.attempts {
        let story = &attempt.outcome.story;
        let first = story.steps.iter().find_map(|step| match step {
            Step::Asked { role, .. } => Some(*role),
            _ => None,
        });
        let (Some(Role::Retry), Some(facts), Some(began)) = (first, &story.facts, attempt.began)
        else {
            continue;
        };
        let Some(keys) = history.keys(attempt.node, attempt.stream) else {
            continue;
        };
        let failed = history.requests_of(attempt.node).any(|(index, request)| {
            let failure = matches!(
                request.outcome,
                Outcome::Failed(_) | Outcome::Unanswered | Outcome::AnswerLost
            );
            failure
                && index < attempt.index
                && request.sent >= began
                && request
                    .key
                    .starts_with(keys.peers_prefix.trim_end_matches('/'))
        });
        let by_store = matches!(attempt.outcome.failure, Some(Failure::Store(_)));
        if failed && by_store && facts.store.failing_streams == 0 {
            let text = "a request failed, and the policies were told that none does";
            found.tell(attempt.at, attempt.node, attempt.stream, text);
        }
    }
}
