//! The exit codes of the `tidegate` command. They are part of its contract.

use super::place::Placed;
use crate::agent::AgentError;
use crate::author::ScaffoldError;
use crate::author::build::BuildError;
use crate::author::bundle::BundleError;
use crate::config::ConfigError;
use crate::contract::{FailureKind, Phase};
use crate::ledger::{Condition, ConditionKind, LedgerError};
use crate::registry::RegistryError;
use crate::sandbox::bench::BenchError;
use crate::sandbox::record::RecordError;
use crate::sandbox::replay::ReplayError;
use crate::sync::{ResolveError, Tally};
use crate::trust::KeyError;

/// All settled: synced, idle, gone; provisional with a warning.
pub const SETTLED: u8 = 0;
/// An internal error, or a node that can't do its work: a ledger that can't be written, staging that is missing, an agent
/// that was killed.
pub const INTERNAL: u8 = 1;
/// Usage or configuration.
pub const USAGE: u8 = 2;
/// Some stream is not settled: unknown, awaiting, pending, conflicted, abandoned, or not judged yet.
pub const UNSETTLED: u8 = 3;
/// The store is unusable.
pub const STORE: u8 = 4;
/// A policy is unusable, or a project makes none.
pub const POLICY: u8 = 5;

/// The exit codes of `resolve`, for `--help`.
pub(super) const RESOLVE: &str = "Exit codes: 0 done, or it can be done, 1 internal, 2 usage or configuration, 3 refused or not \
                                  settled, 4 store unusable, 5 policy unusable.";
/// The exit codes of `run`, for `--help`.
pub(super) const AGENT: &str = "Exit codes: 0 all settled, or stopped by a signal, 1 the node can't do its work, or internal, 2 usage or configuration, 3 some \
                                stream unsettled (with `--until-settled` or `--for`), 4 store unusable, 5 policy \
                                unusable.";
/// The exit codes of `sync` and `verify`, for `--help`.
pub(super) const RUN: &str = "Exit codes: 0 all settled, 1 the node can't do its work, or internal, 2 usage or configuration, \
                              3 some stream unsettled, 4 store unusable, 5 policy unusable.";
/// Those of `check`.
pub(super) const CHECK: &str = "Exit codes: 0 usable, 1 internal, 2 configuration, 4 store unusable, 5 policy unusable; of \
                                several, the configuration's comes first and the store's last.";
/// Those of `demo`.
pub(super) const DEMO: &str =
    "Exit codes: 0 every stream ended as told, 1 one did not, or the demo was stopped, 2 usage.";
/// Those of `simulate`.
pub(super) const SIMULATE: &str =
    "Exit codes: 0 simulated, 1 internal, 2 usage, configuration or scenario, 5 policy unusable.";
/// Those of `status`.
pub(super) const STATUS: &str = "Exit codes: 0 all settled, 1 the agent was killed, hangs or can't do its work, or internal, 2 usage, \
                                 configuration or no ledger, 3 some stream unsettled or not judged yet, 4 the check of the \
                                 store fails.";
/// Those of `policy test`.
pub(super) const TEST: &str = "Exit codes: 0 every scenario as expected, 1 internal, 2 usage or a scenario that can't be used, 3 some \
                               scenario not as expected, 5 policy unusable.";
/// Those of `policy replay`.
pub(super) const REPLAY: &str = "Exit codes: 0 every decision came out the same, 1 internal, 2 usage, a bad recording, or a \
                                 component that does not fit it, 3 some decision differs.";
/// What tells that decisions came out differently.
pub const DIFFERENT: u8 = 3;
/// Those of `policy explore`.
pub(super) const EXPLORE: &str = "Exit codes: 0 every property holds, 1 internal, 2 usage or configuration, 3 some \
                                  property does not hold, 5 policy unusable.";
/// Those of `policy inspect`.
pub(super) const INSPECT: &str =
    "Exit codes: 0 it loads, 1 internal, 2 it would not load, can't be read, or usage.";
