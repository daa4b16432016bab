//! Guarantee 8, in part: what was confirmed in the store once can be restored, since it is remembered.

use super::{END, Found};
use crate::contract::Phase;

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    for (node, stream, keys) in history.pairs() {
        let mut writes = history.writes.iter();
        let last = writes.rfind(|write| {
            (write.node, write.stream) == (node, stream) && write.request.change.is_some()
        });
        let Some(last) = last.filter(|write| !write.fallback && history.was_told(write.request))
        else {
            continue;
        };
        // What others wrote there later is another story, and so is another life of the stream.
        let since = history.contents(keys.schema.as_ref()).iter();
        let replaced = since
            .filter(|(index, _)| *index > last.index)
            .any(|(_, content)| content.is_some());
        let life = |index| {
            (
                history.era_at(stream, index),
                history.created_before(stream, index),
            )
        };
        let another_life = life(last.index) != life(END);
        let confirmed = history
            .attempts_of(node, stream)
            .find(|attempt| attempt.index > last.index)
            .is_some_and(|attempt| attempt.outcome.phase == Phase::Synced);
        if replaced || another_life || !confirmed || !history.exists_at(stream, END) {
            continue;
        }
        let change = last.request.change.as_ref();
        let written = change.and_then(|change| history.schema(change.after.as_ref()?));
        let known = history
            .end_of(node, stream)
            .and_then(|end| end.true_schema());
        let held = match (&written, known) {
            (Some(written), Some(known)) => known.schema.covers(written),
            (None, _) => true,
            (_, None) => false,
        };
        if !held {
            let text = "what it wrote and confirmed is not remembered any more";
            found.tell_of_end(node, stream, text);
        }
    }
}
