//! An agent: one node's staging directory, store, ledger and policies, brought together by a configuration.
//!
//! ```no_run
//! use tidegate::agent::{Agent, Until};
//! use tidegate::config::Settings;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> anyhow::Result<()> {
//! let (_, settings) = Settings::read("tidegate.toml".as_ref(), &|name| std::env::var(name).ok())?;
//! let mut agent = Agent::open(&settings).await?;
//! agent.run(Until::Settled, std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```

mod compile_cache;
mod conditions;
mod error;
mod first_look;
mod node;
mod open;
mod peers;
mod place;
mod policies;
mod probe;
mod recognize;
mod run;
mod scans;
mod staging;
mod vitals;
mod waiting;

use std::sync::Arc;

pub use compile_cache::{
    user_compile_cache, with_compile_cache, with_compile_cache_of_agent, with_user_compile_cache,
};
pub use conditions::REMIND_EVERY;
pub use error::AgentError;
pub use first_look::{FirstLook, unknown_streams};
pub use open::{Opening, identify, open_parts};
pub use place::{check_ledger_path, check_ledger_place, node_directory_of};
pub use policies::{Loaded, load_policies, runtime_settings};
pub use probe::{Checked, check_store, verdict};
pub use recognize::{
    Compared, Finding, Recognition, STREAMS_COMPARED, Verdict, recognize, recognize_offline,
};
pub use run::Until;
pub use vitals::REPORT_GAP;
pub use waiting::{report_stop, wait_for_node};

use crate::config::Settings;
use crate::ledger::PolicyStatus;
use crate::policy::{Policy, Runtime};
use crate::stream::StreamId;
use crate::sync::{Core, Memory, Scheduler};
use crate::tasks::Task;

/// A node's agent.
#[derive(Debug)]
pub struct Agent {
    core: Arc<Core>,
    scheduler: Scheduler,
    memory: Arc<dyn Memory>,
    policies: Vec<Policy>,
    reported: Vec<PolicyStatus>,
    vitals: vitals::Vitals,
    /// The comparison of streams with all their nodes, while one is under way; it ends with the agent.
    comparing: Option<Task<Vec<StreamId>>>,
    settings: Settings,
    /// Whether the ledger was adopted for this store, so that every stream must be looked at.
    adopted: bool,
    /// Keeps the epoch thread and the pools alive.
    _runtime: Runtime,
}

impl Agent {
    /// What its attempts work with.
    pub fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Its streams.
    pub fn scheduler(&mut self) -> &mut Scheduler {
        &mut self.scheduler
    }

    /// Its policies, by name.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// Lets go of the ledger, once everything asked of it is kept.
    ///
    /// # Errors
    ///
    /// The ledger could not be closed cleanly.
    pub async fn close(mut self) -> Result<(), AgentError> {
        self.scheduler.drain().await;
        self.report_policies().await;
        self.report_now(true).await;
        Ok(self.memory.close().await?)
    }
}
