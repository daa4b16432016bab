//! What `host/docs/worked-example.md` says, done.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use tidegate_tests::command::tidegate;

fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("worked-example")
}

/// A directory with the example's files.
fn copied() -> Result<tempfile::TempDir> {
    let dir = tempfile::tempdir()?;
    for file in fs::read_dir(files())? {
        let file = file?;
        fs::copy(file.path(), dir.path().join(file.file_name()))?;
    }
    Ok(dir)
}

#[test]
fn exploring_finds_the_herd_and_the_scenario_that_it_writes_shows_it() -> Result<()> {
    let dir = copied()?;
    let dir = dir.path();
    let explored = ["policy", "explore", "--seed", "13", "--seeds", "1"];
    let found = tidegate(dir, &[&explored[..], &["--config", "fixed.toml"]].concat())?;
    assert_eq!(found.code, Some(3), "{}", found.stdout);
    ensure!(found.stdout.contains("spreads-retries-13.toml"));
    let shown = tidegate(dir, &["policy", "test", "spreads-retries-13.toml"])?;
    assert_eq!(shown.code, Some(3), "{}", shown.stdout);
    ensure!(shown.stdout.contains("are tried again after the same 30s"));
    Ok(())
}

#[test]
fn the_scenario_fails_with_the_fixed_delay_and_holds_with_the_bundled_strategy() -> Result<()> {
    let dir = copied()?;
    let dir = dir.path();
    let fixed = tidegate(dir, &["policy", "test", "herd.toml"])?;
    assert_eq!(fixed.code, Some(3), "{}", fixed.stdout);
    for expected in [
        "expected spreads-retries",
        "all 6 streams",
        "expected at most 100 requests",
    ] {
        ensure!(fixed.stdout.contains(expected), "{}", fixed.stdout);
    }
    let text = fs::read_to_string(dir.join("herd.toml"))?;
    fs::write(
        dir.join("herd.toml"),
        text.replace("fixed.toml", "backoff.toml"),
    )?;
    let backoff = tidegate(dir, &["policy", "test", "herd.toml"])?;
    assert_eq!(backoff.code, Some(0), "{}", backoff.stdout);
    Ok(())
}

#[test]
fn a_simulated_fleet_shows_whose_herd_is_larger() -> Result<()> {
    let dir = copied()?;
    let fleet = [
        "simulate",
        "--config",
        "fixed.toml",
        "--compare",
        "backoff.toml",
        "--scenario",
        "outage",
        "--nodes",
        "40",
        "--streams",
        "5",
        "--hours",
        "3",
        "--seed",
        "7",
    ];
    let compared = tidegate(dir.path(), &fleet)?;
    assert_eq!(compared.code, Some(0), "{}", compared.stdout);
    let verdict = compared.stdout.lines().next().unwrap_or_default();
    ensure!(
        verdict.contains("backoff.toml is better in") && verdict.contains("the herd after faults"),
        "{verdict}"
    );
    Ok(())
}
