//! What the commands print, for people and for programs, on the captured case.

use std::fs;
use std::path::Path;

use anyhow::Result;
use insta::assert_snapshot;
use tidegate_tests::command::tidegate;

const CAPTURED: &str = "data/parseable-2.9.5";
const OWN_OBJECT: &str = "store/app/.stream/.ingestor.95659b0612138de.schema";

/// The captured node and its store, as they were.
fn captured() -> Result<tempfile::TempDir> {
    let dir = tempfile::tempdir()?;
    for part in ["staging", "store"] {
        copy(&Path::new(CAPTURED).join(part), &dir.path().join(part))?;
    }
    let store = dir.path().join("store");
    let configuration = format!(
        "[staging]\ndir = \"staging\"\n[store]\nurl = \"file://{}\"\n[policies.presence]\ncomponent = \
         \"builtin:presence\"\nsettings = {{ settle = \"0s\" }}\n",
        store.display()
    );
    fs::write(dir.path().join("tidegate.toml"), configuration)?;
    Ok(dir)
}

/// Copies a directory. Streams were created long ago, whatever this machine's clock says.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, name) = (entry.path(), entry.file_name());
        match from.is_dir() {
            true => copy(&from, &to.join(name))?,
            false => {
                let text = fs::read_to_string(&from)?;
                let text = text.replace("\"created-at\":\"2026", "\"created-at\":\"2020");
                fs::write(to.join(name), text)?;
            }
        }
    }
    Ok(())
}

/// What a command says there, with all that differs from run to run struck out.
fn said(dir: &Path, arguments: &[&str]) -> Result<String> {
    Ok(tidegate(dir, arguments)?.shown(dir))
}

macro_rules! assert_said {
    ($name:literal, $dir:expr, $arguments:expr) => {
        let said = said($dir, &$arguments)?;
        insta::with_settings!({filters => vec![
            (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
            (r"etag:[^,]+", "VERSION"),
            (r"\d+ fuel, \d+ µs, \d+ KiB", "N fuel, N µs, N KiB"),
            (r"\(\d+ µs\)", "(N µs)"),
            (r"\b\d{13}\b", "MILLIS"),
            (r"\b[0-9a-f]{16}\b", "DIGEST"),
            (r#""(entropy|fuel|elapsed_us|peak_memory|fingerprint|modified)": \d+"#, "\"$1\": N"),
            // Another stream may have come first.
            (r#""last_success": (null|MILLIS)"#, "\"last_success\": WHEN"),
            (r"in (\d+m( \d+s)?|\d+s \d+ms|\d+m?s)\b", "in SOON"),
            (r"\b(\d+s )?\d+m?s ago", "A MOMENT AGO"),
            (r#""pid": \d+"#, "\"pid\": N"),
            // Columns are as wide as the times that were in them.
            (r"NEXT +", "NEXT  "),
            (r"(in SOON|–) +\n", "$1\n"),
        ]}, {
            assert_snapshot!($name, said);
        });
    };
}

#[test]
fn a_dry_run_says_what_it_would_write_and_why() -> Result<()> {
    let dir = captured()?;
    assert_said!("sync-dry-run", dir.path(), ["sync", "--dry-run"]);
    assert!(!dir.path().join(OWN_OBJECT).exists());
    assert!(!dir.path().join("ledger.db").exists());
    Ok(())
}

#[test]
fn a_pass_says_what_became_of_each_stream_and_the_ledger_tells_it_again() -> Result<()> {
    let dir = captured()?;
    let dir = dir.path();
    assert_said!("sync", dir, ["sync"]);
    assert_said!("status", dir, ["status"]);
    assert_said!("status-json", dir, ["status", "--json", "app"]);
    assert_said!("explain", dir, ["explain", "app", "--attempts", "1"]);
    assert_said!(
        "explain-json",
        dir,
        ["explain", "app", "--attempts", "1", "--json"]
    );
    Ok(())
}

#[test]
fn verification_says_what_is_wrong_and_what_it_repaired() -> Result<()> {
    let dir = captured()?;
    let dir = dir.path();
    said(dir, &["sync"])?;
    assert_said!("verify", dir, ["verify"]);
    fs::remove_file(dir.join(OWN_OBJECT))?;
    assert_said!("verify-json", dir, ["verify", "--json"]);
    assert_said!(
        "verify-repair",
        dir,
        ["verify", "--repair", "app", "--log", "off"]
    );
    assert!(dir.join(OWN_OBJECT).exists());
    Ok(())
}

#[test]
fn a_ledger_that_is_recovered_is_counted_and_what_to_do_next_is_told() -> Result<()> {
    let dir = captured()?;
    said(dir.path(), &["sync"])?;
    let arguments = ["ledger", "recover", "--into", "new.db"];
    assert_said!("ledger-recover", dir.path(), arguments);
    Ok(())
}

#[test]
fn the_version_names_program_contract_and_engine() -> Result<()> {
    let dir = tempfile::tempdir()?;
    assert_said!("version", dir.path(), ["version"]);
    assert_said!("version-json", dir.path(), ["version", "--json"]);
    Ok(())
}

#[test]
fn a_check_tells_programs_what_it_tells_people() -> Result<()> {
    let dir = captured()?;
    assert_said!("check", dir.path(), ["check"]);
    assert_said!("check-json", dir.path(), ["check", "--json"]);
    Ok(())
}

#[test]
fn the_agent_runs_until_all_is_settled_and_logs_json_on_demand() -> Result<()> {
    let dir = captured()?;
    let run = tidegate(
        dir.path(),
        &[
            "run",
            "--until-settled",
            "--for",
            "60s",
            "--log-format",
            "json",
        ],
    )?;
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""));
    for line in run.stderr.lines() {
        let line: serde_json::Value = serde_json::from_str(line)?;
        assert!(
            line["level"].is_string() && line["message"].is_string(),
            "{line}"
        );
    }
    assert!(dir.path().join(OWN_OBJECT).exists());
    Ok(())
}
