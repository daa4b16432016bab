//! A simulated world: nodes with their agents around one store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::chronicle::{Chronicle, Event};
use super::dice::Dice;
use super::executor::{Executor, Stuck};
use super::node::{Blueprint, SimulatedNode};
use super::store::{SimulatedStore, StoreBehaviour};
use crate::stream::NodeId;
use crate::tasks::Tasks;

/// Nodes, their store, and what happened. Everything in it is decided by its seed and by what is done to it.
#[derive(Debug)]
pub struct World {
    /// Its time.
    pub executor: Executor,
    /// Its store.
    pub store: Arc<SimulatedStore>,
    /// What happened.
    pub chronicle: Chronicle,
    nodes: BTreeMap<String, Arc<SimulatedNode>>,
    seed: u64,
}

impl World {
    /// A world with an empty store and no node. With `shuffled`, what could happen at the same moment happens in an order
    /// of the seed's, else in the order in which it was begun.
    pub fn new(seed: u64, shuffled: bool, behaviour: StoreBehaviour) -> Self {
        Self::told(seed, shuffled, behaviour, Chronicle::default())
    }

    /// A world whose chronicle is the caller's.
    pub fn told(
        seed: u64,
        shuffled: bool,
        behaviour: StoreBehaviour,
        chronicle: Chronicle,
    ) -> Self {
        let executor = Executor::new(shuffled.then(|| Dice::of(seed, "order")));
        let store = SimulatedStore::new(executor.clone(), behaviour, Dice::of(seed, "store"));
        let told = chronicle.clone();
        store.listen(Box::new(move |request| {
            told.tell(request.at, Event::Request(request));
        }));
        Self {
            executor,
            store,
            chronicle,
            nodes: BTreeMap::new(),
            seed,
        }
    }

    /// Adds a node, whose agent does not run yet.
    pub fn add_node(&mut self, id: &str, blueprint: Blueprint) -> Arc<SimulatedNode> {
        let node = Arc::new(SimulatedNode::new(
            NodeId::new(id),
            self.executor.clone(),
            Arc::clone(&self.store),
            blueprint,
            self.chronicle.clone(),
            self.seed,
        ));
        self.nodes.insert(id.to_owned(), Arc::clone(&node));
        node
    }

    /// The node of this name.
    pub fn node(&self, id: &str) -> Option<&Arc<SimulatedNode>> {
        self.nodes.get(id)
    }

    /// All nodes, in order of their names.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<SimulatedNode>> {
        self.nodes.values()
    }

    /// Starts a task of the world's own, which goes on as long as it likes.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.executor.start(Box::pin(task)).detach();
    }

    /// Lets time pass until then.
    ///
    /// # Errors
    ///
    /// Something goes round in circles.
    pub fn run_until(&self, time: Duration) -> Result<(), Stuck> {
        self.executor.run(self.executor.at(time))
    }
}

impl Drop for World {
    /// Agents hold the executor, and it holds them: without this neither would ever go.
    fn drop(&mut self) {
        for node in self.nodes.values() {
            node.end();
        }
        self.executor.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Settings, Source};
    use crate::contract::Phase;
    use crate::sandbox::Content;
    use crate::stream::StreamId;

    const SCHEMA: &str = r#"{"fields":[{"name":"a","data_type":"Utf8","nullable":true,"dict_id":0,"dict_is_ordered":false,"metadata":{}}],"metadata":{}}"#;

    async fn blueprint(text: &str) -> Blueprint {
        let source = Source::new("tidegate.toml", text).simulated();
        let settings = Settings::from_source(&source, &|_| None).unwrap();
        Blueprint::load(settings, None).await.unwrap()
    }

    fn digest_of(seed: u64, blueprint: &Blueprint) -> Vec<String> {
        let mut world = World::new(seed, true, StoreBehaviour::default());
        let node = world.add_node("n1", blueprint.clone());
        let app = StreamId::new("app");
        node.staging.put_schema(&app, Content::Whole(SCHEMA.into()));
        node.start();
        world.run_until(Duration::from_secs(3 * 3600)).unwrap();
        let stream = node.memory.stream(&app).unwrap();
        assert_eq!(stream.phase, Phase::Synced);
        let (entries, omitted) = world.chronicle.take();
        assert_eq!(omitted, 0);
        entries.iter().map(|entry| format!("{entry:?}")).collect()
    }

    #[tokio::test]
    async fn one_stream_is_published_and_verified_and_a_seed_is_the_same_run() {
        let blueprint = blueprint("[staging]\nlayout = \"plain\"\n").await;
        let run = digest_of(7, &blueprint);
        assert!(run.iter().any(|entry| entry.contains("operation: Create")));
        assert_eq!(run, digest_of(7, &blueprint));
        assert_ne!(run, digest_of(8, &blueprint));
    }

    #[tokio::test]
    async fn a_world_that_is_dropped_leaves_nothing() {
        let blueprint = blueprint("[staging]\nlayout = \"plain\"\n").await;
        for crashes in [false, true] {
            let mut world = World::new(1, true, StoreBehaviour::default());
            let node = world.add_node("n1", blueprint.clone());
            node.staging
                .put_schema(&StreamId::new("app"), Content::Whole(SCHEMA.into()));
            node.start();
            world.run_until(Duration::from_secs(20)).unwrap();
            if crashes {
                node.crash();
                node.start();
                world.run_until(Duration::from_secs(30)).unwrap();
            }
            let left = (Arc::downgrade(&node), Arc::downgrade(&world.store));
            let executor = world.executor.watch();
            drop((node, world));
            assert_eq!(
                (left.0.strong_count(), left.1.strong_count()),
                (0, 0),
                "{crashes}"
            );
            assert_eq!(executor.strong_count(), 0, "{crashes}");
        }
    }
}
