use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::event::{Marker, Sighting};
use super::peers::Comparison;
use crate::contract::{
    Failure, LocalState, ObjectInfo, Phase, RemoteState, RetryDecision, Trigger, Version,
};
use crate::digest::Digest;
use crate::schema::Schema;
use crate::time::Timestamp;

/// All that the machine knows of one stream. `D` stands for its documents: whole ones while the machine runs, their
/// digests in the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stream<D = Document> {
    /// Where the stream stands.
    pub phase: Phase,
    /// What the host waits for. Not kept over a restart: an [`Intent`] is all that has to survive one.
    #[serde(skip)]
    pub activity: Activity,
    /// The stream's marker as it was last seen.
    pub incarnation: Option<Marker>,
    /// What the last look at staging saw, and what was read there.
    pub sighting: Sighting,
    /// What the staged file held when it was last read.
    pub local: LocalState,
    /// When a staged file was modified that may be left from before the stream was created, and is held back.
    pub held: Option<Timestamp>,
    /// What is wrong with the staged file, when it was read and is no schema.
    pub invalid: Option<String>,
    /// The staged schema as it was last captured: kept before it is published, so that it survives its file.
    pub captured: Option<D>,
    /// When the file that was captured was modified; `None` where what is captured did not come from one file alone.
    pub captured_modified: Option<Timestamp>,
    /// What the store was last known to hold, by a read or a write of ours.
    pub confirmed: Option<Confirmed<D>>,
    /// A write that was begun and whose outcome is not known yet.
    pub intent: Option<Intent<D>>,
    /// Staging was looked at while the outcome of that write was unknown: what is there is still to be read.
    pub unread: bool,
    /// A Create was not answered, and what stood there afterwards, if anything did, may be the node's own: the Create may
    /// still take effect, even after the stream was deleted. What is found then is looked at by way of the marker.
    pub unanswered: bool,
    /// This node's object, as it was last seen.
    pub remote: RemoteState,
    /// Failed attempts since the last success.
    pub attempts: u32,
    /// Since when they have failed.
    pub failing_since: Option<Timestamp>,
    /// The last failure, until a success clears it.
    pub last_failure: Option<Failure>,
    /// Since when a schema has been owed and absent.
    pub absent_since: Option<Timestamp>,
    /// For how many checks.
    pub absences: u32,
    /// When the store was last known to hold the schema.
    pub last_success: Option<Timestamp>,
    /// The delay before this attempt, clamped.
    pub previous_delay: Option<Duration>,
    /// What came of the last question to the retry policies.
    pub last_decision: Option<RetryDecision>,
    /// The delays of `unsettled` verdicts in a row, added up.
    pub unsettled: Duration,
    /// When the policies are asked again.
    pub wake: Option<Timestamp>,
    /// When the stored object is looked at again.
    pub look: Option<Timestamp>,
    /// How many more early looks a provisional object gets.
    pub looks_left: u32,
    /// Races lost in a row in this attempt.
    pub lost_races: u32,
    /// Creates in a row that were refused while nothing stood there.
    pub phantom_refusals: u32,
    /// How the stream's nodes agree.
    pub peers: Comparison,
}

/// What the host waits for.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Activity {
    /// Nothing: the next event is a look.
    #[default]
    Resting,
    /// The staged file's content. Carries why the stream is looked at.
    ReadingStaged(Trigger),
    /// The existence policies. Carries the staged schema, if there is a well-formed one.
    AskingExistence(Option<Schema>),
    /// The fallback policies.
    AskingFallback,
    /// The retry policies.
    AskingRetry(Failure),
    /// The stream's marker.
    CheckingMarker(Purpose),
    /// This node's object.
    Fetching(Purpose),
    /// This node's object's description.
    Heading,
    /// The peers' schemas, to compare this document with before it is published.
    ComparingPeers(Box<Intent>),
    /// The peers' schemas, to compare this schema with, which is stored or was captured.
    ComparingNodes(Schema),
    /// The peers' schemas, to tell which fields of our own fallback nobody else holds.
    ReplacingFallback(Box<Remote>),
    /// The document that a fallback policy chose, with all that its gates need.
    Resolving,
    /// The outcome of the write of the stored intent.
    Writing,
    /// What stands there after a write of unknown outcome. Carries how the write ended.
    ReadingBack(Ended),
}

