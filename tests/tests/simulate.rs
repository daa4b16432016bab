//! What `tidegate simulate` prints and writes, and what it refuses.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use insta::assert_snapshot;
use tidegate_tests::command::tidegate;

/// A fleet that is played in a moment.
const SMALL: [&str; 9] = [
    "simulate",
    "--nodes",
    "4",
    "--streams",
    "2",
    "--hours",
    "3",
    "--scenario",
    "outage",
];

fn said(dir: &Path, arguments: &[&str]) -> Result<String> {
    Ok(tidegate(dir, arguments)?.shown(dir))
}

macro_rules! assert_said {
    ($name:literal, $said:expr) => {
        let said = $said;
        insta::with_settings!({filters => vec![
            // A build of the bundled policies with another compiler may take another instruction.
            (r#""fuel": \d+"#, "\"fuel\": N"),
            (r"(\nfuel +)[\d,.]+[^\n]*", "${1}N"),
        ]}, {
            assert_snapshot!($name, said);
        });
    };
}

#[test]
fn a_fleet_is_told_of_to_people_and_to_programs() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    let page = [&SMALL[..], &["--report", "out.html"]].concat();
    assert_said!("simulate", said(dir, &page)?);
    assert_said!(
        "simulate-json",
        said(dir, &[&SMALL[..], &["--json"]].concat())?
    );
    let html = fs::read_to_string(dir.join("out.html"))?;
    ensure!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
    assert_eq!(
        fs::read_dir(dir)?.count(),
        1,
        "nothing is left beside the report"
    );
    Ok(())
}

#[test]
fn two_configurations_are_compared_and_the_report_shows_both() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    fs::write(dir.join("a.toml"), "")?;
    fs::write(
        dir.join("b.toml"),
        "[policies.steady]\ncomponent = \"builtin:backoff\"\nsettings = { initial = \"30s\", factor = 1, max = \"30s\", jitter = \"none\" }\n[sync]\nretry = [\"steady\"]\n",
    )?;
    let arguments = [
        "--config",
        "a.toml",
        "--compare",
        "b.toml",
        "--report",
        "out.html",
    ];
    let ran = tidegate(dir, &[&SMALL[..], &arguments].concat())?;
    ensure!(ran.code == Some(0), "{}", ran.shown(dir));
    let verdict = ran.stdout.lines().next().context("a verdict")?;
    ensure!(verdict.contains("is better in"), "{verdict}");
    let html = fs::read_to_string(dir.join("out.html"))?;
    assert_eq!(
        html.matches("<h3>a.toml</h3>").count(),
        html.matches("<h3>b.toml</h3>").count()
    );
    Ok(())
}

#[test]
fn what_cannot_be_simulated_is_refused_before_anything_is() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    fs::write(dir.join("bad.toml"), "about = \"x\"\nclusters = 7\n")?;
    fs::write(
        dir.join("policy.toml"),
        "[policies.backoff]\ncomponent = \"builtin:backoff\"\nsettings = { tempo = 7 }\n",
    )?;
    let refused = |arguments: &[&str]| -> Result<String> {
        let ran = tidegate(dir, &[&["simulate"], arguments].concat())?;
        ensure!(ran.stdout.is_empty(), "{}", ran.stdout);
        Ok(ran.shown(dir))
    };
    assert_said!("simulate-too-many", refused(&["--nodes", "1000000"])?);
    assert_said!("simulate-no-scenario", refused(&["--scenario", "flood"])?);
    assert_said!(
        "simulate-bad-scenario",
        refused(&["--scenario", "bad.toml"])?
    );
    assert_said!(
        "simulate-too-short",
        refused(&["--scenario", "outage", "--hours", "2"])?
    );
    assert_said!(
        "simulate-no-report",
        refused(&["--report", "missing/out.html"])?
    );
    assert_said!(
        "simulate-bad-settings",
        refused(&["--config", "policy.toml"])?
    );
    assert_eq!(fs::read_dir(dir)?.count(), 2, "nothing was written");
    Ok(())
}
