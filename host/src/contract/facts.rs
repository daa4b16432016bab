use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::stream::{NodeId, StreamId};
use crate::time::Timestamp;

/// All that a decision about one stream may depend on, besides what the policy reads through its imports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "the contract's `stream-facts` documents each field"
)]
pub struct Facts {
    pub stream: StreamId,
    pub node: NodeId,
    pub now: Timestamp,
    pub node_seen: Timestamp,
    pub phase: Phase,
    pub trigger: Trigger,
    pub attempts: u32,
    pub failing_since: Option<Timestamp>,
    pub absent_since: Option<Timestamp>,
    pub absences: u32,
    pub last_success: Option<Timestamp>,
    pub previous_delay: Option<Duration>,
    pub local: LocalState,
    pub remote: RemoteState,
    pub staged_data_files: u32,
    pub oldest_data_file: Option<Timestamp>,
    pub schema_key: String,
    pub peers_prefix: String,
    pub base_key: Option<String>,
    pub defaults: Vec<String>,
    pub store: StoreHealth,
    pub attributes: Vec<(String, String)>,
    pub entropy: u64,
}

/// What stands in staging where the stream's schema belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "detail")]
pub enum LocalState {
    /// Nothing.
    Missing,
    /// Something that can't be read as a file. Carries the cause.
    Unreadable(String),
    /// A file over the host's limit. Carries its size in bytes.
    TooLarge(u64),
    /// A file that was read.
    File(LocalFile),
}

/// A staged schema file as the host last read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalFile {
    /// Size in bytes.
    pub size: u64,
    /// The file's own modification time.
    pub modified: Timestamp,
    /// Since when the host has seen it unchanged.
    pub stable_since: Timestamp,
    /// Of the schema's meaning; 0 while it is not well-formed.
    pub fingerprint: u64,
    /// Whether the content is a schema in the layout's format.
    pub well_formed: bool,
}

/// An object as a HEAD or GET describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectInfo {
    /// Size in bytes.
    pub size: u64,
    /// The store's last-modified time.
    pub modified: Timestamp,
    /// What a conditional write compares; `None` where the store gives nothing.
    pub version: Option<Version>,
}

/// The opaque token that a conditional write compares: what `storage` made of ETag and version id. Tokens from
/// listings and from HEAD or GET must not be mixed, since stores write ETags differently there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(String);

impl Version {
    /// The token with this text.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// This node's schema object as the ledger last saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum RemoteState {
    /// Never looked.
    Unknown,
    /// Looked then, and nothing stood there.
    Missing {
        /// When the request was answered.
        seen: Timestamp,
    },
    /// An object stood there.
    Found {
        /// The object.
        object: ObjectInfo,
        /// When the request was answered.
        seen: Timestamp,
    },
}

/// Where a stream stands in the ledger.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Known by name only.
    Unseen,
    /// Staged on this node, and never seen in the store.
    Unknown,
    /// Nothing is owed.
    Idle,
    /// A schema is owed and absent.
    Awaiting,
    /// A local schema is captured and not yet confirmed.
    Pending,
    /// Our fallback stands in the store.
    Provisional,
    /// The store holds the local schema or more.
    Synced,
    /// Local and stored schema can't be merged, or the stored object is corrupt.
    Conflicted,
    /// A retry policy gave up.
    Abandoned,
    /// The stream was deleted from the store.
    Gone,
}

impl Phase {
    /// All phases, in the order of a stream's life.
    pub const ALL: [Phase; 10] = [
        Phase::Unseen,
        Phase::Unknown,
        Phase::Idle,
        Phase::Awaiting,
        Phase::Pending,
        Phase::Provisional,
        Phase::Synced,
        Phase::Conflicted,
        Phase::Abandoned,
        Phase::Gone,
    ];

    /// The phase's name, as it stands in outputs and in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Unseen => "unseen",
            Phase::Unknown => "unknown",
            Phase::Idle => "idle",
            Phase::Awaiting => "awaiting",
            Phase::Pending => "pending",
            Phase::Provisional => "provisional",
            Phase::Synced => "synced",
            Phase::Conflicted => "conflicted",
            Phase::Abandoned => "abandoned",
            Phase::Gone => "gone",
        }
    }

    /// Whether nothing is left to do for a stream in this phase.
    pub fn is_settled(self) -> bool {
        matches!(
            self,
            Phase::Idle | Phase::Provisional | Phase::Synced | Phase::Gone
        )
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Phase {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Phase::ALL
            .into_iter()
            .find(|phase| phase.name() == text)
            .ok_or_else(|| format!("`{text}` is no phase"))
    }
}

/// Why the host asks now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// The stream was never judged before.
    FirstSeen,
    /// Something in staging changed.
    Changed,
    /// A delay is over.
    Scheduled,
    /// An operator asked.
    Requested,
    /// A check of the stored object found something to do.
    Verification,
}

impl Trigger {
    /// The trigger's name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Trigger::FirstSeen => "first-seen",
            Trigger::Changed => "changed",
            Trigger::Scheduled => "scheduled",
            Trigger::Requested => "requested",
            Trigger::Verification => "verification",
        }
    }
}

/// How the store has been doing for the whole node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreHealth {
    /// When a request last succeeded.
    pub last_success: Option<Timestamp>,
    /// Streams whose latest request failed.
    pub failing_streams: u32,
    /// Streams that the node has.
    pub streams: u32,
}

/// The most bytes of facts that a guest is given, whatever the version of its contract.
pub(crate) const MAX_FACTS: usize = 64 << 10;

/// What the facts take besides their strings, rounded up; and what a list's item does.
const FIXED_FACTS: usize = 512;
const ITEM: usize = 16;

/// The bytes that these facts take in the guest.
pub(crate) fn facts_size(facts: &Facts) -> usize {
    let optional = |text: Option<&str>| text.map_or(0, str::len);
    let local = match &facts.local {
        LocalState::Unreadable(cause) => cause.len(),
        LocalState::Missing | LocalState::TooLarge(_) | LocalState::File(_) => 0,
    };
    let remote = match &facts.remote {
        RemoteState::Found { object, .. } => optional(object.version.as_ref().map(Version::as_str)),
        RemoteState::Unknown | RemoteState::Missing { .. } => 0,
    };
    let defaults: usize = facts.defaults.iter().map(|name| name.len() + ITEM).sum();
    let attributes: usize = facts
        .attributes
        .iter()
        .map(|(name, value)| name.len() + value.len() + ITEM)
        .sum();
    FIXED_FACTS
        + optional(facts.stream.tenant.as_deref())
        + facts.stream.name.len()
        + facts.node.as_str().len()
        + local
        + remote
        + facts.schema_key.len()
        + facts.peers_prefix.len()
        + optional(facts.base_key.as_deref())
        + defaults
        + attributes
}
