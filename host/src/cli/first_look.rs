//! Estimates how long an agent will take to look at the streams that the ledger does not know yet.

use crate::agent::{FirstLook, unknown_streams};
use crate::config::Settings;
use crate::staging::StagingDir;
use crate::stream::NodeId;

/// Estimates the first look at the streams that are staged now. `None` if it is short, or if the staging directory
/// can't be read, which is reported elsewhere.
pub(super) fn ahead(settings: &Settings, node: &NodeId) -> Option<FirstLook> {
    let staging = StagingDir::open_beside(settings.staging.clone()).ok()?;
    let unknown = unknown_streams(&staging, node, &settings.ledger.path).ok()?;
    FirstLook::at(unknown, settings)
}
