//! `tidegate policy test` as authors use it: the bundled policies' scenarios, reports, and the mistakes that people make.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use tidegate_tests::command::{Ran, command, tidegate};
use tidegate_tests::guests::guests;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// `tidegate policy …` in this directory.
fn policy(dir: &Path, arguments: &[&str]) -> Result<Ran> {
    tidegate(dir, &[&["policy"], arguments].concat())
}

const GOOD: &str = r#"
title = "A staged schema is published"
until = "10m"
[config.staging]
layout = "plain"
[[timeline]]
at = "0s"
do = "stage"
stream = "app"
fields = { id = "Int64" }
[[expect]]
stream = "app"
phase = "synced"
by = "1m"
"#;

#[test]
fn the_bundled_policies_live_through_their_scenarios() -> Result<()> {
    let mut directories = vec!["tests/scenarios".to_owned()];
    for plugin in fs::read_dir(root().join("plugins"))? {
        let name = plugin?.file_name();
        let scenarios = format!("plugins/{}/scenarios", name.to_string_lossy());
        if root().join(&scenarios).is_dir() {
            directories.push(scenarios);
        }
    }
    let directories: Vec<_> = directories.iter().map(String::as_str).collect();
    let ran = policy(
        &root(),
        &[&["test", "--json"], directories.as_slice()].concat(),
    )?;
    let report: Value = serde_json::from_str(&ran.stdout)?;
    let failed: Vec<_> = report["scenarios"]
        .as_array()
        .context("scenarios")?
        .iter()
        .filter(|scenario| scenario["passed"] != true)
        .map(|scenario| format!("{scenario:#}"))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(
        report["passed"].as_u64() >= Some(60),
        "{}",
        report["passed"]
    );
    assert_eq!(ran.code, Some(0));
    Ok(())
}

#[test]
fn the_same_scenarios_are_the_same_bytes() -> Result<()> {
    let run = || policy(&root(), &["test", "--json", "plugins/backoff/scenarios"]);
    let first = run()?;
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert_eq!(first, run()?);
    Ok(())
}

#[test]
fn a_failure_shows_what_came_and_what_happened_around_it() -> Result<()> {
    let dir = tempfile::tempdir()?;
    fs::write(dir.path().join("good.toml"), GOOD)?;
    let bad = GOOD.replace("\"synced\"", "\"provisional\"");
    fs::write(dir.path().join("bad.toml"), bad)?;
    let ran = policy(dir.path(), &["test", "."])?;
    assert_eq!(ran.code, Some(3));
    insta::assert_snapshot!(ran.stdout);

    let ran = policy(dir.path(), &["test", ".", "--filter", "good"])?;
    assert_eq!(ran.code, Some(0));
    assert_eq!(
        ran.stdout,
        "ok     good  A staged schema is published\n1 scenario: 1 as expected, 0 not\n"
    );

    let ran = policy(dir.path(), &["test", ".", "--junit", "report.xml"])?;
    assert_eq!(ran.code, Some(3));
    let junit = fs::read_to_string(dir.path().join("report.xml"))?;
    assert!(junit.contains("tests=\"2\" failures=\"1\""), "{junit}");
    assert!(
        junit.contains("expected app to be provisional by 0:01:00.000, but it was synced"),
        "{junit}"
    );
    Ok(())
}

#[test]
fn a_component_takes_the_place_of_a_configured_one() -> Result<()> {
    let dir = tempfile::tempdir()?;
    fs::write(dir.path().join("good.toml"), GOOD)?;
    let never = root().join("plugins/bundled/never.wasm");
    let never = format!("presence={}", never.display());
    let ran = policy(dir.path(), &["test", "good.toml", "--policy", &never])?;
    assert_eq!(
        ran.code,
        Some(5),
        "never fills no role of presence: {}",
        ran.stderr
    );
    let breaker = root().join("plugins/bundled/circuit-breaker.wasm");
    let breaker = format!("backoff={}", breaker.display());
    let ran = policy(dir.path(), &["test", "good.toml", "--policy", &breaker])?;
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    Ok(())
}