impl Activity {
    /// The activity's name, for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Activity::Resting => "resting",
            Activity::ReadingStaged(_) => "reading the staged file",
            Activity::AskingExistence(_) => "asking existence",
            Activity::AskingFallback => "asking fallback",
            Activity::AskingRetry(_) => "asking retry",
            Activity::CheckingMarker(_) => "checking the marker",
            Activity::Fetching(_) => "fetching its object",
            Activity::Heading => "looking at its object",
            Activity::ComparingPeers(_) => "comparing with its peers",
            Activity::ComparingNodes(_) => "comparing the nodes",
            Activity::ReplacingFallback(_) => "replacing its fallback",
            Activity::Resolving => "resolving a fallback",
            Activity::Writing => "writing",
            Activity::ReadingBack(_) => "reading back",
        }
    }
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To publish the captured schema.
    Publish,
    /// To write: the last look before it.
    Write,
    /// The look after a Create.
    Created,
    /// To check the stored object.
    Verify,
    /// To tell whether a missing object's stream was deleted.
    Missing,
    /// To tell whether the stream was deleted whose staged schema can't be published.
    Invalid,
    /// To see whether the stream was deleted, since its staging directory is gone.
    Vanished,
    /// To judge a staged file again that is held back.
    Held,
    /// To find what the store holds of a stream that nothing is staged for and that was never looked at.
    Adopt,
    /// To tell whether a stream that is gone came back.
    Revive,
}

/// How a write ended whose outcome must be read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A Create was answered with "exists".
    Exists,
    /// An Update was answered with "changed since".
    Stale,
    /// No answer that tells.
    Unknown(crate::contract::StoreFailure),
    /// The agent was stopped, or could not read back at once.
    Interrupted,
}

/// The object that our own fallback stands in, and what it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Remote {
    /// The object.
    pub object: ObjectInfo,
    /// Its schema.
    pub schema: Schema,
}

/// A schema with the bytes it is published as.
#[derive(Clone, Debug)]
pub struct Document {
    /// Of the bytes.
    pub digest: Digest,
    /// What they mean.
    pub schema: Schema,
    /// The schema's JSON.
    pub bytes: Bytes,
}

impl Document {
    /// The document of a schema.
    pub fn new(schema: Schema) -> Self {
        let bytes = schema.to_json();
        Self {
            digest: Digest::of(&bytes),
            schema,
            bytes,
        }
    }

    /// The document's JSON.
    pub fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }
}

/// Documents are equal if their bytes are; streams are compared after every attempt, so the digests do.
impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

/// What the store was last known to hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confirmed<D = Document> {
    /// Its content.
    pub document: D,
    /// Its version; `None` where the store gives none.
    pub version: Option<Version>,
    /// Where the content came from.
    pub source: Source,
}

/// Where a published schema came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "from", content = "name")]
pub enum Source {
    /// This node's staged file, or what the ledger kept of it.
    Local,
    /// The store already held it.
    Store,
    /// A fallback: the peers' merge.
    Peers,
    /// A fallback: a default schema of the operator's.
    Named(String),
    /// A fallback: the schema in another object.
    Object(String),
    /// A fallback: a policy's document.
    Document,
}

impl Source {
    /// Whether the content is a fallback of ours.
    pub fn is_fallback(&self) -> bool {
        !matches!(self, Source::Local | Source::Store)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Local => f.write_str("local"),
            Source::Store => f.write_str("store"),
            Source::Peers => f.write_str("fallback:peers"),
            Source::Named(name) => write!(f, "fallback:named:{name}"),
            Source::Object(key) => write!(f, "fallback:object:{key}"),
            Source::Document => f.write_str("fallback:document"),
        }
    }
}

/// A write, as the ledger holds it before the request is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent<D = Document> {
    /// What is written.
    pub document: D,
    /// Under which condition.
    pub mode: Mode,
    /// Where the content came from.
    pub source: Source,
}

/// The condition of a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "mode", content = "version")]
pub enum Mode {
    /// Only where nothing stands.
    Create,
    /// Only while the object has this version.
    Update(Version),
}

/// Which of a stream's timers is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// [`Stream::wake`].
    Wake,
    /// [`Stream::look`].
    Look,
    /// [`Comparison::due`].
    Compare,
}

impl<D> Stream<D> {
    /// A stream of which nothing is known.
    pub fn unseen() -> Self {
        Self {
            phase: Phase::Unseen,
            activity: Activity::Resting,
            incarnation: None,
            sighting: Sighting::default(),
            local: LocalState::Missing,
            held: None,
            invalid: None,
            captured: None,
            captured_modified: None,
            confirmed: None,
            intent: None,
            unread: false,
            unanswered: false,
            remote: RemoteState::Unknown,
            attempts: 0,
            failing_since: None,
            last_failure: None,
            absent_since: None,
            absences: 0,
            last_success: None,
            previous_delay: None,
            last_decision: None,
            unsettled: Duration::ZERO,
            wake: None,
            look: None,
            looks_left: 0,
            lost_races: 0,
            phantom_refusals: 0,
            peers: Comparison::default(),
        }
    }

