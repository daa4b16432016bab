use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::archive;
use super::error::{Fault, LedgerError};
use super::history;
use super::record::{AttemptRecord, Document, LastFailure, STATE_MAX, StreamRecord, Summary};
use super::sql;
use crate::contract::{ObjectInfo, Phase, RemoteState, Version};
use crate::digest::Digest;
use crate::stream::{NodeId, StreamId};
use crate::time::Timestamp;

/// The columns that [`read_record`] takes, by position.
pub(super) const COLUMNS: &str = "node, tenant, name, incarnation, phase, attempts, failing_since, next_attempt, \
     failure_kind, failure, failure_at, last_success, source, local_fingerprint, signature, remote_seen, remote_size, \
     remote_modified, remote_version, captured, confirmed, intent, state, updated, settled";

pub(super) fn read_record(row: &Row<'_>) -> rusqlite::Result<StreamRecord> {
    let fingerprint: Option<String> = row.get(13)?;
    Ok(StreamRecord {
        node: NodeId::new(row.get::<_, Arc<str>>(0)?),
        stream: sql::stream(row.get(1)?, row.get(2)?),
        incarnation: row.get(3)?,
        phase: sql::read_parsed(row, 4)?,
        attempts: sql::read_count(row, 5)?,
        failing_since: sql::read_optional_time(row, 6)?,
        next_attempt: sql::read_optional_time(row, 7)?,
        last_failure: read_failure(row)?,
        last_success: sql::read_optional_time(row, 11)?,
        source: row.get(12)?,
        local_fingerprint: fingerprint
            .map(|text| {
                u64::from_str_radix(&text, 16)
                    .map_err(|_| sql::unreadable(format!("`{text}` is no fingerprint")))
            })
            .transpose()?,
        signature: row.get(14)?,
        remote: read_remote(row)?,
        captured: sql::read_optional_digest(row, 19)?,
        confirmed: sql::read_optional_digest(row, 20)?,
        intent: sql::read_optional_digest(row, 21)?,
        settled: row.get(24)?,
        state: row.get(22)?,
        updated: sql::read_time(row, 23)?,
    })
}

fn read_failure(row: &Row<'_>) -> rusqlite::Result<Option<LastFailure>> {
    let Some(kind) = row.get(8)? else {
        return Ok(None);
    };
    Ok(Some(LastFailure {
        kind,
        message: row.get::<_, Option<String>>(9)?.unwrap_or_default(),
        at: sql::read_optional_time(row, 10)?.unwrap_or_default(),
    }))
}

fn read_remote(row: &Row<'_>) -> rusqlite::Result<RemoteState> {
    let Some(seen) = sql::read_optional_time(row, 15)? else {
        return Ok(RemoteState::Unknown);
    };
    let size: Option<i64> = row.get(16)?;
    Ok(match size {
        None => RemoteState::Missing { seen },
        Some(size) => RemoteState::Found {
            seen,
            object: ObjectInfo {
                size: u64::try_from(size).unwrap_or(0),
                modified: sql::read_optional_time(row, 17)?.unwrap_or_default(),
                version: row.get::<_, Option<String>>(18)?.map(Version::new),
            },
        },
    })
}

/// What a row held before it is replaced.
struct Former {
    id: i64,
    incarnation: Option<String>,
    phase: Phase,
    captured: Option<Digest>,
    confirmed: Option<Digest>,
}

/// Stores the record, the documents that it names, and the attempt that led to it.
///
/// When the record shows that the stream's incarnation ended (another `created-at`, the phase `gone`, or `idle` with
/// nothing captured any more), the former row's last good copy goes into the archive and what policies kept about the
/// stream is dropped.
pub(super) fn save(
    connection: &Connection,
    record: &StreamRecord,
    documents: &[Document],
    attempt: Option<&AttemptRecord>,
    attempts_kept: u32,
    history_max: u64,
) -> Result<(), Fault> {
    if record.state.len() > STATE_MAX {
        return Err(LedgerError::TooLarge {
            what: "bytes of a stream's state",
            limit: STATE_MAX as u64,
        }
        .into());
    }
    let former = former(connection, &record.node, &record.stream)?;
    if let Some(former) = former.as_ref().filter(|former| ended(former, record)) {
        let copy = former
            .confirmed
            .map(|digest| ("confirmed", digest))
            .or(former.captured.map(|digest| ("captured", digest)));
        if let Some((kind, digest)) = copy {
            let incarnation = former.incarnation.as_deref();
            let of = (&record.node, &record.stream);
            archive::put(connection, of, record.updated, incarnation, kind, digest)?;
        }
        super::policy::forget_stream(connection, &record.node, &record.stream)?;
    }
    for digest in record.documents() {
        keep(connection, digest, documents)?;
    }
    let id = match former {
        Some(former) => former.id,
        None => add(connection, record)?,
    };
    write(connection, id, record)?;
    if let Some(attempt) = attempt {
        history::append(connection, id, attempt, attempts_kept, history_max)?;
    }
    Ok(())
}

