use rusqlite::Connection;

use super::record::ArchivedCopy;
use super::sql;
use crate::digest::Digest;
use crate::stream::{NodeId, StreamId};
use crate::time::Timestamp;

/// How many former schemas of a stream are kept: of incarnations that ended, and those that an operator replaced.
pub const ARCHIVED_KEPT: u32 = 3;

/// Archives a schema that the stream no longer has since `ended_at`, and drops the stream's oldest ones. `kind` is as
/// in `schema.sql`.
pub(super) fn put(
    connection: &Connection,
    (node, stream): (&NodeId, &StreamId),
    ended_at: Timestamp,
    incarnation: Option<&str>,
    kind: &str,
    document: Digest,
) -> rusqlite::Result<()> {
    let (node, tenant, name) = (node.as_str(), sql::tenant(stream), &*stream.name);
    let incarnation = incarnation.unwrap_or("");
    let ended_at = sql::time(ended_at);
    connection
        .prepare_cached(
            "INSERT INTO archive (node, tenant, name, incarnation, ended_at, kind, document) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (node, tenant, name, incarnation, kind, document) \
             DO UPDATE SET ended_at = excluded.ended_at",
        )?
        .execute((node, tenant, name, incarnation, ended_at, kind, document.to_string()))?;
    connection
        .prepare_cached(
            "DELETE FROM archive WHERE node = ?1 AND tenant = ?2 AND name = ?3 AND id NOT IN \
             (SELECT id FROM archive WHERE node = ?1 AND tenant = ?2 AND name = ?3 \
              ORDER BY ended_at DESC, id DESC LIMIT ?4)",
        )?
        .execute((node, tenant, name, ARCHIVED_KEPT))?;
    Ok(())
}

pub(super) fn of_stream(
    connection: &Connection,
    node: &NodeId,
    stream: &StreamId,
) -> rusqlite::Result<Vec<ArchivedCopy>> {
    connection
        .prepare_cached(
            "SELECT incarnation, ended_at, kind, document FROM archive \
             WHERE node = ?1 AND tenant = ?2 AND name = ?3 ORDER BY ended_at DESC, id DESC",
        )?
        .query_map((node.as_str(), sql::tenant(stream), &*stream.name), |row| {
            let incarnation: String = row.get(0)?;
            Ok(ArchivedCopy {
                incarnation: (!incarnation.is_empty()).then_some(incarnation),
                ended_at: sql::read_time(row, 1)?,
                confirmed: row.get::<_, String>(2)? != "captured",
                document: sql::read_parsed(row, 3)?,
            })
        })?
        .collect()
}

/// Drops copies that ended before `before` of streams that have no row any more.
pub(super) fn drop_old(connection: &Connection, before: Timestamp) -> rusqlite::Result<usize> {
    connection.execute(
        "DELETE FROM archive WHERE ended_at < ?1 AND NOT EXISTS (SELECT 1 FROM streams \
         WHERE streams.node = archive.node AND streams.tenant = archive.tenant AND streams.name = archive.name)",
        [sql::time(before)],
    )
}
