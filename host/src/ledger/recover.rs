//! Saving what can be read of a damaged ledger.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Statement, params_from_iter};

use super::error::LedgerError;
use super::lock::{WriterLock, beside};
use super::migrate::{self, APPLICATION_ID, PAGE_SIZE, VERSION};
use super::open;
use crate::digest::Digest;
use crate::time::Timestamp;

/// The tables, each behind those that its rows name.
const TABLES: [&str; 9] = [
    "meta",
    "nodes",
    "documents",
    "streams",
    "attempts",
    "archive",
    "policy_state",
    "policy_writes",
    "policies",
];

/// Row ids that are tried in a row before the rest of a table is given up, when its end can't be read either.
const GAP_MAX: i64 = 1_000_000;

/// What was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoverReport {
    /// The new ledger.
    pub into: PathBuf,
    /// Table by table, in the order in which they were read.
    pub tables: Vec<TableReport>,
    /// Documents that streams named and that could not be saved; the streams forgot them.
    pub documents_missing: u64,
}

impl RecoverReport {
    /// Whether everything was read; such a ledger was not damaged, at least not where it matters.
    pub fn is_complete(&self) -> bool {
        self.documents_missing == 0
            && self
                .tables
                .iter()
                .all(|table| table.gaps == 0 && table.refused == 0)
    }
}

/// What was saved of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableReport {
    /// Its name.
    pub table: &'static str,
    /// Rows in the new ledger.
    pub rows: u64,
    /// Places where rows could not be read: how many rows stood there can't be known.
    pub gaps: u64,
    /// Rows that were read and made no sense: a wrong digest, an unknown phase, a stream that is lost.
    pub refused: u64,
}

/// Saves what can be read of the ledger at `path` into a new one at `into`, row by row; never touches the original.
///
/// The store's probe results are left out, since the agent probes again.
///
/// # Errors
///
/// [`LedgerError::InUse`] while an agent runs, [`LedgerError::Exists`] when something stands at `into`,
/// [`LedgerError::Unrecoverable`] when not even the list of tables can be read.
pub fn recover(path: &Path, into: &Path, now: Timestamp) -> Result<RecoverReport, LedgerError> {
    let path = open::locate(path)?;
    if !path.is_file() {
        return Err(LedgerError::Missing(path));
    }
    let _lock = match WriterLock::take(&path) {
        Err(error @ LedgerError::InUse { .. }) => return Err(error),
        // No agent can run where the lock's file can't be written.
        taken => taken.ok(),
    };
    if into.symlink_metadata().is_ok() {
        return Err(LedgerError::Exists(into.to_owned()));
    }
    let into = open::locate(into)?;
    let workshop = tempfile::tempdir_in(open::parent(&into))
        .map_err(|source| LedgerError::io("make a directory beside", &into, source))?;
    let copy = copy(&path, &workshop.path().join("damaged.db"))?;
    let draft = workshop.path().join("recovered.db");
    migrate::draft_at(&draft, now)?;
    let source = open_copy(&copy).map_err(|source| LedgerError::Unrecoverable {
        detail: source.to_string(),
        path,
    })?;
    let (tables, documents_missing) =
        transfer(&source, &draft).map_err(|source| LedgerError::sqlite(&draft, source))?;
    migrate::publish(&draft, &into)?;
    Ok(RecoverReport {
        into,
        tables,
        documents_missing,
    })
}

/// Copies the database with its `-wal` file and mends the copy's header.
fn copy(path: &Path, to: &Path) -> Result<PathBuf, LedgerError> {
    fs::copy(path, to).map_err(|source| LedgerError::io("copy", path, source))?;
    let wal = beside(path, "-wal");
    if wal.is_file() {
        fs::copy(&wal, beside(to, "-wal"))
            .map_err(|source| LedgerError::io("copy", &wal, source))?;
    }
    mend_header(to).map_err(|source| LedgerError::io("write", to, source))?;
    Ok(to.to_owned())
}

/// Writes what every ledger's header holds (<https://sqlite.org/fileformat.html>, 1.3), so that damage there loses
/// nothing.
fn mend_header(database: &Path) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).open(database)?;
    let pages = u32::try_from(file.metadata()?.len() / u64::from(PAGE_SIZE)).unwrap_or(u32::MAX);
    // Magic, page size, WAL for reading and writing, no reserved bytes, the three fixed fractions.
    file.write_all(b"SQLite format 3\0\x10\x00\x02\x02\x00\x40\x20\x20")?;
    // The size in pages counts only while the change counter equals the number at 92; equal ones make it count.
    let counter = 1_u32.to_be_bytes();
    file.write_all(&counter)?;
    file.write_all(&pages.to_be_bytes())?;
    // No free pages: nothing is allocated in the copy, and a broken list of them can't do harm.
    file.write_all(&[0; 8])?;
    file.seek(SeekFrom::Start(44))?;
    // Schema format 4, default cache size, no auto-vacuum, UTF-8, version, no incremental vacuum, application id.
    for number in [
        4,
        0,
        0,
        1,
        u32::try_from(VERSION).unwrap_or(0),
        0,
        APPLICATION_ID.cast_unsigned(),
    ] {
        file.write_all(&number.to_be_bytes())?;
    }
    file.seek(SeekFrom::Start(92))?;
    file.write_all(&counter)?;
    file.sync_all()
}

