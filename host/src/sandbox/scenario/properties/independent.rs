//! Guarantee 6: one stream's trouble delays no other stream. A stream that has no trouble of its own is attended to soon
//! after it is staged, whatever becomes of the others.

use std::time::Duration;

use super::Found;
use crate::sandbox::scenario::history::{History, Staged};
use crate::sandbox::scenario::model::Deed;

/// How long an attempt without trouble may take.
const SOON: Duration = Duration::from_secs(5);

/// No store that is slower than this is without trouble.
const FAST: Duration = Duration::from_millis(500);

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    let store = &history.scenario.store;
    if store.latency.longest() > FAST || store.limits.is_some() || !store.honours_conditions {
        return;
    }
    let within = history.settings().scan_interval * 2 + SOON;
    for (node, stream, _) in history.pairs() {
        let Some(staged) = history.stagings(node, stream).first() else {
            continue;
        };
        let until = staged.at.saturating_add(within);
        if staged.content.is_none() || until > history.scenario.until {
            continue;
        }
        if !is_free_of_trouble(history, node, stream, staged, until) {
            continue;
        }
        let attended = history
            .attempts_of(node, stream)
            .any(|attempt| attempt.at >= staged.at && attempt.at <= until);
        if !attended {
            let text =
                format!("nothing stood in its way, and nobody looked at it within {within:?}");
            found.tell(until, node, stream, text);
        }
    }
}

/// Whether nothing but other streams' trouble could keep the node from attending to this one.
fn is_free_of_trouble(
    history: &History<'_>,
    node: &str,
    stream: &str,
    staged: &Staged,
    until: Duration,
) -> bool {
    let mut faults = history.scenario.store.faults.iter();
    let others_alone = faults.all(|fault| fault.from > until || !history.may_meet(fault, stream));
    let settled_in = history.settings().start_jitter.saturating_add(SOON);
    let started = staged.at.saturating_sub(settled_in);
    let undisturbed = history.acts.iter().all(|act| {
        let of_node = act.node == Some(node);
        let of_stream = act.stream == Some(stream);
        let disturbs = match act.deed {
            Deed::Crash | Deed::Start | Deed::Stop => of_node && act.at >= started,
            Deed::Skew(_) | Deed::Staging(_) | Deed::Identity(_) => of_node,
            Deed::CreateStream(_) | Deed::PublishBase(..) => of_stream && act.at > Duration::ZERO,
            _ => of_stream && (of_node || act.node.is_none()) && act.index != staged.index,
        };
        act.at > until || !disturbs
    });
    let up = history
        .lives(node)
        .iter()
        .rfind(|(_, at, _)| *at <= staged.at)
        .is_some_and(|(_, _, up)| *up);
    up && others_alone && undisturbed && staged.at >= settled_in
}
