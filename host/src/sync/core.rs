//! What all attempts of a node share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::causes::Causes;
use super::gate::Gate;
use super::health::Health;
use super::journal::Journal;
use super::plan::Plan;
use super::policy_writes::PolicyWrites;
use crate::policy::Recorder;
use crate::staging::{Layout, Staging};
use crate::storage::Store;
use crate::stream::NodeId;
use crate::tasks::Tasks;
use crate::time::{Clock, Entropy, Timestamp};

/// When something was seen, on a wall clock that may be set: then it moves along, so that the time since stays true.
#[derive(Debug)]
pub struct Seen(AtomicU64);

impl Seen {
    /// Seen at this moment.
    pub fn new(at: Timestamp) -> Self {
        Self(AtomicU64::new(at.as_millis()))
    }

    /// When, by the clock as it goes now.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }

    /// The clock was set, this many milliseconds ahead.
    pub(super) fn shift(&self, millis: i64) {
        // One task alone heeds the clock.
        self.0
            .store(self.at().shifted(millis).as_millis(), Ordering::Relaxed);
    }
}

/// The parts of a node's agent that its attempts work with. Everything that makes two runs differ enters here.
#[derive(Debug)]
pub struct Core {
    /// The node.
    pub node: NodeId,
    /// When the host first saw it.
    pub node_seen: Seen,
    /// Where schemas are published.
    pub store: Store,
    /// Where they are staged.
    pub staging: Arc<dyn Staging>,
    /// Where files and keys are.
    pub layout: Layout,
    /// What is remembered.
    pub journal: Arc<dyn Journal>,
    /// Which policies and rules apply.
    pub plan: Arc<Plan>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random words.
    pub entropy: Arc<dyn Entropy>,
    /// Where work runs.
    pub tasks: Arc<dyn Tasks>,
    /// How the store does.
    pub health: Health,
    /// The failures that streams have in common, for the log.
    pub causes: Causes,
    /// Whether it may be written to.
    pub gate: Gate,
    /// What keeps every decision, where decisions are recorded.
    pub recorder: Option<Arc<dyn Recorder>>,
    /// What policies wrote, as far as nobody knows whether it arrived.
    pub policy_writes: Arc<PolicyWrites>,
    /// The largest schema that is read, staged or stored, in bytes.
    pub max_schema_size: u64,
}