/// Opens the copy as far as its list of tables, without which no row can be found.
fn open_copy(copy: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(copy)?;
    for table in TABLES {
        connection.prepare(&format!("SELECT * FROM {table}"))?;
    }
    Ok(connection)
}

fn transfer(source: &Connection, to: &Path) -> rusqlite::Result<(Vec<TableReport>, u64)> {
    let target = Connection::open(to)?;
    target.execute_batch(
        "DELETE FROM meta; PRAGMA synchronous = normal; PRAGMA foreign_keys = on; BEGIN",
    )?;
    let mut reports = Vec::new();
    let mut missing = 0;
    for table in TABLES {
        reports.push(Transfer::new(source, &target, table)?.run(&mut missing)?);
    }
    target.execute_batch("DELETE FROM documents WHERE uses <= 0; COMMIT")?;
    target.close().map_err(|(_, source)| source)?;
    Ok((reports, missing))
}

/// One table on its way.
struct Transfer<'a> {
    target: &'a Connection,
    table: &'static str,
    columns: Vec<String>,
    next: Statement<'a>,
    insert: Statement<'a>,
    last: Option<i64>,
}

impl<'a> Transfer<'a> {
    fn new(
        source: &'a Connection,
        target: &'a Connection,
        table: &'static str,
    ) -> rusqlite::Result<Self> {
        let columns: Vec<String> = target
            .prepare("SELECT name FROM pragma_table_info(?1)")?
            .query_map([table], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let names = columns.join(", ");
        let marks = vec!["?"; columns.len()].join(", ");
        Ok(Self {
            target,
            table,
            next: source.prepare(&format!(
                "SELECT rowid, {names} FROM {table} NOT INDEXED WHERE rowid > ?1 ORDER BY rowid LIMIT 1"
            ))?,
            insert: target.prepare(&format!("INSERT INTO {table} ({names}) VALUES ({marks})"))?,
            last: source
                .query_row(&format!("SELECT max(rowid) FROM {table} NOT INDEXED"), [], |row| row.get(0))
                .ok()
                .flatten(),
            columns,
        })
    }

    /// Follows the rows by their ids, and steps over the ids where the file is broken one by one.
    fn run(mut self, missing: &mut u64) -> rusqlite::Result<TableReport> {
        let mut report = TableReport {
            table: self.table,
            rows: 0,
            gaps: 0,
            refused: 0,
        };
        let (mut after, mut failed) = (0_i64, 0_i64);
        let width = self.columns.len();
        loop {
            let found = self
                .next
                .query_row([after], |row| {
                    let id: i64 = row.get(0)?;
                    let values = (1..=width)
                        .map(|at| row.get::<_, Value>(at))
                        .collect::<Result<Vec<_>, _>>();
                    Ok((id, values))
                })
                .optional();
            match found {
                Ok(None) => break,
                // A broken page may claim any id; rows only ever follow each other.
                Ok(Some((id, values))) if id > after => {
                    after = id;
                    failed = 0;
                    match values.map(|values| self.store(values, missing)) {
                        Ok(true) => report.rows += 1,
                        _ => report.refused += 1,
                    }
                }
                _ => {
                    report.gaps += u64::from(failed == 0);
                    failed += 1;
                    after += 1;
                    let end = self.last.unwrap_or(after.saturating_add(GAP_MAX - failed));
                    if after >= end {
                        break;
                    }
                }
            }
        }
        Ok(report)
    }

    /// Whether the row made sense and stands in the new ledger.
    fn store(&mut self, mut values: Vec<Value>, missing: &mut u64) -> bool {
        let makes_sense = match self.table {
            "documents" => self.prepare_document(&mut values),
            "streams" => {
                *missing += self.forget_missing(&mut values);
                true
            }
            "archive" => self.forget_missing(&mut values) == 0,
            _ => true,
        };
        makes_sense && self.insert.execute(params_from_iter(values)).is_ok()
    }

    /// Checks the body against its digest, and leaves it to the triggers to count who names it.
    fn prepare_document(&self, values: &mut [Value]) -> bool {
        let body = self.column("body").and_then(|at| values.get(at));
        let digest = self.column("digest").and_then(|at| values.get(at));
        let (Some(Value::Blob(body)), Some(Value::Text(digest))) = (body, digest) else {
            return false;
        };
        if Digest::of(body).to_string() != *digest {
            return false;
        }
        if let Some(uses) = self.column("uses").and_then(|at| values.get_mut(at)) {
            *uses = Value::Integer(0);
        }
        true
    }

    /// Clears the names of documents that were not saved, and returns how many.
    fn forget_missing(&self, values: &mut [Value]) -> u64 {
        let mut forgotten = 0;
        for column in ["captured", "confirmed", "intent", "document"] {
            let Some(value) = self.column(column).and_then(|at| values.get_mut(at)) else {
                continue;
            };
            if let Value::Text(digest) = value
                && !self.has_document(digest)
            {
                *value = Value::Null;
                forgotten += 1;
            }
        }
        forgotten
    }

    fn has_document(&self, digest: &str) -> bool {
        self.target
            .prepare_cached("SELECT 1 FROM documents WHERE digest = ?1")
            .and_then(|mut statement| statement.exists([digest]))
            .unwrap_or(false)
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }
}
