//! `tidegate policy bench`, as authors use it. How long anything takes is not looked at.

use std::path::Path;

use anyhow::{Context, Result};
use tidegate_tests::command::{Ran, tidegate};

/// In the repository, for as short a time as possible.
fn bench(arguments: &[&str]) -> Result<Ran> {
    let mut all = vec!["policy", "bench", "--time", "1ms"];
    all.extend(arguments);
    tidegate(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &all)
}

#[test]
fn a_policy_is_shown_beside_the_bundled_one_of_its_role() -> Result<()> {
    let ran = bench(&["builtin:circuit-breaker"])?;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stdout.starts_with("circuit-breaker 0.1.0 ("),
        "{}",
        ran.stdout
    );
    for row in [
        "A DECISION",
        "fresh instance, half of them",
        "fresh instance, 99 of 100",
        "reused instance, half of them",
        "reused instance, 99 of 100",
        "fuel, fresh, half of them",
        "fuel, reused, the most",
        "memory, the most",
        "compile and load",
        "load from the cache",
    ] {
        let line = ran.stdout.lines().find(|line| line.starts_with(row));
        let line = line.with_context(|| format!("{row} in {}", ran.stdout))?;
        // Its own, the other's, the ratio.
        let columns = line.split("  ").filter(|cell| !cell.is_empty()).count();
        assert_eq!(columns, 4, "{line}");
    }
    assert!(ran.stdout.contains("BACKOFF"), "{}", ran.stdout);
    Ok(())
}

#[test]
fn scenarios_say_what_is_asked() -> Result<()> {
    let ran = bench(&[
        "builtin:never",
        "--json",
        "--scenarios",
        "plugins/never/scenarios",
    ])?;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout)?;
    assert_eq!(document["version"], 1);
    assert_eq!(document["name"], "never");
    let [role] = document["roles"].as_array().context("roles")?.as_slice() else {
        anyhow::bail!("one role: {}", ran.stdout);
    };
    assert_eq!(role["role"], "fallback");
    assert_eq!(role["bundled"]["component"], "builtin:ladder");
    assert!(role["decisions"].as_u64() > Some(1));
    for of in ["policy", "bundled"] {
        assert_eq!(role[of]["failed"], 0);
        for instances in ["fresh", "reused"] {
            let run = &role[of][instances];
            assert!(run["p50_us"].is_f64() && run["p99_us"].is_f64(), "{run}");
            assert!(run["fuel_p50"].as_u64() > Some(0), "{run}");
            assert!(run["peak_memory"].as_u64() > Some(0), "{run}");
        }
    }
    let less = role["ratio"]["reused_fuel"].as_f64();
    assert!(less < Some(1.0), "never thinks less than ladder: {less:?}");
    Ok(())
}

#[test]
fn a_policy_that_fails_ends_with_3() -> Result<()> {
    let ran = bench(&[
        "tests/guests/bundled/hostile.wasm",
        "--settings",
        r#"{"act": "trap"}"#,
    ])?;
    assert_eq!(ran.code, Some(3), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains(" failed in "), "{}", ran.stdout);
    Ok(())
}

#[test]
fn mistakes_say_what_to_do() -> Result<()> {
    for (arguments, code, words) in [
        (&["no.wasm"][..], 2, "can't read `no.wasm`"),
        (&["README.md"], 5, "it is no WebAssembly binary"),
        (
            &["builtin:backof"],
            2,
            "no bundled policy is named `backof`",
        ),
        (
            &["builtin:backoff", "--settings", "7"],
            2,
            "write a JSON object",
        ),
        (
            &["builtin:backoff", "--settings", r#"{"jiter": "none"}"#],
            5,
            "--settings JSON",
        ),
        (
            &[
                "builtin:backoff",
                "--scenarios",
                "plugins/never/scenarios",
                "--policy",
                "ours",
            ],
            2,
            "no scenario has a policy named `ours`",
        ),
        (
            &[
                "builtin:circuit-breaker",
                "--scenarios",
                "plugins/never/scenarios",
            ],
            2,
            "`--policy NAME`",
        ),
        (
            &["builtin:never", "--scenarios", "host/docs"],
            2,
            "there is no scenario",
        ),
    ] {
        let ran = bench(arguments)?;
        assert_eq!(ran.code, Some(code), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{words} in {}", ran.stderr);
    }
    let ran = tidegate(
        Path::new("."),
        &["policy", "bench", "builtin:never", "--time", "2h"],
    )?;
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("at most 1h"), "{}", ran.stderr);
    Ok(())
}
