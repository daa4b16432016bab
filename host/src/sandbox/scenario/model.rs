//! What a scenario means: every default filled in, every value checked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;

use super::content;
use super::expectation::{Expectation, Expected, Properties};
use super::properties::Property;
use crate::config::{Settings, Source};
use crate::sandbox::store::{Effect, Fault, StoreBehaviour};
use crate::stream::StreamId;
use crate::text::{counted, verb};
use crate::time::in_full;

/// A scenario that was read and checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its file's name without what is behind the last dot.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// What it is about.
    pub title: String,
    /// What all that is left to chance comes from.
    pub seed: u64,
    /// How long it takes.
    pub until: Duration,
    /// Whether the seed orders what could happen at the same moment.
    pub shuffle: bool,
    /// Where its configuration is written.
    pub source: Source,
    /// The configuration under test.
    pub settings: Arc<Settings>,
    /// How the store behaves, and what goes wrong with it.
    pub store: StoreBehaviour,
    /// The lines of the scenario's file in which the store's faults begin.
    pub fault_lines: Vec<usize>,
    /// The nodes with an agent, at least one.
    pub nodes: Vec<String>,
    /// The streams that anything happens to, by the names that scenarios write.
    pub streams: BTreeMap<String, StreamId>,
    /// What happens, in order: what is written, and the starts of agents.
    pub steps: Vec<Step>,
    /// What is expected.
    pub expectations: Vec<Expectation>,
}

impl Scenario {
    /// Whether all that happens is held to properties.
    pub fn expects_properties(&self) -> bool {
        let mut expectations = self.expectations.iter();
        expectations.any(|expectation| matches!(expectation.what, Expected::Properties(_)))
    }

    /// Whether this property is expected.
    pub fn expects(&self, property: Property) -> bool {
        let mut expectations = self.expectations.iter();
        expectations.any(|expectation| match &expectation.what {
            Expected::Properties(Properties::All) => true,
            Expected::Properties(Properties::These(these)) => these.contains(&property),
            _ => false,
        })
    }

    /// When nothing disturbs the world any more: the store works, and nobody does anything. The end where something
    /// disturbs it until then.
    pub fn quiet(&self) -> Duration {
        let acted = self.steps.last().map_or(Duration::ZERO, |step| step.at);
        let faults = self.store.faults.iter();
        let troubled = faults.map(|fault| over(fault).unwrap_or(self.until)).max();
        let fails = self.nodes.iter().any(|node| {
            let steps = self.steps.iter().filter(|step| step.node == *node);
            let mut states = steps.filter_map(|step| match &step.deed {
                Deed::Staging(cause) => Some(cause.is_some()),
                _ => None,
            });
            states.next_back() == Some(true)
        });
        match fails {
            true => self.until,
            false => acted.max(troubled.unwrap_or_default()).min(self.until),
        }
    }
}

