use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::contract::{Phase, RemoteState};
use crate::digest::Digest;
use crate::stream::{NodeId, StreamId};
use crate::time::Timestamp;

/// A schema, byte for byte, with its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    digest: Digest,
    body: Bytes,
}

impl Document {
    /// The document of these bytes.
    pub fn new(body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self {
            digest: Digest::of(&body),
            body,
        }
    }

    /// What records name it by.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The bytes.
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

/// Everything the ledger knows about one stream of one node, in its current incarnation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamRecord {
    /// The node whose stream it is.
    pub node: NodeId,
    /// The stream.
    pub stream: StreamId,
    /// The `created-at` of the stream's marker as it is written there; `None` in layouts without markers.
    pub incarnation: Option<String>,
    /// Where the stream stands.
    pub phase: Phase,
    /// Failed attempts since the last success.
    pub attempts: u32,
    /// Since when attempts have failed; `None` when the last one did not.
    pub failing_since: Option<Timestamp>,
    /// When the next attempt is due; `None` when nothing is scheduled.
    pub next_attempt: Option<Timestamp>,
    /// The last failure, kept after a success.
    pub last_failure: Option<LastFailure>,
    /// When the store was last known to hold the schema.
    pub last_success: Option<Timestamp>,
    /// Where the stored content came from: `local`, `fallback:peers`, ….
    pub source: Option<String>,
    /// Of the staged schema's meaning.
    pub local_fingerprint: Option<u64>,
    /// Of the staged files as they were last judged: while it holds, a restart need not judge again. Opaque here.
    pub signature: Option<String>,
    /// The stored object as it was last seen.
    pub remote: RemoteState,
    /// The local schema as it was last read.
    pub captured: Option<Digest>,
    /// What the store was last known to hold.
    pub confirmed: Option<Digest>,
    /// A write that was sent and whose outcome is not yet known.
    pub intent: Option<Digest>,
    /// Whether nothing is left to do for the stream.
    pub settled: bool,
    /// The state machine's whole state as JSON, at most [`STATE_MAX`] bytes; opaque here.
    pub state: String,
    /// When this was recorded.
    pub updated: Timestamp,
}

impl StreamRecord {
    /// A stream that is known by name only.
    pub fn new(node: NodeId, stream: StreamId, now: Timestamp) -> Self {
        Self {
            node,
            stream,
            incarnation: None,
            phase: Phase::Unseen,
            attempts: 0,
            failing_since: None,
            next_attempt: None,
            last_failure: None,
            last_success: None,
            source: None,
            local_fingerprint: None,
            signature: None,
            remote: RemoteState::Unknown,
            captured: None,
            confirmed: None,
            intent: None,
            settled: false,
            state: "{}".to_owned(),
            updated: now,
        }
    }

    /// The documents that the record names, without repetition.
    pub(super) fn documents(&self) -> impl Iterator<Item = Digest> {
        let named = [self.captured, self.confirmed, self.intent];
        (0..named.len()).filter_map(move |at| {
            let (before, rest) = named.split_at_checked(at)?;
            let digest = (*rest.first()?)?;
            (!before.contains(&Some(digest))).then_some(digest)
        })
    }
}

/// The most bytes of a record's `state`.
pub const STATE_MAX: usize = 256 * 1024;

/// The last failure of a stream as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFailure {
    /// A word for it: `schema-absent`, `store-throttled`, ….
    pub kind: String,
    /// The same in words.
    pub message: String,
    /// When it happened.
    pub at: Timestamp,
}

/// The little about a stream that the agent keeps in memory for all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The stream.
    pub stream: StreamId,
    /// Where it stands.
    pub phase: Phase,
    /// Whether nothing was left to do for it.
    pub settled: bool,
    /// Whether a write was sent whose outcome is unknown: it is read back before anything else.
    pub unresolved: bool,
    /// Failed attempts since the last success.
    pub attempts: u32,
    /// Since when attempts have failed; `None` when the last one did not.
    pub failing_since: Option<Timestamp>,
    /// When the next attempt is due.
    pub next_attempt: Option<Timestamp>,
    /// Of the staged files as they were last judged.
    pub signature: Option<Box<str>>,
    /// Whether a request about the stored object was ever answered.
    pub looked_up: bool,
}

/// One attempt, for the history of its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRecord {
    /// When it began.
    pub at: Timestamp,
    /// One line for people. Cut at [`SUMMARY_MAX`] bytes.
    pub summary: String,
    /// JSON for `tidegate explain`. Over [`DETAIL_MAX`] bytes, `{"omitted_bytes": N}` stands in its place: a long story
    /// must not keep an attempt from being recorded.
    pub detail: String,
}

/// The most bytes of an attempt's summary.
pub const SUMMARY_MAX: usize = 1024;

/// The most bytes of an attempt's detail.
pub const DETAIL_MAX: usize = 64 * 1024;

/// An attempt as it stands in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedAttempt {
    /// Its number within the stream, from 1.
    pub seq: u64,
    /// The attempt.
    pub attempt: AttemptRecord,
}

/// The last good copy of an incarnation that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedCopy {
    /// The marker's `created-at`; `None` where it was unknown.
    pub incarnation: Option<String>,
    /// When the agent noticed the end.
    pub ended_at: Timestamp,
    /// Whether the store is known to have held it; else it was only captured.
    pub confirmed: bool,
    /// The copy.
    pub document: Digest,
}

/// How a policy is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyHealth {
    /// In use.
    Healthy,
    /// Not asked any more after several failures in a row.
    Quarantined,
    /// On trial after a quarantine.
    HalfOpen,
}

impl PolicyHealth {
    /// The word in outputs and in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            PolicyHealth::Healthy => "healthy",
            PolicyHealth::Quarantined => "quarantined",
            PolicyHealth::HalfOpen => "half-open",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Healthy, Self::Quarantined, Self::HalfOpen]
            .into_iter()
            .find(|health| health.name() == name)
    }
}

/// A policy as `tidegate status` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Of the component.
    pub digest: Digest,
    /// The policy's own version.
    pub version: String,
    /// How it is doing.
    pub health: PolicyHealth,
    /// Failures in a row.
    pub failures: u32,
    /// When it came into this health.
    pub since: Timestamp,
    /// Its last failure in words.
    pub cause: Option<String>,
}

/// What a store was found to be able to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeRecord {
    /// JSON; opaque here.
    pub result: String,
    /// When it was found.
    pub at: Timestamp,
}
