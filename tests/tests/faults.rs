//! Stores that fail: what was to be written arrives all the same, once, and nobody else suffers.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use object_store::ObjectStoreExt;
use tidegate::agent::{AgentError, Opening, Until};
use tidegate::contract::{Failure, FailureKind, Phase, Trigger};
use tidegate::storage::{ConditionalWrites, Store};
use tidegate::stream::StreamId;
use tidegate::sync::Writes;
use tidegate::time::Clock;
use tidegate_tests::clock::StepClock;
use tidegate_tests::meddling::Meddling;
use tidegate_tests::node::{Kind, Node, Running, schema};
use tidegate_tests::s3::{self, Conditions, ETags, Endpoint, Fault, Rejection, Rule};
use tidegate_tests::stores::{memory, over};

/// Long enough for any machine; only a test that hangs gets there.
const BACKSTOP: Duration = Duration::from_secs(60);

fn app() -> StreamId {
    StreamId::new("app")
}

/// A node with a staged schema beside an endpoint, and an agent on a clock that the test moves.
struct Case {
    endpoint: Endpoint,
    clock: Arc<StepClock>,
    node: Node,
}

impl Case {
    async fn new() -> Result<Self> {
        Self::with("").await
    }

    /// With more tables of configuration.
    async fn with(tables: &str) -> Result<Self> {
        let endpoint = Endpoint::start().await?;
        let clock = Arc::new(StepClock::default());
        let mut node = Node::with(&over(&endpoint)?, Kind::Plain, "n1", tables)?;
        node.store = Some(Store::open(&endpoint.settings(), Arc::clone(&clock) as _)?);
        node.stage(&app(), schema(&[("a", "Utf8")]))?;
        Ok(Self {
            endpoint,
            clock,
            node,
        })
    }

    async fn open(&self) -> Result<Running> {
        let clock = Arc::clone(&self.clock) as _;
        Ok(self
            .node
            .try_open(Opening {
                clock,
                ..Opening::default()
            })
            .await?)
    }

    /// Lets the time come at which the stream is looked at next.
    async fn wait(&self, agent: &mut Running, at: Option<tidegate::time::Timestamp>) -> Result<()> {
        self.clock.advance_to(at.context("nothing is due")?);
        agent.settle().await;
        Ok(())
    }
}

fn store_failure(failure: Option<Failure>) -> Result<FailureKind> {
    match failure {
        Some(Failure::Store(failure)) => Ok(failure.kind),
        other => bail!("expected a failure of the store, not {other:?}"),
    }
}

#[tokio::test]
async fn a_store_that_is_down_at_start_is_waited_for() -> Result<()> {
    let case = Case::new().await?;
    case.endpoint.go_away().await;
    let mut agent = case.open().await?;
    ensure!(agent.agent.core().gate.get() == Writes::Unprobed);
    ensure!(!agent.pass().await?.settled);
    let kind = store_failure(agent.expect(&app(), Phase::Pending)?.failure)?;
    ensure!(kind == FailureKind::Unavailable, "{kind}");

    // Back again, and still nothing is written before it was probed.
    case.endpoint.come_back().await?;
    agent.look(Trigger::Requested).await;
    agent.expect(&app(), Phase::Pending)?;
    ensure!(case.endpoint.faults().requests().puts == 0);
    ensure!(case.node.stored(&app()).await?.is_none());

    // The agent probes by itself, and goes on without a restart.
    let running = agent.agent.run(Until::Settled, std::future::pending());
    let tally = tokio::time::timeout(BACKSTOP, moving(&case.clock, running)).await???;
    ensure!(tally.settled);
    ensure!(case.node.stored_fields(&app()).await? == Some(vec!["a".into()]));
    Ok(())
}

/// Lets a future run, and time pass in small steps while it waits.
async fn moving<T>(clock: &StepClock, future: impl Future<Output = T>) -> Result<T> {
    let mut future = std::pin::pin!(future);
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    loop {
        tokio::select! {
            result = &mut future => return Ok(result),
            _ = ticks.tick() => clock.advance(Duration::from_millis(100)),
        }
    }
}

