use rusqlite::{Connection, OptionalExtension};

use super::error::{Fault, LedgerError};
use super::record::{PolicyHealth, PolicyStatus};
use super::sql;
use crate::stream::{NodeId, StreamId};

/// The most bytes of a key in a policy's state.
pub const STATE_KEY_MAX: usize = 128;

/// The most bytes of a value in a policy's state.
pub const STATE_VALUE_MAX: usize = 64 * 1024;

/// The most keys that a policy keeps for one stream, or for a node.
pub const STATE_KEYS_MAX: u64 = 64;

/// Whose state a policy keeps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StateScope {
    /// The node.
    pub node: NodeId,
    /// One stream of it; `None` for what all streams of the node share.
    pub stream: Option<StreamId>,
}

impl StateScope {
    fn columns(&self) -> (&str, &str, &str) {
        let stream = self.stream.as_ref();
        (
            self.node.as_str(),
            stream.map_or("", sql::tenant),
            stream.map_or("", |stream| &stream.name),
        )
    }
}

/// A compare-and-set of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swap {
    /// The policy's name in the configuration.
    pub policy: String,
    /// Whose state.
    pub scope: StateScope,
    /// At most [`STATE_KEY_MAX`] bytes.
    pub key: String,
    /// What must stand there; `None` for nothing.
    pub expected: Option<Vec<u8>>,
    /// What shall stand there, at most [`STATE_VALUE_MAX`] bytes; `None` removes the key.
    pub value: Option<Vec<u8>>,
}

pub(super) fn load_state(
    connection: &Connection,
    policy: &str,
    scope: &StateScope,
    key: &str,
) -> rusqlite::Result<Option<Vec<u8>>> {
    let (node, tenant, stream) = scope.columns();
    connection
        .prepare_cached(
            "SELECT value FROM policy_state \
             WHERE policy = ?1 AND node = ?2 AND tenant = ?3 AND stream = ?4 AND key = ?5",
        )?
        .query_row((policy, node, tenant, stream, key), |row| row.get(0))
        .optional()
}

/// How many keys a policy keeps in the scope.
pub(super) fn count_state(
    connection: &Connection,
    policy: &str,
    scope: &StateScope,
) -> rusqlite::Result<u64> {
    let (node, tenant, stream) = scope.columns();
    let keys: i64 = connection
        .prepare_cached(
            "SELECT count(*) FROM policy_state WHERE policy = ?1 AND node = ?2 AND tenant = ?3 AND stream = ?4",
        )?
        .query_row((policy, node, tenant, stream), |row| row.get(0))?;
    Ok(u64::try_from(keys).unwrap_or_default())
}

/// All swaps one after another, or none: false as soon as one finds something else than it expects. The caller undoes
/// what was already done then.
pub(super) fn swap_all(connection: &Connection, swaps: &[Swap]) -> Result<bool, Fault> {
    for swap in swaps {
        check_bounds(swap)?;
        let found = load_state(connection, &swap.policy, &swap.scope, &swap.key)?;
        if found != swap.expected {
            return Ok(false);
        }
        set(connection, swap)?;
    }
    Ok(true)
}

fn check_bounds(swap: &Swap) -> Result<(), LedgerError> {
    if swap.key.len() > STATE_KEY_MAX {
        return Err(LedgerError::TooLarge {
            what: "bytes of a state key",
            limit: STATE_KEY_MAX as u64,
        });
    }
    if swap
        .value
        .as_ref()
        .is_some_and(|value| value.len() > STATE_VALUE_MAX)
    {
        return Err(LedgerError::TooLarge {
            what: "bytes of a state value",
            limit: STATE_VALUE_MAX as u64,
        });
    }
    Ok(())
}

fn set(connection: &Connection, swap: &Swap) -> Result<(), Fault> {
    let (node, tenant, stream) = swap.scope.columns();
    let Some(value) = &swap.value else {
        connection
            .prepare_cached(
                "DELETE FROM policy_state \
                 WHERE policy = ?1 AND node = ?2 AND tenant = ?3 AND stream = ?4 AND key = ?5",
            )?
            .execute((&swap.policy, node, tenant, stream, &swap.key))?;
        return Ok(());
    };
    connection
        .prepare_cached(
            "INSERT INTO policy_state (policy, node, tenant, stream, key, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT (node, tenant, stream, policy, key) DO UPDATE SET value = excluded.value",
        )?
        .execute((&swap.policy, node, tenant, stream, &swap.key, value))?;
    if swap.expected.is_none() {
        let keys = count_state(connection, &swap.policy, &swap.scope)?;
        if keys > STATE_KEYS_MAX {
            return Err(LedgerError::TooLarge {
                what: "keys of a policy's state",
                limit: STATE_KEYS_MAX,
            }
            .into());
        }
    }
    Ok(())
}

/// Drops what all policies kept about the stream.
pub(super) fn forget_stream(
    connection: &Connection,
    node: &NodeId,
    stream: &StreamId,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM policy_state WHERE node = ?1 AND tenant = ?2 AND stream = ?3")?
        .execute((node.as_str(), sql::tenant(stream), &*stream.name))?;
    Ok(())
}

/// Replaces what is known about all policies.
pub(super) fn set_policies(
    connection: &Connection,
    policies: &[PolicyStatus],
) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM policies", [])?;
    let mut insert =
        connection.prepare_cached("INSERT INTO policies VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    for policy in policies {
        insert.execute((
            &policy.name,
            policy.digest.to_string(),
            &policy.version,
            policy.health.name(),
            policy.failures,
            sql::time(policy.since),
            &policy.cause,
        ))?;
    }
    Ok(())
}

pub(super) fn policies(connection: &Connection) -> rusqlite::Result<Vec<PolicyStatus>> {
    connection
        .prepare("SELECT name, digest, version, health, failures, since, cause FROM policies ORDER BY name")?
        .query_map([], |row| {
            let health: String = row.get(3)?;
            Ok(PolicyStatus {
                name: row.get(0)?,
                digest: sql::read_parsed(row, 1)?,
                version: row.get(2)?,
                health: PolicyHealth::from_name(&health)
                    .ok_or_else(|| sql::unreadable(format!("`{health}` is no policy's health")))?,
                failures: sql::read_count(row, 4)?,
                since: sql::read_time(row, 5)?,
                cause: row.get(6)?,
            })
        })?
        .collect()
}
