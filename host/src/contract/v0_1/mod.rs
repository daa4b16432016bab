//! Version 0.1 of the contract (`wit/0.1`): its interface names, its bindings, and conversions to the host's own types.

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated from `wit/0.1`, which documents every item"
)]
pub(crate) mod bindings;
mod from_guest;
mod to_guest;

pub(crate) use to_guest::{
    Lists, MAX_FACTS, facts_size, failure, object_info, store_failure, stream_facts,
};

use super::Role;

/// The version of the package that these bindings speak.
pub const VERSION: &str = "0.1.0";

/// The package, as it stands in front of every interface's name.
pub const PACKAGE: &str = "tidegate:policy/";

/// The interface that every policy exports.
pub const LIFECYCLE: &str = "tidegate:policy/lifecycle@0.1.0";

/// What the host offers to every policy.
pub const OFFERED: [&str; 5] = [
    "tidegate:policy/types@0.1.0",
    "tidegate:policy/object-reader@0.1.0",
    "tidegate:policy/staging@0.1.0",
    "tidegate:policy/state@0.1.0",
    LOG,
];

/// The interface of log lines.
pub const LOG: &str = "tidegate:policy/log@0.1.0";

/// What the host offers to policies with a write grant only.
pub const WRITER: &str = "tidegate:policy/object-writer@0.1.0";

/// The interface that a component exports to fill a role.
pub const fn role_interface(role: Role) -> &'static str {
    match role {
        Role::Existence => "tidegate:policy/existence@0.1.0",
        Role::Fallback => "tidegate:policy/fallback@0.1.0",
        Role::Retry => "tidegate:policy/retry@0.1.0",
    }
}
