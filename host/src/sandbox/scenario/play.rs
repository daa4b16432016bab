//! Plays a scenario: the world does what is written, and the agents live through it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::content::marker;
use super::model::{Deed, NodePlan, Scenario, Step};
use crate::agent::Loaded;
use crate::policy::Instances;
use crate::sandbox::store::SimulatedStore;
use crate::sandbox::{
    BEGINNING, Blueprint, Chronicle, Content, Entry, Event, Executor, SimulatedNode, Stuck, World,
};
use crate::staging::{Layout, StreamKeys};
use crate::stream::{NodeId, StreamId};

/// Who writes what no node writes, in the store's records.
const SOMEBODY: &str = "somebody";

/// What came of a scenario.
#[derive(Debug)]
pub struct Played {
    /// What happened, in order.
    pub entries: Vec<Entry>,
    /// Entries behind the most that are kept.
    pub omitted: u64,
    /// Why it did not come to its end, where it did not.
    pub stuck: Option<Stuck>,
}

/// Plays a scenario with these policies. `instances` overrides what the configuration says of each policy.
pub fn play(scenario: &Scenario, policies: &Loaded, instances: Option<Instances>) -> Played {
    let mut world = World::new(scenario.seed, scenario.shuffle, scenario.store.clone());
    let settings = Arc::new(scenario.settings.clone());
    for plan in &scenario.nodes {
        let blueprint = Blueprint {
            settings: Arc::clone(&settings),
            policies: policies.clone(),
            instances,
        };
        world.add_node(&plan.name, blueprint);
    }
    let hand = Hand {
        executor: world.executor.clone(),
        store: Arc::clone(&world.store),
        chronicle: world.chronicle.clone(),
        layout: settings.staging.layout.clone(),
        nodes: world
            .nodes()
            .map(|node| (node.id.to_string(), Arc::clone(node)))
            .collect(),
    };
    // What is there from the beginning is there before any agent looks.
    let first = scenario.steps.iter().take_while(|step| step.at.is_zero());
    first.for_each(|step| hand.perform(step));
    let rest = scenario.steps.iter().skip_while(|step| step.at.is_zero());
    let rest: Vec<_> = rest.cloned().collect();
    hand.announce(&rest);
    for plan in scenario.nodes.clone() {
        world.spawn(hand.clone().bring_up(plan));
    }
    world.spawn(hand.play(rest));
    let stuck = world.run_until(scenario.until).err();
    let (entries, omitted) = world.chronicle.take();
    Played {
        entries,
        omitted,
        stuck,
    }
}

/// What moves the world.
#[derive(Clone)]
struct Hand {
    executor: Executor,
    store: Arc<SimulatedStore>,
    chronicle: Chronicle,
    layout: Layout,
    nodes: BTreeMap<String, Arc<SimulatedNode>>,
}

impl Hand {
    async fn bring_up(self, plan: NodePlan) {
        let Some(node) = self.nodes.get(&plan.name) else {
            return;
        };
        if let Some(identified) = plan.identified {
            node.staging.set_identity(false);
            if identified <= plan.starts {
                self.executor.at(identified).await;
                node.staging.set_identity(true);
            }
        }
        self.executor.at(plan.starts).await;
        node.start();
        if let Some(identified) = plan.identified {
            self.executor.at(identified).await;
            node.staging.set_identity(true);
        }
    }

    async fn play(self, steps: Vec<Step>) {
        for (at, step) in steps.iter().enumerate() {
            self.executor.at(step.at).await;
            self.perform(step);
            self.announce(steps.get(at + 1..).unwrap_or_default());
        }
    }

    /// Tells each node's staging directory when it changes next, so that no scan is made before.
    fn announce(&self, coming: &[Step]) {
        for (name, node) in &self.nodes {
            let next = coming
                .iter()
                .find(|step| step.node == *name && step.deed.touches_staging());
            let next = next.map_or(Duration::MAX, |step| step.at);
            node.staging.announce(Some(next));
        }
    }

    fn perform(&self, step: &Step) {
        self.chronicle.tell(
            self.executor.now(),
            Event::World {
                node: Some(step.node.clone()),
                stream: step.deed.stream().cloned(),
                text: step.deed.in_words(&step.node),
            },
        );
        match &step.deed {
            Deed::CreateStream(stream) => self.create(stream),
            Deed::DeleteStream(stream) => {
                if let Some(keys) = self.keys(&step.node, stream) {
                    let root = keys.root.trim_end_matches('/');
                    self.store.delete_prefix(SOMEBODY, &root.into());
                }
            }
            Deed::Publish(stream, content) => {
                if let Some(keys) = self.keys(&step.node, stream) {
                    self.store.put(SOMEBODY, &keys.schema, content.clone());
                }
            }
            Deed::PublishBase(stream, content) => {
                if let Some(base) = self.keys(&step.node, stream).and_then(|keys| keys.base) {
                    self.store.put(SOMEBODY, &base, content.clone());
                }
            }
            Deed::Put(key, content) => self.store.put(SOMEBODY, key, content.clone()),
            Deed::Delete(key) => self.store.delete(SOMEBODY, key),
            deed => {
                if let Some(node) = self.nodes.get(&step.node) {
                    happen(node, deed);
                }
            }
        }
    }

    /// Puts each node's marker of the stream into the store.
    fn create(&self, stream: &StreamId) {
        let created_at = BEGINNING.plus(self.executor.now()).to_string();
        for name in self.nodes.keys() {
            let marker_key = self.keys(name, stream).and_then(|keys| keys.marker);
            if let Some(key) = marker_key {
                self.store.put(SOMEBODY, &key, marker(&created_at));
            }
        }
    }

    fn keys(&self, node: &str, stream: &StreamId) -> Option<StreamKeys> {
        self.layout.keys(&NodeId::new(node), stream).ok()
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
        Deed::CreateStream(_)
        | Deed::DeleteStream(_)
        | Deed::Publish(..)
        | Deed::PublishBase(..)
        | Deed::Put(..)
        | Deed::Delete(_) => {}
    }
}
