//! What the agent does by itself as time goes by: it verifies, repairs where it may, and compares nodes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use object_store::ObjectStoreExt;
use tidegate::agent::{Opening, Until};
use tidegate::contract::Phase;
use tidegate::stream::StreamId;
use tidegate_tests::clock::StepClock;
use tidegate_tests::node::{Kind, Node, Running, schema};
use tidegate_tests::stores::memory;

const HOUR: Duration = Duration::from_secs(3_600);

/// How far time goes at once while the agent runs.
const STEP: Duration = Duration::from_secs(600);

fn app() -> StreamId {
    StreamId::new("app")
}

/// A node that published one stream and deleted what it had staged, its agent, and their time.
struct Case {
    node: Node,
    clock: Arc<StepClock>,
    agent: Running,
}

impl Case {
    async fn new(tables: &str) -> Result<Self> {
        let node = Node::with(&memory(), Kind::Plain, "n1", tables)?;
        node.stage(&app(), schema(&[("a", "Utf8")]))?;
        let clock = Arc::new(StepClock::default());
        let opening = Opening {
            clock: Arc::clone(&clock) as _,
            ..Opening::default()
        };
        let mut agent = node.try_open(opening).await?;
        agent.pass().await?;
        agent.expect(&app(), Phase::Synced)?;
        std::fs::remove_file(node.staged_path(&app()))?;
        agent.scan().await?;
        Ok(Self { node, clock, agent })
    }

    /// Lets the agent run for this long.
    async fn run(&mut self, length: Duration) -> Result<()> {
        let clock = Arc::clone(&self.clock);
        let stop = async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(5));
            for _ in 0..=length.as_secs() / STEP.as_secs() {
                ticks.tick().await;
                clock.advance(STEP);
            }
            ticks.tick().await;
        };
        self.agent.agent.run(Until::Told, stop).await?;
        Ok(())
    }

    async fn lose_the_object(&self) -> Result<()> {
        let key = self.node.keys(&app())?.schema;
        Ok(self.node.objects().delete(&key).await?)
    }
}

#[tokio::test]
async fn every_hour_the_agent_finds_what_the_store_lost_and_with_repairs_off_restores_nothing()
-> Result<()> {
    let mut case = Case::new("[verify]\nrepair = \"off\"\n").await?;
    // The early look after the write comes first, and finds all well.
    case.run(HOUR / 6).await?;
    case.lose_the_object().await?;
    case.run(HOUR).await?;
    case.agent.expect(&app(), Phase::Awaiting)?;
    ensure!(case.node.stored(&app()).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn the_agent_restores_what_the_store_lost() -> Result<()> {
    let mut case = Case::new("").await?;
    case.run(HOUR / 6).await?;
    case.lose_the_object().await?;
    case.run(HOUR).await?;
    case.agent.expect(&app(), Phase::Synced)?;
    ensure!(case.node.stored_fields(&app()).await? == Some(vec!["a".into()]));
    Ok(())
}

#[tokio::test]
async fn an_agent_that_is_told_so_verifies_nothing() -> Result<()> {
    let mut case = Case::new("[verify]\nenabled = false\n").await?;
    case.run(HOUR / 6).await?;
    let before = case.agent.requests();
    case.run(2 * HOUR).await?;
    ensure!(
        case.agent.requests() == before,
        "{:?}",
        case.agent.requests()
    );
    Ok(())
}

#[tokio::test]
async fn once_a_day_the_agent_compares_its_streams_with_all_their_nodes() -> Result<()> {
    let mut case = Case::new("").await?;
    case.run(HOUR).await?;
    let before = case.agent.requests();
    case.run(24 * HOUR).await?;
    let lists = case.agent.requests().lists - before.lists;
    ensure!(lists == 1, "{lists} listings of one stream in a day");
    Ok(())
}
