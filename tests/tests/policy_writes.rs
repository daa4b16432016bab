//! Objects that policies write: none is sent that is not on record, and none is left in the air.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tidegate::agent::Opening;
use tidegate::contract::Phase;
use tidegate::storage::Store;
use tidegate::stream::StreamId;
use tidegate::sync::{Event, Outcome};
use tidegate_tests::clock::StepClock;
use tidegate_tests::guests::guests;
use tidegate_tests::node::{Kind, Node, Running};
use tidegate_tests::s3::{self, Endpoint, Fault, Rule};
use tidegate_tests::stores::over;

fn app() -> StreamId {
    StreamId::new("app")
}

/// A node whose existence policy writes into `notes/`, beside an endpoint.
struct Case {
    endpoint: Endpoint,
    clock: Arc<StepClock>,
    node: Node,
}

impl Case {
    async fn new(act: &str) -> Result<Self> {
        let component = guests().join("hostile-writer.wasm");
        let tables = format!(
            r#"
[policies.writer]
component = {component:?}
settings = {{ act = "{act}", role = "existence" }}
limits = {{ deadline = "2s", host_calls = 100 }}
grants = {{ write = ["notes/"] }}
[sync]
existence = ["writer"]
fallback = ["never"]
"#
        );
        let endpoint = Endpoint::start().await?;
        let clock = Arc::new(StepClock::default());
        let mut node = Node::with(&over(&endpoint)?, Kind::Plain, "n1", &tables)?;
        node.store = Some(Store::open(&endpoint.settings(), Arc::clone(&clock) as _)?);
        node.stage_data(&app())?;
        Ok(Self {
            endpoint,
            clock,
            node,
        })
    }

    async fn open(&self) -> Result<Running> {
        let clock = Arc::clone(&self.clock) as _;
        let opening = Opening {
            clock,
            ..Opening::default()
        };
        Ok(self.node.try_open(opening).await?)
    }

    /// From now on this happens to requests of this kind for what the policy writes.
    fn break_notes(&self, kind: s3::Kind, fault: Fault) -> Result<()> {
        let rule = Rule::always(fault).on(kind).keys("notes/*")?;
        self.endpoint.faults().add(rule);
        Ok(())
    }
}

/// The host's notes of an attempt.
fn notes(outcome: &Outcome) -> Vec<&str> {
    let steps = outcome.story.steps.iter();
    steps
        .filter_map(|step| match step {
            Event::Note { text, .. } => Some(&**text),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn a_policy_is_told_what_became_of_a_write_whose_answer_was_lost() -> Result<()> {
    for (fault, told) in [
        (Fault::DropAfter, "absent: wrote 1 bytes"),
        (
            Fault::DropBefore,
            "absent: failed(StoreFailureKind::Unavailable)",
        ),
    ] {
        let case = Case::new("put").await?;
        let mut agent = case.open().await?;
        case.break_notes(s3::Kind::Put, fault)?;
        agent.pass().await?;
        let outcome = agent.expect(&app(), Phase::Awaiting)?;
        let verdicts = outcome.story.verdicts();
        ensure!(verdicts[0].contains(told), "{verdicts:?}");
        agent.close().await?;

        // Nothing is left to be read back.
        let mut agent = case.open().await?;
        agent.pass().await?;
        let outcome = agent.last(&app())?;
        ensure!(
            !notes(&outcome)
                .iter()
                .any(|note| note.contains("read back"))
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_stream_goes_on_only_when_a_write_that_outlived_its_decision_has_ended() -> Result<()> {
    let case = Case::new("put").await?;
    let mut agent = case.open().await?;
    case.break_notes(s3::Kind::Put, Fault::HangAfter)?;
    let mut hangs = case.endpoint.faults().hangs();
    {
        let mut pass = std::pin::pin!(agent.pass());
        tokio::select! {
            passed = &mut pass => anyhow::bail!("it did not wait: {passed:?}"),
            hung = hangs.changed() => hung?,
        }
        // The decision's deadline passes, the request's timeout does not.
        case.clock.advance(Duration::from_secs(3));
        for _ in 0..1_000 {
            tokio::select! {
                biased;
                passed = &mut pass => anyhow::bail!("it did not wait: {passed:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
        case.endpoint.faults().release();
        pass.await?;
    }
    let outcome = agent.last(&app())?;
    ensure!(
        notes(&outcome)
            .contains(&"policy `writer` was stopped while it wrote notes/x: 1 byte stored"),
        "{:?}",
        notes(&outcome)
    );
    Ok(())
}

#[tokio::test]
async fn a_write_of_unknown_outcome_is_read_back_before_the_streams_next_step() -> Result<()> {
    let case = Case::new("put").await?;
    let mut agent = case.open().await?;
    case.break_notes(s3::Kind::Put, Fault::DropAfter)?;
    case.break_notes(s3::Kind::Get, Fault::Answer(503, "ServiceUnavailable"))?;
    agent.pass().await?;
    agent.expect(&app(), Phase::Awaiting)?;
    agent.close().await?;

    // Still nobody can tell: the stream goes on, and the question stays.
    let mut agent = case.open().await?;
    agent.pass().await?;
    let outcome = agent.last(&app())?;
    let first = outcome.story.steps.first().context("no steps")?;
    ensure!(
        matches!(first, Event::Note { text, .. } if text.starts_with(
            "what policy `writer` wrote to notes/x had an unknown outcome; read back: store unavailable"
        )),
        "{first:?}"
    );
    ensure!(outcome.story.steps.len() > 1, "the stream did not go on");
    agent.close().await?;

    case.endpoint.faults().clear();
    let mut agent = case.open().await?;
    agent.pass().await?;
    let outcome = agent.last(&app())?;
    // The first agent's write, and the second's.
    for step in outcome.story.steps.iter().take(2) {
        ensure!(
            matches!(step, Event::Note { text, .. } if text.ends_with("read back: it stands there")),
            "{step:?}"
        );
    }
    agent.close().await?;

    let mut agent = case.open().await?;
    agent.pass().await?;
    ensure!(notes(&agent.last(&app())?).is_empty());
    Ok(())
}

#[tokio::test]
async fn no_policy_writes_to_a_store_that_was_never_probed() -> Result<()> {
    let case = Case::new("put").await?;
    case.endpoint.go_away().await;
    let mut agent = case.open().await?;
    case.endpoint.come_back().await?;
    agent.pass().await?;
    let verdicts = agent.last(&app())?.story.verdicts();
    ensure!(
        verdicts[0].contains("absent: failed(StoreFailureKind::Unavailable)"),
        "{verdicts:?}"
    );
    ensure!(case.endpoint.faults().requests().puts == 0);
    Ok(())
}

#[tokio::test]
async fn a_write_that_cannot_be_put_on_record_is_not_sent() -> Result<()> {
    let case = Case::new("put-forever").await?;
    let mut agent = case.open().await?;
    case.break_notes(s3::Kind::Put, Fault::DropAfter)?;
    case.break_notes(s3::Kind::Get, Fault::Answer(503, "ServiceUnavailable"))?;
    let before = case.endpoint.faults().requests().puts;
    agent.pass().await?;
    let sent = case.endpoint.faults().requests().puts - before;
    ensure!(
        sent == tidegate::ledger::OPEN_WRITES_MAX,
        "{sent} were sent"
    );
    Ok(())
}