    /// When the stream wants to be looked at again, whatever staging does.
    pub fn next_wake(&self) -> Option<Timestamp> {
        [self.wake, self.look, self.peers.due]
            .into_iter()
            .flatten()
            .min()
    }

    /// Takes the timer that is over, which is the earliest one. Timers run on monotonic time, so the wall clock is not
    /// asked.
    pub(super) fn take_timer(&mut self) -> Option<Timer> {
        let next = self.next_wake();
        next?;
        if self.wake == next {
            self.wake = None;
            return Some(Timer::Wake);
        }
        if self.look == next {
            self.look = None;
            return Some(Timer::Look);
        }
        self.peers.due = None;
        Some(Timer::Compare)
    }

    /// Whether the policies last said of the staged schema that it is too early to tell.
    pub fn is_unsettled(&self) -> bool {
        self.unsettled > Duration::ZERO
    }

    /// Whether nothing is left to do: the phase is a settled one, no attempt fails, and nothing is staged that can't be
    /// published. Until then the phase only says what the store was last known to hold.
    pub fn is_settled(&self) -> bool {
        let stored = matches!(self.phase, Phase::Synced | Phase::Provisional);
        match self.phase {
            Phase::Gone => true,
            phase => {
                phase.is_settled()
                    && !self.is_unsettled()
                    && self.held.is_none()
                    && self.failing_since.is_none()
                    && !(stored && self.is_staged_invalid())
            }
        }
    }

    /// Whether what is staged can't be published.
    pub(super) fn is_staged_invalid(&self) -> bool {
        match &self.local {
            LocalState::Missing => false,
            LocalState::Unreadable(_) | LocalState::TooLarge(_) => true,
            LocalState::File(file) => !file.well_formed,
        }
    }

    /// Forgets failures of a stream that has come to rest in a settled phase, unless their cause is still staged.
    pub(crate) fn recover(&mut self) {
        if self.failing_since.is_some() && self.phase.is_settled() && !self.is_staged_invalid() {
            self.attempts = 0;
            self.failing_since = None;
            self.last_failure = None;
            self.previous_delay = None;
            self.last_decision = None;
        }
    }

    /// Nothing is tried again any more. The policies are still asked about what it was too early to tell of.
    pub(super) fn end_delay(&mut self) {
        if !self.is_unsettled() {
            self.wake = None;
        }
    }

    /// Where the content that stands in the store came from.
    pub fn source(&self) -> Option<&Source> {
        self.confirmed.as_ref().map(|confirmed| &confirmed.source)
    }

    /// The documents the stream refers to.
    pub fn documents(&self) -> impl Iterator<Item = &D> {
        let confirmed = self.confirmed.as_ref().map(|confirmed| &confirmed.document);
        let intent = self.intent.as_ref().map(|intent| &intent.document);
        self.captured.iter().chain(confirmed).chain(intent)
    }

    /// The same stream with each document turned into something else.
    ///
    /// # Errors
    /// The first one that `turn` gives.
    pub fn try_map<E, X>(self, mut turn: impl FnMut(D) -> Result<E, X>) -> Result<Stream<E>, X> {
        Ok(Stream {
            captured: self.captured.map(&mut turn).transpose()?,
            confirmed: match self.confirmed {
                Some(Confirmed {
                    document,
                    version,
                    source,
                }) => Some(Confirmed {
                    document: turn(document)?,
                    version,
                    source,
                }),
                None => None,
            },
            intent: match self.intent {
                Some(Intent {
                    document,
                    mode,
                    source,
                }) => Some(Intent {
                    document: turn(document)?,
                    mode,
                    source,
                }),
                None => None,
            },
            phase: self.phase,
            activity: self.activity,
            incarnation: self.incarnation,
            sighting: self.sighting,
            local: self.local,
            held: self.held,
            invalid: self.invalid,
            captured_modified: self.captured_modified,
            unread: self.unread,
            unanswered: self.unanswered,
            remote: self.remote,
            attempts: self.attempts,
            failing_since: self.failing_since,
            last_failure: self.last_failure,
            absent_since: self.absent_since,
            absences: self.absences,
            last_success: self.last_success,
            previous_delay: self.previous_delay,
            last_decision: self.last_decision,
            unsettled: self.unsettled,
            wake: self.wake,
            look: self.look,
            looks_left: self.looks_left,
            lost_races: self.lost_races,
            phantom_refusals: self.phantom_refusals,
            peers: self.peers,
        })
    }
}
