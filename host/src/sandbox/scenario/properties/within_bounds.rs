//! Guarantee 7, in part: no delay of a policy takes effect that lies out of the operator's bounds.

use super::Found;
use crate::contract::Role;
use crate::sync::Event as Step;

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    for attempt in &history.attempts {
        let Some(again) = attempt.outcome.again else {
            continue;
        };
        let rules = history.rules(attempt.stream);
        let asked = attempt
            .outcome
            .story
            .steps
            .iter()
            .rev()
            .find_map(|step| match step {
                Step::Asked { role, kind, .. } => Some((*role, kind.as_deref())),
                _ => None,
            });
        let (least, most) = match asked {
            // Without a verdict, the host's own delay lies within them too.
            Some((Role::Retry, Some("after") | None)) => (rules.min_delay, rules.max_delay),
            Some((Role::Existence, Some("unsettled"))) if attempt.outcome.unsettled => {
                (rules.min_delay, rules.max_delay)
            }
            // A clock that was set meanwhile puts other timers anywhere; they are bounded when they are set.
            _ => continue,
        };
        if again < least || again > most {
            let text = format!("asked again after {again:?}, out of {least:?} to {most:?}");
            found.tell(attempt.at, attempt.node, attempt.stream, text);
        }
    }
}
