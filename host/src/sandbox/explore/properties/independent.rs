//! Guarantee 6: one stream's trouble delays no other stream. A stream that has no trouble of its own is attended to soon
//! after it is staged, whatever becomes of the others.

use std::time::Duration;

use super::Found;
use crate::sandbox::explore::history::{History, Staged};
use crate::sandbox::explore::plan::{Action, Span};

/// How long an attempt without trouble may take.
const SOON: Duration = Duration::from_secs(20);

/// No store that is slower than this is without trouble.
const FAST: Span = Span::ms(500);

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    let [.., longest] = history.plan.store.latency;
    if longest > FAST || history.plan.store.limits.is_some() || !history.plan.store.conditions {
        return;
    }
    let within = history.settings().scan_interval * 2 + SOON;
    for (node, stream, _) in history.pairs() {
        let Some(staged) = history.stagings(node, stream).first() else {
            continue;
        };
        let until = staged.at.saturating_add(within);
        if staged.content.is_none() || !is_free_of_trouble(history, node, stream, staged, until) {
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
    let others_alone = history.plan.faults.iter().all(|fault| {
        fault.from.duration() > until || fault.stream.as_deref().is_some_and(|of| of != stream)
    });
    let settled_in = history.settings().start_jitter.saturating_add(SOON);
    let started = staged.at.saturating_sub(settled_in);
    let undisturbed = history.actions.iter().all(|(index, at, action)| {
        let of_node = action.node() == Some(node);
        let of_stream = action.stream() == Some(stream);
        let disturbs = match action {
            Action::Crash { .. } | Action::Start { .. } | Action::Stop { .. } => {
                of_node && *at >= started
            }
            Action::Skew { .. } => of_node,
            Action::CreateStream { .. } => of_stream && *at > Duration::ZERO,
            _ => of_stream && (of_node || action.node().is_none()) && *index != staged.index,
        };
        *at > until || !disturbs
    });
    let up = history
        .lives(node)
        .iter()
        .rfind(|(_, at, _)| *at <= staged.at)
        .is_some_and(|(_, _, up)| *up);
    up && others_alone && undisturbed && staged.at >= settled_in
}
