//! Streams that fail together are not all tried again together: policies that give each of them the same delay make a
//! herd of the whole fleet, which meets the store at one moment for as long as it fails.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Found;
use crate::contract::{Failure, FailureKind, Role};
use crate::sandbox::scenario::history::Attempt;
use crate::sync::Event as Step;
use crate::time::in_full;

/// So many streams get the same delay by chance only where next to none are left to choose from.
const HERD: usize = 4;

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    let mut alike: BTreeMap<(u32, &str), Vec<(&Attempt<'_>, Duration)>> = BTreeMap::new();
    for attempt in &history.attempts {
        let rules = history.rules(attempt.stream);
        let Some((failure, attempts, delay)) = chosen(attempt) else {
            continue;
        };
        // At the operator's bounds many delays become one.
        if delay > rules.min_delay && delay < rules.max_delay {
            let key = (attempts, failure.name());
            alike.entry(key).or_default().push((attempt, delay));
        }
    }
    for ((attempts, failure), chosen) in alike {
        let streams = chosen.iter().map(|(of, _)| (of.node, of.stream));
        let streams = streams.collect::<BTreeSet<_>>().len();
        let Some(&(last, delay)) = chosen.last() else {
            continue;
        };
        if streams >= HERD && chosen.iter().all(|(_, other)| *other == delay) {
            let text = format!(
                "all {streams} streams that failed with `{failure}` are tried again after the same {}, the failure being number {attempts}",
                in_full(delay)
            );
            found.tell(last.at, "", "", text);
        }
    }
}

/// The store's failure that a policy was asked about, which one in a row it is, and the delay that the policy chose.
fn chosen(attempt: &Attempt<'_>) -> Option<(FailureKind, u32, Duration)> {
    let story = &attempt.outcome.story;
    let mut asked = story.steps.iter().filter_map(|step| match step {
        Step::Asked { role, kind, .. } => Some((*role, kind.as_deref())),
        _ => None,
    });
    // The facts are those of the first question.
    let (Some((Role::Retry, Some("after"))), None) = (asked.next(), asked.next()) else {
        return None;
    };
    let Some(Failure::Store(failure)) = &attempt.outcome.failure else {
        return None;
    };
    // The store's own advice is the same for all.
    let advised = failure.retry_after.is_some();
    let facts = story.facts.as_ref().filter(|_| !advised)?;
    Some((failure.kind, facts.attempts, attempt.outcome.again?))
}
