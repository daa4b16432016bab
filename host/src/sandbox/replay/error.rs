use std::path::PathBuf;

use crate::contract::{ContractVersion, Role};
use crate::digest::Digest;
use crate::policy::{LoadError, RuntimeError};
use crate::sandbox::record::BadRecording;

/// Why recorded decisions can't be made again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The recording is not whole.
    #[error(transparent)]
    Recording(#[from] BadRecording),
    /// This machine runs no policies.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// A policy can't decide again.
    #[error(transparent)]
    Policy(#[from] Box<Unfit>),
    /// A replacement for a policy that made no decision.
    #[error("the recording has no decision of a policy `{name}`: it has {there}")]
    NoSuchPolicy {
        /// The name.
        name: String,
        /// The policies that made some, in words.
        there: String,
    },
    /// There is nothing to replay.
    #[error("the recording has no decision yet: let `tidegate run --record` go on for a while")]
    NoDecisions,
    /// Not one decision could be compared.
    #[error("none of {decisions} recorded decisions can be compared: {why}")]
    NothingCompared {
        /// How many there are.
        decisions: u64,
        /// Why.
        why: String,
    },
    /// A task ended by a defect.
    #[error("a replayed decision ended by a defect of the host")]
    Defect(#[source] tokio::task::JoinError),
}

/// Why a policy can't make its decisions again. The words begin with the first of them, by file and line.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// The component that was recorded is not here.
    #[error(
        "{}:{line}: policy `{policy}` was {component} of SHA-256 {sha256} when it was recorded, and {why}: name one by \
         `--policy {policy}=FILE.wasm`", path.display()
    )]
    Component {
        /// The file.
        path: PathBuf,
        /// The line of the decision.
        line: u64,
        /// The policy.
        policy: String,
        /// How the configuration named its component.
        component: String,
        /// The digest of the component.
        sha256: Digest,
        /// What is here in its place.
        why: String,
    },
    /// The component does not load as it was recorded.
    #[error("{}:{line}: the component does not fit what was recorded", path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// The line of the decision.
        line: u64,
        /// Why.
        source: Box<LoadError>,
    },
    /// The component lacks a role.
    #[error(
        "{}:{line}: policy `{policy}` was asked for the role {role}, which the component does not fill: name one that \
         does by `--policy {policy}=FILE.wasm`", path.display()
    )]
    Role {
        /// The file.
        path: PathBuf,
        /// The line of the decision.
        line: u64,
        /// The policy.
        policy: String,
        /// The role.
        role: Role,
    },
    /// The decisions were made under another contract.
    #[error(
        "{}:{line}: policy `{policy}` was built for the contract {found}, and this host speaks {}: replay it with a \
         tidegate that speaks {found}", path.display(), ContractVersion::list(ContractVersion::SPOKEN)
    )]
    Contract {
        /// The file.
        path: PathBuf,
        /// The line of the decision.
        line: u64,
        /// The policy.
        policy: String,
        /// The recorded contract.
        found: String,
    },
}
