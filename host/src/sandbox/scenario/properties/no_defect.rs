//! No attempt meets a defect of the agent's own, and nothing goes round in circles.

use super::Found;
use crate::sandbox::Event;

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    for entry in &history.played.entries {
        if let Event::Defect { node, stream, text } = &entry.event {
            let stream = stream.as_ref().map(ToString::to_string);
            found.tell(entry.at, node, &stream.unwrap_or_default(), text.clone());
        }
    }
    if let Some(stuck) = history.stuck() {
        found.tell_of_end("the world", "", stuck.to_string());
    }
    if history.played.omitted > 0 {
        found.tell_of_end("the world", "", "more happened than is kept");
    }
}
