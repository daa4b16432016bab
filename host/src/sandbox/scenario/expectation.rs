//! What is expected of a run.

use std::time::Duration;

use bytes::Bytes;
use globset::GlobMatcher;
use object_store::path::Path;

use super::file::RequestOutcome;
use super::properties::Property;
use crate::contract::{Phase, Role};
use crate::sandbox::store::Operation;
use crate::schema::Schema;
use crate::stream::StreamId;

/// One thing that must have come of a run.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// The line of the file where it begins.
    pub line: usize,
    /// Which part of what happened it is about.
    pub scope: Scope,
    /// What.
    pub what: Expected,
}

/// A part of what happened. What is left out leaves nothing out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The stream.
    pub stream: Option<StreamId>,
    /// The node.
    pub node: Option<String>,
    /// The role of decisions.
    pub role: Option<Role>,
    /// The policy.
    pub policy: Option<String>,
    /// From when on.
    pub from: Option<Duration>,
    /// Until when.
    pub until: Option<Duration>,
}

/// When something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At this moment.
    At(Duration),
    /// At this moment at the latest.
    By(Duration),
}

/// What must have come of a run.
#[derive(Clone, Debug)]
pub enum Expected {
    /// The stream is in this phase.
    Phase(Phase, When),
    /// The stream is never in any of these.
    Never(Vec<Phase>),
    /// These verdicts and no others, or among others.
    Verdicts {
        /// Their names, in order.
        names: Vec<String>,
        /// Whether others may stand between them.
        among: bool,
    },
    /// The delays after decisions.
    Delays {
        /// None is shorter.
        min: Option<Duration>,
        /// None is longer.
        max: Option<Duration>,
        /// The longest is at least this.
        reach: Option<Duration>,
        /// How many there are.
        count: Bounds,
    },
    /// How many requests there are.
    Requests {
        /// Of these operations; none for all.
        operations: Vec<Operation>,
        /// Whose keys match.
        keys: Option<GlobMatcher>,
        /// Which ended like this.
        outcome: Option<RequestOutcome>,
        /// How many.
        count: Bounds,
    },
    /// What stands under a key at this moment.
    Object {
        /// The key.
        key: Path,
        /// What.
        content: ExpectedContent,
        /// When.
        at: Duration,
    },
    /// A warning or alert holds these words.
    Warns(String),
    /// There is no warning and no alert.
    Silent,
    /// No write of an agent loses what stood there.
    NoOverwrite,
    /// What each call may use.
    Budget {
        /// Fuel.
        fuel: Option<u64>,
        /// Bytes of memory.
        memory: Option<u64>,
        /// Host calls.
        host_calls: Option<u32>,
    },
    /// How many calls fail.
    FailedCalls(Bounds),
    /// An agent ends by itself with these words.
    Ends(String),
    /// These properties hold.
    Properties(Properties),
}

/// Some properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Properties {
    /// All that the scenario is long enough for.
    All,
    /// These.
    These(Vec<Property>),
}

/// What stands under a key.
#[derive(Clone, Debug)]
pub enum ExpectedContent {
    /// A schema that means the same.
    Schema(Schema),
    /// These bytes.
    Text(Bytes),
    /// Nothing.
    Nothing,
    /// Anything.
    Anything,
}

/// A number's bounds, both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// At least.
    pub min: Option<u64>,
    /// At most.
    pub max: Option<u64>,
}

impl Bounds {
    /// Whether the number lies within.
    pub fn hold(self, number: u64) -> bool {
        self.min.is_none_or(|min| number >= min) && self.max.is_none_or(|max| number <= max)
    }

    /// The bounds in words.
    pub fn in_words(self) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) if min == max => format!("exactly {min}"),
            (Some(min), Some(max)) => format!("{min} to {max}"),
            (Some(min), None) => format!("at least {min}"),
            (None, Some(0)) => "none".to_owned(),
            (None, Some(max)) => format!("at most {max}"),
            (None, None) => "any number".to_owned(),
        }
    }
}
