//! What the bundled policies share.
//!
//! A policy's logic is plain Rust over the contract's types ([`types`]) and the few host functions it needs, which it
//! takes as a trait ([`ObjectReader`], [`State`]), so that it is tested natively. Its `guest` module, which exists on
//! WebAssembly only, joins that logic to the component's exports.

mod duration;
mod guest;
#[cfg(target_family = "wasm")]
mod heap;
mod host;
mod random;
mod settings;

#[cfg(feature = "fixture")]
pub mod fixture;

pub use duration::{Span, describe_millis};
pub use guest::Configured;
pub use host::{Host, ObjectReader, State};
pub use random::between;
pub use settings::{Problem, Table};

/// The contract's imports and types, as `wit-bindgen` makes them from `wit/0.1`.
#[allow(
    missing_docs,
    reason = "the contract documents its items, and not every one of them gets a docstring here"
)]
#[allow(
    unreachable_pub,
    reason = "generated code declares more than it re-exports"
)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/0.1",
        world: "imports",
        additional_derives: [PartialEq],
        generate_unused_types: true,
    });
}

pub use bindings::tidegate::policy::{log, object_reader, staging, state, types};

/// The longest reason a verdict may carry, in bytes: the contract's bound.
const MAX_REASON: usize = 1024;

/// A reason that fits the contract's bound of 1 KiB, cut at a character's end and marked where it was cut. Keys and
/// messages of stores end up in reasons, and a reason over the bound would count as a failure of the policy.
pub fn reason(text: impl Into<String>) -> String {
    const MARK: &str = "…";
    let mut text = text.into();
    if text.len() > MAX_REASON {
        let end = text.floor_char_boundary(MAX_REASON - MARK.len());
        text.truncate(end);
        text.push_str(MARK);
    }
    text
}

/// A stream's name for messages and state: `tenant/name`, or the name alone. Neither part can hold a `/`.
pub fn stream_name(facts: &types::StreamFacts) -> String {
    match &facts.tenant {
        Some(tenant) => format!("{tenant}/{}", facts.name),
        None => facts.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn a_long_reason_is_cut_to_the_bound_at_a_character() {
        let cut = reason("é".repeat(2000));
        assert!(cut.len() <= 1024 && cut.len() > 1020, "{}", cut.len());
        assert!(cut.ends_with("é…"));
        assert_eq!(reason("short"), "short");
    }
}