#[test]
fn scenarios_whose_policies_can_not_be_loaded_fail_and_the_others_run() -> Result<()> {
    let dir = tempfile::tempdir()?;
    fs::write(dir.path().join("good.toml"), GOOD)?;
    let refused = "\n[config.policies.backoff]\ncomponent = \"builtin:backoff\"\n\
                   settings = { factor = 0.5, fist = \"3s\" }\n";
    fs::write(dir.path().join("refused.toml"), format!("{GOOD}{refused}"))?;
    let ran = policy(dir.path(), &["test", ".", "--junit", "report.xml"])?;
    assert_eq!(ran.code, Some(5), "{}", ran.stderr);
    insta::assert_snapshot!(ran.stdout);
    let junit = fs::read_to_string(dir.path().join("report.xml"))?;
    assert!(
        junit.contains("tests=\"2\" failures=\"1\"")
            && junit.contains("expected the policies to load, but policy `backoff` refuses"),
        "{junit}"
    );
    Ok(())
}

#[test]
fn mistakes_are_told_with_their_places_and_nothing_runs() -> Result<()> {
    let dir = tempfile::tempdir()?;
    fs::write(dir.path().join("good.toml"), GOOD)?;
    fs::write(dir.path().join("key.toml"), format!("colour = 1{GOOD}"))?;
    fs::write(
        dir.path().join("late.toml"),
        GOOD.replace("\"0s\"", "\"1h\""),
    )?;
    fs::create_dir(dir.path().join("empty"))?;
    for (arguments, told) in [
        (
            &["test", "."][..],
            &[
                "./key.toml:1:1: unknown key `colour`",
                "./late.toml:7:6: happens after the end",
            ][..],
        ),
        (&["test", "nowhere.toml"], &["can't read nowhere.toml"]),
        (&["test", "empty"], &["there is no scenario"]),
        (
            &["test", "good.toml", "--filter", "xyz"],
            &["no scenario has `xyz`"],
        ),
        (
            &["test", "good.toml", "--policy", "mine=x.wasm"],
            &["no scenario has a policy named `mine`"],
        ),
        (
            &["test", "good.toml", "--policy", "mine"],
            &["write NAME=FILE.wasm"],
        ),
        (
            &["test", "good.toml", "--junit", "nowhere/x.xml"],
            &["can't write nowhere/x.xml"],
        ),
        (&["test"], &["required"]),
    ] {
        let ran = policy(dir.path(), arguments)?;
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.stderr);
        for told in told {
            assert!(ran.stderr.contains(told), "{arguments:?}: {}", ran.stderr);
        }
    }
    Ok(())
}

/// As exploration writes them.
const FOUND: &str = r#"
title = "every stream settles once nothing disturbs it (converges)"
seed = 75
until = "4h 31m 13s"
shuffle = true
[config.staging]
layout = "parseable"
[store]
conditions = "honoured"
[store.latency]
min = "20ms"
p50 = "20ms"
p99 = "20ms"
max = "20ms"
[[nodes]]
name = "n1"
[[timeline]]
at = "0s"
do = "create-stream"
stream = "web"
[[timeline]]
at = "8m 3s"
do = "stage"
node = "n1"
stream = "web"
[timeline.fields]
[[timeline]]
at = "8m 7s"
do = "delete-stream"
stream = "web"
[[expect]]
property = "converges"
"#;

#[test]
fn what_is_found_by_exploration_is_a_scenario() -> Result<()> {
    let dir = tempfile::tempdir()?;
    fs::write(dir.path().join("found.toml"), FOUND)?;
    let ran = policy(dir.path(), &["test", "found.toml"])?;
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);

    let short = FOUND.replace("4h 31m 13s", "1h");
    fs::write(dir.path().join("short.toml"), short)?;
    let ran = policy(dir.path(), &["test", "short.toml"])?;
    assert_eq!(ran.code, Some(3));
    let told = "short.toml:31: expected converges: every stream settles once nothing disturbs it";
    assert!(ran.stdout.contains(told), "{}", ran.stdout);

    let misspelled = FOUND.replace("\"converges\"", "\"convergs\"");
    fs::write(dir.path().join("misspelled.toml"), misspelled)?;
    let ran = policy(dir.path(), &["test", "misspelled.toml"])?;
    assert_eq!(ran.code, Some(2));
    let told = "misspelled.toml:32:12: `convergs` is no property; did you mean `converges`?";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    Ok(())
}

