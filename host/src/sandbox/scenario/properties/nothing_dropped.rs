//! Guarantee 3: a local schema is merged with what the store holds; no write drops a field or changes its type. The
//! fields of the node's own fallback alone give way, and an object that is no schema is replaced only by a repair.

use super::Found;
use crate::sync::machine::Repair;

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    for write in &history.writes {
        let Some(change) = &write.request.change else {
            continue;
        };
        let (Some(before), Some(after)) = (&change.before, &change.after) else {
            continue;
        };
        let Some(stood) = history.schema(before) else {
            if history.rules(write.stream).repair != Repair::All {
                let text = "replaced an object that is no schema, and repairs are off";
                found.tell(write.request.at, write.node, write.stream, text);
            }
            continue;
        };
        let held = history
            .schema(after)
            .is_some_and(|after| after.covers(&stood));
        let own_fallback = history.writes.iter().any(|other| {
            let placed = other.request.change.as_ref();
            other.fallback
                && other.index < write.index
                && other.request.key == write.request.key
                && placed.is_some_and(|placed| placed.after.as_ref() == Some(before))
        });
        if !held && !own_fallback {
            let text = "its write dropped a field of what stood there, or changed a type";
            found.tell(write.request.at, write.node, write.stream, text);
        }
    }
}
