//! Guarantee 1: a schema that does not parse is never uploaded. A node's agent writes its own keys and no others.

use super::Found;

/// Where an agent finds out what the store can do.
pub(super) const OWN_PLACE: &str = ".tidegate/";

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    for node in &history.scenario.nodes {
        for (_, request) in history.requests_of(node) {
            let after = request
                .change
                .as_ref()
                .and_then(|change| change.after.as_ref());
            let Some(after) = after.filter(|_| !request.key.starts_with(OWN_PLACE)) else {
                continue;
            };
            let own = history
                .pairs()
                .find(|(of, _, keys)| of == node && keys.schema.as_ref() == request.key);
            match own {
                None => found.tell(
                    request.at,
                    node,
                    "",
                    format!("wrote `{}`, which is no key of its own", request.key),
                ),
                Some((_, stream, _)) if history.schema(after).is_none() => {
                    found.tell(request.at, node, stream, "uploaded what is no schema");
                }
                Some(_) => {}
            }
        }
    }
}
