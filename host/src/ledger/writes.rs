use rusqlite::Connection;

use super::error::{Fault, LedgerError};
use super::sql;
use crate::digest::Digest;
use crate::stream::{NodeId, StreamId};
use crate::time::Timestamp;

/// The most writes of policies on record for one stream; a further one is refused.
pub const OPEN_WRITES_MAX: u64 = 64;

/// What a policy writes into the store: on record from before the request until its outcome is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWrite {
    /// The stream that the decision is about.
    pub stream: StreamId,
    /// The policy's name in the configuration.
    pub policy: String,
    /// The object's key.
    pub key: String,
    /// Of the object's content.
    pub digest: Digest,
    /// The content's size in bytes.
    pub size: u64,
    /// When it was asked for.
    pub at: Timestamp,
}

/// Names a write on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteId(i64);

impl WriteId {
    /// The write of this number, in a memory that is no ledger.
    pub fn new(number: i64) -> Self {
        Self(number)
    }
}

pub(super) fn begin(
    connection: &Connection,
    node: &NodeId,
    write: &PolicyWrite,
) -> Result<WriteId, Fault> {
    let tenant = sql::tenant(&write.stream);
    let open: i64 = connection
        .prepare_cached(
            "SELECT count(*) FROM policy_writes WHERE node = ?1 AND tenant = ?2 AND stream = ?3",
        )?
        .query_row((node.as_str(), tenant, &*write.stream.name), |row| {
            row.get(0)
        })?;
    if open >= sql::integer(OPEN_WRITES_MAX) {
        return Err(LedgerError::TooLarge {
            what: "a stream's writes by policies whose outcome is unknown",
            limit: OPEN_WRITES_MAX,
        }
        .into());
    }
    let id = connection
        .prepare_cached(
            "INSERT INTO policy_writes (node, tenant, stream, policy, key, digest, size, at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .insert((
            node.as_str(),
            tenant,
            &*write.stream.name,
            &write.policy,
            &write.key,
            write.digest.to_string(),
            sql::integer(write.size),
            sql::time(write.at),
        ))?;
    Ok(WriteId(id))
}

pub(super) fn end(connection: &Connection, id: WriteId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM policy_writes WHERE id = ?1")?
        .execute([id.0])?;
    Ok(())
}

/// All that are on record for the node, oldest first.
pub(super) fn open(
    connection: &Connection,
    node: &NodeId,
) -> rusqlite::Result<Vec<(WriteId, PolicyWrite)>> {
    connection
        .prepare(
            "SELECT id, tenant, stream, policy, key, digest, size, at FROM policy_writes \
             WHERE node = ?1 ORDER BY id",
        )?
        .query_map([node.as_str()], |row| {
            let write = PolicyWrite {
                stream: sql::stream(row.get(1)?, row.get(2)?),
                policy: row.get(3)?,
                key: row.get(4)?,
                digest: sql::read_parsed(row, 5)?,
                size: sql::read_unsigned(row, 6)?,
                at: sql::read_time(row, 7)?,
            };
            Ok((WriteId(row.get(0)?), write))
        })?
        .collect()
}

/// Drops those that were asked for before `before`: nobody will read them back any more.
pub(super) fn drop_old(connection: &Connection, before: Timestamp) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM policy_writes WHERE at < ?1",
        [sql::time(before)],
    )?;
    Ok(())
}
