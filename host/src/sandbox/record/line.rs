//! The lines of a recording. Each is one JSON object with one key, which tells what it is.

use serde::{Deserialize, Serialize};

use super::redact::redact;
use crate::contract::{ContractVersion, Facts};
use crate::digest::Digest;
use crate::policy::{
    AskedFor, ComponentSource, Content, Decision, GrantValues, Grants, Instances, Limits, LogLine,
    Policy, StateScope, StateSwap, Usage, Verdict, WorldCall,
};

/// What a header says that the file is.
pub const FORMAT: &str = "tidegate-recording";
/// The version of the format. A new key that readers may ignore makes no new one.
pub const FORMAT_VERSION: u32 = 1;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    /// The first line.
    Header(Header),
    /// A policy, before the first of its decisions in the file.
    Policy(Box<PolicyLine>),
    /// A decision.
    Decision(Box<DecisionLine>),
    /// The last line of a sealed file.
    Trailer(Trailer),
}

/// What the file is, and what wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// [`FORMAT_VERSION`].
    pub version: u32,
    /// The version of the tidegate that wrote it.
    pub tidegate: String,
    /// What fuel can be compared by; hexadecimal, as `tidegate version` shows it.
    pub engine: String,
    /// The newest version of the contract between host and policies that it speaks; each policy has its own.
    pub contract: String,
}

impl Header {
    pub(super) fn new(engine: u64) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: FORMAT_VERSION,
            tidegate: env!("CARGO_PKG_VERSION").to_owned(),
            engine: format!("{engine:016x}"),
            contract: ContractVersion::NEWEST.to_string(),
        }
    }
}

/// A policy as it was loaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyLine {
    /// What the file's decisions call it.
    pub id: u32,
    /// Its name in the configuration.
    pub name: String,
    /// How the configuration names its component.
    pub component: Component,
    /// The component's digest.
    pub sha256: Digest,
    /// The contract that it is built for.
    pub contract: String,
    /// Whether its instances were reused.
    pub instances: Instances,
    /// Its settings, without what looks like a secret.
    pub settings: serde_json::Value,
    /// JSON Pointers to the settings that were left out.
    pub redacted: Vec<String>,
    /// What one decision might use.
    pub limits: Limits,
    /// What it might read and write.
    pub grants: Grants,
}

/// How a configuration names a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Component {
    /// A bundled policy of this name.
    Builtin(String),
    /// A file at this place.
    File(String),
    /// One of a registry, by a reference with its digest.
    Registry(String),
    /// It came from an embedder.
    Bytes,
}

impl PolicyLine {
    pub(super) fn new(id: u32, policy: &Policy) -> Self {
        let settings = policy.settings();
        let (told, redacted) = redact(&settings.settings);
        Self {
            id,
            name: policy.name().to_string(),
            component: Component::of(policy),
            sha256: policy.sha256(),
            contract: policy.contract_version().to_owned(),
            instances: settings.instances,
            settings: told,
            redacted,
            limits: settings.limits.clone(),
            grants: settings.grants.clone(),
        }
    }
}

impl Component {
    fn of(policy: &Policy) -> Self {
        match &policy.settings().component {
            ComponentSource::Builtin(name) => Component::Builtin(name.clone()),
            ComponentSource::File(path) => {
                // Whoever replays stands in another directory.
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                Component::File(path.display().to_string())
            }
            ComponentSource::Registry(reference, _) => {
                // What a tag meant then is what matters.
                Component::Registry(policy.pinned().unwrap_or(reference).to_string())
            }
            ComponentSource::Bytes(_) => Component::Bytes,
        }
    }
}

/// One policy asked once. When that was is `facts.now`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionLine {
    /// Counts the decisions since the agent's start; those that were not recorded leave gaps.
    pub sequence: u64,
    /// The policy's `id`.
    pub policy: u32,
    /// What it was asked.
    pub question: AskedFor,
    /// What it was told.
    pub facts: Facts,
    /// What its grants stood for.
    pub values: GrantValues,
    /// What its imports asked of the world, and were answered.
    pub calls: Vec<WorldCall>,
    /// What came of it.
    pub outcome: Outcome,
    /// What it used.
    pub usage: Usage,
    /// What it read and changed of its state.
    pub state: Vec<StateLine>,
    /// What it logged.
    pub logs: Vec<LogLine>,
}

/// What came of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A verdict.
    Verdict(Verdict),
    /// None.
    Failed {
        /// The cause's name.
        cause: String,
        /// The details, for people.
        message: String,
    },
}

/// A key of the policy's state that the decision read or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateLine {
    /// Whose state.
    pub scope: StateScope,
    /// The key.
    pub key: String,
    /// What the ledger held.
    pub before: Option<Content>,
    /// What it should hold.
    pub after: Option<Content>,
}

impl DecisionLine {
    pub(super) fn new(sequence: u64, policy: u32, decision: Decision) -> Self {
        Self {
            sequence,
            policy,
            question: decision.question,
            facts: decision.facts,
            values: decision.values,
            calls: decision.calls,
            outcome: decision.verdict.into(),
            usage: decision.usage,
            state: decision.state.into_iter().map(StateLine::from).collect(),
            logs: decision.logs,
        }
    }
}

impl From<Result<Verdict, crate::policy::CallFailure>> for Outcome {
    fn from(verdict: Result<Verdict, crate::policy::CallFailure>) -> Self {
        match verdict {
            Ok(verdict) => Outcome::Verdict(verdict),
            Err(failure) => Outcome::Failed {
                cause: failure.cause.name().to_owned(),
                message: failure.details(),
            },
        }
    }
}

impl From<StateSwap> for StateLine {
    fn from(swap: StateSwap) -> Self {
        let content = |bytes: Vec<u8>| Content(bytes.into());
        Self {
            scope: swap.scope,
            key: swap.key,
            before: swap.before.map(content),
            after: swap.after.map(content),
        }
    }
}

/// What the file holds, as its writer knew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trailer {
    /// Lines before this one.
    pub lines: u64,
    /// Decisions among them.
    pub decisions: u64,
    /// Decisions that were made meanwhile and not recorded, since the disk did not keep up.
    pub dropped: u64,
    /// Decisions that were too large to be recorded.
    pub oversized: u64,
    /// Whether its writer was killed, and the next one sealed what was complete.
    pub recovered: bool,
    /// SHA-256 of all lines before this one, their line feeds included.
    pub sha256: Digest,
}