#[test]
fn exploring_what_holds_finds_nothing() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let ran = policy(dir.path(), &["explore", "--seeds", "5"])?;
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.stdout, "5 seeds from 0 on: every property holds\n");
    let none = policy(dir.path(), &["explore", "--seeds", "0"])?;
    assert_eq!(none.code, Some(2), "{}{}", none.stdout, none.stderr);
    fs::write(
        dir.path().join("slow.toml"),
        "[staging]\nlayout = \"plain\"\n[verify]\ninterval = \"365d\"\n",
    )?;
    let ran = policy(dir.path(), &["explore", "--config", "slow.toml"])?;
    assert_eq!(ran.code, Some(2), "{}{}", ran.stdout, ran.stderr);
    let told = "too long to be explored: a scenario takes 366 days at most";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    Ok(())
}

#[test]
fn the_published_json_schema_is_the_programs() -> Result<()> {
    let file = root().join("host/docs/scenario.schema.json");
    let schema = policy(&root(), &["schema"])?.stdout;
    if std::env::var_os("INSTA_UPDATE").is_some_and(|wanted| wanted == "always") {
        fs::write(&file, &schema)?;
    }
    assert_eq!(fs::read_to_string(&file)?, schema);
    Ok(())
}

/// A scenario in which the hostile guest judges existence and fails by this act.
fn hostile(act: &str) -> String {
    let component = guests().join("hostile.wasm");
    format!(
        "{GOOD}[[expect]]\nrole = \"existence\"\nverdicts = [\"present\"]\n[config.sync]\nexistence = [\"mine\"]\n\
         [config.policies.mine]\ncomponent = {component:?}\n\
         settings = {{ act = {act:?}, role = \"existence\", message = \"no luck\\u001b[31m\" }}\n"
    )
}

#[test]
fn a_policy_that_fails_is_told_in_every_kind_of_report() -> Result<()> {
    let dir = tempfile::tempdir()?;
    fs::write(dir.path().join("error.toml"), hostile("error"))?;
    let said = "guest-error: no luck\\u{1b}[31m";
    let ran = policy(dir.path(), &["test", ".", "--junit", "report.xml"])?;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let in_timeline = format!("mine failed in existence: {said}");
    let counted = "  mine failed ";
    let junit = fs::read_to_string(dir.path().join("report.xml"))?;
    for report in [&ran.stdout, &junit] {
        for told in [in_timeline.as_str(), counted, said] {
            assert!(report.contains(told), "{told} in {report}");
        }
    }
    assert!(!ran.stdout.contains('\u{1b}'), "{}", ran.stdout);

    let ran = policy(dir.path(), &["test", ".", "--json"])?;
    let report: Value = serde_json::from_str(&ran.stdout)?;
    let [calls] = report["scenarios"][0]["failed_calls"]
        .as_array()
        .context("failed_calls")?
        .as_slice()
    else {
        anyhow::bail!("one kind of failed calls: {}", ran.stdout);
    };
    assert_eq!(calls["policy"], "mine");
    assert_eq!(calls["role"], "existence");
    assert_eq!(calls["cause"], "guest-error");
    assert!(calls["calls"].as_u64() >= Some(1), "{calls}");
    assert_eq!(calls["message"], said);
    Ok(())
}

#[test]
fn a_policy_that_logs_without_end_fills_no_report() -> Result<()> {
    let dir = tempfile::tempdir()?;
    fs::write(dir.path().join("loop.toml"), hostile("log-forever"))?;
    let ran = policy(dir.path(), &["test", "."])?;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(
        ran.stdout.contains("mine failed in existence: out-of-fuel"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains(" earlier lines"), "{}", ran.stdout);
    assert!(ran.stdout.lines().count() < 100, "{}", ran.stdout);
    Ok(())
}

#[test]
fn what_was_compiled_is_kept_in_the_users_cache() -> Result<()> {
    let dir = tempfile::tempdir()?;
    fs::write(dir.path().join("good.toml"), GOOD)?;
    let test = |home: &Path| -> Result<Ran> {
        let mut command = command()?;
        command
            .env("HOME", home)
            .args(["policy", "test", "good.toml"]);
        Ok(command.current_dir(dir.path()).output()?.into())
    };
    let compiled = dir.path().join(".cache/tidegate/compiled");
    let ran = test(dir.path())?;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let kept = fs::read_dir(&compiled)?.count();
    assert!(kept >= 3, "{kept}");

    // A cache that can't be used costs a warning.
    fs::set_permissions(
        &compiled,
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )?;
    let ran = test(dir.path())?;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("the compile cache can't be used"),
        "{}",
        ran.stderr
    );
    Ok(())
}
