use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;

/// Why the ledger can't be opened, or did not take or give something.
///
/// Cheap to clone, since all callers whose requests shared a transaction get the same one.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LedgerError {
    /// The directory that should hold it is missing.
    #[error("the ledger's directory {} is missing: create it, or change `ledger.path`", .0.display())]
    NoDirectory(PathBuf),
    /// Something that is no file stands in its place.
    #[error("{} is not a file: move it away, or change `ledger.path`", .0.display())]
    NotAFile(PathBuf),
    /// The system has no room for its name, or for those of the files that go with it.
    #[error("the name of the ledger {} is too long: shorten `ledger.path`", .0.display())]
    NameTooLong(PathBuf),
    /// No agent has made it yet; only a reader answers this.
    #[error("there is no ledger at {}: the agent has not run yet, or its `ledger.path` differs", .0.display())]
    Missing(PathBuf),
    /// Another agent writes it.
    #[error("{} uses the ledger {}: stop it, or give this agent a `ledger.path` of its own", holder(.pid), .path.display())]
    InUse {
        /// The ledger.
        path: PathBuf,
        /// The other agent's process, where it could be read.
        pid: Option<u32>,
    },
    /// The file, its directory or its file system can't be written.
    #[error("the ledger {} can't be written: make the file and its directory writable for this user, or change `ledger.path`", .path.display())]
    ReadOnly {
        /// The ledger.
        path: PathBuf,
        /// What the system said, where it was asked.
        #[source]
        source: Option<Arc<io::Error>>,
    },
    /// A later program wrote it.
    #[error("the ledger {} has version {found} and this program knows {known}: use the newer program, or go back to {}.v{known}.bak", .path.display(), .path.display())]
    Newer {
        /// The ledger.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The latest version that this program knows.
        known: i64,
    },
    /// An earlier program wrote it and a reader may not migrate it.
    #[error("the ledger {} has version {found} and this program needs {known}: start the agent once, which migrates it", .path.display())]
    Older {
        /// The ledger.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The version that this program reads.
        known: i64,
    },
    /// Its content is broken.
    #[error("the ledger {} is damaged ({detail}): save what can be read with `tidegate ledger recover`, or move it away and the agent adopts what the store holds", .path.display())]
    Damaged {
        /// The ledger.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// Nothing of it can be saved; only `recover` answers this.
    #[error("nothing can be read of the ledger {} ({detail}): move it away, and the agent adopts what the store holds", .path.display())]
    Unrecoverable {
        /// The ledger.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// A file that must not be there yet is.
    #[error("{} is already there: name another file", .0.display())]
    Exists(PathBuf),
    /// A database of some other program.
    #[error("{} is an SQLite database but no ledger: change `ledger.path`, or try `tidegate ledger recover` if it once was one", .0.display())]
    NotALedger(PathBuf),
    /// It is about another store's objects.
    #[error("the ledger {} is about the store {recorded}, not about {configured}: correct the store in the configuration, give this store a `ledger.path` of its own, or see `tidegate ledger adopt`", .path.display())]
    OtherStore {
        /// The ledger.
        path: PathBuf,
        /// The store it was made for.
        recorded: String,
        /// The store it was opened for.
        configured: String,
    },
    /// The disk or the file-size limit is full; nothing was stored, and later requests may succeed.
    #[error("no space left for the ledger {}: free some; nothing of this request was stored", .0.display())]
    Full(PathBuf),
    /// Another program held the database locked for too long.
    #[error("the ledger {} is locked by another program (an open sqlite3 shell?): close it", .0.display())]
    Locked(PathBuf),
    /// The system or SQLite would not open it for this user.
    #[error("the ledger {} can't be opened by this user: use the agent's own", .path.display())]
    NotOpened {
        /// The ledger.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// A value lies over a bound.
    #[error("{what} over {limit}")]
    TooLarge {
        /// What was too large, with its unit.
        what: &'static str,
        /// The bound.
        limit: u64,
    },
    /// A record names a document that is neither stored nor came with it.
    #[error("no document {0} came with the record or is stored")]
    NoDocument(String),
    /// The ledger was closed.
    #[error("the ledger {} is closed", .0.display())]
    Closed(PathBuf),
    /// A file operation beside the database failed.
    #[error("could not {action} {}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: Arc<io::Error>,
    },
    /// SQLite failed in another way.
    #[error("the ledger {} failed", .path.display())]
    Sqlite {
        /// The ledger.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<rusqlite::Error>,
    },
}

fn holder(pid: &Option<u32>) -> String {
    match pid {
        Some(pid) => format!("another agent (process {pid})"),
        None => "another agent".to_owned(),
    }
}

impl LedgerError {
    /// What SQLite's failure on the database at `path` means.
    pub(super) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        // The index of the write-ahead log is enlarged by the system, so SQLite calls a full disk a failed one there.
        let index_cant_grow = source
            .sqlite_error()
            .is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE);
        match source.sqlite_error_code() {
            _ if index_cant_grow => Self::Full(path),
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Damaged {
                path,
                detail: source.to_string(),
            },
            Some(ErrorCode::DiskFull) => Self::Full(path),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked(path),
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Self::NotOpened {
                path,
                source: Arc::new(source),
            },
            Some(ErrorCode::ReadOnly) => Self::ReadOnly { path, source: None },
            _ if matches!(source, rusqlite::Error::FromSqlConversionFailure(..)) => Self::Damaged {
                path,
                detail: source.to_string(),
            },
            _ => Self::Sqlite {
                path,
                source: Arc::new(source),
            },
        }
    }

    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        let source = Arc::new(source);
        match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly {
                path,
                source: Some(source),
            },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(path),
            io::ErrorKind::InvalidFilename => Self::NameTooLong(path),
            _ => Self::Io {
                action,
                path,
                source,
            },
        }
    }
}

/// Why one request inside a transaction failed; the writer adds the path.
#[derive(Debug)]
pub(super) enum Fault {
    Sqlite(rusqlite::Error),
    Refused(LedgerError),
}

impl Fault {
    pub(super) fn at(self, path: &Path) -> LedgerError {
        match self {
            Fault::Sqlite(source) => LedgerError::sqlite(path, source),
            Fault::Refused(error) => error,
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(source: rusqlite::Error) -> Self {
        Fault::Sqlite(source)
    }
}

impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Self {
        Fault::Refused(error)
    }
}
