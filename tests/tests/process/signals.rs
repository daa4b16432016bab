//! Signals: which end the agent, with which code, and which must not.

use std::fs;
use std::net::TcpListener;

use anyhow::{Result, ensure};
use tidegate_tests::node::schema;

use crate::{SETTLED, STORE, UNSETTLED, nobody, staged};

const BROKEN: &str = "{\"fields\": [";

#[test]
fn a_hangup_is_logged_and_the_agent_goes_on() -> Result<()> {
    let place = staged(&["app"])?;
    let mut agent = place.start(&["run", "--log", "info"])?;
    agent.logs(&["app", "→ synced"])?;
    agent.signal("HUP")?;
    agent.logs(&["WARN", "SIGHUP is ignored", "restart the agent"])?;
    place.stage("late", &schema(&[("a", "Utf8")]))?;
    agent.logs(&["late", "→ synced"])?;
    agent.signal("TERM")?;
    ensure!(agent.ends()? == Some(SETTLED));
    Ok(())
}

#[test]
fn a_hangup_before_the_agent_is_ready_does_not_end_it() -> Result<()> {
    let place = staged(&[])?;
    fs::rename(place.path("staging"), place.path("later"))?;
    let mut agent = place.start(&["run", "--log", "info"])?;
    agent.logs(&["waiting for the node"])?;
    agent.signal("HUP")?;
    agent.logs(&["SIGHUP is ignored"])?;
    agent.signal("TERM")?;
    ensure!(agent.ends()? == Some(SETTLED), "it was asked to stop");
    Ok(())
}

#[test]
fn an_agent_that_is_asked_to_stop_ends_well_whatever_its_streams_are() -> Result<()> {
    let place = staged(&["app"])?;
    place.stage("broken", BROKEN)?;
    for signal in ["TERM", "INT"] {
        let mut agent = place.start(&["run", "--log", "info"])?;
        agent.logs(&["the agent runs"])?;
        agent.signal(signal)?;
        ensure!(agent.ends()? == Some(SETTLED), "SIG{signal}");
    }
    // It may wait for its next attempt; what is staged now is looked at.
    place.stage("broken", "{\"fields\": [[")?;
    let mut agent = place.start(&["run", "--until-settled", "--log", "info"])?;
    agent.logs(&["broken", "attempt"])?;
    agent.signal("TERM")?;
    ensure!(
        agent.ends()? == Some(UNSETTLED),
        "it was asked whether all is settled"
    );
    Ok(())
}

#[test]
fn an_agent_whose_store_is_away_ends_well_when_it_is_asked_to_stop() -> Result<()> {
    let place = staged(&["app"])?;
    place.configure_store(&nobody(), "")?;
    for (arguments, code) in [
        (&["run", "--log", "info"] as &[&str], SETTLED),
        (&["run", "--until-settled", "--log", "info"], STORE),
    ] {
        let mut agent = place.start(arguments)?;
        agent.logs(&["the agent runs"])?;
        agent.signal("TERM")?;
        ensure!(agent.ends()? == Some(code), "{arguments:?}");
    }
    Ok(())
}

#[test]
fn an_agent_that_is_stopped_while_it_asks_its_store_was_not_killed() -> Result<()> {
    let place = staged(&["app"])?;
    // It takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let endpoint = format!("http://{}", silent.local_addr()?);
    place.configure_store(&nobody().with_option("endpoint", &endpoint), "")?;
    let mut agent = place.start(&["run", "--log", "info"])?;
    let _held = silent.accept()?;
    agent.signal("TERM")?;
    agent.logs(&["a signal stops the agent"])?;
    ensure!(agent.ends()? == Some(SETTLED));
    let ran = place.run(&["status"])?;
    ensure!(ran.stdout.contains("it stopped cleanly"), "{ran:#?}");
    ensure!(ran.code == Some(UNSETTLED), "{ran:#?}");
    Ok(())
}
