//! A fictitious version 0.2 (`tests/wit/fictitious-0.2`): the four parts that a version has.

#[allow(
    missing_docs,
    unreachable_pub,
    unused,
    clippy::all,
    reason = "generated from WIT that is for tests only"
)]
mod bindings;
mod exports;
mod imports;

pub(crate) use exports::{Exports, Guest};
pub(crate) use imports::add_to_linker;

use crate::contract::InterfaceNames;

pub(crate) const NAMES: InterfaceNames = InterfaceNames {
    version: "0.2.0",
    lifecycle: "tidegate:policy/lifecycle@0.2.0",
    offered: &[
        "tidegate:policy/types@0.2.0",
        "tidegate:policy/staging@0.2.0",
        LOG,
    ],
    writer: "tidegate:policy/object-writer@0.2.0",
    existence: "tidegate:policy/existence@0.2.0",
    fallback: "tidegate:policy/fallback@0.2.0",
    retry: "tidegate:policy/retry@0.2.0",
};

const LOG: &str = "tidegate:policy/log@0.2.0";
