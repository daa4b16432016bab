//! What reads, listings and writes come back with.

use bytes::{Bytes, BytesMut};
use futures::{Stream, TryStreamExt};
use object_store::path::Path;
use object_store::{GetResult, ObjectMeta};

use crate::contract::{FailureKind, ObjectInfo, StoreFailure, Version};
use crate::time::Timestamp;

use super::version;

/// An object with its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its description.
    pub info: ObjectInfo,
    /// The bytes that were asked for.
    pub bytes: Bytes,
}

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// Nothing stands there.
    Missing,
    /// An object of more bytes than the caller allowed; none were kept.
    TooLarge(ObjectInfo),
    /// The object.
    Found(Object),
}

/// What a read found for a caller who has read before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refetched {
    /// The object still has the caller's version.
    Unchanged,
    /// It has another one, or is gone.
    Changed(Fetched),
}

/// A listing's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    /// The object's key.
    pub key: Path,
    /// Size in bytes.
    pub size: u64,
    /// The store's last-modified time.
    pub modified: Timestamp,
    /// The ETag as listings write it, which may differ from how a HEAD writes the same one, or be absent. It is
    /// compared with other listings', and where it equals a version's ETag, it is that version.
    pub listed_etag: Option<String>,
}

impl ListedObject {
    /// Whether the listing shows that the object still holds what it held in this version. False proves nothing: see
    /// `listed_etag`.
    pub fn has_content_of(&self, version: &Version) -> bool {
        let listed = version::token(self.listed_etag.as_deref(), None);
        listed.is_some_and(|listed| version::parts(&listed).e_tag == version::parts(version).e_tag)
    }
}

/// What stands under a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// In byte order of their keys.
    pub objects: Vec<ListedObject>,
    /// More stands there than the caller allowed: `objects` are some of them, and not the first.
    pub truncated: bool,
}

/// What became of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Put {
    /// Written. The description's time is the host's clock; its version is `None` where the store's answer carried none,
    /// and the caller reads back.
    Done(ObjectInfo),
    /// Create only: something stands there, or is being written there by someone else. Nothing was written.
    Exists,
    /// Update only: what stands there is not the version named, or nothing is. Nothing was written.
    Stale,
    /// The store said no, or could not be reached at all. Nothing was written.
    Refused(StoreFailure),
    /// Whether it was written is unknown: a timeout, a dropped connection, the server's own error. Read back.
    Ambiguous(StoreFailure),
}

/// Reads the body as far as it is allowed, and makes sure that it is all there.
pub(super) async fn collect(result: GetResult, max_bytes: u64) -> object_store::Result<Fetched> {
    let info = info(&result.meta);
    let expected = result.range.end.saturating_sub(result.range.start);
    if expected > max_bytes {
        return Ok(Fetched::TooLarge(info));
    }
    let Some(bytes) = take(result.into_stream(), max_bytes).await? else {
        return Ok(Fetched::TooLarge(info));
    };
    let got = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if got != expected {
        let message = format!("the object broke off after {got} of {expected} bytes");
        return Err(object_store::Error::Generic {
            store: "Store",
            source: Box::new(StoreFailure::new(FailureKind::Unavailable, message)),
        });
    }
    Ok(Fetched::Found(Object { info, bytes }))
}

/// The stream's bytes; `None` as soon as there are more than `max_bytes`.
async fn take(
    mut chunks: impl Stream<Item = object_store::Result<Bytes>> + Unpin,
    max_bytes: u64,
) -> object_store::Result<Option<Bytes>> {
    let max = usize::try_from(max_bytes).unwrap_or(usize::MAX);
    let mut whole = BytesMut::new();
    while let Some(chunk) = chunks.try_next().await? {
        if chunk.len() > max - whole.len() {
            return Ok(None);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(Some(whole.freeze()))
}

pub(super) fn info(meta: &ObjectMeta) -> ObjectInfo {
    ObjectInfo {
        size: meta.size,
        modified: modified(meta),
        version: version::token(meta.e_tag.as_deref(), meta.version.as_deref()),
    }
}

pub(super) fn listed(meta: ObjectMeta) -> ListedObject {
    ListedObject {
        modified: modified(&meta),
        size: meta.size,
        listed_etag: meta.e_tag,
        key: meta.location,
    }
}

fn modified(meta: &ObjectMeta) -> Timestamp {
    let millis = meta.last_modified.timestamp_millis();
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(0))
}