#[tokio::test]
async fn a_store_that_throttles_is_given_the_time_it_asks_for() -> Result<()> {
    let case = Case::new().await?;
    let mut agent = case.open().await?;
    case.endpoint
        .faults()
        .add(Rule::always(Fault::Throttle(Some("120".into()))).on(s3::Kind::Put));
    agent.pass().await?;
    let outcome = agent.expect(&app(), Phase::Pending)?;
    ensure!(store_failure(outcome.failure.clone())? == FailureKind::Throttled);
    let wake = outcome.wake.context("never again")?;
    ensure!(
        wake.since(case.clock.now()) >= Duration::from_secs(120),
        "{wake}"
    );

    case.endpoint.faults().clear();
    case.clock.advance(Duration::from_secs(119));
    agent.settle().await;
    ensure!(agent.outcomes().is_empty(), "too early");
    case.wait(&mut agent, Some(wake)).await?;
    agent.expect(&app(), Phase::Synced)?;
    Ok(())
}

#[tokio::test]
async fn credentials_that_are_refused_are_told_and_tried_again() -> Result<()> {
    let case = Case::new().await?;
    let mut agent = case.open().await?;
    case.endpoint
        .faults()
        .add(Rule::always(Fault::Answer(403, "AccessDenied")));
    agent.pass().await?;
    let outcome = agent.expect(&app(), Phase::Pending)?;
    ensure!(store_failure(outcome.failure)? == FailureKind::PermissionDenied);
    let story = serde_json::to_string(&outcome.story)?;
    for secret in case.endpoint.secrets() {
        ensure!(!story.contains(secret), "{story}");
    }
    case.endpoint.faults().clear();
    case.wait(&mut agent, outcome.wake).await?;
    agent.expect(&app(), Phase::Synced)?;
    Ok(())
}

#[tokio::test]
async fn a_write_that_is_never_answered_is_read_back() -> Result<()> {
    let case = Case::new().await?;
    let mut agent = case.open().await?;
    case.endpoint
        .faults()
        .add(Rule::next(1, Fault::Hang).on(s3::Kind::Put));
    let timeout = case.node.settings.store.request_timeout;
    {
        let puts = case.endpoint.faults().requests().puts;
        let mut advanced = false;
        let mut pass = std::pin::pin!(agent.pass());
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        loop {
            tokio::select! {
                passed = &mut pass => { passed?; break }
                _ = ticks.tick() => {
                    if !advanced && case.endpoint.faults().requests().puts > puts {
                        advanced = true;
                        case.clock.advance(timeout);
                    }
                }
            }
        }
    }
    let outcome = agent.expect(&app(), Phase::Pending)?;
    ensure!(store_failure(outcome.failure)? == FailureKind::Timeout);
    let steps = serde_json::to_value(&outcome.story.steps)?;
    let methods: Vec<_> = steps
        .as_array()
        .context("no steps")?
        .iter()
        .filter_map(|step| step["method"].as_str())
        .collect();
    ensure!(methods.ends_with(&["CREATE", "GET"]), "{methods:?}");
    case.wait(&mut agent, outcome.wake).await?;
    agent.expect(&app(), Phase::Synced)?;
    Ok(())
}

#[tokio::test]
async fn a_response_that_is_lost_after_the_write_costs_no_second_write() -> Result<()> {
    for stands in [false, true] {
        let case = Case::new().await?;
        if stands {
            case.node.store(&app(), schema(&[("old", "Utf8")])).await?;
        }
        let mut agent = case.open().await?;
        let puts = case.endpoint.faults().requests().puts;
        case.endpoint
            .faults()
            .add(Rule::next(1, Fault::DropAfter).on(s3::Kind::Put));
        ensure!(agent.pass().await?.settled);
        let outcome = agent.expect(&app(), Phase::Synced)?;
        ensure!(outcome.failure.is_none());
        ensure!(case.endpoint.faults().requests().puts - puts == 1);
        let stream = agent
            .agent
            .core()
            .journal
            .load(&app())
            .await?
            .context("not kept")?;
        ensure!(stream.attempts == 0, "{} attempts", stream.attempts);
    }
    Ok(())
}

