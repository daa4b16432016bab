//! Plays a plan in a world of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use globset::{Glob, GlobMatcher};
use object_store::path::Path;

use super::plan::{Action, Content, FaultPlan, Plan, Trouble};
use crate::contract::StoreFailure;
use crate::sandbox::clock::BEGINNING;
use crate::sandbox::store::{Effect, Fault, Latency, RateLimits, StoreBehaviour};
use crate::sandbox::{Blueprint, Entry, Event, SimulatedNode, Stuck, World};
use crate::staging::{KeyKind, StreamKeys};
use crate::stream::{NodeId, StreamId};
use crate::sync::machine::Stream;

/// The tenant of all streams, where the configuration has tenants.
const TENANT: &str = "acme";

/// Who creates and deletes streams.
pub(super) const CLUSTER: &str = "the cluster";

/// A world in which more happens is stopped: somebody goes round in circles.
const MAX_ENTRIES: usize = 20_000;

/// More than tasks of some nodes are polled at one moment.
const MAX_POLLS_AT_ONCE: u64 = 100_000;

/// How often that is looked at.
const STEP: Duration = Duration::from_secs(300);

/// What came of a plan.
#[derive(Debug)]
pub struct Played {
    /// All that happened; one world event for each moment of the timeline, in its order.
    pub entries: Vec<Entry>,
    /// Entries that were not kept.
    pub omitted: u64,
    /// Whether so much happened that the world was stopped before its end.
    pub endless: bool,
    /// Where it got stuck, if it did.
    pub stuck: Option<Stuck>,
    /// How each node ended.
    pub ends: BTreeMap<String, NodeEnd>,
}

/// How a node ended.
#[derive(Debug)]
pub struct NodeEnd {
    /// Whether its agent was to run.
    pub up: bool,
    /// What it knew of each stream.
    pub streams: BTreeMap<String, Stream>,
}

/// The streams and keys of a world.
#[derive(Clone, Debug)]
pub(super) struct Places {
    blueprint: Blueprint,
}

impl Places {
    pub(super) fn new(blueprint: &Blueprint) -> Self {
        Self {
            blueprint: blueprint.clone(),
        }
    }

    /// The stream of this name in the plan.
    pub(super) fn stream(&self, name: &str) -> StreamId {
        match self.blueprint.settings.staging.tenants {
            true => StreamId::with_tenant(TENANT, name),
            false => StreamId::new(name),
        }
    }

    /// The keys of a stream on a node, which may be one without an agent.
    pub(super) fn keys(&self, node: &str, stream: &str) -> Option<StreamKeys> {
        let layout = &self.blueprint.settings.staging.layout;
        // Names in plans are words, which make keys in any layout.
        layout.keys(&NodeId::new(node), &self.stream(stream)).ok()
    }

    /// Whether streams have markers.
    pub(super) fn have_markers(&self) -> bool {
        self.keys("n", "s")
            .is_some_and(|keys| keys.marker.is_some())
    }
}

/// Plays the plan to its end.
pub fn play(plan: &Plan, blueprint: &Blueprint) -> Played {
    let places = Places::new(blueprint);
    let mut world = World::new(plan.seed, true, behaviour(plan, &places));
    world.executor.limit_polls(MAX_POLLS_AT_ONCE);
    let nodes: Vec<_> = plan
        .nodes
        .iter()
        .map(|id| world.add_node(id, blueprint.clone()))
        .collect();
    let stage = Stage {
        world: &world,
        plan,
        places: &places,
    };
    let stuck = stage.run(&nodes).err();
    let ends = nodes
        .iter()
        .map(|node| (node.id.to_string(), stage.end_of(node)));
    let ends = ends.collect();
    let endless = world.chronicle.len() > MAX_ENTRIES;
    let (entries, omitted) = world.chronicle.take();
    Played {
        entries,
        omitted,
        endless,
        stuck,
        ends,
    }
}

struct Stage<'a> {
    world: &'a World,
    plan: &'a Plan,
    places: &'a Places,
}