/// When the last request that a rule applies to is over.
fn over(fault: &Fault) -> Option<Duration> {
    let until = fault.until?;
    Some(match &fault.effect {
        Effect::Slow(latency) => until.saturating_add(latency.longest()),
        Effect::Late(by) => until.saturating_add(*by),
        _ => until,
    })
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub struct Step {
    /// When.
    pub at: Duration,
    /// On which node.
    pub node: String,
    /// What.
    pub deed: Deed,
}

/// What happens.
#[derive(Clone, Debug)]
pub enum Deed {
    /// The node stages this.
    Stage(StreamId, Bytes),
    /// The staged schema changes whenever it is read.
    Tear(StreamId, Bytes),
    /// The staged schema can't be read.
    Unreadable(StreamId, String),
    /// The node deletes the staged schema.
    Unstage(StreamId),
    /// So many data files wait.
    Data(StreamId, u32),
    /// The stream's staging directory goes.
    Remove(StreamId),
    /// The stream's markers come.
    CreateStream(StreamId),
    /// All of the stream that is in the store goes.
    DeleteStream(StreamId),
    /// The node writes its own object.
    Publish(StreamId, Bytes),
    /// Some node writes the stream's base object.
    PublishBase(StreamId, Bytes),
    /// Somebody writes an object.
    Put(Path, Bytes),
    /// Somebody deletes an object.
    Delete(Path),
    /// The agent starts.
    Start,
    /// The agent is told to stop.
    Stop,
    /// The agent is killed.
    Crash,
    /// The node's clock is set: milliseconds ahead.
    Skew(i64),
    /// The staging directory can't be read, for a cause; or it can again.
    Staging(Option<String>),
    /// The node has written its identity, or has not yet.
    Identity(bool),
}

impl Deed {
    /// Whether it may change what a scan of the node's staging directory finds.
    pub fn touches_staging(&self) -> bool {
        matches!(
            self,
            Deed::Stage(..)
                | Deed::Tear(..)
                | Deed::Unreadable(..)
                | Deed::Unstage(_)
                | Deed::Data(..)
                | Deed::Remove(_)
                | Deed::Staging(_)
        )
    }

    /// Whether it happens to a node, and not to the store alone.
    pub fn is_on_node(&self) -> bool {
        !matches!(
            self,
            Deed::CreateStream(_)
                | Deed::DeleteStream(_)
                | Deed::PublishBase(..)
                | Deed::Put(..)
                | Deed::Delete(_)
        )
    }

    /// The stream that it is about.
    pub fn stream(&self) -> Option<&StreamId> {
        match self {
            Deed::Stage(stream, _)
            | Deed::Tear(stream, _)
            | Deed::Unreadable(stream, _)
            | Deed::Unstage(stream)
            | Deed::Data(stream, _)
            | Deed::Remove(stream)
            | Deed::CreateStream(stream)
            | Deed::DeleteStream(stream)
            | Deed::Publish(stream, _)
            | Deed::PublishBase(stream, _) => Some(stream),
            Deed::Put(..)
            | Deed::Delete(_)
            | Deed::Start
            | Deed::Stop
            | Deed::Crash
            | Deed::Skew(_)
            | Deed::Staging(_)
            | Deed::Identity(_) => None,
        }
    }

    /// What happens, for people.
    pub fn in_words(&self, node: &str) -> String {
        match self {
            Deed::Stage(stream, content) => {
                format!("{node} stages {} for {stream}", content::in_words(content))
            }
            Deed::Tear(stream, _) => format!("{node} is writing the staged schema of {stream}"),
            Deed::Unreadable(stream, cause) => {
                format!("the staged schema of {stream} can't be read on {node}: {cause}")
            }
            Deed::Unstage(stream) => format!("{node} deletes the staged schema of {stream}"),
            Deed::Data(stream, files) => format!(
                "{} of {stream} {} on {node}",
                counted(*files, "data file"),
                verb(files, "waits", "wait")
            ),
            Deed::Remove(stream) => format!("{node} removes the staging directory of {stream}"),
            Deed::CreateStream(stream) => format!("{stream} is created in the store"),
            Deed::DeleteStream(stream) => format!("{stream} is deleted in the store"),
            Deed::Publish(stream, content) => {
                let content = content::in_words(content);
                format!("{node} itself publishes {content} for {stream}")
            }
            Deed::PublishBase(stream, content) => {
                let content = content::in_words(content);
                format!("the base schema of {stream} is written: {content}")
            }
            Deed::Put(key, content) => {
                format!("{} is put to {key}", content::in_words(content))
            }
            Deed::Delete(key) => format!("{key} is deleted"),
            Deed::Start => format!("the agent of {node} starts"),
            Deed::Stop => format!("the agent of {node} is told to stop"),
            Deed::Crash => format!("the agent of {node} is killed"),
            Deed::Skew(millis) => {
                let by = in_full(Duration::from_millis(millis.unsigned_abs()));
                let direction = if *millis < 0 { "back" } else { "ahead" };
                format!("the clock of {node} is set {by} {direction}")
            }
            Deed::Staging(Some(cause)) => {
                format!("the staging directory of {node} can't be read: {cause}")
            }
            Deed::Staging(None) => format!("the staging directory of {node} can be read again"),
            Deed::Identity(true) => format!("{node} writes its identity"),
            Deed::Identity(false) => format!("{node} has not written its identity yet"),
        }
    }
}
