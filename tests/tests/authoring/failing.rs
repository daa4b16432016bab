//! The text of a panic or an exception gets from each language's real runtime into the reports that an author reads.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::desk::Desk;

/// A scenario in which the retry policy `fails` is asked.
const SCENARIO: &str = r#"
title = "An outage"
until = "2m"
config.staging.layout = "plain"
config.sync.retry = ["fails"]
config.policies.fails = { component = "fails.wasm", limits = { fuel = 5_000_000_000, memory = "128MiB", deadline = "1m" } }
faults = [{ until = "60s", operations = ["create"], keys = "app/**", effect = "fail", kind = "unavailable" }]
timeline = [{ at = "0s", do = "stage", stream = "app", fields = { id = "Int64" } }]
expect = [{ failed_calls = { max = 0 } }]
"#;

/// Makes a project whose logic fails where this line is, and looks for the texts in what `policy test` prints.
fn fails_with(
    language: &str,
    installed: Option<(&str, &str)>,
    (logic, line, failing): (&str, &str, &str),
    told: &[&str],
) -> Result<()> {
    let Some(desk) = Desk::new()? else {
        return Ok(());
    };
    let new = format!("tidegate policy new fails --role retry --lang {language}");
    desk.succeed(desk.path(), &new)?;
    let project = desk.path().join("fails");
    if let Some((from, to)) = installed {
        desk.link(from, &project.join(to))?;
    }
    let logic = project.join(logic);
    let source = fs::read_to_string(&logic)?;
    let (before, after) = source.split_once(line).context("another template")?;
    fs::write(&logic, format!("{before}{failing}\n{line}{after}"))?;
    desk.succeed(&project, "tidegate policy build")?;
    fs::write(project.join("outage.toml"), SCENARIO)?;
    let ran = desk.run(&project, "tidegate policy test outage.toml")?;
    ensure!(ran.code == Some(3), "{}{}", ran.stdout, ran.stderr);
    for told in told {
        ensure!(ran.stdout.contains(told), "no {told} in {}", ran.stdout);
    }
    Ok(())
}

#[test]
fn a_panic_in_rust_is_reported_with_its_text_and_place() -> Result<()> {
    let logic = (
        "src/lib.rs",
        "        let doublings",
        "        assert!(facts.attempts > 1_000, \"no luck\");",
    );
    fails_with("rust", None, logic, &["panicked at src/lib.rs:", "no luck"])
}

#[test]
fn an_error_in_javascript_is_reported_with_its_text_and_stack() -> Result<()> {
    let logic = (
        "src/logic.js",
        "  // The same file will not parse",
        "  if (facts.attempts < 1000) throw new Error('no luck');",
    );
    let installed = Some(("js/node_modules", "node_modules"));
    fails_with("js", installed, logic, &["Error: no luck", "src/logic.js:"])
}

#[test]
fn an_exception_in_python_is_reported_with_its_text_and_traceback() -> Result<()> {
    let logic = (
        "src/logic.py",
        "    if failure.tag == \"schema-invalid\":",
        "    if facts.attempts < 1000:\n        raise ValueError(\"no luck\")",
    );
    let installed = Some(("python/.venv", ".venv"));
    let told = ["ValueError: no luck", "logic.py\", line"];
    fails_with("python", installed, logic, &told)
}
