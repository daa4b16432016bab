//! Opening the database file, and refusing what is no usable ledger before anything is written.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, MAIN_DB, OpenFlags};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use url::Url;

use super::belongs;
use super::error::LedgerError;
use super::lock::{WriterLock, beside};
use super::migrate::{self, APPLICATION_ID, STEPS, VERSION};
use super::volume;
use super::{Durability, LedgerOptions};
use crate::time::Timestamp;

/// How long a request waits for another program's lock on the database.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Statements that stay prepared.
const STATEMENTS_CACHED: usize = 64;

/// The size above which SQLite cuts the `-wal` file back after a checkpoint, in bytes.
const WAL_KEPT: i64 = 64 << 20;

/// The longest name of a file on the systems' usual file systems, in bytes.
const NAME_MAX: usize = 255;

/// Room for what is added to the ledger's name in those of the files beside it (`.new-journal`), in bytes.
const SUFFIX_MAX: usize = 12;

/// Opens the ledger for its one writer, and makes or migrates it where needed.
pub(super) fn open_writer(
    path: &Path,
    options: &LedgerOptions,
    now: Timestamp,
) -> Result<(PathBuf, WriterLock, Connection), LedgerError> {
    let path = locate(path)?;
    refuse_read_only(&path)?;
    let lock = WriterLock::take(&path)?;
    if exists(&path)? {
        let connection = open_read_only(&path)?;
        refuse_newer(&path, version(&connection, &path)?)?;
        check_content(&connection, &path)?;
    } else {
        refuse_orphaned_wal(&path)?;
        migrate::create(&path, now)?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(&path, flags)
        .map_err(|source| LedgerError::sqlite(&path, source))?;
    let sqlite = |source| LedgerError::sqlite(&path, source);
    // SQLite falls back to reading when the file can't be opened for writing.
    if connection.is_readonly(MAIN_DB).map_err(sqlite)? {
        return Err(LedgerError::ReadOnly { path, source: None });
    }
    configure(&connection, options.durability).map_err(sqlite)?;
    let found = version(&connection, &path)?;
    migrate::migrate(&mut connection, &path, STEPS, found)?;
    belongs::claim(&connection, &path, &options.store).map_err(|fault| fault.at(&path))?;
    Ok((path, lock, connection))
}

/// Opens an existing ledger of this version for one change. No agent may use it at the same time.
pub(super) fn open_exclusively(
    path: &Path,
) -> Result<(PathBuf, WriterLock, Connection), LedgerError> {
    // The reader refuses files that are not ledgers of this version.
    let (path, _) = open_reader(path)?;
    refuse_read_only(&path)?;
    let lock = WriterLock::take(&path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sqlite = |source| LedgerError::sqlite(&path, source);
    let connection = Connection::open_with_flags(&path, flags).map_err(sqlite)?;
    configure(&connection, Durability::PowerLoss).map_err(sqlite)?;
    Ok((path, lock, connection))
}

/// Opens the ledger beside a writer, or without one.
pub(super) fn open_reader(path: &Path) -> Result<(PathBuf, Connection), LedgerError> {
    let path = match locate(path) {
        Err(LedgerError::NoDirectory(_)) => return Err(LedgerError::Missing(path.to_owned())),
        located => located?,
    };
    if !exists(&path)? {
        return Err(LedgerError::Missing(path));
    }
    let connection = open_read_only(&path)?;
    let found = version(&connection, &path)?;
    refuse_newer(&path, found)?;
    if found < VERSION {
        return Err(LedgerError::Older {
            path,
            found,
            known: VERSION,
        });
    }
    Ok((path, connection))
}

/// What [`examine`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// Whether the ledger exists; one can be made if it doesn't.
    pub exists: bool,
    /// Problems with its location that do not keep it from being used.
    pub warnings: Vec<String>,
}

/// Looks at the ledger at `path` without changing anything, and compares it with the store if that is known. Works
/// while an agent is running.
///
/// # Errors
///
/// What [`Ledger::open`](super::Ledger::open) would refuse, as far as it can be known without writing.
pub fn examine(path: &Path, store: Option<&str>) -> Result<Examined, LedgerError> {
    let path = locate(path)?;
    refuse_read_only(&path)?;
    if volume::room(&path).is_some_and(|room| room.bytes < volume::ROOM_MIN) {
        return Err(LedgerError::Full(path));
    }
    let examined = |exists| Examined {
        exists,
        warnings: volume::warning(parent(&path)).into_iter().collect(),
    };
    if !exists(&path)? {
        refuse_orphaned_wal(&path)?;
        return Ok(examined(false));
    }
    let connection = open_read_only(&path)?;
    refuse_newer(&path, version(&connection, &path)?)?;
    check_content(&connection, &path)?;
    let recorded =
        belongs::recorded(&connection).map_err(|source| LedgerError::sqlite(&path, source))?;
    match (recorded, store) {
        (Some(recorded), Some(store)) if recorded != store => Err(LedgerError::OtherStore {
            path,
            recorded,
            configured: store.to_owned(),
        }),
        _ => Ok(examined(true)),
    }
}

/// The one name of the file, so that an agent that comes by way of a link meets the same lock.
pub(super) fn locate(path: &Path) -> Result<PathBuf, LedgerError> {
    let absolute =
        std::path::absolute(path).map_err(|source| LedgerError::io("find", path, source))?;
    match fs::canonicalize(&absolute) {
        Ok(found) if found.is_file() => return Ok(found),
        Ok(_) => return Err(LedgerError::NotAFile(absolute)),
        Err(source) if source.kind() == ErrorKind::NotFound => {}
        Err(source) if source.kind() == ErrorKind::NotADirectory => {
            return Err(LedgerError::NoDirectory(parent(&absolute).to_owned()));
        }
        Err(source) => return Err(LedgerError::io("find", &absolute, source)),
    }
    if absolute.is_symlink() {
        return Err(LedgerError::NotAFile(absolute));
    }
    let directory = fs::canonicalize(parent(&absolute))
        .ok()
        .filter(|directory| directory.is_dir())
        .ok_or_else(|| LedgerError::NoDirectory(parent(&absolute).to_owned()))?;
    match absolute.file_name() {
        Some(name) if name.len() + SUFFIX_MAX > NAME_MAX => Err(LedgerError::NameTooLong(absolute)),
        Some(name) => Ok(directory.join(name)),
        None => Err(LedgerError::NotAFile(absolute)),
    }
}

pub(super) fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

fn exists(path: &Path) -> Result<bool, LedgerError> {
    path.try_exists()
        .map_err(|source| LedgerError::io("find", path, source))
}

/// Refuses files that this user can't write, whether because of permissions or of a read-only file system. Refuses
/// files that are marked read-only too, although the system would let the superuser write them.
fn refuse_read_only(path: &Path) -> Result<(), LedgerError> {
    // The directory holds the lock, the log and the shared memory, next to the database.
    let places = [path, parent(path), &beside(path, ".lock")];
    for place in places {
        let Ok(metadata) = fs::metadata(place) else {
            continue;
        };
        let wanted = match metadata.is_dir() {
            true => Access::WRITE_OK | Access::EXEC_OK,
            false => Access::READ_OK | Access::WRITE_OK,
        };
        let refused = |source| LedgerError::ReadOnly {
            path: path.to_owned(),
            source,
        };
        if metadata.permissions().readonly() {
            return Err(refused(None));
        }
        if let Err(error) = accessat(CWD, place, wanted, AtFlags::EACCESS) {
            return Err(refused(Some(Arc::new(error.into()))));
        }
    }
    Ok(())
}

/// A `-wal` file with content and no database beside it is what is left of a ledger that was moved or removed: a new
/// one in its place would destroy it.
fn refuse_orphaned_wal(path: &Path) -> Result<(), LedgerError> {
    let wal = beside(path, "-wal");
    if fs::metadata(&wal).is_ok_and(|metadata| metadata.len() > 0) {
        return Err(LedgerError::Damaged {
            path: path.to_owned(),
            detail: format!("the file is missing, but {} is there", wal.display()),
        });
    }
    Ok(())
}

fn refuse_newer(path: &Path, found: i64) -> Result<(), LedgerError> {
    if found > VERSION {
        return Err(LedgerError::Newer {
            path: path.to_owned(),
            found,
            known: VERSION,
        });
    }
    Ok(())
}

/// Opens without the right to write, which also leaves a killed writer's `-wal` for the next one.
fn open_read_only(path: &Path) -> Result<Connection, LedgerError> {
    // SQLite takes an empty file for a new database.
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0) {
        return Err(LedgerError::Damaged {
            path: path.to_owned(),
            detail: "the file is empty".to_owned(),
        });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sqlite = |source| LedgerError::sqlite(path, source);
    let connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
    connection.busy_timeout(LOCK_WAIT).map_err(sqlite)?;
    match connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(())) {
        Ok(()) => Ok(connection),
        // WAL needs a shared-memory file beside the database; where this user can't make one and no writer has, the
        // file is all there is and nobody changes it.
        Err(source) if cannot_share(&source) && !wal_has_content(path) => {
            open_unshared(path, flags).map_err(sqlite)
        }
        Err(source) => Err(sqlite(source)),
    }
}

