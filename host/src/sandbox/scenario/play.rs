//! Plays a scenario: the world does what is written, and the agents live through it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::content::marker;
use super::model::{Deed, Scenario, Step};
use crate::agent::Loaded;
use crate::policy::{Instances, Recorder};
use crate::sandbox::{
    self, BEGINNING, Blueprint, Content, Entry, Event, SimulatedNode, Stuck, World,
};
use crate::staging::{Layout, StreamKeys};
use crate::stream::{NodeId, StreamId};
use crate::sync::machine::Stream;

/// Who creates and deletes streams, in the store's records.
const CLUSTER: &str = "the cluster";

/// Who puts and deletes single objects, in the store's records.
const SOMEBODY: &str = "somebody";

/// How often it is looked at whether too much happens.
const STEP: Duration = Duration::from_secs(300);

/// How much may happen before a world is stopped: somebody goes round in circles.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Entries of the chronicle.
    entries: usize,
    /// Polls of tasks at one moment; the executor's own limit without.
    polls_at_once: Option<u64>,
}

impl Limits {
    /// For worlds that are held to properties. Judging takes longer with each pair of entries, and exploration must
    /// come to an end in worlds without rest.
    const WITH_PROPERTIES: Self = Self {
        entries: 20_000,
        polls_at_once: Some(100_000),
    };

    /// For all others.
    const OTHERWISE: Self = Self {
        entries: sandbox::MAX_ENTRIES,
        polls_at_once: None,
    };

    fn of(scenario: &Scenario) -> Self {
        match scenario.expects_properties() {
            true => Self::WITH_PROPERTIES,
            false => Self::OTHERWISE,
        }
    }
}

/// What came of a scenario.
#[derive(Debug)]
pub struct Played {
    /// What happened, in order; one world event for each step, in their order.
    pub entries: Vec<Entry>,
    /// Entries behind the most that are kept.
    pub omitted: u64,
    /// Whether so much happened that the world was stopped before its end.
    pub endless: bool,
    /// Why it did not come to its end, where it did not.
    pub stuck: Option<Stuck>,
    /// How each node ended.
    pub ends: BTreeMap<String, NodeEnd>,
}

/// How a node ended.
#[derive(Debug)]
pub struct NodeEnd {
    /// Whether its agent was to run.
    pub up: bool,
    /// What it knew of each stream, by the name that scenarios write.
    pub streams: BTreeMap<String, Stream>,
}

/// Plays a scenario with these policies. `instances` overrides what the configuration says of each policy.
pub fn play(scenario: &Scenario, policies: &Loaded, instances: Option<Instances>) -> Played {
    play_recorded(scenario, policies, instances, None)
}

/// The same, with every decision handed to the recorder.
pub fn play_recorded(
    scenario: &Scenario,
    policies: &Loaded,
    instances: Option<Instances>,
    recorder: Option<Arc<dyn Recorder>>,
) -> Played {
    let mut world = World::new(scenario.seed, scenario.shuffle, scenario.store.clone());
    let blueprint = Blueprint {
        settings: Arc::clone(&scenario.settings),
        policies: policies.clone(),
        instances,
        recorder,
    };
    for name in &scenario.nodes {
        world.add_node(name, blueprint.clone());
    }
    let limits = Limits::of(scenario);
    if let Some(most) = limits.polls_at_once {
        world.executor.limit_polls(most);
    }
    let hand = Hand {
        world: &world,
        scenario,
        layout: &scenario.settings.staging.layout,
        limits,
    };
    let stuck = hand.play().err();
    let endless = hand.has_enough();
    let ends = world
        .nodes()
        .map(|node| (node.id.to_string(), hand.end_of(node)));
    let ends = ends.collect();
    let (entries, omitted) = world.chronicle.take();
    Played {
        entries,
        omitted,
        endless,
        stuck,
        ends,
    }
}

/// What moves the world.
struct Hand<'a> {
    world: &'a World,
    scenario: &'a Scenario,
    layout: &'a Layout,
    limits: Limits,
}