#[tokio::test]
async fn a_store_that_goes_away_and_comes_back_gets_everything_once() -> Result<()> {
    const STREAMS: usize = 12;
    let case = Case::new().await?;
    let mut agent = case.open().await?;
    agent.pass().await?;
    agent.expect(&app(), Phase::Synced)?;
    case.endpoint.go_away().await;
    let streams: Vec<_> = (0..STREAMS)
        .map(|at| StreamId::new(format!("s{at}")))
        .collect();
    for stream in &streams {
        case.node.stage(stream, schema(&[("a", "Utf8")]))?;
    }
    agent.scan().await?;
    let outcomes = agent.outcomes();
    ensure!(outcomes.len() == STREAMS);
    let mut latest = case.clock.now();
    for (stream, outcome) in outcomes {
        ensure!(
            outcome.phase == Phase::Pending,
            "{stream} is {}",
            outcome.phase
        );
        latest = latest.max(outcome.wake.context("never again")?);
    }
    case.endpoint.come_back().await?;
    let puts = case.endpoint.faults().requests().puts;
    case.wait(&mut agent, Some(latest)).await?;
    for stream in &streams {
        ensure!(
            case.node.stored_fields(stream).await? == Some(vec!["a".into()]),
            "{stream}"
        );
    }
    ensure!(agent.agent.tally().settled);
    ensure!(case.endpoint.faults().requests().puts - puts == STREAMS as u64);
    Ok(())
}

#[tokio::test]
async fn a_409_where_nothing_stands_is_tried_again() -> Result<()> {
    let case = Case::new().await?;
    let mut agent = case.open().await?;
    let conflict = Fault::Answer(409, "ConditionalRequestConflict");
    case.endpoint
        .faults()
        .add(Rule::next(2, conflict).on(s3::Kind::Put));
    ensure!(agent.pass().await?.settled);
    agent.expect(&app(), Phase::Synced)?;
    Ok(())
}

#[tokio::test]
async fn a_409_for_ever_is_left_to_the_retry_policy() -> Result<()> {
    let case = Case::new().await?;
    let mut agent = case.open().await?;
    let puts = case.endpoint.faults().requests().puts;
    let conflict = Fault::Answer(409, "ConditionalRequestConflict");
    case.endpoint
        .faults()
        .add(Rule::always(conflict).on(s3::Kind::Put));
    agent.pass().await?;
    let outcome = agent.expect(&app(), Phase::Pending)?;
    ensure!(store_failure(outcome.failure)? == FailureKind::PreconditionFailed);
    // The first, and three more.
    ensure!(case.endpoint.faults().requests().puts - puts == 4);
    Ok(())
}

