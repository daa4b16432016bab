//! A store that ignores conditions is not written to where the operator requires them: the agent ends and says so. It
//! ends by itself for no other reason.

use super::Found;
use crate::sandbox::Event;
use crate::storage::ConditionalWrites;

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    let required = history.settings().store.conditional_writes == ConditionalWrites::Required;
    let blind = !history.scenario.store.honours_conditions && required;
    for entry in &history.played.entries {
        if let Event::Ended { node, reason } = &entry.event
            && !blind
        {
            found.tell(
                entry.at,
                node,
                "",
                format!("its agent ended by itself: {reason}"),
            );
        }
    }
    let written = history
        .writes
        .iter()
        .find(|write| write.request.change.is_some());
    if let Some(write) = written.filter(|_| blind) {
        let text = "wrote to a store that ignores conditions";
        found.tell(write.request.at, write.node, write.stream, text);
    }
}
