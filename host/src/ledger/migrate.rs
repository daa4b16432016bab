use std::fs::{self, File};
use std::path::Path;

use rusqlite::{Connection, MAIN_DB};

use super::error::{Fault, LedgerError};
use super::lock::beside;
use crate::time::Timestamp;

/// What each version adds to the one before. Steps only ever add, so that an older copy loses nothing by them.
pub(super) const STEPS: &[&str] = &[include_str!("schema.sql")];

/// The version that all steps together make.
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// SQLite's `application_id` of a ledger: `tidg`.
pub(super) const APPLICATION_ID: i32 = 0x7469_6467;

/// Stated, because [`super::recover`] puts it into a broken header.
pub(super) const PAGE_SIZE: u32 = 4096;

/// Makes an empty ledger at `path`, whole or not at all: a crash leaves a `.new` file, which the next one replaces.
pub(super) fn create(path: &Path, now: Timestamp) -> Result<(), LedgerError> {
    let draft = beside(path, ".new");
    draft_at(&draft, now)?;
    publish(&draft, path)
}

/// Makes an empty ledger in a file that nobody looks at yet.
pub(super) fn draft_at(draft: &Path, now: Timestamp) -> Result<(), LedgerError> {
    for leftover in [
        draft.to_owned(),
        beside(draft, "-wal"),
        beside(draft, "-shm"),
        beside(draft, "-journal"),
    ] {
        match fs::remove_file(&leftover) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(LedgerError::io("remove", &leftover, source));
            }
            _ => {}
        }
    }
    fill(draft, now).map_err(|fault| fault.at(draft))
}

fn fill(draft: &Path, now: Timestamp) -> Result<(), Fault> {
    let mut connection = Connection::open(draft)?;
    connection.pragma_update(None, "page_size", PAGE_SIZE)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    apply(&mut connection, STEPS, 0)?;
    connection.execute(
        "INSERT INTO meta VALUES ('created-at', ?1), ('created-by', ?2)",
        [now.to_string(), env!("CARGO_PKG_VERSION").to_owned()],
    )?;
    connection.close().map_err(|(_, source)| source)?;
    Ok(())
}

/// Puts a finished draft in its place, durably.
pub(super) fn publish(draft: &Path, path: &Path) -> Result<(), LedgerError> {
    fs::rename(draft, path).map_err(|source| LedgerError::io("create", path, source))?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| LedgerError::io("sync", directory, source))
}

/// Brings an older ledger up to date, after a copy of it was put beside it as `<path>.v<version>.bak`.
pub(super) fn migrate(
    connection: &mut Connection,
    path: &Path,
    steps: &[&str],
    found: i64,
) -> Result<(), LedgerError> {
    if usize::try_from(found).is_ok_and(|found| found >= steps.len()) {
        return Ok(());
    }
    let copy = beside(path, &format!(".v{found}.bak"));
    let draft = beside(&copy, ".new");
    connection
        .backup(MAIN_DB, &draft, None)
        .map_err(|source| LedgerError::sqlite(&draft, source))?;
    publish(&draft, &copy)?;
    tracing::info!(from = found, to = steps.len(), copy = %copy.display(), "migrating the ledger");
    apply(connection, steps, found).map_err(|fault| fault.at(path))
}

fn apply(connection: &mut Connection, steps: &[&str], found: i64) -> Result<(), Fault> {
    let transaction = connection.transaction()?;
    for step in steps.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    let version = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()?;
    Ok(())
}
