//! Guarantee 2: a fallback is only ever created where nothing stood. No write goes without a condition, and nothing is
//! deleted besides the agent's own probes.

use super::Found;
use super::well_formed::OWN_PLACE;
use crate::sandbox::store::Operation;

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    for node in &history.scenario.nodes {
        for (_, request) in history.requests_of(node) {
            let unconditional = request.operation == Operation::Overwrite
                || request.operation == Operation::Delete && !request.key.starts_with(OWN_PLACE);
            if unconditional {
                let text = format!("{} of `{}`", request.operation, request.key);
                found.tell(request.at, node, "", text);
            }
        }
    }
    for write in &history.writes {
        let change = write.request.change.as_ref();
        let replaced = change.is_some_and(|change| change.before.is_some());
        if write.fallback && (replaced || write.request.operation != Operation::Create) {
            let text = "placed a fallback where something stood";
            found.tell(write.request.at, write.node, write.stream, text);
        }
    }
}
