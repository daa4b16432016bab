//! Nothing provisional is left where the stream's own schema is known.

use super::{END, Found};
use crate::contract::Phase;

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    for (node, stream, _) in history.pairs() {
        let up = history.node_end(node).is_some_and(|end| end.up);
        let Some(end) = history.end_of(node, stream).filter(|_| up) else {
            continue;
        };
        let staged = history
            .staged_at(node, stream, END)
            .filter(|staged| !history.is_left_over(stream, staged.at, END));
        let staged = staged.and_then(|staged| history.schema(staged.content.as_ref()?));
        let known = end.captured.is_some() || staged.is_some();
        if end.phase == Phase::Provisional && known {
            found.tell_of_end(
                node,
                stream,
                "only a fallback is stored, though its own schema is known",
            );
        }
    }
}