/// Those of `policy push`, `pull` and `list`.
pub(super) const REGISTRY: &str = "Exit codes: 0 done, 1 internal, 2 usage or configuration, 5 the registry or the component can't be \
                                   used.";
/// Those of `policy sign` and `key`.
pub(super) const SIGN: &str =
    "Exit codes: 0 done, 1 internal, 2 usage: a file or key that can't be used.";
/// Those of `policy bench`.
pub(super) const BENCH: &str = "Exit codes: 0 measured, 1 internal, 2 usage or a scenario that can't be used, 3 measured, and the policy failed \
                                in some decision, 5 policy unusable.";
/// Those of `policy new`.
pub(super) const NEW: &str =
    "Exit codes: 0 made, 1 internal, 2 usage: a wrong name, or something that exists already.";
/// Those of `policy build`.
pub(super) const BUILD: &str = "Exit codes: 0 built, 1 internal, 2 usage, no project, or a tool that is missing, 5 the project \
                                does not compile, or makes a component that no host loads.";
/// Those of `policy bundle`.
pub(super) const BUNDLE: &str = "Exit codes: 0 built, or all agrees, 1 internal, 2 usage, no checkout, or a compiler that is \
                                 missing, 3 components, manifests and sources disagree, 5 a guest does not compile.";
/// Those of commands that only read.
pub(super) const READ: &str =
    "Exit codes: 0 shown, 1 internal, 2 usage, configuration or no ledger.";

