//! A stream is attended to by one attempt at a time, so that what one knows is not changed by another.

use super::Found;
use crate::sandbox::store::{Operation, Outcome};

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    let timeout = history.settings().store.request_timeout;
    for (node, stream, keys) in history.pairs() {
        // Others of the node's duties read the key as well.
        let mut own: Vec<_> = history
            .requests_of(node)
            .map(|(_, request)| request)
            .filter(|request| request.key == keys.schema.as_ref())
            .filter(|request| request.operation != Operation::Get)
            .collect();
        own.sort_by_key(|request| request.sent);
        for pair in own.windows(2) {
            let [one, next] = pair else { continue };
            // A policy's look is given up with its decision, while the store still works on it.
            if one.operation == Operation::Head {
                continue;
            }
            if history.life_at(node, one.sent) != history.life_at(node, next.sent) {
                continue;
            }
            let given_up = one.sent.saturating_add(timeout);
            let over = match one.outcome {
                Outcome::Unanswered => given_up,
                _ => one.at.min(given_up),
            };
            if next.sent < over {
                let text = format!(
                    "a {} and a {} of its object at once",
                    one.operation, next.operation
                );
                found.tell(next.sent, node, stream, text);
                break;
            }
        }
    }
}
