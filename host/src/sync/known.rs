//! Checks whether this is the node's store: whether it has markers of the streams that the node stages.

use super::marker::Search;
use crate::contract::StoreFailure;
use crate::staging::Layout;
use crate::storage::Store;
use crate::stream::{NodeId, StreamId};
use crate::time::Clock;

use super::machine::MarkerSeen;

/// How many streams are looked up before the store counts as one that knows none of them.
pub const MAX_LOOKED_UP: usize = 20;

/// Looks up streams until the store knows one. Returns how many were looked up in vain; `None` if one was found, or if
/// the layout has no markers.
///
/// # Errors
///
/// The store does not answer.
pub async fn knows_none(
    store: &Store,
    layout: &Layout,
    node: &NodeId,
    clock: &dyn Clock,
    streams: impl IntoIterator<Item = StreamId>,
) -> Result<Option<usize>, StoreFailure> {
    let mut looked_up = 0;
    for stream in streams.into_iter().take(MAX_LOOKED_UP) {
        let Ok(keys) = layout.keys(node, &stream) else {
            continue;
        };
        let search = Search {
            store,
            layout,
            keys: &keys,
            clock,
            known: None,
        };
        match search.run(&mut |_, _, _| {}).await? {
            MarkerSeen::Present(_) | MarkerSeen::NotNeeded => return Ok(None),
            MarkerSeen::Gone => looked_up += 1,
        }
    }
    Ok((looked_up > 0).then_some(looked_up))
}

/// What to report about a store that knows no stream of the node: where it was searched, and what the node itself says.
///
/// `streams` says what the store lacks, such as "no marker of any of the 7 streams that are staged".
pub fn describe_unknown(streams: &str, url: &str, named_by_node: Option<&str>) -> String {
    let bucket = url::Url::parse(url).ok();
    let bucket = bucket.as_ref().and_then(url::Url::host_str);
    let advice = match (named_by_node, bucket) {
        (Some(named), Some(bucket)) if named != bucket => format!(
            "the node's identity file names the bucket `{}`, so this is probably the wrong one",
            named.escape_debug()
        ),
        (Some(_), Some(_)) => "the node's identity file names the same bucket, so compare the endpoint and the prefix \
                               with the node's own settings"
            .to_owned(),
        _ => "compare the address and the prefix with the node's own settings".to_owned(),
    };
    format!(
        "the store has {streams}: nothing is published. Searched: {url}; {advice}. Streams that are very new may \
         appear by themselves"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_is_compared_with_the_one_that_the_node_names() {
        let told = |named| describe_unknown("none of the 2 streams", "s3://wrong/prefix", named);
        assert!(told(Some("logs")).contains("names the bucket `logs`"));
        assert!(told(Some("wrong")).contains("the same bucket"));
        assert!(told(None).contains("s3://wrong/prefix"));
        let local = describe_unknown("none of the 2 streams", "file:///data", Some("logs"));
        assert!(local.contains("compare the address"), "{local}");
    }
}