impl Stage<'_> {
    fn run(&self, nodes: &[Arc<SimulatedNode>]) -> Result<(), Stuck> {
        self.announce(nodes, 0);
        let begun = self
            .plan
            .timeline
            .partition_point(|moment| moment.at.millis() == 0);
        let (first, later) = self.plan.timeline.split_at(begun);
        for moment in first {
            self.act(&moment.action);
        }
        for node in nodes {
            node.start();
        }
        for (number, moment) in later.iter().enumerate() {
            self.announce(nodes, begun + number);
            self.run_until(moment.at.duration())?;
            self.act(&moment.action);
        }
        self.announce(nodes, self.plan.timeline.len());
        self.run_until(self.plan.until.duration())
    }

    fn run_until(&self, time: Duration) -> Result<(), Stuck> {
        while self.world.executor.now() < time && self.world.chronicle.len() <= MAX_ENTRIES {
            let next = self.world.executor.now().saturating_add(STEP);
            self.world.run_until(next.min(time))?;
        }
        Ok(())
    }

    /// Tells each node's staging directory when something changes there next: scans before that find nothing.
    fn announce(&self, nodes: &[Arc<SimulatedNode>], from: usize) {
        for node in nodes {
            let rest = self.plan.timeline.iter().skip(from);
            let next = rest
                .filter(|moment| moment.action.node() == Some(node.id.as_str()))
                .map(|moment| moment.at)
                .next();
            let next = next.unwrap_or(self.plan.until);
            node.staging.announce(Some(next.duration()));
        }
    }

    fn act(&self, action: &Action) {
        let stream = action.stream().map(|name| self.places.stream(name));
        let event = Event::World {
            node: action.node().map(str::to_owned),
            stream: stream.clone(),
            text: action.to_string(),
        };
        let now = self.world.executor.now();
        self.world.chronicle.tell(now, event);
        let node = action.node().and_then(|id| self.world.node(id));
        match (node, stream) {
            (Some(node), Some(stream)) => self.act_on_stream(node, &stream, action),
            (Some(node), None) => match action {
                Action::Crash { .. } => node.crash(),
                Action::Start { .. } => node.start(),
                Action::Stop { .. } => node.stop(),
                Action::Skew { millis, .. } => node.clock.set_skew(*millis),
                _ => {}
            },
            _ => self.act_on_store(action),
        }
    }

    fn act_on_stream(&self, node: &Arc<SimulatedNode>, stream: &StreamId, action: &Action) {
        let whole = |content: &Content| crate::sandbox::Content::Whole(content.bytes());
        let own = |name: &str| Some(self.places.keys(node.id.as_str(), name)?.schema);
        match action {
            Action::Stage { content, .. } => node.staging.put_schema(stream, whole(content)),
            Action::Tear { content, .. } => {
                let torn = crate::sandbox::Content::Torn(content.bytes());
                node.staging.put_schema(stream, torn);
            }
            Action::Unstage { .. } => node.staging.remove_schema(stream),
            Action::Data { count, .. } => node.staging.set_data_files(stream, *count),
            Action::Remove { .. } => node.staging.remove_stream(stream),
            Action::Publish {
                stream, content, ..
            } => {
                if let Some(key) = own(stream) {
                    let by = format!("{} itself", node.id);
                    self.world.store.put(&by, &key, content.bytes());
                }
            }
            Action::Delete { stream, .. } => {
                if let Some(key) = own(stream) {
                    self.world.store.delete("somebody", &key);
                }
            }
            _ => {}
        }
    }

    fn act_on_store(&self, action: &Action) {
        match action {
            Action::CreateStream { stream, base } => self.create(stream, base.as_ref()),
            Action::DeleteStream { stream } => {
                let Some(node) = self.plan.nodes.first() else {
                    return;
                };
                if let Some(keys) = self.places.keys(node, stream) {
                    let root = keys.root.trim_end_matches('/');
                    let root = Path::parse(root).unwrap_or_default();
                    self.world.store.delete_prefix(CLUSTER, &root);
                }
            }
            Action::Put {
                peer,
                stream,
                content,
            } => {
                if let Some(keys) = self.places.keys(peer, stream) {
                    self.world.store.put(peer, &keys.schema, content.bytes());
                }
            }
            _ => {}
        }
    }

    /// The markers of all nodes say the same time, which lies after any earlier one.
    fn create(&self, stream: &str, base: Option<&Content>) {
        let created = BEGINNING.plus(self.world.executor.now());
        let marker = serde_json::json!({
            "created-at": created.to_string(),
            "stream_type": "UserDefined",
        });
        for node in &self.plan.nodes {
            let Some(keys) = self.places.keys(node, stream) else {
                continue;
            };
            if let Some(key) = &keys.marker {
                let bytes = marker.to_string().into();
                self.world.store.put(CLUSTER, key, bytes);
            }
            if let (Some(key), Some(base)) = (&keys.base, base) {
                self.world.store.put(CLUSTER, key, base.bytes());
            }
        }
    }

    fn end_of(&self, node: &SimulatedNode) -> NodeEnd {
        let known = |name: &String| {
            let stream = node.memory.stream(&self.places.stream(name))?;
            Some((name.clone(), stream))
        };
        NodeEnd {
            up: node.is_up(),
            streams: self.plan.streams.iter().filter_map(known).collect(),
        }
    }
}

