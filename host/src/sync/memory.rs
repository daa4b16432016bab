//! What an agent remembers besides the state of single streams.

use std::sync::Arc;

use async_trait::async_trait;

use super::journal::{Journal, JournalError, LedgerJournal, Rehearsal};
use crate::ledger::{Heartbeat, PolicyStatus, PolicyWrite, ProbeRecord, Summary, WriteId};
use crate::stream::NodeId;
use crate::time::Timestamp;

/// The durable memory of a node's agent.
#[async_trait]
pub trait Memory: Journal {
    /// When the host first saw the node; it is seen now if it never was.
    async fn first_seen(&self, now: Timestamp) -> Result<Timestamp, JournalError>;

    /// Every stream of the node that is known.
    async fn summaries(&self) -> Result<Vec<Summary>, JournalError>;

    /// The writes by policies that were under way when the agent ended.
    async fn open_writes(&self) -> Result<Vec<(WriteId, PolicyWrite)>, JournalError>;

    /// What the last probe of the store found.
    async fn probe(&self, store: &str) -> Result<Option<ProbeRecord>, JournalError>;

    /// Keeps what a probe found.
    async fn save_probe(&self, store: &str, probe: ProbeRecord) -> Result<(), JournalError>;

    /// Keeps how the policies do, for `status`.
    async fn set_policies(&self, policies: Vec<PolicyStatus>) -> Result<(), JournalError>;

    /// Whether heartbeats are kept. If not, the agent reports none.
    fn keeps_heartbeats(&self) -> bool {
        false
    }

    /// Keeps the agent's report about itself, for `status`, in place of the last one.
    async fn set_heartbeat(&self, _: Heartbeat) -> Result<(), JournalError> {
        Ok(())
    }

    /// The memory of the same agent for another identity of its node. `None` if it has only one identity.
    fn of_node(&self, _: &NodeId) -> Option<Arc<dyn Memory>> {
        None
    }

    /// Forgets streams that are gone since before then; how many.
    async fn prune(&self, before: Timestamp, now: Timestamp) -> Result<u64, JournalError>;

    /// Lets go of everything, once all that was asked for is kept.
    async fn close(&self) -> Result<(), JournalError>;
}

#[async_trait]
impl Memory for LedgerJournal {
    async fn first_seen(&self, now: Timestamp) -> Result<Timestamp, JournalError> {
        Ok(self.ledger().node_first_seen(self.node(), now).await?)
    }

    async fn summaries(&self) -> Result<Vec<Summary>, JournalError> {
        Ok(self.ledger().summaries(self.node()).await?)
    }

    async fn open_writes(&self) -> Result<Vec<(WriteId, PolicyWrite)>, JournalError> {
        Ok(self.ledger().open_writes(self.node()).await?)
    }

    async fn probe(&self, store: &str) -> Result<Option<ProbeRecord>, JournalError> {
        Ok(self.ledger().probe(store).await?)
    }

    async fn save_probe(&self, store: &str, probe: ProbeRecord) -> Result<(), JournalError> {
        Ok(self.ledger().save_probe(store, probe).await?)
    }

    async fn set_policies(&self, policies: Vec<PolicyStatus>) -> Result<(), JournalError> {
        Ok(self.ledger().set_policies(policies).await?)
    }

    fn keeps_heartbeats(&self) -> bool {
        true
    }

    async fn set_heartbeat(&self, beat: Heartbeat) -> Result<(), JournalError> {
        Ok(self.ledger().set_heartbeat(beat).await?)
    }

    fn of_node(&self, node: &NodeId) -> Option<Arc<dyn Memory>> {
        Some(Arc::new(Self::new(self.ledger().clone(), node.clone())))
    }

    async fn prune(&self, before: Timestamp, now: Timestamp) -> Result<u64, JournalError> {
        Ok(self.ledger().prune(self.node(), before, now).await?)
    }

    async fn close(&self) -> Result<(), JournalError> {
        Ok(self.ledger().close().await?)
    }
}

/// A dry run begins anew each time: it looks at every stream that is staged.
#[async_trait]
impl Memory for Rehearsal {
    async fn first_seen(&self, now: Timestamp) -> Result<Timestamp, JournalError> {
        Ok(now)
    }

    async fn summaries(&self) -> Result<Vec<Summary>, JournalError> {
        Ok(Vec::new())
    }

    async fn open_writes(&self) -> Result<Vec<(WriteId, PolicyWrite)>, JournalError> {
        Ok(Vec::new())
    }

    async fn probe(&self, _: &str) -> Result<Option<ProbeRecord>, JournalError> {
        Ok(None)
    }

    async fn save_probe(&self, _: &str, _: ProbeRecord) -> Result<(), JournalError> {
        Ok(())
    }

    async fn set_policies(&self, _: Vec<PolicyStatus>) -> Result<(), JournalError> {
        Ok(())
    }

    async fn prune(&self, _: Timestamp, _: Timestamp) -> Result<u64, JournalError> {
        Ok(0)
    }

    async fn close(&self) -> Result<(), JournalError> {
        Ok(())
    }
}
