//! Checks whether the store knows the streams that the node stages.

use super::report::Report;
use crate::cli::STORE;
use crate::config::Settings;
use crate::staging::{Staging, StagingDir, bucket_name};
use crate::storage::Store;
use crate::stream::NodeId;
use crate::sync::{MAX_LOOKED_UP, describe_unknown, knows_none};
use crate::time::SystemClock;

/// Looks up some of the staged streams.
pub(super) async fn ask(store: &Store, node: &NodeId, settings: &Settings, report: &mut Report) {
    let mut found = 0usize;
    let mut streams = Vec::new();
    // A directory that can't be read was reported with the staging directory.
    let scanned = StagingDir::open_beside(settings.staging.clone()).and_then(|staging| {
        staging.scan(node, &mut |staged| {
            found += 1;
            if streams.len() < MAX_LOOKED_UP {
                streams.push(staged.stream);
            }
        })
    });
    if scanned.is_err() || streams.is_empty() {
        return;
    }
    let layout = &settings.staging.layout;
    match knows_none(store, layout, node, &SystemClock::new(), streams).await {
        Ok(None) => report.ok("streams", "the store knows streams of this node"),
        Ok(Some(looked_up)) => {
            let which = match (looked_up, found) {
                (1, 1) => "no marker of the one stream that is staged".to_owned(),
                (all, found) if all == found => {
                    format!("no marker of any of the {found} streams that are staged")
                }
                (some, found) => {
                    format!("no marker of {some} of the {found} staged streams that were looked up")
                }
            };
            let named = bucket_name(&settings.staging);
            let text = describe_unknown(&which, &settings.store.url, named.as_deref());
            report.failed("streams", text, STORE);
        }
        Err(failure) => report.failed("streams", failure.to_string(), STORE),
    }
}
