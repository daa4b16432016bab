//! Whether the store can be written to safely: asked once, and remembered.

use super::AgentError;
use crate::contract::StoreFailure;
use crate::ledger::ProbeRecord;
use crate::planted::{self, Defect};
use crate::storage::{ConditionalSupport, ConditionalWrites, Store, probe};
use crate::stream::NodeId;
use crate::sync::{JournalError, Memory, Writes};
use crate::time::{Clock, Entropy};

/// How long a probe's good news holds, in milliseconds: a day.
const REMEMBERED: u64 = 24 * 60 * 60 * 1_000;

/// What the operator's settings make of what a probe found.
///
/// # Errors
///
/// The store ignores conditions, and the operator requires them.
pub fn verdict(
    store: &Store,
    found: ConditionalSupport,
    wanted: ConditionalWrites,
) -> Result<Writes, AgentError> {
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
) -> Result<Result<ConditionalSupport, StoreFailure>, JournalError> {
    let id = store.id().as_str();
    if let Some(record) = memory.probe(id).await?
        && clock.now().as_millis().abs_diff(record.at.as_millis()) < REMEMBERED
        && let Ok(found) = serde_json::from_str::<ConditionalSupport>(&record.result)
        && found.honoured()
    {
        return Ok(Ok(found));
    }
    let found = probe(store, node, entropy).await;
    if let Ok(found) = &found
        && let Ok(result) = serde_json::to_string(found)
    {
        let at = clock.now();
        memory.save_probe(id, ProbeRecord { result, at }).await?;
    }
    Ok(found)
}
