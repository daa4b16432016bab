//! The staging directory of an ingest node, read and never written: where files and keys are (the *layout*), which node
//! this is, what is staged for each stream, and a hint when something changes.
//!
//! [`Staging`] is the seam: production reads a directory ([`StagingDir`]), the sandbox simulates one.

mod access;
mod dir;
mod identity;
mod keys;
mod layout;
mod parseable;
mod read;
mod scan;
mod template;
mod watch;

use std::path::PathBuf;

pub use access::{
    FileEntry, FileError, ListError, MAX_EXAMPLES, MAX_FOREIGN, ReadError, ScanSummary, SchemaStat,
    Staged, StagedFile, Staging, StagingError, Stat,
};
pub use dir::StagingDir;
pub use identity::{Identity, IdentityError, bucket_name};
pub use keys::{KeyError, KeyForm, KeyKind, MAX_KEY, StreamKeys};
pub(crate) use layout::FileKind;
pub use layout::Layout;
pub use parseable::{Marker, MarkerError, ParseableMode};
pub use template::{TemplateError, TemplateLayout};
pub use watch::{Cause, Hints, MAX_HINTS, Unreported, Unwatched, WatchError, Watcher};

use crate::stream::NodeId;

/// The largest schema file that is read, in bytes, unless the operator says otherwise.
pub const DEFAULT_MAX_SCHEMA_SIZE: u64 = 8 * 1024 * 1024;

/// How many streams one scan reports, unless the operator says otherwise.
pub const DEFAULT_MAX_STREAMS: usize = 1_000_000;

/// How many entries of one stream's directory a scan looks at, unless the operator says otherwise.
pub const DEFAULT_MAX_ENTRIES: usize = 10_000;

/// How many directories are watched, unless the operator says otherwise. The system has a limit of its own.
pub const DEFAULT_MAX_WATCHES: usize = 1_000_000;

/// What the operator says about the staging directory.
#[derive(Clone, Debug)]
pub struct StagingSettings {
    /// The node's staging directory.
    pub dir: PathBuf,
    /// Where files and keys are.
    pub layout: Layout,
    /// Whether the directory holds tenants which hold streams, or streams. Never guessed: `app/processing_1/` looks
    /// like a tenant's stream.
    pub tenants: bool,
    /// The node's identity. Required where the layout has none of its own, refused where it has.
    pub node: Option<NodeId>,
    /// The largest schema file that is read, in bytes.
    pub max_schema_size: u64,
    /// How many streams one scan reports; what lies behind is left out and the summary says so.
    pub max_streams: usize,
    /// How many entries of one stream's directory a scan looks at; data files behind it aren't counted.
    pub max_entries: usize,
    /// How many directories are watched; changes in the others are found by scans.
    pub max_watches: usize,
}

impl StagingSettings {
    /// The settings for this directory with all defaults: no tenants, no node identity of the operator's.
    pub fn new(dir: impl Into<PathBuf>, layout: Layout) -> Self {
        Self {
            dir: dir.into(),
            layout,
            tenants: false,
            node: None,
            max_schema_size: DEFAULT_MAX_SCHEMA_SIZE,
            max_streams: DEFAULT_MAX_STREAMS,
            max_entries: DEFAULT_MAX_ENTRIES,
            max_watches: DEFAULT_MAX_WATCHES,
        }
    }
}
