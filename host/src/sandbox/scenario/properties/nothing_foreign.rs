//! Nothing of an earlier incarnation of a stream enters a later one, and no field is written that nobody published or
//! staged in this one.

use super::Found;
use crate::sandbox::scenario::history::{History, Write};
use crate::schema::Schema;

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    for write in &history.writes {
        let change = write.request.change.as_ref();
        let Some(written) = change.and_then(|change| history.schema(change.after.as_ref()?)) else {
            continue;
        };
        if history.rules(write.stream).allow_new_fields {
            continue;
        }
        // A marker is compared with another node's by this node's clock.
        let looked_at_another = write.look.is_some_and(|look| look.at_another);
        if looked_at_another && history.is_ahead(write.node, write.stream, write.index) {
            continue;
        }
        if let Err(stray) = written.subset_of_union(&known(history, write)) {
            let text =
                format!("wrote what nobody staged or published since the stream began: {stray}");
            found.tell(write.request.at, write.node, write.stream, text);
        }
    }
}

/// What could be known of the stream since the life of it began that the agent saw before it wrote.
fn known(history: &History<'_>, write: &Write<'_>) -> Vec<Schema> {
    // A stream that is deleted and created again between that look and the write can't be told from one that was not.
    let seen = write.look.map_or(write.index, |look| look.index);
    let began = history.era_at(write.stream, seen);
    let mut known = stored_since(history, write, began);
    for staged in history.stagings(write.node, write.stream) {
        // What was staged between a deletion and the next creation is held back, unless clocks may differ by as much.
        let may_be_new =
            staged.index >= began || !history.is_left_over(write.stream, staged.at, seen);
        if staged.index < write.index && may_be_new {
            known.extend(
                staged
                    .content
                    .as_ref()
                    .and_then(|bytes| history.schema(bytes)),
            );
        }
    }
    known
}

/// The schemas that stood anywhere under the stream's prefix since then.
pub(super) fn stored_since(history: &History<'_>, write: &Write<'_>, began: usize) -> Vec<Schema> {
    let Some(keys) = history.keys(write.node, write.stream) else {
        return Vec::new();
    };
    let within = history.all_keys().filter(|key| key.starts_with(&keys.root));
    within
        .flat_map(|key| {
            let log = history.contents(key).iter();
            log.filter(|(index, _)| *index >= began && *index < write.index)
                .filter_map(|(_, content)| history.schema((*content)?))
                .collect::<Vec<_>>()
        })
        .collect()
}
