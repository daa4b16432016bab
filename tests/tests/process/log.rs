//! The agent's log: its first line, what it says of changes and failures, and what it leaves to those who ask for it.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tidegate_tests::node::schema;
use tidegate_tests::place::Place;

use crate::{SETTLED, STORE, UNSETTLED, ended, nobody, staged};

#[test]
fn the_first_line_says_what_starts_on_what() -> Result<()> {
    let place = staged(&["app"])?;
    let ran = place.run(&["run", "--until-settled"])?;
    ended(&ran, SETTLED)?;
    let first = ran.stderr.lines().next().context("nothing is logged")?;
    let staging = place.path("staging").display().to_string();
    let store = format!("file://{}", place.path("store").display());
    for part in [
        "tidegate starts",
        env!("CARGO_PKG_VERSION"),
        "tidegate.toml",
        &staging,
        &store,
    ] {
        ensure!(first.contains(part), "no `{part}` in {first}");
    }
    Ok(())
}

#[test]
fn the_first_line_comes_before_policies_are_loaded() -> Result<()> {
    let place = staged(&[])?;
    place.configure("[policies.gone]\ncomponent = \"gone.wasm\"\n")?;
    let ran = place.run(&["run"])?;
    ensure!(
        ran.stderr.contains("tidegate starts") && ran.stderr.contains("gone.wasm"),
        "{ran:#?}"
    );
    Ok(())
}

#[test]
fn every_published_change_is_logged_though_the_phase_stays() -> Result<()> {
    let place = staged(&["app"])?;
    let mut agent = place.start(&["run", "--log", "info"])?;
    agent.logs(&["INFO", "app", "→ synced", "published the schema of 1 field"])?;
    place.stage(
        "app",
        &schema(&[("a", "Utf8"), ("b", "Int64"), ("c", "Utf8")]),
    )?;
    agent.logs(&["INFO", "app", "published 2 new fields (b: Int64, c: Utf8)"])?;
    Ok(())
}

#[test]
fn a_failed_attempt_is_a_warning() -> Result<()> {
    let place = staged(&[])?;
    place.stage("broken", "{\"fields\": [")?;
    let mut agent = place.start(&["run", "--log", "warn"])?;
    agent.logs(&["WARN", "broken", "attempt 1 failed", "next look in"])?;
    Ok(())
}

#[test]
fn one_cause_is_one_line_and_not_one_for_each_stream() -> Result<()> {
    let names: Vec<String> = (0..15).map(|number| format!("stream-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let place = staged(&names)?;
    place.configure_store(&nobody(), "")?;
    let ran = place.run(&["sync", "--log", "info"])?;
    ended(&ran, STORE)?;
    let lines: Vec<_> = ran.stderr.lines().collect();
    let of_streams = lines.iter().filter(|line| line.contains("stream-"));
    ensure!(of_streams.count() == 1, "{ran:#?}");
    ensure!(lines.len() <= 5, "{ran:#?}");
    Ok(())
}

#[test]
fn streams_that_fail_for_causes_of_their_own_have_lines_of_their_own() -> Result<()> {
    let place = staged(&[])?;
    for stream in ["one", "other"] {
        place.stage(stream, "{\"fields\": [")?;
    }
    let ran = place.run(&["sync", "--log", "warn"])?;
    ended(&ran, UNSETTLED)?;
    for stream in ["one", "other"] {
        let about = |line: &&str| line.ends_with(&format!("stream={stream}"));
        let lines: Vec<_> = ran.stderr.lines().filter(about).collect();
        ensure!(
            lines.len() == 1 && lines.concat().contains("attempt 1 failed"),
            "{ran:#?}"
        );
    }
    Ok(())
}

/// The places of a configuration that compiles its policies at each start.
fn without_cache() -> Result<Place> {
    let place = staged(&["app"])?;
    let path = place.path("tidegate.toml");
    let text = fs::read_to_string(&path)?;
    let lines = text.lines().filter(|line| !line.starts_with("cache = "));
    fs::write(&path, lines.collect::<Vec<_>>().join("\n"))?;
    Ok(place)
}

/// How many lines that only debugging asks for are logged by tidegate itself, and by other crates.
fn debugging(place: &Place, filter: &str) -> Result<(usize, usize)> {
    let ran = place.run(&["sync", "--log", filter, "--log-format", "json"])?;
    ended(&ran, SETTLED)?;
    let (mut own, mut others) = (0, 0);
    for line in ran.stderr.lines() {
        let line: Value = serde_json::from_str(line)?;
        let quiet = line["level"] == "WARN" || line["level"] == "ERROR";
        match line["target"].as_str().context("no target")? {
            target if target.starts_with("tidegate") => own += 1,
            _ => others += usize::from(!quiet),
        }
    }
    Ok((own, others))
}

#[test]
fn debugging_is_about_tidegate_unless_other_crates_are_asked_for() -> Result<()> {
    let (own, others) = debugging(&without_cache()?, "debug")?;
    ensure!(
        own > 0 && others == 0,
        "{own} lines, and {others} of others"
    );
    let (own, others) = debugging(&without_cache()?, "info,wasmtime=debug,cranelift=debug")?;
    ensure!(own > 0 && others > 0, "{own} lines, and {others} of others");
    Ok(())
}
