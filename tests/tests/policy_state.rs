//! What policies keep between decisions: every decision counts, also where several are made at once.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use tidegate::stream::StreamId;
use tidegate::sync::Outcome;
use tidegate_tests::guests::guests;
use tidegate_tests::node::{Kind, Node};
use tidegate_tests::stores::memory;

const STREAMS: usize = 4;

/// An existence policy that counts the node's decisions, and says of each which one it is.
fn counting() -> String {
    let component = guests().join("hostile.wasm");
    format!(
        r#"
[policies.counter]
component = {component:?}
settings = {{ act = "count", role = "existence" }}
[sync]
existence = ["counter"]
fallback = ["never"]
"#
    )
}

/// Which decision it was: the last one, since a decision that met another one is made again.
fn number(outcome: &Outcome) -> Option<u32> {
    let verdicts = outcome.story.verdicts();
    verdicts.iter().rev().find_map(|verdict| {
        let number = verdict.strip_prefix("existence (counter): absent: ")?;
        number.parse().ok()
    })
}

#[tokio::test]
async fn no_decision_is_lost_among_several_at_once_and_none_over_a_restart() -> Result<()> {
    let store = memory();
    let node = Node::with(&store, Kind::Plain, "n1", &counting())?;
    for stream in 0..STREAMS {
        node.stage_data(&StreamId::new(format!("s{stream}")))?;
    }
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        let mut agent = node.open().await?;
        agent.pass().await?;
        for (stream, outcome) in agent.outcomes() {
            let number = number(&outcome).with_context(|| format!("{stream}: {outcome:?}"))?;
            ensure!(seen.insert(number), "{number} was counted twice");
        }
        agent.close().await?;
    }
    ensure!(seen.len() >= 3 * STREAMS, "{seen:?}");
    ensure!(
        seen.last().copied() == u32::try_from(seen.len()).ok(),
        "{seen:?}"
    );
    Ok(())
}
