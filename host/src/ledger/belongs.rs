//! Which store a ledger is about, and its adoption for another one.

use std::path::Path;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension};

use super::error::{Fault, LedgerError};
use super::reader::LedgerReader;
use super::record::StreamRecord;
use super::{open, streams};
use crate::stream::{NodeId, StreamId};

/// Records whose store a new ledger is about, and refuses a ledger about another store.
pub(super) fn claim(connection: &Connection, path: &Path, store: &str) -> Result<(), Fault> {
    match recorded(connection)? {
        None => {
            connection.execute("INSERT INTO meta VALUES ('store', ?1)", [store])?;
            Ok(())
        }
        Some(recorded) if recorded == store => Ok(()),
        Some(recorded) => Err(LedgerError::OtherStore {
            path: path.to_owned(),
            recorded,
            configured: store.to_owned(),
        }
        .into()),
    }
}

/// The store that the ledger is about.
pub(super) fn recorded(connection: &Connection) -> rusqlite::Result<Option<String>> {
    connection
        .query_row("SELECT value FROM meta WHERE key = 'store'", [], |row| {
            row.get(0)
        })
        .optional()
}

/// Turns the ledger of the store `from` into a ledger of the store `to`. No stream is changed; the next agent looks at
/// all of them again.
///
/// # Errors
///
/// An agent uses the ledger, or it is not about `from`.
pub fn adopt(path: &Path, from: &str, to: &str) -> Result<(), LedgerError> {
    let (path, _lock, mut connection) = open::open_exclusively(path)?;
    let adopted = (|| {
        let transaction = connection.transaction()?;
        let changed = transaction.execute(
            "UPDATE meta SET value = ?2 WHERE key = 'store' AND value = ?1",
            [from, to],
        )?;
        if changed == 0 {
            let recorded = recorded(&transaction)?.unwrap_or_default();
            return Err(Fault::from(LedgerError::OtherStore {
                path: path.clone(),
                recorded,
                configured: from.to_owned(),
            }));
        }
        transaction.execute(
            "INSERT INTO meta VALUES ('adopted', ?1) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            [from],
        )?;
        Ok(transaction.commit()?)
    })();
    adopted.map_err(|fault| fault.at(&path))
}

/// Whether the ledger was adopted since this was last asked.
pub(super) fn take_adopted(connection: &Connection) -> rusqlite::Result<bool> {
    let removed = connection.execute("DELETE FROM meta WHERE key = 'adopted'", [])?;
    Ok(removed > 0)
}

/// What a ledger claims about its store: what it holds, what exists there, and what was sent there.
const CLAIMS: &str = "confirmed IS NOT NULL OR intent IS NOT NULL OR incarnation IS NOT NULL";

impl LedgerReader {
    /// Whether the ledger was adopted for another store, and no agent has compared it with that store yet.
    pub fn is_newly_adopted(&self) -> Result<bool, LedgerError> {
        self.ask(|connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM meta WHERE key = 'adopted')";
            connection.query_row(sql, [], |row| row.get(0))
        })
    }

    /// How many things the ledger claims about its store: streams that it saw there or wrote to, and writes of policies
    /// whose outcome is unknown.
    pub fn claims(&self) -> Result<u64, LedgerError> {
        self.ask(|connection| {
            let sql = format!(
                "SELECT (SELECT count(*) FROM streams WHERE {CLAIMS}) + (SELECT count(*) FROM policy_writes)"
            );
            let claims: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
            Ok(u64::try_from(claims).unwrap_or(0))
        })
    }

    /// At most `limit` streams about which the ledger claims something, those first that were confirmed last, with the
    /// documents that their records name.
    pub fn claimed(&self, limit: usize) -> Result<Vec<(StreamRecord, Vec<Bytes>)>, LedgerError> {
        self.ask(|connection| {
            let sql = format!(
                "SELECT node, tenant, name FROM streams WHERE {CLAIMS} ORDER BY last_success DESC, node, tenant, name \
                 LIMIT ?1"
            );
            let mut statement = connection.prepare(&sql)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let names: Vec<(String, String, String)> = statement
                .query_map([limit], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect::<Result<_, _>>()?;
            let mut found = Vec::new();
            for (node, tenant, name) in names {
                let stream = match tenant.as_str() {
                    "" => StreamId::new(name),
                    tenant => StreamId::with_tenant(tenant, name),
                };
                found.extend(streams::recall(connection, &NodeId::new(node), &stream)?);
            }
            Ok(found)
        })
    }
}
