//! What was measured.

use std::time::Duration;

use crate::contract::Role;
use crate::digest::Digest;
use crate::policy::{CallFailure, LogLine};

/// What a policy costs.
#[derive(Clone, Debug)]
pub struct Report {
    /// The component, as it was named.
    pub component: String,
    /// What the policy calls itself.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The digest of its component.
    pub sha256: Digest,
    /// The component's size in bytes.
    pub size: u64,
    /// What loading it costs.
    pub loading: Loading,
    /// Why it can't be loaded with the default limits, where it can't.
    pub beyond_defaults: Option<String>,
    /// For each role that it was asked for.
    pub roles: Vec<RoleReport>,
}

/// What decisions of one role cost.
#[derive(Clone, Debug)]
pub struct RoleReport {
    /// The role.
    pub role: Role,
    /// The bundled policy beside it.
    pub beside: &'static str,
    /// How many different decisions were made.
    pub decisions: usize,
    /// The policy.
    pub policy: Measured,
    /// The bundled one.
    pub bundled: Measured,
    /// What loading the bundled one costs.
    pub bundled_loading: Loading,
}

/// How long it takes to load a policy, until the first decision can be asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loading {
    /// When it must be compiled.
    pub compile: Duration,
    /// From the compile cache.
    pub load: Duration,
}

/// What one policy's decisions cost.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// With an instance for each decision.
    pub fresh: Run,
    /// With an instance that had made it before.
    pub reused: Run,
    /// How many of the decisions failed.
    pub failed: usize,
    /// Why the first of them did.
    pub failure: Option<FailedDecision>,
}

/// A decision that a policy failed to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedDecision {
    /// The cause, with what the policy itself said about it.
    pub failure: CallFailure,
    /// What the policy logged in that decision.
    pub log: Vec<LogLine>,
}

/// What decisions cost with one kind of instances.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// How often one was made and timed.
    pub times: usize,
    /// How long half of them take at most.
    pub p50: Duration,
    /// How long 99 of 100 take at most.
    pub p99: Duration,
    /// Fuel.
    pub fuel: Fuel,
    /// The most bytes of memory that one held.
    pub peak_memory: u64,
}

/// Fuel of the different decisions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fuel {
    /// What half of them use at most.
    pub p50: u64,
    /// The most.
    pub max: u64,
}

/// The smallest of the sorted values that so large a part of them does not exceed.
pub(super) fn quantile<T: Copy + Default>(sorted: &[T], part: f64) -> T {
    let rank = (part * sorted.len() as f64).ceil() as usize;
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}
