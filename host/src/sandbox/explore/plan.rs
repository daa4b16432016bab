//! What happens in a world, as plain data: the store, its faults, the nodes, and a timeline of what is done to them.

use std::fmt;
use std::time::Duration;

use crate::contract::FailureKind;
use crate::sandbox::store::Operation;
use crate::time::{in_full, millis};

/// Everything that a run depends on besides the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What the world's dice begin with.
    pub seed: u64,
    /// When the world ends.
    pub until: Span,
    /// How the store is.
    pub store: StorePlan,
    /// What goes wrong with it.
    pub faults: Vec<FaultPlan>,
    /// The nodes; their agents run from the beginning.
    pub nodes: Vec<String>,
    /// The streams.
    pub streams: Vec<String>,
    /// What is done, in order of time.
    pub timeline: Vec<Moment>,
}

/// How a simulated store is when nothing goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorePlan {
    /// The latency at least, of half of the requests, of 99 in 100, and at most.
    pub latency: [Span; 4],
    /// Writes and reads a second that each stream's prefix takes.
    pub limits: Option<(u32, u32)>,
    /// Whether conditions hold.
    pub conditions: bool,
}

/// What goes wrong with some requests, for some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultPlan {
    /// From when on.
    pub from: Span,
    /// Until when.
    pub until: Span,
    /// Which operations; none for all.
    pub operations: Vec<Operation>,
    /// Whose keys; none for all.
    pub stream: Option<String>,
    /// Whose requests; none for all.
    pub node: Option<String>,
    /// How many of a hundred.
    pub percent: u32,
    /// How many at most.
    pub count: Option<u64>,
    /// What.
    pub effect: Trouble,
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It fails like this.
    Fail {
        /// How.
        kind: FailureKind,
    },
    /// It takes longer.
    Slow {
        /// By so much.
        by: Span,
    },
    /// It is never answered.
    Hang,
    /// It is done, and never answered.
    LoseAnswer,
    /// It is done, and its connection breaks.
    Cut,
    /// A listing breaks off.
    Tear,
    /// It is done later, whether or not anybody still waits.
    Late {
        /// By so much.
        by: Span,
    },
    /// The node itself writes this right before it, without a condition.
    Race {
        /// What.
        content: Content,
    },
    /// The node itself writes this right after it.
    Clobber {
        /// What.
        content: Content,
    },
}

/// Something that is done at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Span,
    /// What.
    pub action: Action,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "each action is about a node, a stream, or both"
)]
pub enum Action {
    /// The node stages a schema.
    Stage {
        node: String,
        stream: String,
        content: Content,
    },
    /// The node stages a file that changes whenever it is read.
    Tear {
        node: String,
        stream: String,
        content: Content,
    },
    /// The node takes its staged schema away.
    Unstage { node: String, stream: String },
    /// So many data files wait.
    Data {
        node: String,
        stream: String,
        count: u32,
    },
    /// The node removes the stream's staging directory.
    Remove { node: String, stream: String },
    /// The stream is created in the store: a marker for each node, and what stands there from the beginning.
    CreateStream {
        stream: String,
        base: Option<Content>,
    },
    /// The stream is deleted from the store.
    DeleteStream { stream: String },
    /// The node itself writes its own key, without a condition.
    Publish {
        node: String,
        stream: String,
        content: Content,
    },
    /// Another node, which has no agent here, writes its own key.
    Put {
        peer: String,
        stream: String,
        content: Content,
    },
    /// Somebody deletes the node's object.
    Delete { node: String, stream: String },
    /// The agent ends in the middle of whatever it does.
    Crash { node: String },
    /// The agent starts, unless it runs.
    Start { node: String },
    /// The agent is told to stop.
    Stop { node: String },
    /// The node's wall clock is set, this many milliseconds ahead.
    Skew { node: String, millis: i64 },
}

impl Action {
    /// The node that it is about.
    pub fn node(&self) -> Option<&str> {
        match self {
            Action::Stage { node, .. }
            | Action::Tear { node, .. }
            | Action::Unstage { node, .. }
            | Action::Data { node, .. }
            | Action::Remove { node, .. }
            | Action::Publish { node, .. }
            | Action::Delete { node, .. }
            | Action::Crash { node }
            | Action::Start { node }
            | Action::Stop { node }
            | Action::Skew { node, .. } => Some(node),
            Action::CreateStream { .. } | Action::DeleteStream { .. } | Action::Put { .. } => None,
        }
    }

    /// What it puts somewhere.
    pub fn content(&self) -> Option<&Content> {
        match self {
            Action::Stage { content, .. }
            | Action::Tear { content, .. }
            | Action::Publish { content, .. }
            | Action::Put { content, .. } => Some(content),
            Action::CreateStream { base, .. } => base.as_ref(),
            _ => None,
        }
    }

    /// The same, to change it.
    pub(super) fn content_mut(&mut self) -> Option<&mut Content> {
        match self {
            Action::Stage { content, .. }
            | Action::Tear { content, .. }
            | Action::Publish { content, .. }
            | Action::Put { content, .. } => Some(content),
            Action::CreateStream { base, .. } => base.as_mut(),
            _ => None,
        }
    }

    /// The stream that it is about.
    pub fn stream(&self) -> Option<&str> {
        match self {
            Action::Stage { stream, .. }
            | Action::Tear { stream, .. }
            | Action::Unstage { stream, .. }
            | Action::Data { stream, .. }
            | Action::Remove { stream, .. }
            | Action::CreateStream { stream, .. }
            | Action::DeleteStream { stream }
            | Action::Publish { stream, .. }
            | Action::Put { stream, .. }
            | Action::Delete { stream, .. } => Some(stream),
            Action::Crash { .. }
            | Action::Start { .. }
            | Action::Stop { .. }
            | Action::Skew { .. } => None,
        }
    }
}

/// What a file or an object holds: a schema, written `"a:Utf8 b:Int64"`, or something that is none, written
/// `"!{\"fields\":["`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Content(String);

impl Content {
    /// The schema of these fields, each `name:Type`, between spaces.
    pub fn schema(fields: impl Into<String>) -> Self {
        Self(fields.into())
    }

    /// What is no schema.
    pub fn broken(text: &str) -> Self {
        Self(format!("!{text}"))
    }

    /// The fields as name and type; `None` for what is no schema.
    pub fn fields(&self) -> Option<Vec<(&str, &str)>> {
        let pair = |field| str::split_once(field, ':');
        match self.0.strip_prefix('!') {
            Some(_) => None,
            None => Some(self.0.split_whitespace().filter_map(pair).collect()),
        }
    }

    /// The same without a field.
    pub(super) fn without(&self, name: &str) -> Self {
        let Some(fields) = self.fields() else {
            return self.clone();
        };
        let kept = fields.into_iter().filter(|(field, _)| *field != name);
        let kept: Vec<_> = kept
            .map(|(field, kind)| format!("{field}:{kind}"))
            .collect();
        Self::schema(kept.join(" "))
    }

    /// What stands there, where it is no schema.
    pub fn text(&self) -> Option<&str> {
        self.0.strip_prefix('!')
    }
}

/// A length of time in whole milliseconds, written `"1m 30s"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

impl Span {
    /// This many milliseconds.
    pub const fn ms(millis: u64) -> Self {
        Self(millis)
    }

    /// This many seconds.
    pub const fn secs(seconds: u64) -> Self {
        Self(seconds * 1_000)
    }

    /// In milliseconds.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// As the standard library has it.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// This much later.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl From<Duration> for Span {
    fn from(length: Duration) -> Self {
        Self(millis(length))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&in_full(self.duration()))
    }
}