fn cannot_share(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, ReadOnly};
    matches!(error.sqlite_error_code(), Some(CannotOpen | ReadOnly))
}

fn wal_has_content(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).is_ok_and(|metadata| metadata.len() > 0)
}

fn open_unshared(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let mut address =
        Url::from_file_path(path).map_err(|()| rusqlite::Error::InvalidPath(path.to_owned()))?;
    address.set_query(Some("immutable=1"));
    Connection::open_with_flags(address.as_str(), flags | OpenFlags::SQLITE_OPEN_URI)
}

/// The ledger's version, once it is known to be a ledger.
fn version(connection: &Connection, path: &Path) -> Result<i64, LedgerError> {
    let number = |pragma| -> Result<i64, LedgerError> {
        connection
            .pragma_query_value(None, pragma, |row| row.get(0))
            .map_err(|source| LedgerError::sqlite(path, source))
    };
    if number("application_id")? != i64::from(APPLICATION_ID) {
        return Err(LedgerError::NotALedger(path.to_owned()));
    }
    number("user_version")
}

fn check_content(connection: &Connection, path: &Path) -> Result<(), LedgerError> {
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|source| LedgerError::sqlite(path, source))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(LedgerError::Damaged {
        path: path.to_owned(),
        detail: verdict.lines().collect::<Vec<_>>().join(" "),
    })
}

fn configure(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    connection.busy_timeout(LOCK_WAIT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "journal_size_limit", WAL_KEPT)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(
        None,
        "synchronous",
        match durability {
            Durability::PowerLoss => "full",
            Durability::Kill => "normal",
        },
    )
}
