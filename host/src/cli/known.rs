//! Whether the store knows the streams that the node stages, or is probably another node's.

use crate::config::Settings;
use crate::contract::StoreFailure;
use crate::staging::{Staging, StagingDir, StagingError, bucket_name};
use crate::storage::Store;
use crate::stream::{NodeId, StreamId};
use crate::sync::{MAX_LOOKED_UP, describe_unknown, knows_none};
use crate::time::SystemClock;

/// What the store knows of the staged streams.
pub(super) enum Known {
    /// It knows one of them, at least, or the layout has no markers.
    Some,
    /// It knows none of those that were looked up. Carries what to say about it.
    None(String),
    /// Nothing is staged.
    NotAsked,
}

/// The streams that are staged.
///
/// # Errors
///
/// The directory can't be read.
pub(super) fn staged(node: &NodeId, settings: &Settings) -> Result<Vec<StreamId>, StagingError> {
    let mut streams = Vec::new();
    StagingDir::open_beside(settings.staging.clone())?
        .scan(node, &mut |staged| streams.push(staged.stream))?;
    Ok(streams)
}

/// Looks up some of the staged streams.
pub(super) async fn ask(
    store: &Store,
    node: &NodeId,
    settings: &Settings,
    staged: &[StreamId],
) -> Result<Known, StoreFailure> {
    if staged.is_empty() {
        return Ok(Known::NotAsked);
    }
    let layout = &settings.staging.layout;
    let some = staged.iter().take(MAX_LOOKED_UP).cloned();
    let looked_up = knows_none(store, layout, node, &SystemClock::new(), some).await?;
    let Some(looked_up) = looked_up else {
        return Ok(Known::Some);
    };
    let which = match (looked_up, staged.len()) {
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
    Ok(Known::None(text))
}
