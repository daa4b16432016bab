//! The regular comparison of each stream's nodes, which nodes share among themselves.

use std::sync::Arc;
use std::time::Duration;

use crate::stream::StreamId;
use crate::sync::Core;
use crate::sync::verify::{Kind, Share, VerifyContext, check_peers};
use crate::time::millis;

/// Compares what the nodes of these streams publish, one stream after another, where it is this node's turn. Logs what
/// it finds, and returns the streams whose nodes disagree.
pub(super) async fn compare_all(
    core: Arc<Core>,
    streams: Vec<StreamId>,
    interval: Duration,
) -> Vec<StreamId> {
    // Rounds are counted from the clock, so that all nodes are in the same one.
    let round = core.clock.now().as_millis() / millis(interval).max(1);
    let context = VerifyContext::of(&core);
    let mut compared = 0u32;
    let mut in_conflict = Vec::new();
    for stream in streams {
        let check = check_peers(&context, &stream, Share::Round(round)).await;
        compared += u32::from(check.compared);
        let mut findings = check.findings.iter();
        if findings.any(|finding| matches!(finding.kind, Kind::Conflict { .. })) {
            in_conflict.push(stream);
        }
        for finding in &check.findings {
            tracing::warn!(stream = %finding.stream, "{finding}");
        }
    }
    tracing::info!(compared, "streams were compared with all their nodes");
    in_conflict
}
