//! The seam between a policy's imports and what stands behind them: the executor's real store, staging and ledger, or
//! the sandbox's simulated ones.

use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

pub use crate::contract::{Entry, Page, StagedFile, StateScope, WriteMode};
use crate::contract::{ObjectInfo, StoreFailure};

/// What a policy's host functions reach for, for one stream.
///
/// The policy layer has decided grants and budgets before it calls a method here; an implementation adds what is
/// the node's: request tokens, timeouts, retries. Futures may be dropped at any await, when the decision's deadline
/// passes.
#[async_trait]
pub trait World: Send + Sync {
    /// Describes an object.
    async fn head(&self, key: &Path) -> Result<ObjectInfo, ReadFailure>;

    /// The bytes of `[offset, offset + length)`, cut at the object's end, with the whole object's description.
    async fn get(
        &self,
        key: &Path,
        offset: u64,
        length: u32,
    ) -> Result<(ObjectInfo, Bytes), ReadFailure>;

    /// At most `limit` objects below the prefix in byte order of their keys, behind the cursor `after`.
    async fn list(
        &self,
        prefix: &Path,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page, ReadFailure>;

    /// Writes an object under a condition. The write must go on when this future is dropped, and its intent be
    /// recorded before it starts: a deadline must not leave a request in the air that no one knows of.
    async fn put(
        &self,
        key: &Path,
        bytes: Bytes,
        mode: WriteMode,
    ) -> Result<ObjectInfo, WriteFailure>;

    /// The files directly in the stream's staging directory, in byte order of their names.
    async fn staged_files(&self) -> Result<Vec<StagedFile>, StagingFailure>;

    /// The bytes of `[offset, offset + length)` of a staged file, cut at its end. The name is one segment of a path,
    /// never `.` or `..`.
    async fn read_staged(
        &self,
        name: &str,
        offset: u64,
        length: u32,
    ) -> Result<Bytes, StagingFailure>;

    /// What the policy's committed state holds under the key. The error says why the ledger can't tell.
    async fn load_state(&self, scope: StateScope, key: &str) -> Result<Option<Vec<u8>>, String>;

    /// How many keys the policy's committed state holds in the scope.
    async fn count_state(&self, scope: StateScope) -> Result<u32, String>;
}

/// Why a read gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadFailure {
    /// Nothing stands there.
    NotFound,
    /// A listing over the host's cap of keys. Carries the cap.
    TooLarge(u64),
    /// The store failed.
    Store(StoreFailure),
}

/// Why nothing was written, as far as the host can tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteFailure {
    /// The condition did not hold. Carries what stands there, where that is known.
    Stale(Option<ObjectInfo>),
    /// The store failed; the outcome may be unknown.
    Store(StoreFailure),
}

/// Why nothing was read from staging.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StagingFailure {
    /// No such file.
    NotFound,
    /// A directory over the host's cap of files. Carries the cap.
    TooLarge(u64),
    /// The file system failed. Carries the cause.
    Failed(String),
}
