//! A whole fleet, simulated: clusters of nodes with the real agents in them, each cluster around its own prefixes of one
//! store.
//!
//! Nodes share streams within their cluster alone, so clusters have nothing in common but the time: each is a
//! [`World`](super::World) of its own, played from its beginning to its end on one thread and then dropped. What is
//! counted of them is added up, so a run is the same whatever the number of threads.

mod cluster;
mod counts;
pub mod report;
mod scenario;
mod schemas;
mod spread;
mod timeline;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub use counts::{Counts, Ended, MAX_ATTEMPTS};
pub use scenario::{DEFAULT_CLUSTER, MAX_CLUSTER, Scenario, Squeeze, Start, Streams, Wave};
pub use spread::Spread;

use super::executor::Stuck;
use super::node::Blueprint;
use crate::agent::AgentError;
use crate::config::Settings;
use crate::policy::Instances;
use crate::sync::DEFAULT_ATTEMPTS_AT_ONCE;

/// The most streams of all nodes together.
pub const MAX_STREAMS: u64 = 2_000_000;

/// The longest time that is simulated: a week.
pub const MAX_LENGTH: Duration = Duration::from_secs(7 * 24 * 3600);

/// A fleet and what it goes through.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Nodes.
    pub nodes: u32,
    /// Streams on each.
    pub streams: u32,
    /// How long it is watched.
    pub length: Duration,
    /// What is left to chance.
    pub seed: u64,
    /// What it goes through.
    pub scenario: Scenario,
}

/// Why a fleet was not simulated to its end.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// A defect of ours.
    #[error("cluster {cluster} of the simulated fleet came to a stop")]
    Stuck {
        /// Which.
        cluster: u32,
        /// How.
        source: Stuck,
    },
    /// A defect of ours.
    #[error("cluster {cluster} of the simulated fleet: {defect}")]
    Defect {
        /// Which.
        cluster: u32,
        /// What happened.
        defect: String,
    },
    /// Another cluster failed, or nobody waits for the result any more.
    #[error("the simulation was stopped")]
    Stopped,
    /// A defect of ours: a thread panicked.
    #[error("a thread of the simulation broke down")]
    Interrupted,
}

impl Fleet {
    /// How many clusters there are. The last may have fewer nodes.
    pub fn clusters(&self) -> u32 {
        self.nodes.div_ceil(self.scenario.cluster.max(1))
    }

    fn nodes_of(&self, cluster: u32) -> u32 {
        let before = cluster.saturating_mul(self.scenario.cluster);
        self.nodes.saturating_sub(before).min(self.scenario.cluster)
    }

    /// Loads a configuration's policies for the whole fleet.
    ///
    /// # Errors
    ///
    /// A policy that can't be loaded.
    pub async fn blueprint(
        &self,
        settings: Settings,
        threads: usize,
    ) -> Result<Blueprint, AgentError> {
        let room = self.room(&settings, threads);
        Blueprint::load(settings, Some(room)).await
    }

    /// How many decisions of all nodes that are played at once may be under way, and how many instances idle. Decisions
    /// that wait for the store keep their place, so there is one for all that can wait at once. Room that nobody can use
    /// costs address space, and without enough of it there is no pool.
    fn room(&self, settings: &Settings, threads: usize) -> (u16, u16) {
        let nodes = self.nodes.min(self.scenario.cluster) as usize;
        let all = |of_node: usize| {
            let all = of_node.saturating_mul(nodes).saturating_mul(threads);
            u16::try_from(all).unwrap_or(u16::MAX)
        };
        let streams = usize::try_from(self.streams).unwrap_or(usize::MAX);
        let at_once = streams.min(DEFAULT_ATTEMPTS_AT_ONCE);
        let policies = settings.policies.values();
        let reused = policies.filter(|policy| policy.instances == Instances::Reuse);
        let idle = reused.count().saturating_mul(at_once);
        (
            all(at_once.min(settings.runtime.slots.into())).max(1),
            all(idle.min(settings.runtime.idle.into())),
        )
    }

    /// Plays the fleet on so many threads, and tells `progress` whenever another cluster is an hour older.
    ///
    /// # Errors
    ///
    /// Defects of ours.
    pub fn play(
        &self,
        blueprint: &Blueprint,
        threads: usize,
        progress: &(dyn Fn() + Sync),
    ) -> Result<Counts, FleetError> {
        let next = AtomicU32::new(0);
        let failed = AtomicBool::new(false);
        let sum = Mutex::new(Counts::new(self.length));
        let failure = Mutex::new(None);
        let work = || {
            loop {
                let cluster = next.fetch_add(1, Ordering::Relaxed);
                if cluster >= self.clusters() || failed.load(Ordering::Relaxed) {
                    return;
                }
                let go_on = || {
                    progress();
                    !failed.load(Ordering::Relaxed)
                };
                match cluster::play(self, blueprint, cluster, &go_on) {
                    Ok(counts) => {
                        let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                        sum.merge(&counts);
                    }
                    Err(error) => {
                        failed.store(true, Ordering::Relaxed);
                        let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                        failure.get_or_insert(error);
                    }
                }
            }
        };
        let interrupted = std::thread::scope(|scope| {
            let others: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
            others
                .into_iter()
                .filter_map(|thread| thread.join().err())
                .count()
        });
        if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        if interrupted > 0 {
            return Err(FleetError::Interrupted);
        }
        Ok(sum.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many times `progress` is told.
    pub fn strides(&self) -> u64 {
        u64::from(self.clusters()) * self.length.as_secs().div_ceil(3600)
    }
}

#[cfg(test)]
mod tests;
