//! Guarantee 8, in part: a deleted stream is never resurrected. The agent looks for the marker right before each write;
//! a stream that is deleted between that look and the write can't be told from one that was not.

use std::time::Duration;

use super::Found;

/// How old the look may be: what a fallback reads in between takes its time.
const FRESH: Duration = Duration::from_secs(180);

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    for write in &history.writes {
        let wrote = write.request.change.is_some();
        if !wrote || history.exists_at(write.stream, write.index) {
            continue;
        }
        let saw_it = write.look.is_some_and(|look| {
            history.exists_at(write.stream, look.index)
                && write.request.sent.saturating_sub(look.at) <= FRESH
        });
        if !saw_it {
            let text = "wrote a schema of a stream that was deleted";
            found.tell(write.request.at, write.node, write.stream, text);
        }
    }
}