/// Why a command ended as it did, besides its output.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The agent's parts.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The agent's parts, with places in the configuration.
    #[error(transparent)]
    Placed(#[from] Placed),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What was asked for.
    #[error("{0}")]
    Usage(String),
    /// The output.
    #[error("can't write the output")]
    Output(#[from] std::io::Error),
    /// Recording decisions.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Making recorded decisions again.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A registry, or what it holds.
    #[error(transparent)]
    Registry(Box<RegistryError>),
    /// A component that nobody should use.
    #[error("{0}")]
    Unfit(String),
    /// A key for signatures.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Measuring a policy.
    #[error(transparent)]
    Bench(#[from] Box<BenchError>),
    /// A new project.
    #[error(transparent)]
    Scaffold(#[from] ScaffoldError),
    /// A project's component.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The bundled components.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A conflict between nodes that can't be resolved.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl CommandError {
    /// The exit code that tells it.
    pub fn code(&self) -> u8 {
        match self {
            CommandError::Config(_) | CommandError::Usage(_) => USAGE,
            CommandError::Resolve(error) => of_resolve(error),
            CommandError::Agent(error) => of_agent(error),
            CommandError::Placed(placed) => of_agent(&placed.error),
            CommandError::Ledger(error) => of_ledger(error),
            CommandError::Record(RecordError::Thread(_)) => INTERNAL,
            CommandError::Record(_) => USAGE,
            CommandError::Replay(ReplayError::Runtime(_) | ReplayError::Defect(_)) => INTERNAL,
            CommandError::Replay(_) => USAGE,
            CommandError::Registry(error) if error.is_usage() => USAGE,
            CommandError::Registry(error) if error.is_internal() => INTERNAL,
            CommandError::Registry(_) | CommandError::Unfit(_) => POLICY,
            CommandError::Key(_) => USAGE,
            CommandError::Bench(error) => of_bench(error),
            CommandError::Scaffold(ScaffoldError::Bindings(_)) => INTERNAL,
            CommandError::Scaffold(_) => USAGE,
            CommandError::Build(error) => of_build(error),
            CommandError::Bundle(error) => of_bundle(error),
            CommandError::Output(_) | CommandError::Other(_) => INTERNAL,
        }
    }
}

impl From<RegistryError> for CommandError {
    fn from(error: RegistryError) -> Self {
        CommandError::Registry(Box::new(error))
    }
}

/// The exit code of a conflict that can't be resolved.
fn of_resolve(error: &ResolveError) -> u8 {
    match error {
        ResolveError::Store(_) | ResolveError::Incomplete(_) | ResolveError::NoVersion { .. } => {
            STORE
        }
        ResolveError::Attempt(_) => INTERNAL,
        _ => USAGE,
    }
}

/// The exit code of an agent that can't be opened, or can't go on.
pub(super) fn of_agent(error: &AgentError) -> u8 {
    match error {
        AgentError::Staging(_)
        | AgentError::Identity(_)
        | AgentError::NoIdentity { .. }
        | AgentError::LedgerInside { .. }
        | AgentError::OtherStore { .. }
        | AgentError::Store(_) => USAGE,
        AgentError::Ledger(error) => of_ledger(error),
        AgentError::Conditions { .. } | AgentError::StoreNotCompared { .. } => STORE,
        AgentError::Policy(_) | AgentError::Role(_) => POLICY,
        AgentError::Record(_) | AgentError::OneNode | AgentError::Runtime(_) => INTERNAL,
    }
}

fn of_bench(error: &BenchError) -> u8 {
    match error {
        BenchError::Load(_) | BenchError::Settings(_) => POLICY,
        BenchError::Scenario { source, .. } => of_agent(source),
        BenchError::Read { .. }
        | BenchError::NotThere(_)
        | BenchError::NoSuchName(_)
        | BenchError::NeverAsked => USAGE,
        BenchError::Runtime(_) | BenchError::Cache(_) | BenchError::Defect(_) => INTERNAL,
    }
}

fn of_build(error: &BuildError) -> u8 {
    use BuildError::{
        Ambiguous, Compile, Component, Contract, Io, Missing, Name, NoProject, Refused, Shape,
        TooLarge,
    };
    match error {
        NoProject(_) | Ambiguous(..) | Missing(_) => USAGE,
        Compile { .. }
        | Shape(_)
        | Contract(_)
        | Component(_)
        | TooLarge(_)
        | Refused(_)
        | Name(_) => POLICY,
        Io { .. } => INTERNAL,
    }
}

fn of_bundle(error: &BundleError) -> u8 {
    match error {
        BundleError::NoRepository(_) | BundleError::Missing(_) => USAGE,
        BundleError::Compile(_) => POLICY,
        BundleError::Disagree(_) => DIFFERENT,
        BundleError::Other(_) => INTERNAL,
    }
}

fn of_ledger(error: &LedgerError) -> u8 {
    use LedgerError::{Closed, Full, Io, NoDocument, Sqlite, TooLarge};
    match error {
        Closed(_) | Full(_) | Io { .. } | NoDocument(_) | Sqlite { .. } | TooLarge { .. } => {
            INTERNAL
        }
        // A ledger that can't be used is for the operator to set right.
        _ => USAGE,
    }
}

/// Tells of streams that are settled only because a fallback stands in for their own schema.
pub(super) fn warn_of_fallbacks(tally: &Tally) {
    let count = tally.of(Phase::Provisional);
    if count > 0 {
        tracing::warn!(
            count,
            "only a fallback is in the store for some streams; `tidegate status` shows them as provisional"
        );
    }
}

/// The exit code of a node's conditions. `None` if there are none.
pub(super) fn of_conditions(conditions: &[Condition]) -> Option<u8> {
    let code = |condition: &Condition| match condition.kind {
        ConditionKind::LedgerFailing
        | ConditionKind::StagingMissing
        | ConditionKind::IdentityUnclear
        | ConditionKind::ScanFailing
        | ConditionKind::AttemptsFailing => INTERNAL,
        ConditionKind::ScanIncomplete => UNSETTLED,
        ConditionKind::NoStreamKnown
        | ConditionKind::StoreCheckFailing
        | ConditionKind::StoreFailing
        | ConditionKind::NodesNotCompared => STORE,
    };
    let codes = || conditions.iter().map(code);
    [INTERNAL, STORE, UNSETTLED]
        .into_iter()
        .find(|wanted| codes().any(|code| code == *wanted))
}

/// Whether a failure says that the store as a whole can't be used.
pub(super) fn is_store_unusable(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::Unavailable
            | FailureKind::Timeout
            | FailureKind::PermissionDenied
            | FailureKind::NotFound
    )
}
