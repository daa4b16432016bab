//! The regular comparison of each stream's nodes, which nodes share among themselves.

use std::sync::Arc;
use std::time::Duration;

use crate::stream::StreamId;
use crate::sync::Core;
use crate::sync::verify::{Share, VerifyContext, check_peers};
use crate::time::millis;

/// Compares what the nodes of these streams publish, one stream after another, where it is this node's turn; tells the
/// log what it finds.
pub(super) async fn compare_all(core: Arc<Core>, streams: Vec<StreamId>, interval: Duration) {
    // Rounds are counted from the clock, so that all nodes are in the same one.
    let round = core.clock.now().as_millis() / millis(interval).max(1);
    let context = VerifyContext::of(&core);
    let mut compared = 0u32;
    for stream in streams {
        let check = check_peers(&context, &stream, Share::Round(round)).await;
        compared += u32::from(check.compared);
        for finding in check.findings {
            tracing::warn!(stream = %finding.stream, "{finding}");
        }
    }
    tracing::info!(compared, "streams were compared with all their nodes");
}
