//! The seam: what the rest of Tidegate asks of a staging directory, real or simulated.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use crate::stream::{NodeId, StreamId};
use crate::time::Timestamp;

use super::identity::{Identity, IdentityError};
use super::watch::{WatchError, Watcher};
use crate::tasks::Tasks;

/// A node's staging directory. Nothing here writes.
///
/// Calls may block on the file system: in async code they belong on a thread for blocking work. Files may come, change
/// and vanish at any moment between two calls and during one.
pub trait Staging: Debug + Send + Sync {
    /// Which node this is. Called at start, and again while it is not known yet.
    fn identify(&self) -> Result<Identity, IdentityError>;

    /// Makes sure that the directory is still this node's, and not an empty place that its volume was unmounted from.
    ///
    /// Called around scans and between them, so it must be cheap while nothing changed.
    ///
    /// # Errors
    ///
    /// The directory belongs to another node, or it can't be determined which node it belongs to.
    fn confirm(&self, node: &NodeId) -> Result<(), StagingError> {
        match self.identify() {
            Ok(Identity::Known(found)) if found == *node => Ok(()),
            Ok(Identity::Known(found)) => Err(StagingError::OtherNode { found }),
            Ok(Identity::NotYet) => Err(StagingError::NoIdentity),
            Err(error) => Err(StagingError::Identity(error)),
        }
    }

    /// A number that increases when another directory takes the directory's place, whose watches are then gone.
    fn generation(&self) -> u64 {
        0
    }

    /// Reports every stream of the directory once, in no particular order, and says what was left out.
    ///
    /// Costs one listing a stream, and one stat where a schema is staged; reads no file. A stream that vanishes
    /// meanwhile is not reported.
    fn scan(
        &self,
        node: &NodeId,
        each: &mut dyn FnMut(Staged),
    ) -> Result<ScanSummary, StagingError>;

    /// Reports one stream as [`scan`](Self::scan) does; `None` when nothing is staged for it any more.
    fn look(&self, node: &NodeId, stream: &StreamId) -> Option<Staged>;

    /// Reads this node's staged schema of the stream, whole and of one piece.
    fn read_schema(&self, node: &NodeId, stream: &StreamId) -> Result<StagedFile, ReadError>;

    /// The regular files directly in the stream's directory, in byte order of their names; those whose names are not
    /// UTF-8 are left out, and so are links. None when the directory is gone.
    fn list_files(&self, stream: &StreamId, cap: usize) -> Result<Vec<FileEntry>, ListError>;

    /// The bytes of `[offset, offset + length)` of a regular file directly in the stream's directory, cut at its end.
    /// Names with `/`, `.` and `..` are never found, and links are not followed.
    fn read_file(
        &self,
        stream: &StreamId,
        name: &str,
        offset: u64,
        length: u32,
    ) -> Result<Bytes, FileError>;

    /// Begins to report changes. The next [`scan`](Self::scan) completes the watch. `None` if nothing reports changes,
    /// so that only scans find them.
    fn watch(&self, tasks: &dyn Tasks) -> Result<Option<Watcher>, WatchError> {
        let _ = tasks;
        Ok(None)
    }

    /// Until when on the monotonic clock nothing changes here, where somebody knows the future. A real directory may
    /// change at any moment.
    fn quiet_until(&self) -> Option<Duration> {
        None
    }
}

/// What is staged for a stream at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// The stream.
    pub stream: StreamId,
    /// What stands where this node's schema belongs.
    pub schema: SchemaStat,
    /// Data files that wait; at most the number of entries that a scan looks at.
    pub data_files: u32,
    /// Names of other nodes' schema files, sorted, at most [`MAX_FOREIGN`]. Parseable uploads them under its own key.
    pub foreign: Vec<String>,
}

/// How many names of foreign schema files a scan reports for each stream.
pub const MAX_FOREIGN: usize = 8;

/// What stands where a stream's schema belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaStat {
    /// Nothing.
    Missing,
    /// Something that can't be read as a file. Carries the cause.
    Unreadable(String),
    /// A file over the limit. Carries its size in bytes.
    TooLarge(u64),
    /// A file.
    File(Stat),
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Size in bytes.
    pub size: u64,
    /// The file's own modification time.
    pub modified: Timestamp,
    /// Made of device, inode, size, modification and change time to the nanosecond: a new value is a new state. The
    /// same in every process on this machine.
    pub identity: u64,
}

/// What a scan found as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanSummary {
    /// Streams that were reported.
    pub streams: u64,
    /// Directories that were skipped since their names are not UTF-8.
    pub not_utf8: u64,
    /// Some of these names as far as they can be shown, at most [`MAX_EXAMPLES`].
    pub examples: Vec<String>,
    /// Whether there were more streams than the operator's limit.
    pub truncated: bool,
    /// Tenants' directories that could not be listed, with the cause, at most [`MAX_EXAMPLES`].
    pub unreadable: Vec<String>,
    /// The names of all tenants whose directories could not be listed. Nothing is known about their streams.
    pub unlisted: BTreeSet<String>,
}

/// How many names of a kind a scan's summary shows.
pub const MAX_EXAMPLES: usize = 8;

/// A staged schema that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedFile {
    /// The whole content, as it was at one moment.
    pub bytes: Bytes,
    /// The file's state at that moment.
    pub stat: Stat,
}

/// A file in a stream's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Its name.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// Its modification time.
    pub modified: Timestamp,
}

/// Why the staging directory can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StagingError {
    /// It is not there, not a directory, or may not be read.
    #[error("can't open the staging directory {}: check `staging.dir`", .dir.display())]
    Open {
        /// The directory.
        dir: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Another agent works on it.
    #[error("another tidegate runs on the staging directory {}: stop it first", .dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// The identity of the node that was at work here is gone.
    #[error(
        "the node's identity is gone from the staging directory: mount the volume again, or start the node"
    )]
    NoIdentity,
    /// The node has another identity than before.
    #[error("the staging directory belongs to the node {found} now")]
    OtherNode {
        /// The node.
        found: NodeId,
    },
    /// The node's identity can't be read.
    #[error(transparent)]
    Identity(IdentityError),
    /// Another directory is in its place, with nothing in it.
    #[error(
        "the staging directory {} was replaced by an empty one: mount its volume again",
        .dir.display()
    )]
    Emptied {
        /// The directory.
        dir: PathBuf,
    },
    /// It could not be listed.
    #[error("can't list the staging directory {}", .dir.display())]
    List {
        /// The directory.
        dir: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// Why a staged schema was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Nothing stands there, or no longer.
    #[error("no schema is staged")]
    Missing,
    /// Something that can't be read as a file. Carries the cause.
    #[error("staged schema can't be read: {0}")]
    Unreadable(String),
    /// A file over the limit.
    #[error(
        "staged schema of {size} bytes is over the limit of {limit} (`staging.max_schema_size`)"
    )]
    TooLarge {
        /// Its size in bytes, as far as it is known.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// It changed while it was read: try again.
    #[error("staged schema changed while it was read")]
    Torn,
}

/// Why a stream's files were not listed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// More files than the caller's cap.
    #[error("over {0} files are staged for the stream")]
    TooMany(usize),
    /// The file system failed. Carries the cause.
    #[error("can't list the stream's staged files: {0}")]
    Failed(String),
}

/// Why a file was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// No such regular file.
    #[error("no such staged file")]
    NotFound,
    /// The file system failed. Carries the cause.
    #[error("can't read the staged file: {0}")]
    Failed(String),
}