impl Hand<'_> {
    fn play(&self) -> Result<(), Stuck> {
        let steps = &self.scenario.steps;
        for node in self.world.nodes() {
            self.announce(node, steps);
        }
        for (at, step) in steps.iter().enumerate() {
            // What is there from the beginning is there before any agent looks.
            self.run_until(step.at)?;
            if self.has_enough() {
                return Ok(());
            }
            self.perform(step);
            let node = self.world.node(&step.node);
            if let Some(node) = node.filter(|_| step.deed.touches_staging()) {
                self.announce(node, steps.get(at + 1..).unwrap_or_default());
            }
        }
        self.run_until(self.scenario.until)
    }

    fn run_until(&self, time: Duration) -> Result<(), Stuck> {
        while self.world.executor.now() < time && !self.has_enough() {
            let next = self.world.executor.now().saturating_add(STEP);
            self.world.run_until(next.min(time))?;
        }
        Ok(())
    }

    /// Whether so much happened that the world is stopped.
    fn has_enough(&self) -> bool {
        self.world.chronicle.len() >= self.limits.entries
    }

    /// Tells a node's staging directory when it changes next, so that no scan is made before.
    fn announce(&self, node: &SimulatedNode, coming: &[Step]) {
        let next = coming
            .iter()
            .find(|step| step.node == node.id.as_str() && step.deed.touches_staging());
        let next = next.map_or(Duration::MAX, |step| step.at);
        node.staging.announce(Some(next));
    }

    fn perform(&self, step: &Step) {
        let node = self.world.node(&step.node);
        self.world.chronicle.tell(
            self.world.executor.now(),
            Event::World {
                node: node
                    .filter(|_| step.deed.is_on_node())
                    .map(|node| node.id.to_string()),
                stream: step.deed.stream().cloned(),
                text: step.deed.in_words(&step.node),
            },
        );
        let store = &self.world.store;
        match &step.deed {
            Deed::CreateStream(stream) => self.create(stream),
            Deed::DeleteStream(stream) => {
                if let Some(keys) = self.keys(&step.node, stream) {
                    let root = keys.root.trim_end_matches('/');
                    store.delete_prefix(CLUSTER, &root.into());
                }
            }
            Deed::Publish(stream, content) => {
                if let Some(keys) = self.keys(&step.node, stream) {
                    let by = match node {
                        Some(node) => format!("{} itself", node.id),
                        None => step.node.clone(),
                    };
                    store.put(&by, &keys.schema, content.clone());
                }
            }
            Deed::PublishBase(stream, content) => {
                if let Some(base) = self.keys(&step.node, stream).and_then(|keys| keys.base) {
                    store.put(CLUSTER, &base, content.clone());
                }
            }
            Deed::Put(key, content) => store.put(SOMEBODY, key, content.clone()),
            Deed::Delete(key) => store.delete(SOMEBODY, key),
            deed => {
                if let Some(node) = node {
                    happen(node, deed);
                }
            }
        }
    }

    /// Puts each node's marker of the stream into the store.
    fn create(&self, stream: &StreamId) {
        let created_at = BEGINNING.plus(self.world.executor.now()).to_string();
        for name in &self.scenario.nodes {
            let marker_key = self.keys(name, stream).and_then(|keys| keys.marker);
            if let Some(key) = marker_key {
                self.world.store.put(CLUSTER, &key, marker(&created_at));
            }
        }
    }

    fn keys(&self, node: &str, stream: &StreamId) -> Option<StreamKeys> {
        self.layout.keys(&NodeId::new(node), stream).ok()
    }

    fn end_of(&self, node: &SimulatedNode) -> NodeEnd {
        let streams = self.scenario.streams.iter();
        let known = streams.filter_map(|(name, stream)| {
            let known = node.memory.stream(stream)?;
            Some((name.clone(), known))
        });
        NodeEnd {
            up: node.is_up(),
            streams: known.collect(),
        }
    }
}

/// What happens on one node alone.
fn happen(node: &Arc<SimulatedNode>, deed: &Deed) {
    let staging = &node.staging;
    match deed {
        Deed::Stage(stream, content) => {
            staging.put_schema(stream, Content::Whole(content.clone()));
        }
        Deed::Tear(stream, content) => staging.put_schema(stream, Content::Torn(content.clone())),
        Deed::Unreadable(stream, cause) => {
            staging.put_schema(stream, Content::Unreadable(cause.clone()));
        }
        Deed::Unstage(stream) => staging.remove_schema(stream),
        Deed::Data(stream, files) => staging.set_data_files(stream, *files),
        Deed::Remove(stream) => staging.remove_stream(stream),
        Deed::Start => node.start(),
        Deed::Stop => node.stop(),
        Deed::Crash => node.crash(),
        Deed::Skew(millis) => node.clock.set_skew(*millis),
        Deed::Staging(cause) => staging.set_failing(cause.clone()),
        Deed::Identity(written) => staging.set_identity(*written),
        Deed::CreateStream(_)
        | Deed::DeleteStream(_)
        | Deed::Publish(..)
        | Deed::PublishBase(..)
        | Deed::Put(..)
        | Deed::Delete(_) => {}
    }
}
