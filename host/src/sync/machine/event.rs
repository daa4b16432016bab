use serde::{Deserialize, Serialize};

use crate::contract::{
    Choice, ObjectInfo, Presence, RetryDecision, StoreFailure, Trigger, Version,
};
use crate::schema::Schema;
use crate::storage::Put;
use crate::time::Timestamp;

use super::stream::{Document, Source};

/// What happened to a stream.
#[derive(Clone, Debug)]
pub enum Event {
    /// The agent started and found the stream in its ledger.
    Started,
    /// The host looks at the stream: a scan found something new, a timer fired, an operator asked.
    Looked {
        /// Why.
        trigger: Trigger,
        /// What staging looks like.
        sighting: Sighting,
    },
    /// The stream's staging directory is no longer there.
    StagingGone,
    /// The stream's nodes are to be compared now.
    CompareNodes,
    /// An operator gave a field of the stored schema another type.
    Resolved(Box<Resolved>),
    /// The staged file was read.
    Read(Staged),
    /// The existence policies answered; what they left open is filled with the host's default.
    Judged(Presence),
    /// The stream's marker was looked for.
    Marker(Result<MarkerSeen, StoreFailure>),
    /// This node's object was fetched.
    Fetched(Result<RemoteSeen, StoreFailure>),
    /// This node's object was looked at.
    Headed(Result<HeadSeen, StoreFailure>),
    /// The peers' schemas were fetched.
    Peers(Result<Peers, StoreFailure>),
    /// The fallback policies answered.
    Chosen(Choice),
    /// The choice was resolved into a document.
    Proposed(Proposal),
    /// A write ended.
    Written(Put),
    /// The retry policies answered.
    Decided(RetryDecision),
}

impl Event {
    /// The event's name, for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Started => "started",
            Event::Looked { .. } => "looked",
            Event::StagingGone => "staging gone",
            Event::CompareNodes => "compare nodes",
            Event::Resolved(_) => "resolved",
            Event::Read(_) => "read",
            Event::Judged(_) => "judged",
            Event::Marker(_) => "marker",
            Event::Fetched(_) => "fetched",
            Event::Headed(_) => "headed",
            Event::Peers(_) => "peers",
            Event::Chosen(_) => "chosen",
            Event::Proposed(_) => "proposed",
            Event::Written(_) => "written",
            Event::Decided(_) => "decided",
        }
    }
}

/// What a scan sees of a stream without reading any file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// Tells one state of the staged schema's place from another: changes when the file may have changed. 0 where the
    /// stream has no directory in staging.
    pub signature: u64,
    /// Since when the host has seen this signature.
    pub stable_since: Timestamp,
    /// Data files that wait.
    pub data_files: u32,
    /// Since when the host has seen any, without a gap.
    pub data_since: Option<Timestamp>,
}

impl Sighting {
    /// Whether the stream has a directory in staging.
    pub fn is_staged(&self) -> bool {
        self.signature != 0
    }
}

/// What reading the staged file gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Staged {
    /// Nothing stands there.
    Missing,
    /// Something that can't be read. Carries the cause.
    Unreadable(String),
    /// Too large. Carries its size in bytes.
    TooLarge(u64),
    /// It changed while it was read, so nothing is known of it.
    Torn,
    /// A file that is no schema.
    IllFormed {
        /// Size in bytes.
        size: u64,
        /// The file's own time.
        modified: Timestamp,
        /// What is wrong with it.
        reason: String,
    },
    /// A schema.
    WellFormed {
        /// Size in bytes.
        size: u64,
        /// The file's own time.
        modified: Timestamp,
        /// What it means.
        schema: Schema,
    },
}

/// A stream's marker in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The marker's key.
    pub key: String,
    /// When the stream was created, as the marker says.
    pub created_at: Timestamp,
    /// When the host last saw it.
    pub seen: Timestamp,
    /// When the host first saw it.
    pub first_seen: Timestamp,
    /// What else it tells, for the policies.
    pub attributes: Vec<(String, String)>,
}

impl Marker {
    /// Whether `later` marks another incarnation of the stream. Markers of different nodes are written at different
    /// times, so another key's marker counts as new only when the stream was created after this one was seen.
    pub fn is_succeeded_by(&self, later: &Marker) -> bool {
        if self.key == later.key {
            later.created_at > self.created_at
        } else {
            later.created_at > self.seen
        }
    }
}

/// What a look for the marker gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkerSeen {
    /// The stream exists.
    Present(Marker),
    /// The layout has no markers: a stream exists while anybody says so.
    NotNeeded,
    /// The store has no marker of the stream: it was deleted, or this store never had it.
    Gone,
}

/// What a GET of this node's object gave.
#[derive(Clone, Debug, PartialEq)]
pub enum RemoteSeen {
    /// Nothing stands there.
    Missing,
    /// A schema.
    WellFormed {
        /// The object.
        object: ObjectInfo,
        /// What it means.
        schema: Schema,
    },
    /// Something else.
    Corrupt {
        /// The object.
        object: ObjectInfo,
        /// What is wrong with it.
        reason: String,
    },
}

/// What a HEAD of this node's object gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeadSeen {
    /// Nothing stands there.
    Missing,
    /// An object.
    Found(ObjectInfo),
}

/// What an operator wants this node's stored schema to be, so that the stream's nodes agree.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The schema to write.
    pub document: Document,
    /// The same with what was captured and is not stored yet.
    pub captured: Document,
    /// The version of the object that it replaces.
    pub version: Version,
}

/// What the stream's other nodes, and its base, publish.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Peers {
    /// This node's name, for messages.
    pub own: String,
    /// Those that could be read.
    pub schemas: Vec<Peer>,
    /// The keys of those that could not, with the cause.
    pub unreadable: Vec<(String, String)>,
    /// Whether the listing is known to be whole.
    pub complete: bool,
    /// What this node's own object holds, where that was asked for, too.
    pub stored: Option<Schema>,
}

impl Peers {
    /// The schemas alone.
    pub fn known(&self) -> Vec<Schema> {
        self.schemas
            .iter()
            .map(|peer| peer.schema.clone())
            .collect()
    }
}

/// One schema of another node, or the base.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    /// The object's key.
    pub key: String,
    /// The node that publishes it; `None` for the base.
    pub node: Option<String>,
    /// What it means.
    pub schema: Schema,
}

/// What a fallback choice came to.
#[derive(Clone, Debug)]
pub enum Proposal {
    /// A schema, with all that the gates need.
    Schema {
        /// What is proposed.
        schema: Schema,
        /// Where it comes from.
        source: Source,
        /// What the stream's other nodes publish.
        peers: Peers,
        /// The stream's marker.
        marker: MarkerSeen,
    },
    /// The choice names something that isn't there or isn't a schema. Carries the reason.
    Refused(String),
    /// The store failed.
    Failed(StoreFailure),
}
