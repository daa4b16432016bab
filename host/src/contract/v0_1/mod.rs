//! Version 0.1 of the contract (`wit/0.1`).

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated from `wit/0.1`, which documents every item"
)]
mod bindings;
mod exports;
mod from_guest;
mod imports;
mod to_guest;

pub(crate) use exports::{Exports, Guest};
pub(crate) use imports::add_to_linker;

use super::versions::InterfaceNames;

/// What it calls its interfaces.
pub(crate) const NAMES: InterfaceNames = InterfaceNames {
    version: "0.1.0",
    lifecycle: "tidegate:policy/lifecycle@0.1.0",
    offered: &[
        "tidegate:policy/types@0.1.0",
        "tidegate:policy/object-reader@0.1.0",
        "tidegate:policy/staging@0.1.0",
        "tidegate:policy/state@0.1.0",
        LOG,
    ],
    writer: "tidegate:policy/object-writer@0.1.0",
    existence: "tidegate:policy/existence@0.1.0",
    fallback: "tidegate:policy/fallback@0.1.0",
    retry: "tidegate:policy/retry@0.1.0",
};

/// The interface of log lines.
const LOG: &str = "tidegate:policy/log@0.1.0";
