//! The node itself writes the same keys without conditions, so what was written is soon looked at again.

use std::time::Duration;

use super::Found;
use crate::contract::Phase;
use crate::sandbox::scenario::history::{History, Write};
use crate::sandbox::scenario::model::Deed;
use crate::sandbox::store::Operation;

/// How late the look may be: the stream may be busy.
const LATE: Duration = Duration::from_secs(60);

/// Requests that may come before it.
const REQUESTS_BEFORE: u32 = 8;

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    let longest = history.scenario.store.latency.longest();
    // Where requests time out by themselves, looks are put off.
    if longest * 2 >= history.settings().store.request_timeout {
        return;
    }
    for write in &history.writes {
        let request = write.request;
        if request.change.is_none() || !history.was_told(request) {
            continue;
        }
        let look_again = history.rules(write.stream).look_again;
        let from = request.at;
        let until = from + look_again + LATE + longest * REQUESTS_BEFORE;
        if until >= history.scenario.until || was_disturbed(history, write, until) {
            continue;
        }
        let settled = history
            .attempts_of(write.node, write.stream)
            .find(|attempt| attempt.index > write.index)
            .is_some_and(|attempt| {
                matches!(attempt.outcome.phase, Phase::Synced | Phase::Provisional)
            });
        let looked = history.requests_of(write.node).any(|(_, later)| {
            later.key == request.key
                && matches!(later.operation, Operation::Head | Operation::Get)
                && later.sent > from
                && later.sent <= until
        });
        // A stream that was created again meanwhile owes nothing to what was written before.
        let created_again = history.created_before(write.stream, write.index)
            != history
                .acts
                .iter()
                .filter(|act| {
                    act.stream == Some(write.stream)
                        && matches!(act.deed, Deed::CreateStream(_))
                        && act.at <= until
                })
                .map(|act| act.at)
                .next_back();
        if settled && !looked && !created_again {
            let text = format!(
                "nobody looked again at what was written within {:?}",
                until - from
            );
            found.tell(until, write.node, write.stream, text);
        }
    }
}

/// Whether something may have kept the agent from it.
fn was_disturbed(history: &History<'_>, write: &Write<'_>, until: Duration) -> bool {
    let from = write.request.sent;
    let mut faults = history.scenario.store.faults.iter();
    let troubled =
        faults.any(|fault| fault.from <= until && fault.until.is_none_or(|ended| ended >= from));
    let acted = history.acts.iter().any(|act| {
        let disturbs = match act.deed {
            Deed::Crash | Deed::Stop | Deed::Start | Deed::Skew(_) => act.node == Some(write.node),
            Deed::DeleteStream(_) => act.stream == Some(write.stream),
            _ => false,
        };
        disturbs && act.at >= from && act.at <= until
    });
    troubled || acted
}
