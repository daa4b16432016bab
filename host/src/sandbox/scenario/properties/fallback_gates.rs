//! Fallbacks are contagious: one holds what the peers and the base hold and nothing else, and none is placed while the
//! peers are not known or a schema of the stream's own is staged.

use std::time::Duration;

use super::Found;
use crate::sandbox::scenario::history::{History, Write};
use crate::schema::Schema;
use crate::sync::Event as Step;

/// A file that was staged for longer was seen.
const SEEN: Duration = Duration::from_secs(180);

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    for write in history.writes.iter().filter(|write| write.fallback) {
        let (at, node, stream) = (write.request.at, write.node, write.stream);
        let change = write.request.change.as_ref();
        let placed = change.and_then(|change| history.schema(change.after.as_ref()?));
        let peers = peers(history, write);
        if let Some(placed) = placed
            && !history.rules(stream).allow_new_fields
            && let Err(stray) = placed.subset_of_union(&peers)
        {
            let text = format!("placed a fallback that no peer and no base holds: {stray}");
            found.tell(at, node, stream, text);
        }
        if !listing_succeeded(history, write) {
            found.tell(
                at,
                node,
                stream,
                "placed a fallback though the listing of peers failed",
            );
        }
        if own_schema_was_staged(history, write) {
            found.tell(
                at,
                node,
                stream,
                "placed a fallback though its own schema is staged",
            );
        }
    }
}

fn peers(history: &History<'_>, write: &Write<'_>) -> Vec<Schema> {
    let began = history.era_at(
        write.stream,
        write.look.map_or(write.index, |look| look.index),
    );
    let own = write.request.key.as_str();
    let Some(keys) = history.keys(write.node, write.stream) else {
        return Vec::new();
    };
    let others = history
        .all_keys()
        .filter(|key| key.starts_with(&keys.root) && *key != own);
    let stood = others.flat_map(|key| history.contents(key).iter());
    stood
        .filter(|(index, _)| *index >= began && *index < write.index)
        .filter_map(|(_, content)| history.schema((*content)?))
        .collect()
}

/// Whether the last listing before the write was whole, as the attempt tells it.
fn listing_succeeded(history: &History<'_>, write: &Write<'_>) -> bool {
    let attempt = history
        .attempts_of(write.node, write.stream)
        .find(|attempt| attempt.index > write.index);
    let Some(attempt) = attempt else { return true };
    let mut listed = None;
    for step in &attempt.outcome.story.steps {
        match step {
            Step::Request {
                method, outcome, ..
            } if method == "LIST" => {
                listed = Some(outcome.ends_with(" objects") || outcome.ends_with(" object"));
            }
            Step::Request { method, .. } if method == "CREATE" => {
                return listed.unwrap_or(false);
            }
            _ => {}
        }
    }
    // The write was made by an attempt that was cut off.
    true
}

fn own_schema_was_staged(history: &History<'_>, write: &Write<'_>) -> bool {
    let staged = history.staged_at(write.node, write.stream, write.index);
    staged.is_some_and(|staged| {
        let held = history.is_left_over(write.stream, staged.at, write.index);
        let schema = staged
            .content
            .as_ref()
            .and_then(|bytes| history.schema(bytes));
        schema.is_some() && !held && staged.at.saturating_add(SEEN) < write.request.sent
    })
}
