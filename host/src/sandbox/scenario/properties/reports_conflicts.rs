//! A conflict between nodes is reported within the bound, and for as long as it lasts: the node whose schema brought it
//! up is not synced at the end of a world that was undisturbed for longer than every bound.

use object_store::path::Path;

use super::Found;
use crate::contract::Phase;
use crate::sandbox::scenario::history::{History, Index};
use crate::schema::Schema;
use crate::staging::{KeyKind, StreamKeys};

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    // Nothing is written to a store that ignores conditions, and no agent runs on it.
    if !history.scenario.store.honours_conditions {
        return;
    }
    for (node, stream, keys) in history.pairs() {
        let up = history.node_end(node).is_some_and(|end| end.up);
        let end = history.end_of(node, stream);
        let claims = end.is_some_and(|end| end.phase == Phase::Synced);
        if !up || !claims || !history.rules(stream).check_peers {
            continue;
        }
        for peer in peers(history, keys) {
            if brought_up(history, keys.schema.as_ref(), peer) {
                let text = format!("is synced at the end, though its schema conflicts with {peer}");
                found.tell_of_end(node, stream, text);
                break;
            }
        }
    }
}

/// The keys of the stream's other publishers.
fn peers<'h>(history: &'h History<'_>, keys: &StreamKeys) -> impl Iterator<Item = &'h str> {
    history.all_keys().filter(|key| {
        let kind = Path::parse(key).map(|path| keys.classify(&path));
        matches!(kind, Ok(KeyKind::Peer(_) | KeyKind::Base))
    })
}

/// Whether the two objects are in conflict at the end, and have been since the first of them changed last.
fn brought_up(history: &History<'_>, own: &str, peer: &str) -> bool {
    let schema_at = |key: &str, index: Index| -> Option<Schema> {
        history.schema(history.content_at(key, index)?)
    };
    let conflict_at = |index| match (schema_at(own, index), schema_at(peer, index)) {
        (Some(own), Some(peer)) => own.merge(&peer).is_err(),
        _ => false,
    };
    let changes = |key: &str, own: bool| -> Vec<(Index, bool)> {
        let changes = history.contents(key).iter();
        changes.map(|(index, _)| (*index, own)).collect()
    };
    let mut changes = [changes(own, true), changes(peer, false)].concat();
    changes.sort_unstable();
    let conflicts = changes
        .iter()
        .rev()
        .take_while(|(index, _)| conflict_at(*index + 1));
    conflicts.last().is_some_and(|(_, own)| *own)
}