#[tokio::test]
async fn no_fallback_is_placed_while_the_marker_or_a_peer_cannot_be_asked_for() -> Result<()> {
    const NAMED: &str = r#"
[sync]
allow_new_fields = true
[policies.ladder]
component = "builtin:ladder"
settings = { rungs = ["named:guess"] }
[schemas.guess]
inline = '{"fields":[],"metadata":{}}'
"#;
    for (kind, keys) in [
        (s3::Kind::List, "**"),
        (s3::Kind::Get, "bare/.stream/.ingestor.n2.schema"),
        (s3::Kind::Get, "bare/.stream/.ingestor.n1.stream.json"),
    ] {
        let mut case = Case::new().await?;
        let (store, bare) = (over(&case.endpoint)?, StreamId::new("bare"));
        case.node = Node::with(&store, Kind::Parseable, "n1", NAMED)?;
        case.node.store = Some(Store::open(
            &case.endpoint.settings(),
            Arc::clone(&case.clock) as _,
        )?);
        case.node.create(&bare).await?;
        case.node.stage_data(&bare)?;
        let peer = case.node.peer_key("n2", &bare)?;
        case.node
            .objects()
            .put(&peer, schema(&[("p", "Utf8")]).into())
            .await?;
        let mut agent = case.open().await?;
        let fault = Fault::Answer(500, "InternalError");
        case.endpoint
            .faults()
            .add(Rule::always(fault).on(kind).keys(keys)?);
        agent.pass().await?;
        let outcome = agent.expect(&bare, Phase::Awaiting)?;
        ensure!(case.node.stored(&bare).await?.is_none(), "{kind:?} {keys}");
        case.endpoint.faults().clear();
        case.wait(&mut agent, outcome.wake).await?;
        agent.expect(&bare, Phase::Provisional)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_store_that_ignores_conditions_is_refused() -> Result<()> {
    for conditions in [Conditions::Ignore, Conditions::LoseRaces] {
        let case = Case::new().await?;
        case.endpoint.faults().set_conditions(conditions);
        let error = case
            .node
            .try_open(Opening::default())
            .await
            .err()
            .context("not refused")?;
        ensure!(matches!(error, AgentError::Conditions { .. }), "{error}");
        ensure!(error.to_string().contains("best-effort"), "{error}");
        ensure!(case.node.stored(&app()).await?.is_none());
    }
    Ok(())
}

#[tokio::test]
async fn a_store_that_ignores_conditions_is_read_back_where_the_operator_accepts_it() -> Result<()>
{
    let mut case = Case::new().await?;
    case.endpoint.faults().set_conditions(Conditions::Ignore);
    case.node.settings.store.conditional_writes = ConditionalWrites::BestEffort;
    let mut agent = case.open().await?;
    ensure!(agent.agent.core().gate.get() == Writes::ReadBack);
    let before = case.endpoint.faults().requests();
    agent.pass().await?;
    agent.expect(&app(), Phase::Synced)?;
    let after = case.endpoint.faults().requests();
    ensure!(after.puts - before.puts == 1);
    // For the decision, for the condition, and to read back.
    ensure!(after.gets - before.gets == 3, "{after:?} after {before:?}");
    Ok(())
}

/// Every way in which a gateway rejects `If-None-Match` and `If-Match`, alone and together.
fn rejections() -> Vec<Rejection> {
    let all = Rejection::of_both(501, "NotImplemented");
    vec![
        all,
        Rejection::of_both(405, "MethodNotAllowed"),
        Rejection::of_both(400, "NotImplemented"),
        Rejection {
            creates: false,
            ..all
        },
        Rejection {
            updates: false,
            ..all
        },
    ]
}

#[tokio::test]
async fn a_store_that_rejects_conditions_is_refused_by_that_name() -> Result<()> {
    for rejection in rejections() {
        let case = Case::new().await?;
        let conditions = Conditions::Reject(rejection);
        case.endpoint.faults().set_conditions(conditions);
        let opened = case.node.try_open(Opening::default()).await;
        let error = opened.err().context("not refused")?;
        ensure!(matches!(error, AgentError::Conditions { .. }), "{error}");
        let text = error.to_string();
        ensure!(text.contains("rejects conditional"), "{text}");
        ensure!(text.contains("best-effort"), "{text}");
        ensure!(case.node.stored(&app()).await?.is_none());
    }
    Ok(())
}

#[tokio::test]
async fn schemas_are_published_to_a_store_that_rejects_conditions_where_the_operator_accepts_it()
-> Result<()> {
    for rejection in rejections() {
        let mut case = Case::new().await?;
        let conditions = Conditions::Reject(rejection);
        case.endpoint.faults().set_conditions(conditions);
        case.node.settings.store.conditional_writes = ConditionalWrites::BestEffort;
        let mut agent = case.open().await?;
        ensure!(agent.agent.core().gate.get() == Writes::ReadBack);
        agent.pass().await?;
        agent.expect(&app(), Phase::Synced)?;
        // Another writer's field is merged, not overwritten.
        case.node
            .store(&app(), schema(&[("a", "Utf8"), ("theirs", "Int64")]))
            .await?;
        case.node
            .stage(&app(), schema(&[("a", "Utf8"), ("b", "Utf8")]))?;
        agent.scan().await?;
        agent.expect(&app(), Phase::Synced)?;
        let expected = ["a", "b", "theirs"].map(str::to_owned).to_vec();
        ensure!(
            case.node.stored_fields(&app()).await? == Some(expected),
            "{rejection:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_writer_between_the_check_and_the_write_is_merged_after_the_read_back() -> Result<()> {
    let mut case = Case::new().await?;
    let conditions = Conditions::Reject(Rejection::of_both(501, "NotImplemented"));
    case.endpoint.faults().set_conditions(conditions);
    case.node.settings.store.conditional_writes = ConditionalWrites::BestEffort;
    let mut agent = case.open().await?;
    // The answer to the write is lost, and another writer replaces what was written before it is read back.
    let lost = Rule::next(1, Fault::HangAfter)
        .on(s3::Kind::Put)
        .keys("app/**")?;
    case.endpoint.faults().add(lost);
    let mut hangs = case.endpoint.faults().hangs();
    let passing = async {
        agent.pass().await?;
        anyhow::Ok(())
    };
    let meddling = async {
        hangs.wait_for(|hung| *hung == 1).await?;
        let key = case.node.keys(&app())?.schema;
        let theirs = schema(&[("theirs", "Int64")]);
        case.endpoint
            .meddle(key.as_ref(), Some(theirs.into()))
            .await?;
        case.endpoint.faults().release();
        anyhow::Ok(())
    };
    tokio::try_join!(passing, meddling)?;
    // What was published is lost for the moment, and the agent knows it: the write's outcome was unknown.
    let outcome = agent.last(&app())?;
    case.wait(&mut agent, outcome.wake).await?;
    agent.expect(&app(), Phase::Synced)?;
    let expected = ["a", "theirs"].map(str::to_owned).to_vec();
    ensure!(case.node.stored_fields(&app()).await? == Some(expected));
    Ok(())
}

#[tokio::test]
async fn weak_etags_do_not_make_a_stream_lose_every_race() -> Result<()> {
    for weak in [
        vec![s3::Kind::Head],
        vec![s3::Kind::Get],
        vec![s3::Kind::Head, s3::Kind::Get],
    ] {
        let case = Case::new().await?;
        for kind in &weak {
            case.endpoint.faults().set_etags(*kind, ETags::Weak);
        }
        case.node
            .store(&app(), schema(&[("theirs", "Int64")]))
            .await?;
        let mut agent = case.open().await?;
        ensure!(
            agent.agent.core().gate.get() == Writes::Conditional,
            "{weak:?}"
        );
        agent.pass().await?;
        agent.expect(&app(), Phase::Synced)?;
        let expected = ["a", "theirs"].map(str::to_owned).to_vec();
        ensure!(
            case.node.stored_fields(&app()).await? == Some(expected),
            "{weak:?}"
        );
        // A later look finds that nothing changed, without downloading the object.
        let before = case.endpoint.faults().requests();
        agent.look(Trigger::Verification).await;
        agent.expect(&app(), Phase::Synced)?;
        let after = case.endpoint.faults().requests();
        ensure!(
            after.gets == before.gets,
            "{weak:?}: {after:?} after {before:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn nothing_is_written_to_a_bucket_that_does_not_exist() -> Result<()> {
    let mut case = Case::new().await?;
    case.node.settings.store = tidegate::storage::StoreSettings {
        url: "s3://misspelt".to_owned(),
        ..case.endpoint.settings()
    };
    let clock = Arc::clone(&case.clock) as _;
    case.node.store = Some(Store::open(&case.node.settings.store, clock)?);
    let mut agent = case.open().await?;
    ensure!(agent.agent.core().gate.get() == Writes::Unprobed);
    ensure!(!agent.pass().await?.settled);
    let kind = store_failure(agent.last(&app())?.failure)?;
    ensure!(kind == FailureKind::NotFound, "{kind}");
    ensure!(case.endpoint.faults().requests().puts == 0);
    Ok(())
}

#[tokio::test]
async fn one_streams_hanging_requests_delay_no_other_stream() -> Result<()> {
    let case = Case::new().await?;
    // Many, before and behind it: whatever the order of a scan, some of them come first.
    for number in 0..8 {
        for name in [format!("a-slow-{number}"), format!("z-slow-{number}")] {
            case.node
                .stage(&StreamId::new(name.as_str()), schema(&[("a", "Utf8")]))?;
        }
    }
    let mut agent = case.open().await?;
    case.endpoint
        .faults()
        .add(Rule::always(Fault::Hang).keys("*-slow-*/**")?);
    let (sender, mut synced) = tokio::sync::mpsc::unbounded_channel();
    agent
        .agent
        .scheduler()
        .observe(Box::new(move |id, outcome| {
            let Ok(outcome) = outcome else { return };
            // The receiver outlives the agent.
            let _ = sender.send((id.clone(), outcome.phase));
        }));
    // Time stands still, so nothing but an answer ends an attempt.
    let first = async {
        tokio::select! {
            passed = agent.pass() => bail!("it came to an end: {passed:?}"),
            first = synced.recv() => first.context("no attempt ended"),
        }
    };
    let first = tokio::time::timeout(BACKSTOP, first).await??;
    ensure!(first == (app(), Phase::Synced), "{first:?}");
    Ok(())
}

#[tokio::test]
async fn no_policy_makes_the_host_hammer_the_store() -> Result<()> {
    const PER_SECOND: u32 = 10;
    const BURST: u32 = 20;
    const ENOUGH: u64 = 120;
    // Policies that would try again at once, for ever.
    let eager = r#"
[sync]
bounds = { min_delay = "1ms", max_delay = "1ms" }
[policies.backoff]
component = "builtin:backoff"
settings = { initial = "1ms", max = "1ms", jitter = "none" }
"#;
    let store = memory();
    let clock = Arc::new(StepClock::default());
    let mut node = Node::with(&store, Kind::Plain, "n1", eager)?;
    for at in 0..20 {
        node.stage(&StreamId::new(format!("s{at}")), schema(&[("a", "Utf8")]))?;
    }
    let mut settings = store.settings.clone();
    settings.requests_per_second = NonZeroU32::new(PER_SECOND).context("zero")?;
    settings.burst = NonZeroU32::new(BURST).context("zero")?;
    let limited = Store::with_object_store(
        Meddling::failing(&store.objects),
        store.store.id().clone(),
        &settings,
        Arc::clone(&clock) as _,
    );
    node.store = Some(limited.clone());
    node.settings.store.conditional_writes = ConditionalWrites::BestEffort;
    let opening = Opening {
        clock: Arc::clone(&clock) as _,
        ..Opening::default()
    };
    let work = async {
        let mut agent = node.try_open(opening).await?;
        agent.agent.run(Until::Told, std::future::pending()).await?;
        anyhow::Ok(())
    };
    let mut work = std::pin::pin!(work);
    // Time passes ten times as fast as it does: far slower than such policies would try again if nothing held them.
    let passing = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        while limited.requests().total() < ENOUGH {
            tokio::select! {
                ended = &mut work => bail!("ended: {ended:?}"),
                _ = ticks.tick() => clock.advance(Duration::from_millis(10)),
            }
        }
        Ok(())
    };
    tokio::time::timeout(BACKSTOP, passing).await??;
    let sent = limited.requests().total();
    let allowed = u64::from(BURST) + clock.monotonic().as_secs() * u64::from(PER_SECOND);
    ensure!(
        sent <= allowed + u64::from(PER_SECOND),
        "{sent} requests in {:?}",
        clock.monotonic()
    );
    Ok(())
}

#[tokio::test]
async fn policies_are_told_what_the_host_saw_and_since_when() -> Result<()> {
    let case = Case::new().await?;
    let begin = case.clock.now();
    let bare = StreamId::new("bare");
    case.node.stage_data(&bare)?;
    for _ in 0..2 {
        let mut agent = case.open().await?;
        agent.pass().await?;
        // The last look of a pass may be one at the store alone.
        let mut looks = agent.outcomes().into_iter().rev();
        let facts = looks
            .find_map(|(id, outcome)| outcome.story.facts.filter(|_| id == bare))
            .context("nobody was asked")?;
        ensure!(
            facts.node_seen == begin,
            "grace counts from the first sight"
        );
        let first = facts.oldest_data_file.context("no word about the data")?;
        case.clock.advance(Duration::from_secs(5));
        agent.scan().await?;
        agent.look(Trigger::Requested).await;
        let facts = agent.last(&bare)?.story.facts.context("nobody was asked")?;
        ensure!(facts.oldest_data_file == Some(first));
        agent.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn policies_are_told_how_many_streams_the_store_fails() -> Result<()> {
    let down = || Rule::always(Fault::Answer(500, "InternalError"));
    // Reads that are answered beside writes that are not make no healthy store.
    for rule in [down(), down().on(s3::Kind::Put)] {
        let case = Case::new().await?;
        let mut agent = case.open().await?;
        case.endpoint.faults().add(rule);
        agent.pass().await?;
        let told = agent.last(&app())?;
        ensure!(told.phase == Phase::Pending, "{}", told.phase);
        let health = agent.agent.core().health.facts();
        let found = (health.failing_streams, health.last_success);
        ensure!(found == (1, None), "{health:?}");
        case.endpoint.faults().clear();
        case.wait(&mut agent, told.wake).await?;
        agent.expect(&app(), Phase::Synced)?;
        let health = agent.agent.core().health.facts();
        let found = (health.failing_streams, health.last_success);
        ensure!(found == (0, Some(case.clock.now())), "{health:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_clock_that_steps_back_delays_nothing() -> Result<()> {
    let case = Case::new().await?;
    let mut agent = case.open().await?;
    case.endpoint
        .faults()
        .add(Rule::always(Fault::Answer(500, "InternalError")).on(s3::Kind::Put));
    agent.pass().await?;
    let outcome = agent.expect(&app(), Phase::Pending)?;
    let delay = outcome.wake.context("never again")?.since(case.clock.now());
    case.endpoint.faults().clear();
    case.clock.step_back(Duration::from_secs(10 * 365 * 86_400));
    case.clock.advance(delay + Duration::from_millis(1));
    agent.settle().await;
    agent.expect(&app(), Phase::Synced)?;
    Ok(())
}

#[tokio::test]
async fn a_clock_that_stepped_back_before_a_restart_delays_for_no_longer_than_allowed() -> Result<()>
{
    let case = Case::new().await?;
    let mut agent = case.open().await?;
    case.endpoint
        .faults()
        .add(Rule::always(Fault::Answer(500, "InternalError")).on(s3::Kind::Put));
    agent.pass().await?;
    agent.expect(&app(), Phase::Pending)?;
    agent.close().await?;

    case.endpoint.faults().clear();
    case.clock.step_back(Duration::from_secs(10 * 365 * 86_400));
    let mut agent = case.open().await?;
    agent.settle().await;
    let rules = &case.node.settings.streams.rules;
    case.clock
        .advance(rules.longest_wait() + Duration::from_millis(1));
    agent.settle().await;
    agent.expect(&app(), Phase::Synced)?;
    Ok(())
}

#[tokio::test]
async fn a_restaged_file_after_a_clock_stepped_back_delays_for_no_longer_than_allowed() -> Result<()>
{
    let case = Case::new().await?;
    let mut agent = case.open().await?;
    case.endpoint
        .faults()
        .add(Rule::always(Fault::Answer(500, "InternalError")).on(s3::Kind::Put));
    agent.pass().await?;
    agent.expect(&app(), Phase::Pending)?;
    case.endpoint.faults().clear();
    case.clock.step_back(Duration::from_secs(10 * 365 * 86_400));
    // The same schema again: it waits on, for what is left of its delay.
    case.node.stage(&app(), schema(&[("a", "Utf8")]))?;
    agent.scan().await?;
    agent.expect(&app(), Phase::Pending)?;
    let rules = &case.node.settings.streams.rules;
    case.clock
        .advance(rules.longest_wait() + Duration::from_millis(1));
    agent.settle().await;
    agent.expect(&app(), Phase::Synced)?;
    Ok(())
}

#[tokio::test]
async fn an_abandoned_stream_begins_again_with_the_agent() -> Result<()> {
    let resigned = r#"
[policies.backoff]
component = "builtin:backoff"
settings = { max-attempts = 1 }
"#;
    let case = Case::with(resigned).await?;
    let mut agent = case.open().await?;
    case.endpoint
        .faults()
        .add(Rule::always(Fault::Answer(403, "AccessDenied")).on(s3::Kind::Put));
    agent.scan().await?;
    agent.expect(&app(), Phase::Abandoned)?;
    // Neither time nor another scan brings it back.
    case.endpoint.faults().clear();
    case.clock.advance(Duration::from_secs(86_400));
    agent.scan().await?;
    ensure!(agent.outcomes().is_empty());
    agent.close().await?;

    // The node deletes what it staged.
    std::fs::remove_dir_all(
        case.node
            .staged_path(&app())
            .parent()
            .context("no folder")?,
    )?;
    let mut agent = case.open().await?;
    agent.scan().await?;
    agent.expect(&app(), Phase::Synced)?;
    ensure!(case.node.stored_fields(&app()).await? == Some(vec!["a".into()]));
    Ok(())
}

#[tokio::test]
async fn a_circuit_breaker_spares_a_store_that_fails_for_many_streams() -> Result<()> {
    const STREAMS: usize = 20;
    const OUTAGE: Duration = Duration::from_secs(600);
    let mut sent = Vec::new();
    for chain in [r#"["backoff"]"#, r#"["circuit-breaker", "backoff"]"#] {
        let case = Case::with(&format!("[sync]\nretry = {chain}\n")).await?;
        for stream in 0..STREAMS {
            let stream = StreamId::new(format!("s{stream}"));
            case.node.stage(&stream, schema(&[("a", "Utf8")]))?;
        }
        let mut agent = case.open().await?;
        let down = Fault::Answer(500, "InternalError");
        case.endpoint
            .faults()
            .add(Rule::always(down).on(s3::Kind::Put));
        let before = case.endpoint.faults().requests().puts;
        agent.scan().await?;
        for _ in 0..OUTAGE.as_secs() {
            case.clock.advance(Duration::from_secs(1));
            agent.settle().await;
        }
        sent.push(case.endpoint.faults().requests().puts - before);

        // Nobody is forgotten when it is over.
        case.endpoint.faults().clear();
        for _ in 0..OUTAGE.as_secs() {
            case.clock.advance(Duration::from_secs(1));
            agent.settle().await;
        }
        let tally = agent.agent.tally();
        ensure!(tally.of(Phase::Synced) == STREAMS as u32 + 1, "{tally:?}");
    }
    let [alone, sparing] = sent[..] else {
        bail!("two chains")
    };
    ensure!(
        sparing * 2 <= alone,
        "{sparing} puts with it, {alone} without"
    );
    Ok(())
}