fn ended(former: &Former, record: &StreamRecord) -> bool {
    let another = former.incarnation.is_some()
        && record.incarnation.is_some()
        && former.incarnation != record.incarnation;
    let deleted = record.phase == Phase::Gone && former.phase != Phase::Gone;
    let dropped = record.phase == Phase::Idle
        && record.captured.is_none()
        && (former.captured.is_some() || former.phase == Phase::Unknown);
    another || deleted || dropped
}

fn former(
    connection: &Connection,
    node: &NodeId,
    stream: &StreamId,
) -> rusqlite::Result<Option<Former>> {
    connection
        .prepare_cached(
            "SELECT id, incarnation, phase, captured, confirmed FROM streams \
             WHERE node = ?1 AND tenant = ?2 AND name = ?3",
        )?
        .query_row((node.as_str(), sql::tenant(stream), &*stream.name), |row| {
            Ok(Former {
                id: row.get(0)?,
                incarnation: row.get(1)?,
                phase: sql::read_parsed(row, 2)?,
                captured: sql::read_optional_digest(row, 3)?,
                confirmed: sql::read_optional_digest(row, 4)?,
            })
        })
        .optional()
}

/// Sees to it that the document is stored: the schema's triggers count who names it, and remove it with the last.
pub(super) fn keep(
    connection: &Connection,
    digest: Digest,
    offered: &[Document],
) -> Result<(), Fault> {
    let name = digest.to_string();
    let stored = connection
        .prepare_cached("SELECT 1 FROM documents WHERE digest = ?1")?
        .exists([&name])?;
    if stored {
        return Ok(());
    }
    let Some(document) = offered.iter().find(|document| document.digest() == digest) else {
        return Err(LedgerError::NoDocument(name).into());
    };
    connection
        .prepare_cached("INSERT INTO documents (digest, body) VALUES (?1, ?2)")?
        .execute((name, &document.body()[..]))?;
    Ok(())
}

fn add(connection: &Connection, record: &StreamRecord) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "INSERT INTO streams (node, tenant, name, phase, state, settled, updated) \
             VALUES (?1, ?2, ?3, 'unseen', '{}', 0, 0)",
        )?
        .insert((
            record.node.as_str(),
            sql::tenant(&record.stream),
            &*record.stream.name,
        ))
}

fn write(connection: &Connection, id: i64, record: &StreamRecord) -> rusqlite::Result<()> {
    let (seen, object) = match &record.remote {
        RemoteState::Unknown => (None, None),
        RemoteState::Missing { seen } => (Some(*seen), None),
        RemoteState::Found { object, seen } => (Some(*seen), Some(object)),
    };
    let failure = record.last_failure.as_ref();
    connection
        .prepare_cached(
            "UPDATE streams SET incarnation = :incarnation, phase = :phase, attempts = :attempts, \
             failing_since = :failing_since, next_attempt = :next_attempt, failure_kind = :failure_kind, \
             failure = :failure, failure_at = :failure_at, last_success = :last_success, source = :source, \
             local_fingerprint = :local_fingerprint, signature = :signature, remote_seen = :remote_seen, \
             remote_size = :remote_size, remote_modified = :remote_modified, remote_version = :remote_version, \
             captured = :captured, confirmed = :confirmed, intent = :intent, state = :state, settled = :settled, \
             updated = :updated \
             WHERE id = :id",
        )?
        .execute(named_params! {
            ":id": id,
            ":incarnation": record.incarnation,
            ":phase": record.phase.name(),
            ":attempts": record.attempts,
            ":failing_since": sql::optional_time(record.failing_since),
            ":next_attempt": sql::optional_time(record.next_attempt),
            ":failure_kind": failure.map(|failure| &failure.kind),
            ":failure": failure.map(|failure| &failure.message),
            ":failure_at": failure.map(|failure| sql::time(failure.at)),
            ":last_success": sql::optional_time(record.last_success),
            ":source": record.source,
            ":local_fingerprint": record.local_fingerprint.map(|print| format!("{print:016x}")),
            ":signature": record.signature,
            ":remote_seen": sql::optional_time(seen),
            ":remote_size": object.map(|object| sql::integer(object.size)),
            ":remote_modified": object.map(|object| sql::time(object.modified)),
            ":remote_version": object.and_then(|object| object.version.as_ref()).map(Version::as_str),
            ":captured": sql::optional_digest(record.captured),
            ":confirmed": sql::optional_digest(record.confirmed),
            ":intent": sql::optional_digest(record.intent),
            ":state": record.state,
            ":settled": record.settled,
            ":updated": sql::time(record.updated),
        })?;
    Ok(())
}

