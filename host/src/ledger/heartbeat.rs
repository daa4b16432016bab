//! What an agent reports about itself while it runs, so that `status` knows more than the streams' rows say.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};

use super::sql;
use crate::digest::Digest;
use crate::time::{Timestamp, millis};

/// An agent's report about itself. The ledger holds the latest one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The agent's process.
    pub pid: u32,
    /// When the agent opened its ledger.
    pub started: Timestamp,
    /// When this was reported.
    pub at: Timestamp,
    /// The longest time until the next report.
    pub interval: Duration,
    /// Whether the agent stopped cleanly with this report.
    pub stopped: bool,
    /// The end of the last scan that succeeded.
    pub scanned: Option<Timestamp>,
    /// When the next scan is due; `None` where none is.
    pub next_scan: Option<Timestamp>,
    /// When the store last answered an attempt or its check.
    pub store_answered: Option<Timestamp>,
    /// Streams that the agent knows, staged or from the ledger.
    pub streams: u64,
    /// Streams whose staged files were found and not judged yet: their rows are missing or out of date.
    pub unjudged: u64,
    /// Attempts that are queued or running.
    pub queued: u64,
    /// SHA-256 of the configuration file.
    pub configuration: Digest,
    /// What the check of the store's conditional writes found.
    pub store_check: StoreCheck,
    /// What keeps the node from its work.
    pub conditions: Vec<Condition>,
}

/// What the check of the store's conditional writes found. Nothing is written to the store before it passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreCheck {
    /// Its result.
    pub result: CheckResult,
    /// What the store can do, or why the check failed.
    pub detail: String,
    /// When it ended.
    pub at: Option<Timestamp>,
}

/// The result of a store check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckResult {
    /// It has not ended yet.
    Pending,
    /// The store can be written to.
    Passed,
    /// The store can't be written to, or did not answer.
    Failed,
    /// The configuration says that nothing is written.
    Off,
}

impl CheckResult {
    const ALL: [Self; 4] = [Self::Pending, Self::Passed, Self::Failed, Self::Off];

    /// Returns the result's name in outputs and in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Off => "off",
        }
    }
}

/// Something that keeps the node as a whole from its work, for as long as it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The kind of problem.
    pub kind: ConditionKind,
    /// When it began.
    pub since: Timestamp,
    /// Its cause, and what to do about it.
    pub detail: String,
}

/// The conditions of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConditionKind {
    /// The ledger can't be written or read: a full disk, a read-only file system.
    LedgerFailing,
    /// The staging directory is missing, or it is empty where it was not: its volume was unmounted.
    StagingMissing,
    /// The node's identity can't be read from its staging directory.
    IdentityUnclear,
    /// The staging directory can't be scanned.
    ScanFailing,
    /// Attempts end in internal errors.
    AttemptsFailing,
    /// The store's check fails, so that nothing is written.
    StoreCheckFailing,
    /// The store answers no request of any stream.
    StoreFailing,
    /// Streams can't be compared with their other nodes, so a conflict between them would not be seen.
    NodesNotCompared,
    /// The store knows none of the node's streams: it is probably another node's store.
    NoStreamKnown,
    /// A scan leaves streams out.
    ScanIncomplete,
}

impl ConditionKind {
    /// All kinds, the most severe first.
    pub const ALL: [Self; 10] = [
        Self::LedgerFailing,
        Self::StagingMissing,
        Self::IdentityUnclear,
        Self::ScanFailing,
        Self::AttemptsFailing,
        Self::StoreCheckFailing,
        Self::StoreFailing,
        Self::NodesNotCompared,
        Self::NoStreamKnown,
        Self::ScanIncomplete,
    ];

    /// Returns the kind's name in outputs and in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::LedgerFailing => "ledger-failing",
            Self::StagingMissing => "staging-missing",
            Self::IdentityUnclear => "identity-unclear",
            Self::ScanFailing => "scan-failing",
            Self::AttemptsFailing => "attempts-failing",
            Self::StoreCheckFailing => "store-check-failing",
            Self::StoreFailing => "store-failing",
            Self::NodesNotCompared => "nodes-not-compared",
            Self::NoStreamKnown => "no-stream-known",
            Self::ScanIncomplete => "scan-incomplete",
        }
    }
}

/// Replaces the last report.
pub(super) fn set(connection: &Connection, beat: &Heartbeat) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO heartbeat VALUES \
             (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .execute((
            beat.pid,
            sql::time(beat.started),
            sql::time(beat.at),
            sql::integer(millis(beat.interval)),
            beat.stopped,
            sql::optional_time(beat.scanned),
            sql::optional_time(beat.next_scan),
            sql::optional_time(beat.store_answered),
            sql::integer(beat.streams),
            sql::integer(beat.unjudged),
            sql::integer(beat.queued),
            beat.configuration.to_string(),
            beat.store_check.result.name(),
            &beat.store_check.detail,
            sql::optional_time(beat.store_check.at),
        ))?;
    connection
        .prepare_cached("DELETE FROM conditions")?
        .execute([])?;
    let mut insert = connection.prepare_cached("INSERT INTO conditions VALUES (?1, ?2, ?3)")?;
    for condition in &beat.conditions {
        insert.execute((
            condition.kind.name(),
            sql::time(condition.since),
            &condition.detail,
        ))?;
    }
    Ok(())
}

/// The last report; `None` before any agent made one.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Option<Heartbeat>> {
    let beat = connection
        .query_row("SELECT * FROM heartbeat", [], read)
        .optional()?;
    let Some(beat) = beat else {
        return Ok(None);
    };
    let conditions = connection
        .prepare("SELECT kind, since, detail FROM conditions")?
        .query_map([], |row| {
            Ok(Condition {
                kind: named(row, 0, &ConditionKind::ALL, ConditionKind::name)?,
                since: sql::read_time(row, 1)?,
                detail: row.get(2)?,
            })
        })?
        .collect::<rusqlite::Result<Vec<_>>>();
    let mut conditions = conditions?;
    conditions.sort_by_key(|condition| condition.kind);
    Ok(Some(Heartbeat { conditions, ..beat }))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Heartbeat> {
    Ok(Heartbeat {
        pid: sql::read_count(row, 1)?,
        started: sql::read_time(row, 2)?,
        at: sql::read_time(row, 3)?,
        interval: Duration::from_millis(sql::read_unsigned(row, 4)?),
        stopped: row.get(5)?,
        scanned: sql::read_optional_time(row, 6)?,
        next_scan: sql::read_optional_time(row, 7)?,
        store_answered: sql::read_optional_time(row, 8)?,
        streams: sql::read_unsigned(row, 9)?,
        unjudged: sql::read_unsigned(row, 10)?,
        queued: sql::read_unsigned(row, 11)?,
        configuration: sql::read_parsed(row, 12)?,
        store_check: StoreCheck {
            result: named(row, 13, &CheckResult::ALL, CheckResult::name)?,
            detail: row.get(14)?,
            at: sql::read_optional_time(row, 15)?,
        },
        conditions: Vec::new(),
    })
}

/// The value whose name is in the column.
fn named<T: Copy>(
    row: &Row<'_>,
    column: usize,
    all: &[T],
    name: fn(T) -> &'static str,
) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    let known = all.iter().copied().find(|value| name(*value) == text);
    known.ok_or_else(|| sql::unreadable(format!("`{text}` is not a known value")))
}
