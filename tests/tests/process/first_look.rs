//! A first look that the limit on requests makes long is announced, with the setting to change.

use anyhow::{Result, ensure};
use tidegate::storage::StoreSettings;
use tidegate::stream::StreamId;
use tidegate_tests::node::{Kind, Node, schema};
use tidegate_tests::place::Place;
use tidegate_tests::stores::memory;

use crate::staged;

/// More streams than are looked at in a minute.
fn many() -> Result<Place> {
    let names: Vec<String> = (0..40).map(|number| format!("s{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let place = staged(&names)?;
    let store = StoreSettings::new(format!("file://{}", place.path("store").display()));
    place.configure_store(&store, "requests_per_second = 1\nburst = 1\n")?;
    Ok(place)
}

const SAID: [&str; 2] = [
    "40 streams are not known yet: the first look at them takes about",
    "raise `store.requests_per_second`",
];

#[test]
fn a_check_says_how_long_the_first_look_will_take() -> Result<()> {
    let place = many()?;
    let ran = place.run(&["check"])?;
    for part in SAID {
        ensure!(ran.stdout.contains(part), "no `{part}` in {ran:#?}");
    }
    Ok(())
}

#[test]
fn the_status_says_how_long_the_rest_of_the_first_look_will_take() -> Result<()> {
    let place = many()?;
    // A stream that was looked at, so that there is a ledger.
    place.run(&["sync", "s1", "--log", "off"])?;
    let ran = place.run(&["status"])?;
    ensure!(
        ran.stdout.contains("39 streams are not known yet"),
        "{ran:#?}"
    );
    Ok(())
}

#[test]
fn an_agent_says_how_long_its_first_look_will_take() -> Result<()> {
    let place = many()?;
    let mut agent = place.start(&["run"])?;
    agent.logs(&SAID)?;
    Ok(())
}

/// The most requests for a stream that the node creates, and those for one whose schema the store already holds.
#[tokio::test]
async fn a_first_look_costs_the_requests_that_are_reckoned_with() -> Result<()> {
    for (kind, created, found) in [(Kind::Parseable, 6, 2), (Kind::Plain, 3, 1)] {
        let store = memory();
        let first = Node::with(&store, kind, "n1", "")?;
        let streams: Vec<_> = (0..5).map(|n| StreamId::new(format!("s{n}"))).collect();
        let again = Node::with(&store, kind, "n1", "")?;
        for stream in &streams {
            first.create(stream).await?;
            for node in [&first, &again] {
                node.stage(stream, schema(&[("a", "Utf8")]))?;
            }
        }
        for (node, each) in [(first, created), (again, found)] {
            let mut agent = node.open().await?;
            let before = agent.requests().total();
            agent.scan().await?;
            let requests = agent.requests().total() - before;
            ensure!(
                requests == each * 5,
                "{kind:?}: {requests} requests, not {each} a stream"
            );
        }
    }
    Ok(())
}