pub(super) fn load(
    connection: &Connection,
    node: &NodeId,
    stream: &StreamId,
) -> rusqlite::Result<Option<StreamRecord>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM streams WHERE node = ?1 AND tenant = ?2 AND name = ?3"
        ))?
        .query_row(
            (node.as_str(), sql::tenant(stream), &*stream.name),
            read_record,
        )
        .optional()
}

/// A record with the documents that it names.
pub(super) fn recall(
    connection: &Connection,
    node: &NodeId,
    stream: &StreamId,
) -> rusqlite::Result<Option<(StreamRecord, Vec<Bytes>)>> {
    let Some(record) = load(connection, node, stream)? else {
        return Ok(None);
    };
    let mut documents = Vec::new();
    for digest in record.documents() {
        documents.extend(document(connection, digest)?);
    }
    Ok(Some((record, documents)))
}

pub(super) fn summaries(connection: &Connection, node: &NodeId) -> rusqlite::Result<Vec<Summary>> {
    connection
        .prepare(
            "SELECT tenant, name, phase, intent IS NOT NULL, attempts, failing_since, next_attempt, signature, \
             settled, remote_seen IS NOT NULL \
             FROM streams WHERE node = ?1 ORDER BY tenant, name",
        )?
        .query_map([node.as_str()], |row| {
            Ok(Summary {
                stream: sql::stream(row.get(0)?, row.get(1)?),
                phase: sql::read_parsed(row, 2)?,
                unresolved: row.get(3)?,
                attempts: sql::read_count(row, 4)?,
                failing_since: sql::read_optional_time(row, 5)?,
                next_attempt: sql::read_optional_time(row, 6)?,
                signature: row.get::<_, Option<Box<str>>>(7)?,
                settled: row.get(8)?,
                looked_up: row.get(9)?,
            })
        })?
        .collect()
}

pub(super) fn document(connection: &Connection, digest: Digest) -> rusqlite::Result<Option<Bytes>> {
    connection
        .prepare_cached("SELECT body FROM documents WHERE digest = ?1")?
        .query_row([digest.to_string()], |row| row.get::<_, Vec<u8>>(0))
        .optional()
        .map(|body| body.map(Bytes::from))
}

/// Removes the rows that nobody will ask about again, and returns how many.
///
/// These are streams that are `gone` and streams of nodes other than the current one, last updated before `before`.
/// What they last held goes into the archive first, and archived copies of such streams that ended before `before`
/// are removed.
pub(super) fn prune(
    connection: &Connection,
    node: &NodeId,
    before: Timestamp,
    now: Timestamp,
) -> Result<u64, Fault> {
    archive::drop_old(connection, before)?;
    super::writes::drop_old(connection, before)?;
    let stale: Vec<(i64, StreamRecord)> = connection
        .prepare(&format!(
            "SELECT {COLUMNS}, id FROM streams WHERE updated < ?1 AND (phase = 'gone' OR node <> ?2)"
        ))?
        .query_map((sql::time(before), node.as_str()), |row| {
            Ok((row.get(25)?, read_record(row)?))
        })?
        .collect::<Result<_, _>>()?;
    for (id, record) in &stale {
        let copy = record.confirmed.map(|digest| ("confirmed", digest));
        let copy = copy.or(record.captured.map(|digest| ("captured", digest)));
        if let Some((kind, digest)) = copy {
            let at_end = StreamRecord {
                updated: now,
                ..record.clone()
            };
            let incarnation = record.incarnation.as_deref();
            let of = (&at_end.node, &at_end.stream);
            archive::put(connection, of, at_end.updated, incarnation, kind, digest)?;
        }
        super::policy::forget_stream(connection, &record.node, &record.stream)?;
        connection.execute("DELETE FROM streams WHERE id = ?1", [id])?;
    }
    Ok(stale.len() as u64)
}
