//! Guarantee 4: after a write of unknown outcome, or one that was refused, the next that is asked about its key is what
//! stands there; also after a crash.

use super::Found;
use crate::contract::FailureKind;
use crate::sandbox::scenario::history::{History, Write};
use crate::sandbox::scenario::model::Deed;
use crate::sandbox::store::{Operation, Outcome};

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    for write in &history.writes {
        if !must_be_read_back(history, write) {
            continue;
        }
        let later = history.requests_of(write.node).filter(|(index, request)| {
            request.key == write.request.key
                && *index != write.index
                && request.sent >= write.request.sent
        });
        let next = later
            .map(|(_, request)| request)
            .min_by_key(|request| request.sent);
        if let Some(next) = next
            && next.operation != Operation::Get
        {
            let text = format!(
                "what stood there after a {} ({}) was not read: the next request was a {}",
                write.request.operation, write.request.outcome, next.operation
            );
            found.tell(next.at, write.node, write.stream, text);
        }
    }
}

/// Whether the agent can't know what stands there after its write.
fn must_be_read_back(history: &History<'_>, write: &Write<'_>) -> bool {
    let request = write.request;
    let unclear = match request.outcome {
        Outcome::AnswerLost | Outcome::Unanswered | Outcome::Refused => true,
        Outcome::Failed(kind) => !matches!(
            kind,
            FailureKind::Throttled | FailureKind::PermissionDenied | FailureKind::NotFound
        ),
        Outcome::Done | Outcome::Missing => false,
    };
    let timeout = history.settings().store.request_timeout;
    let too_late = request.at.saturating_sub(request.sent) >= timeout;
    let ended = history
        .attempts_of(write.node, write.stream)
        .find(|attempt| attempt.index > write.index);
    let lives = history.lives(write.node);
    let began = |index: usize| lives.iter().any(|(at, _, up)| *up && *at == index);
    let cut_off = history.acts.iter().any(|act| {
        let by = match act.deed {
            Deed::Crash => true,
            // What is left of an agent that was told to stop ends when the next one begins.
            Deed::Start => began(act.index),
            _ => false,
        };
        let until = ended.map_or(usize::MAX, |attempt| attempt.index);
        by && act.node == Some(write.node) && act.at >= request.sent && act.index < until
    });
    unclear || too_late || cut_off
}