fn behaviour(plan: &Plan, places: &Places) -> StoreBehaviour {
    let [min, p50, p99, max] = plan.store.latency.map(|span| span.duration());
    StoreBehaviour {
        latency: Latency::quantiles(min, p50, p99, max),
        limits: plan.store.limits.map(|(writes, reads)| RateLimits {
            writes,
            reads,
            prefix_depth: 1,
        }),
        honours_conditions: plan.store.conditions,
        faults: plan
            .faults
            .iter()
            .map(|fault| rule(fault, plan, places))
            .collect(),
    }
}

fn rule(fault: &FaultPlan, plan: &Plan, places: &Places) -> Fault {
    let keys = fault.stream.as_deref().and_then(|stream| {
        let keys = places.keys(plan.nodes.first()?, stream)?;
        glob(&format!("{}**", keys.root))
    });
    let effect = match &fault.effect {
        Trouble::Fail { kind } => Effect::Fail(StoreFailure::new(*kind, "as planned")),
        Trouble::Slow { by } => Effect::Slow(Latency::constant(by.duration())),
        Trouble::Hang => Effect::Hang,
        Trouble::LoseAnswer => Effect::LoseAnswer,
        Trouble::Cut => Effect::Cut,
        Trouble::Tear => Effect::Tear,
        Trouble::Late { by } => Effect::Late(by.duration()),
        Trouble::Race { content } => Effect::Race(content.bytes()),
        Trouble::Clobber { content } => Effect::Clobber(content.bytes()),
    };
    Fault {
        from: fault.from.duration(),
        until: Some(fault.until.duration()),
        operations: fault.operations.clone(),
        keys,
        nodes: fault.node.as_deref().and_then(glob),
        in_a_million: fault.percent.saturating_mul(10_000),
        count: fault.count,
        ..Fault::always(effect)
    }
}

fn glob(text: &str) -> Option<GlobMatcher> {
    Some(Glob::new(text).ok()?.compile_matcher())
}

/// How a key of a stream's prefix counts, whichever node's it is.
pub(super) fn is_marker(keys: &StreamKeys, key: &str) -> bool {
    let Ok(path) = Path::parse(key) else {
        return false;
    };
    matches!(keys.classify(&path), KeyKind::OwnMarker | KeyKind::Marker)
}

/// The longest that a world is undisturbed before every stream must have settled: all the waits of a stream, one behind
/// the other.
pub(super) fn settling_time(blueprint: &Blueprint) -> Duration {
    let settings = &blueprint.settings;
    let longest = blueprint
        .policies
        .plan
        .all()
        .map(|plan| {
            let rules = &plan.rules;
            // A timer that was set in the last moment of trouble, the verdicts that it is too early to tell, and one
            // more timer for what they end in.
            (rules.longest_wait() * 2)
                .saturating_add(rules.max_unsettled)
                .saturating_add(rules.look_again * (1 + rules.provisional_looks))
        })
        .max()
        .unwrap_or_default();
    // A verification finds what no timer looks for, and what it finds may take a timer again.
    let verification = settings.verify.interval.unwrap_or_default();
    // The requests under way may hang, some after another.
    let requests = settings.store.request_timeout * 10;
    longest
        .saturating_add(verification * 2)
        .saturating_add(requests)
        .saturating_add(settings.start_jitter)
        .saturating_add(settings.scan_interval * 4)
}
