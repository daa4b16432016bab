//! Whether the store can be written to safely: asked once, and remembered.

use super::AgentError;
use crate::contract::{FailureKind, StoreFailure};
use crate::ledger::ProbeRecord;
use crate::planted::{self, Defect};
use crate::storage::{ConditionalSupport, ConditionalWrites, Store, probe};
use crate::stream::NodeId;
use crate::sync::{JournalError, Memory, Writes};
use crate::time::{Clock, Entropy, Timestamp};

/// How long a probe's good news holds, in milliseconds: a day.
const REMEMBERED: u64 = 24 * 60 * 60 * 1_000;

/// Decides from the operator's settings what a probe's findings mean, and makes the store work around them.
///
/// # Errors
///
/// The store does not honour conditions, and the operator requires that.
pub fn verdict(
    store: &Store,
    found: ConditionalSupport,
    wanted: ConditionalWrites,
) -> Result<Writes, AgentError> {
    store.adapt(found);
    if found.head_differs {
        tracing::warn!(
            store = store.id().as_str(),
            "the store answers HEAD with another ETag than GET, or does not answer it: objects are asked for by GET, \
             which costs more traffic"
        );
    }
    let honoured = found.honoured() || planted::is(Defect::AcceptsIgnoredConditions);
    match (honoured, wanted) {
        (true, _) => Ok(Writes::Conditional),
        (false, ConditionalWrites::BestEffort) => {
            tracing::warn!(
                store = store.id().as_str(),
                "the store {found}: every write is read back, and races can be lost"
            );
            Ok(Writes::ReadBack)
        }
        (false, ConditionalWrites::Required) => Err(AgentError::Conditions {
            store: store.id().as_str().to_owned(),
            found,
        }),
    }
}

/// Describes a failed probe for the log.
pub(super) fn unprobed(store: &Store, failure: &StoreFailure) -> String {
    let id = store.id();
    match failure.kind {
        FailureKind::NotFound => format!(
            "the store {id} does not exist: create its bucket, or correct the configuration; nothing is written until \
             it exists: {failure}"
        ),
        _ => format!(
            "the store {id} could not be probed, and nothing is written until it is: {failure}"
        ),
    }
}

/// What a store can do.
#[derive(Clone, Copy, Debug)]
pub struct Checked {
    /// What the probe found.
    pub support: ConditionalSupport,
    /// When that was.
    pub at: Timestamp,
}

/// Probes the store, unless a good result is remembered.
///
/// # Errors
///
/// The inner one: the store did not answer, so nothing is known. The outer one: the memory failed.
pub async fn check_store(
    store: &Store,
    node: &NodeId,
    memory: &dyn Memory,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Result<Checked, StoreFailure>, JournalError> {
    let id = store.id().as_str();
    if let Some(record) = memory.probe(id).await?
        && clock.now().as_millis().abs_diff(record.at.as_millis()) < REMEMBERED
        && let Ok(found) = serde_json::from_str::<ConditionalSupport>(&record.result)
        && found.honoured()
    {
        return Ok(Ok(Checked {
            support: found,
            at: record.at,
        }));
    }
    let found = probe(store, node, entropy).await.map(|probe| {
        if let Some(failure) = probe.rejection {
            tracing::warn!("the store's answer to a conditional write: {failure}");
        }
        if let Some(failure) = probe.left {
            tracing::warn!(
                "the objects of the store check could not be deleted. They do no harm, and each check leaves more of \
                 them: allow these credentials to delete under .tidegate/probe/: {failure}"
            );
        }
        probe.support
    });
    if let Ok(found) = &found
        && let Ok(result) = serde_json::to_string(found)
    {
        let at = clock.now();
        memory.save_probe(id, ProbeRecord { result, at }).await?;
    }
    let at = clock.now();
    Ok(found.map(|support| Checked { support, at }))
}
