//! Guarantee 5, in part: what was captured of a staged schema is never lost, whatever becomes of its file. It ends in
//! the store or in a conflict, unless the stream is deleted or given up.

use super::{END, Found};
use crate::contract::{Phase, Role};
use crate::sandbox::scenario::history::Attempt;
use crate::sync::Event as Step;

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    for (node, stream, keys) in history.pairs() {
        let captures = |attempt: &&Attempt<'_>| took_it(attempt.outcome.story.steps.as_slice());
        let Some(last) = history.attempts_of(node, stream).filter(captures).last() else {
            continue;
        };
        let Some(staged) = history.staged_at(node, stream, last.index) else {
            continue;
        };
        // A file that is left from before the stream was created is held, not captured.
        let held = history.is_left_over(stream, staged.at, END);
        let was_there = !held && last.began.is_some_and(|began| staged.at < began);
        let replaced = history.stagings(node, stream).iter();
        let replaced = replaced
            .filter(|later| later.index > staged.index)
            .any(|later| later.content.is_some());
        let existed = last.outcome.phase != Phase::Gone && history.exists_at(stream, last.index);
        let deleted = !existed
            || history.created_before(stream, last.index) != history.created_before(stream, END);
        let deleted = deleted || history.era_at(stream, last.index) != history.era_at(stream, END);
        let schema = staged
            .content
            .as_ref()
            .and_then(|bytes| history.schema(bytes));
        let (Some(schema), Some(end)) = (schema, history.end_of(node, stream)) else {
            continue;
        };
        if !was_there || replaced || deleted {
            continue;
        }
        let key = keys.schema.as_ref();
        let holds = |bytes: &bytes::Bytes| {
            let held = history.schema(bytes);
            held.is_some_and(|held| held.covers(&schema))
        };
        let before = history.content_at(key, last.index).is_some_and(holds);
        let stored = before
            || history
                .contents(key)
                .iter()
                .any(|(index, content)| *index > staged.index && content.is_some_and(holds));
        let kept = end.captured.as_ref();
        let kept = kept.is_some_and(|kept| kept.schema.covers(&schema));
        let excused = matches!(
            end.phase,
            Phase::Conflicted | Phase::Gone | Phase::Abandoned
        );
        if !stored && !kept && !excused {
            let text = "a captured schema was lost: it is neither stored nor known any more";
            found.tell_of_end(node, stream, text);
        }
    }
}

/// Whether a schema was read in the attempt, and taken as there.
fn took_it(steps: &[Step]) -> bool {
    let read = steps
        .iter()
        .any(|step| matches!(step, Step::Staged { found } if found.starts_with("a schema")));
    let present = steps.iter().any(|step| match step {
        Step::Asked { role, kind, .. } => {
            *role == Role::Existence && kind.as_deref() == Some("present")
        }
        _ => false,
    });
    read && present
}
