//! Which streams are attended to, and when.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use object_store::ObjectStoreExt;
use tidegate::agent::Opening;
use tidegate::contract::{Phase, Trigger};
use tidegate::stream::StreamId;
use tidegate_tests::clock::StepClock;
use tidegate_tests::node::{Kind, Node, schema};
use tidegate_tests::s3::{self, Endpoint, Fault, Rule};
use tidegate_tests::stores::{memory, over};

fn app() -> StreamId {
    StreamId::new("app")
}

#[tokio::test]
async fn a_rule_leaves_its_streams_alone() -> Result<()> {
    const RULE: &str = "[[rules]]\nstreams = [\"mine-*\"]\nignore = true\n";
    let store = memory();
    let (node, app) = (Node::with(&store, Kind::Plain, "n1", RULE)?, app());
    let mine = StreamId::new("mine-1");
    for stream in [&app, &mine] {
        node.stage(stream, schema(&[("a", "Utf8")]))?;
    }
    let mut agent = node.open().await?;
    ensure!(agent.pass().await?.settled);
    ensure!(agent.outcomes().iter().all(|(stream, _)| *stream == app));
    ensure!(node.stored(&app).await?.is_some() && node.stored(&mine).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn what_an_operator_asks_for_is_not_lost_among_what_a_scan_finds() -> Result<()> {
    let store = memory();
    let (node, app) = (Node::new(&store, Kind::Plain)?, app());
    node.stage(&app, schema(&[("a", "Utf8")]))?;
    let mut agent = node.open().await?;
    agent.pass().await?;
    agent.expect(&app, Phase::Synced)?;
    node.objects().delete(&node.keys(&app)?.schema).await?;
    agent
        .agent
        .scheduler()
        .look_at_all(Trigger::Requested, |_, _| true);
    node.stage(&app, schema(&[("a", "Utf8")]))?;
    agent.scan().await?;
    let outcome = agent.last(&app)?;
    ensure!(
        outcome.story.trigger == Trigger::Requested,
        "{:?}",
        outcome.story
    );
    ensure!(
        node.stored(&app).await?.is_some(),
        "nobody looked at the store"
    );
    Ok(())
}

#[tokio::test]
async fn a_scan_that_is_cut_short_takes_no_stream_for_gone() -> Result<()> {
    let store = memory();
    let mut node = Node::with(&store, Kind::Plain, "n1", "[sync]\nfallback = []\n")?;
    let streams = [app(), StreamId::new("other")];
    for stream in &streams {
        node.stage_data(stream)?;
    }
    let mut agent = node.open().await?;
    agent.pass().await?;
    agent.close().await?;
    node.settings.staging.max_streams = 1;
    let mut agent = node.open().await?;
    agent.scan().await?;
    let owed = agent.agent.tally().of(Phase::Awaiting);
    ensure!(owed == 2, "{owed} of 2 are still owed a schema");
    Ok(())
}

#[tokio::test]
async fn the_work_of_a_start_is_spread_over_its_window() -> Result<()> {
    const STREAMS: usize = 50;
    let (store, clock) = (memory(), Arc::new(StepClock::default()));
    let node = Node::new(&store, Kind::Plain)?;
    for number in 0..STREAMS {
        let stream = StreamId::new(format!("s{number}").as_str());
        node.stage(&stream, schema(&[("a", "Utf8")]))?;
    }
    let opening = Opening {
        clock: Arc::clone(&clock) as _,
        ..Opening::default()
    };
    let mut agent = node.try_open(opening).await?;
    agent.agent.scheduler().spread(Duration::from_secs(30));
    agent.scan().await?;
    let at_once = agent.outcomes().len();
    ensure!(at_once < STREAMS / 2, "{at_once} streams at once");
    // A small node does not use up the whole window.
    clock.advance(tidegate::sync::SPREAD_PER_STREAM * u32::try_from(STREAMS)?);
    agent.settle().await;
    ensure!(at_once + agent.outcomes().len() == STREAMS);
    Ok(())
}

#[tokio::test]
async fn a_stream_is_attended_to_once_at_a_time() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    let (node, app) = (Node::new(&over(&endpoint)?, Kind::Plain)?, app());
    node.stage(&app, schema(&[("a", "Utf8")]))?;
    let mut agent = node.open().await?;
    let faults = endpoint.faults();
    faults.add(Rule::next(1, Fault::Hang).on(s3::Kind::Put));
    let mut hangs = faults.hangs();
    agent.agent.scheduler().scan().await?;
    agent.agent.scheduler().start_due();
    hangs.changed().await?;

    // What comes meanwhile waits for its turn.
    let before = faults.requests();
    node.stage(&app, schema(&[("a", "Utf8"), ("b", "Utf8")]))?;
    for _ in 0..100 {
        let scheduler = agent.agent.scheduler();
        scheduler.scan().await?;
        scheduler.look_at_all(Trigger::Requested, |_, _| true);
        scheduler.start_due();
    }
    ensure!(faults.requests() == before, "{:?}", faults.requests());

    faults.release();
    agent.settle().await;
    ensure!(node.stored_fields(&app).await? == Some(vec!["a".into(), "b".into()]));
    Ok(())
}
