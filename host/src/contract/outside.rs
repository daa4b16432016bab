//! What policies see of the world outside, and what they may ask of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ObjectInfo, StoreFailure, Version};
use crate::time::Timestamp;

/// A page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The objects, in byte order of their keys.
    pub entries: Vec<Entry>,
    /// The cursor for the next page; `None` on the last one.
    pub next: Option<String>,
}

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its whole key.
    pub key: String,
    /// Size in bytes.
    pub size: u64,
    /// The store's last-modified time.
    pub modified: Timestamp,
}

/// The condition of a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteMode {
    /// Nothing stands there.
    Create,
    /// The object still has this version.
    Update(Version),
}

/// A file in the stream's staging directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedFile {
    /// Its name, without a directory.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// The file's modification time.
    pub modified: Timestamp,
}

/// Whose state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateScope {
    /// The stream that the decision is about.
    Stream,
    /// All streams of the node that the policy decides about.
    Node,
}

impl fmt::Display for StateScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StateScope::Stream => "stream",
            StateScope::Node => "node",
        })
    }
}

/// How loud a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the usual levels")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// Why a policy's read gave nothing.
#[derive(Clone, Debug)]
pub(crate) enum ReadError {
    /// The key is not granted. Carries it.
    NotGranted(String),
    /// Nothing stands there.
    NotFound,
    /// More than there is room for. Carries the room.
    TooLarge(u64),
    /// The decision's host calls or bytes are used up.
    BudgetExhausted,
    /// The store failed.
    Failed(StoreFailure),
}

/// Why a policy's write did not happen, as far as the host can tell.
#[derive(Clone, Debug)]
pub(crate) enum WriteError {
    /// The key is not granted. Carries it.
    NotGranted(String),
    /// The key is one that only the host writes. Carries it.
    Reserved(String),
    /// The condition did not hold. Carries what stands there, where that is known.
    Stale(Option<ObjectInfo>),
    /// More than there is room for. Carries the room.
    TooLarge(u64),
    /// The decision's host calls or bytes are used up.
    BudgetExhausted,
    /// The store failed; the outcome may be unknown.
    Failed(StoreFailure),
}

/// Why nothing was read from staging.
#[derive(Clone, Debug)]
pub(crate) enum StagingError {
    /// No such file.
    NotFound,
    /// More than there is room for. Carries the room.
    TooLarge(u64),
    /// The decision's host calls or bytes are used up.
    BudgetExhausted,
    /// The file system failed. Carries the cause.
    Failed(String),
}

/// Why a call about the policy's state failed.
#[derive(Clone, Debug)]
pub(crate) enum StateError {
    /// A key, a value or their number is over the limit. Carries it.
    TooLarge(u64),
    /// The decision's host calls or bytes are used up.
    BudgetExhausted,
    /// The ledger failed. Carries the cause.
    Unavailable(String),
}
