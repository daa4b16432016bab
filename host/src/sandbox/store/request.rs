//! What a simulated store was asked, and what it answered.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::contract::FailureKind;

/// What a request asks for.
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
pub enum Operation {
    /// To describe an object.
    Head,
    /// To read one.
    Get,
    /// To list a prefix.
    List,
    /// To write where nothing stands.
    Create,
    /// To replace what has this version.
    Update,
    /// To write whatever stands there, which no agent does.
    Overwrite,
    /// To delete, which agents do to their own probes alone.
    Delete,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Head,
        Self::Get,
        Self::List,
        Self::Create,
        Self::Update,
        Self::Overwrite,
        Self::Delete,
    ];

    /// Whether it changes something.
    pub fn writes(self) -> bool {
        matches!(
            self,
            Self::Create | Self::Update | Self::Overwrite | Self::Delete
        )
    }

    /// The word for it, in scenarios and timelines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Get => "get",
            Self::List => "list",
            Self::Create => "create",
            Self::Update => "update",
            Self::Overwrite => "overwrite",
            Self::Delete => "delete",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a request ended, as the store sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// Nothing stood there.
    Missing,
    /// Something stood there already, or something else than the condition named.
    Refused,
    /// It failed like this; nothing was done.
    Failed(FailureKind),
    /// It was done, and the answer got lost.
    AnswerLost,
    /// It was never answered, and nothing was done.
    Unanswered,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Missing => f.write_str("missing"),
            Self::Refused => f.write_str("refused: its condition does not hold"),
            Self::Failed(kind) => write!(f, "failed: {kind}"),
            Self::AnswerLost => f.write_str("done, and its answer lost"),
            Self::Unanswered => f.write_str("never answered"),
        }
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// When the store took it up, after the world's beginning.
    pub at: Duration,
    /// When it was sent.
    pub sent: Duration,
    /// Whose it was: a node's agent, or a writer of the world's.
    pub by: String,
    /// What for.
    pub operation: Operation,
    /// The key or prefix.
    pub key: String,
    /// What came of it.
    pub outcome: Outcome,
    /// What changed, where something did.
    pub change: Option<Change>,
    /// The faults that it met, by their numbers in the order of the store's.
    pub faults: Vec<usize>,
}

/// What a write changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What stood there before.
    pub before: Option<Bytes>,
    /// What stands there now.
    pub after: Option<Bytes>,
}
