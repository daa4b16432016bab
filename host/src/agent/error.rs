use crate::contract::StoreFailure;
use crate::ledger::LedgerError;
use crate::policy::{LoadError, RuntimeError, WrongRole};
use crate::staging::{IdentityError, StagingError};
use crate::storage::{ConditionalSupport, OpenError};
use crate::sync::JournalError;

/// Why an agent can't be opened or can't go on.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The staging directory can't be used.
    #[error(transparent)]
    Staging(#[from] StagingError),
    /// The node's identity can't be told.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The node has not written its identity yet.
    #[error(
        "the node has not written its identity into {dir} yet: start it, or wait for it with `tidegate run`"
    )]
    NoIdentity {
        /// The staging directory.
        dir: String,
    },
    /// The ledger can't be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What the ledger holds makes no sense.
    #[error(transparent)]
    Record(JournalError),
    /// The ledger lies where it must not.
    #[error(
        "the ledger {ledger} lies inside {what} {dir}, which belongs to the node: give `ledger.path` a place elsewhere"
    )]
    LedgerInside {
        /// The ledger.
        ledger: String,
        /// What it lies in, in words.
        what: &'static str,
        /// The directory.
        dir: String,
    },
    /// The ledger is about another store.
    #[error(
        "the ledger {ledger} is about the store {recorded}, not about {configured}: {why}; correct the store in the \
         configuration, give this store a `ledger.path` of its own, or, if the objects were moved there, run \
         `tidegate ledger adopt`"
    )]
    OtherStore {
        /// The ledger.
        ledger: String,
        /// The store that it is about.
        recorded: String,
        /// The store in the configuration.
        configured: String,
        /// What shows it.
        why: String,
    },
    /// The ledger is about a store at another address, and the one at the new address did not answer.
    #[error(
        "the ledger {ledger} is about the store {recorded}; whether {configured} is the same can't be found out while \
         it does not answer: {failure}"
    )]
    StoreNotCompared {
        /// The ledger.
        ledger: String,
        /// The store that it is about.
        recorded: String,
        /// The store in the configuration.
        configured: String,
        /// Why it did not answer.
        failure: Box<StoreFailure>,
    },
    /// The store's settings can't work.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The store does not do what it must.
    #[error(
        "the store {store} {found}: two writers would overwrite each other; use another store, or accept the risk \
         with `store.conditional_writes = \"best-effort\"`"
    )]
    Conditions {
        /// The store.
        store: String,
        /// What the probe found.
        found: ConditionalSupport,
    },
    /// A policy can't be loaded.
    #[error(transparent)]
    Policy(Box<LoadError>),
    /// A policy stands in a chain whose role it does not fill.
    #[error(transparent)]
    Role(#[from] WrongRole),
    /// The memory that the agent was opened with can't be used for another node.
    #[error("the agent's memory belongs to one node")]
    OneNode,
    /// The policy runtime can't be set up.
    #[error("can't set up the policy runtime")]
    Runtime(#[from] RuntimeError),
}

impl From<JournalError> for AgentError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Ledger(error) => AgentError::Ledger(error),
            error @ JournalError::Record { .. } => AgentError::Record(error),
        }
    }
}

impl From<LoadError> for AgentError {
    fn from(error: LoadError) -> Self {
        AgentError::Policy(Box::new(error))
    }
}
