//! What a policy leaves in its state.

use crate::tidegate::policy::state::{self, Scope, StateError};
use crate::{Outcome, compute, text};

const KEY: &str = "hostile";

pub(crate) fn act(act: &str) -> Option<Outcome> {
    Some(match act {
        "swap" => {
            write();
            Outcome::Answer
        }
        "trap-after-swap" => {
            write();
            compute::trap()
        }
        "error-after-swap" => {
            write();
            Outcome::Error("changed its mind".to_owned())
        }
        "loop-after-swap" => {
            write();
            compute::spin()
        }
        "load" => {
            let [stream, node] =
                [Scope::ThisStream, Scope::ThisNode].map(|scope| match load(scope) {
                    Ok(Some(value)) => String::from_utf8_lossy(&value).into_owned(),
                    Ok(None) => "nothing".to_owned(),
                    Err(error) => format!("{error:?}"),
                });
            Outcome::Report(format!("stream: {stream}; node: {node}"))
        }
        "count" => Outcome::Report(count()),
        "swap-stale" => {
            let swapped = state::swap(Scope::ThisStream, KEY, Some(b"never was"), Some(b"x"));
            Outcome::Report(format!("{swapped:?}"))
        }
        "state-bounds" => Outcome::Report(bounds()),
        _ => return None,
    })
}

fn load(scope: Scope) -> Result<Option<Vec<u8>>, StateError> {
    state::load(scope, KEY)
}

/// Writes the settings' `value` into both scopes, whatever stood there.
fn write() {
    let value = text("value", "written");
    for scope in [Scope::ThisStream, Scope::ThisNode] {
        let current = load(scope).unwrap_or_default();
        let _ = state::swap(scope, KEY, current.as_deref(), Some(value.as_bytes()));
    }
}

/// Counts the node's decisions in the state.
fn count() -> String {
    let current = load(Scope::ThisNode).unwrap_or_default();
    let counted = current
        .as_deref()
        .and_then(|bytes| std::str::from_utf8(bytes).ok()?.parse::<u64>().ok())
        .unwrap_or_default();
    let next = (counted + 1).to_string();
    match state::swap(
        Scope::ThisNode,
        KEY,
        current.as_deref(),
        Some(next.as_bytes()),
    ) {
        Ok(true) => next,
        other => format!("{other:?}"),
    }
}

/// A key, a value and a number of keys, each one over the contract's bound.
fn bounds() -> String {
    let set = |key: &str, value: &[u8]| state::swap(Scope::ThisStream, key, None, Some(value));
    let long_key = set(&"k".repeat(129), b"x");
    let long_value = set("long-value", &vec![b'x'; (64 << 10) + 1]);
    let taken = (0..65)
        .take_while(|n| matches!(set(&format!("key-{n}"), b"x"), Ok(true)))
        .count();
    format!(
        "key of 129 bytes: {long_key:?}; value over 64 KiB: {long_value:?}; keys taken of 65: {taken}"
    )
}
