//! The parts of an agent that belong to one node. They are rebuilt when the node comes back under another identity.

use std::sync::Arc;

use super::{Agent, AgentError};
use crate::stream::NodeId;
use crate::sync::{
    Causes, Core, DEFAULT_ATTEMPTS_AT_ONCE, Gate, Health, Journal, PolicyWrites, Scheduler, Seen,
    Writes,
};

impl Agent {
    /// Switches the agent to this node. Attempts for the former one are given time to finish; writes that are cut off
    /// are in the ledger.
    ///
    /// # Errors
    ///
    /// The ledger fails. The agent then still works for the former node.
    pub(super) async fn become_node(&mut self, node: NodeId) -> Result<(), AgentError> {
        let memory = self.memory.of_node(&node).ok_or(AgentError::OneNode)?;
        let former = Arc::clone(&self.core);
        let now = former.clock.now();
        let node_seen = Seen::new(memory.first_seen(now).await?);
        let summaries = memory.summaries().await?;
        let open_writes = memory.open_writes().await?;
        self.stop().await;
        let unsettled = self.tally().unsettled;
        if unsettled > 0 {
            tracing::warn!(
                node = %former.node,
                streams = unsettled,
                "some streams of the former identity were not settled; what was captured of them stays in the ledger"
            );
        }
        let gate = match former.gate.get() {
            Writes::Unprobed => Gate::unchecked(former.gate.refusal()),
            writes => Gate::new(writes),
        };
        let core = Arc::new(Core {
            node,
            node_seen,
            store: former.store.clone(),
            staging: Arc::clone(&former.staging),
            layout: former.layout.clone(),
            journal: Arc::clone(&memory) as Arc<dyn Journal>,
            plan: Arc::clone(&former.plan),
            clock: Arc::clone(&former.clock),
            entropy: Arc::clone(&former.entropy),
            tasks: Arc::clone(&former.tasks),
            health: Health::default(),
            causes: Causes::default(),
            gate,
            recorder: former.recorder.clone(),
            policy_writes: Arc::new(PolicyWrites::new(open_writes)),
            max_schema_size: former.max_schema_size,
        });
        let mut scheduler = Scheduler::new(Arc::clone(&core), summaries, DEFAULT_ATTEMPTS_AT_ONCE);
        scheduler.inherit(&mut self.scheduler);
        scheduler.spread(self.settings.start_jitter);
        self.comparing = None;
        self.scheduler = scheduler;
        self.core = core;
        self.memory = memory;
        self.vitals.scanned = None;
        Ok(())
    }
}
