//! Whether the store can be written to safely: asked once, and remembered.

use super::AgentError;
use crate::contract::StoreFailure;
use crate::ledger::{Ledger, LedgerError, ProbeRecord};
use crate::storage::{ConditionalSupport, ConditionalWrites, Store, probe};
use crate::stream::NodeId;
use crate::sync::Writes;
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
    match (found.honoured(), wanted) {
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

/// Probes the store, unless the ledger remembers a good result.
///
/// # Errors
///
/// The inner one: the store did not answer, so nothing is known. The outer one: the ledger failed.
pub async fn check_store(
    store: &Store,
    node: &NodeId,
    ledger: Option<&Ledger>,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Result<ConditionalSupport, StoreFailure>, LedgerError> {
    let id = store.id().as_str();
    if let Some(ledger) = ledger
        && let Some(record) = ledger.probe(id).await?
        && clock.now().as_millis().abs_diff(record.at.as_millis()) < REMEMBERED
        && let Ok(found) = serde_json::from_str::<ConditionalSupport>(&record.result)
        && found.honoured()
    {
        return Ok(Ok(found));
    }
    let found = probe(store, node, entropy).await;
    if let (Some(ledger), Ok(found)) = (ledger, &found)
        && let Ok(result) = serde_json::to_string(found)
    {
        ledger
            .save_probe(
                id,
                ProbeRecord {
                    result,
                    at: clock.now(),
                },
            )
            .await?;
    }
    Ok(found)
}
