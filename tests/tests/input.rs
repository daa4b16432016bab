//! Bad input, as the `tidegate` command answers it: a message with the place, an exit code, and nothing changed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command as Process;

use anyhow::{Context, Result, ensure};
use tidegate_tests::node::{policy_cache, schema};
use tidegate_tests::place::{Mounted, Place};
use tidegate_tests::s3::{Conditions, Endpoint};

const SETTLED: i32 = 0;
const INTERNAL: i32 = 1;
const USAGE: i32 = 2;
const UNSETTLED: i32 = 3;
const STORE: i32 = 4;
const POLICY: i32 = 5;

#[test]
fn a_configuration_with_a_mistake_is_refused_at_its_place() -> Result<()> {
    let place = Place::new()?;
    place.stage("app", &schema(&[("a", "Utf8")]))?;
    let head = place.head()?;
    let cases: [(String, &[&str]); 7] = [
        ("[staging\n".into(), &["tidegate.toml:1:9"]),
        (
            head.replace("layout = ", "layuot = "),
            &["tidegate.toml:5:1", "unknown key `layuot`", "layout"],
        ),
        (
            head.replace("[ledger]", "[leger]"),
            &["tidegate.toml:8:", "leger", "ledger"],
        ),
        (
            head.replace("layout = ", "scan_interval = \"5 parsecs\"\nlayout = "),
            &["tidegate.toml:5:17", "5 parsecs", "\"30s\""],
        ),
        (
            head.replace("\"plain\"", "\"plane\""),
            &["tidegate.toml:5:", "plane", "plain"],
        ),
        (
            format!("{head}\n[sync]\nexistence = [\"presnce\"]"),
            &["tidegate.toml:", "presnce", "presence"],
        ),
        (
            head.replace("file://", "fil://"),
            &["fil://", "file:///DIRECTORY"],
        ),
    ];
    for (text, parts) in cases {
        fs::write(place.path("tidegate.toml"), &text)?;
        place
            .refused(&["sync"], USAGE, parts)
            .with_context(|| text)?;
        ensure!(!place.path("state/ledger.db").exists());
    }
    fs::write(place.path("tidegate.toml"), b"[staging]\ndir = \"\xff\"")?;
    place.refused(&["sync"], USAGE, &["tidegate.toml:2:", "UTF-8"])?;
    fs::remove_file(place.path("tidegate.toml"))?;
    place.refused(&["sync"], USAGE, &["there is no configuration"])?;
    fs::create_dir(place.path("tidegate.toml"))?;
    place.refused(&["status"], USAGE, &["is a directory"])
}

#[test]
fn a_component_that_does_not_fit_is_refused() -> Result<()> {
    let place = Place::new()?;
    place.stage("app", &schema(&[("a", "Utf8")]))?;
    let policy = |settings: &str| {
        format!(
            "[policies.mine]\ncomponent = \"mine.wasm\"\n{settings}\n[sync]\nexistence = [\"mine\"]"
        )
    };
    place.configure(&policy(""))?;
    place.refused(
        &["sync"],
        POLICY,
        &["policy `mine` (", "mine.wasm", "No such file"],
    )?;
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/wat");
    let cases: [(&str, &[&str]); 6] = [
        (
            "core-module",
            &["core module, not a component", "wasm-tools component new"],
        ),
        ("unknown-version", &["0.2.0", "this host speaks", "0.1.0"]),
        (
            "unknown-import",
            &["imports what it is not offered", "evil:host/shell"],
        ),
        ("exports-nothing", &["does not export"]),
        ("exports-no-role", &["does not export"]),
        ("wrong-signature", &["does not fit the contract"]),
    ];
    for (guest, parts) in cases {
        let bytes = wat::parse_file(guests.join(format!("{guest}.wat")))?;
        fs::write(place.path("mine.wasm"), bytes)?;
        place
            .refused(&["sync"], POLICY, parts)
            .with_context(|| guest)?;
    }
    fs::write(place.path("mine.wasm"), "not at all")?;
    place.refused(&["sync"], POLICY, &["no WebAssembly binary"])?;
    place.configure(&policy(&format!("sha256 = \"{}\"", "0".repeat(64))))?;
    place.refused(&["sync"], POLICY, &["SHA-256", "pins"])
}

#[test]
fn settings_that_a_policy_refuses_are_pointed_at() -> Result<()> {
    let place = Place::new()?;
    place.configure(
        "[policies.hasty]\ncomponent = \"builtin:backoff\"\nsettings = { initial = \"soon\", factr = 2 }\n\
         [sync]\nretry = [\"hasty\"]",
    )?;
    place.refused(
        &["sync"],
        POLICY,
        &[
            "policy `hasty`",
            "refuses `/initial`",
            "/initial",
            "soon",
            "/factr",
        ],
    )
}

#[test]
fn what_is_staged_and_no_schema_harms_no_other_stream() -> Result<()> {
    let place = Place::new()?;
    place.stage("good", &schema(&[("a", "Utf8")]))?;
    place.stage("empty", "")?;
    place.stage("truncated", r#"{"fields":[{"name":"a""#)?;
    place.stage("binary", "PAR1\0\0")?;
    place.stage("not-arrow", r#"{"columns":[]}"#)?;
    let large = fs::File::create(place.stage("large", "")?)?;
    large.set_len(100 << 20)?;
    fs::create_dir_all(place.path("staging/folder/schema.json"))?;
    for (stream, target) in [("dangling", "/nowhere/at/all"), ("loop", "schema.json")] {
        let path = place.stage(stream, "")?;
        fs::remove_file(&path)?;
        symlink(target, path)?;
    }
    let fifo = place.stage("fifo", "")?;
    fs::remove_file(&fifo)?;
    ensure!(Process::new("mkfifo").arg(&fifo).status()?.success());

    let staged = place.everything()?;
    let ran = place.run(&["sync"])?;
    ensure!(ran.code == Some(UNSETTLED), "{ran:#?}");
    let cases = [
        ("empty", "empty"),
        ("truncated", "truncated at line 1, column 22"),
        ("binary", "line 1 column"),
        ("not-arrow", "no Arrow schema"),
        ("large", "104857600 bytes"),
        ("folder", "a directory"),
        ("dangling", "a dangling symbolic link"),
        ("loop", "symbolic links"),
        ("fifo", "no regular file"),
        ("good", "synced"),
    ];
    for output in [&ran, &place.run(&["status"])?] {
        ensure!(output.code == Some(UNSETTLED), "{output:#?}");
        for (stream, part) in cases {
            let mut lines = output.stdout.lines();
            let line = lines.find(|line| line.starts_with(&format!("{stream} ")));
            ensure!(
                line.is_some_and(|line| line.contains(part)),
                "{stream}: {output:#?}"
            );
        }
    }
    let stored = place.path("store/good/n1.schema.json");
    ensure!(stored.exists());
    fs::remove_dir_all(place.path("store/good"))?;
    ensure!(
        place.everything()? == staged,
        "more than the good schema was written"
    );

    // The bad ones turn good: nothing was lost.
    for (stream, _) in cases {
        let folder = place.path("staging").join(stream);
        fs::remove_dir_all(&folder)?;
        place.stage(stream, &schema(&[("a", "Utf8")]))?;
    }
    let ran = place.run(&["sync"])?;
    ensure!(ran.code == Some(SETTLED), "{ran:#?}");
    Ok(())
}

#[test]
fn a_second_agent_on_the_same_ledger_or_staging_is_refused() -> Result<()> {
    let place = Place::new()?;
    place.stage("app", &schema(&[("a", "Utf8")]))?;
    let mut first = place.start(&["run", "--log", "info"])?;
    first.logs(&["→ synced"])?;
    place.refused(
        &["run", "--for", "1s"],
        USAGE,
        &["another tidegate runs on the staging directory"],
    )?;

    // Another staging directory, and the same ledger.
    fs::create_dir(place.path("elsewhere"))?;
    let text = fs::read_to_string(place.path("tidegate.toml"))?;
    let text = text.replace("\"staging\"", "\"elsewhere\"");
    fs::write(place.path("second.toml"), text)?;
    place.refused(
        &["run", "--for", "1s", "-c", "second.toml"],
        USAGE,
        &["ledger.db", "uses the ledger"],
    )
}

#[test]
fn a_ledger_that_cant_be_used_is_refused_and_never_replaced() -> Result<()> {
    let place = Place::new()?;
    place.stage("app", &schema(&[("a", "Utf8")]))?;
    ensure!(place.run(&["sync"])?.code == Some(SETTLED));
    let ledger = place.path("state/ledger.db");
    let good = fs::read(&ledger)?;

    let damaged: Vec<u8> = good
        .iter()
        .enumerate()
        .map(|(at, byte)| if at > 200 { 0xaa } else { *byte })
        .collect();
    fs::write(&ledger, &damaged)?;
    place.refused(
        &["sync"],
        USAGE,
        &["ledger.db", "damaged", "tidegate ledger recover"],
    )?;
    ensure!(
        fs::read(&ledger)? == damaged,
        "the damaged ledger was touched"
    );

    fs::write(&ledger, "a shopping list, no database at all")?;
    place.refused(&["sync"], USAGE, &["ledger.db"])?;
    ensure!(fs::read(&ledger)? == b"a shopping list, no database at all");

    // `user_version`, in SQLite's header.
    let mut newer = good.clone();
    newer
        .get_mut(60..64)
        .context("no header")?
        .copy_from_slice(&9_999_u32.to_be_bytes());
    fs::write(&ledger, &newer)?;
    place.refused(
        &["sync"],
        USAGE,
        &["ledger.db", "version 9999", "newer program"],
    )?;
    ensure!(fs::read(&ledger)? == newer);

    fs::remove_file(&ledger)?;
    fs::create_dir(&ledger)?;
    place.refused(&["sync"], USAGE, &["is not a file"])?;
    fs::remove_dir(&ledger)?;
    place.configure("")?;
    fs::remove_dir_all(place.path("state"))?;
    place.refused(&["sync"], USAGE, &["directory", "is missing"])
}

#[test]
fn a_ledger_that_is_read_only_is_refused() -> Result<()> {
    let place = Place::new()?;
    let Some(mounted) = Mounted::tmpfs(place.path("state"), "size=4m")? else {
        return Ok(());
    };
    place.stage("app", &schema(&[("a", "Utf8")]))?;
    ensure!(place.run(&["sync"])?.code == Some(SETTLED));
    mounted.remount("ro")?;
    place.refused(&["sync"], USAGE, &["ledger.db", "can't be written"])
}

#[test]
fn a_full_disk_under_the_ledger_loses_nothing() -> Result<()> {
    let place = Place::new()?;
    let Some(_mounted) = Mounted::tmpfs(place.path("state"), "size=1m")? else {
        return Ok(());
    };
    place.stage("first", &schema(&[("a", "Utf8")]))?;
    ensure!(place.run(&["sync"])?.code == Some(SETTLED));
    let filler = place.path("state/filler");
    // It writes until nothing more goes in.
    let _ = fs::write(&filler, vec![0; 2 << 20]);
    place.stage("second", &schema(&[("a", "Utf8")]))?;
    let ran = place.run(&["sync"])?;
    ensure!(ran.code == Some(INTERNAL), "{ran:#?}");
    ensure!(
        ran.stderr.contains("no space left for the ledger"),
        "{ran:#?}"
    );
    fs::remove_file(filler)?;
    let ran = place.run(&["sync"])?;
    ensure!(ran.code == Some(SETTLED), "{ran:#?}");
    ensure!(place.path("store/second/n1.schema.json").exists());
    ensure!(place.path("store/first/n1.schema.json").exists());
    Ok(())
}

#[tokio::test]
async fn a_store_that_ignores_conditions_ends_with_its_own_code() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    endpoint.faults().set_conditions(Conditions::Ignore);
    let place = Place::new()?;
    place.stage("app", &schema(&[("a", "Utf8")]))?;
    place.configure_store(&endpoint.settings(), "")?;
    let refused = tokio::task::spawn_blocking(move || {
        place.refused(&["sync"], STORE, &["ignores the condition", "best-effort"])
    });
    refused.await?
}

#[test]
fn a_staging_directory_that_is_not_there_is_told() -> Result<()> {
    let place = Place::new()?;
    fs::remove_dir(place.path("staging"))?;
    let ran = place.run(&["sync"])?;
    ensure!(ran.code == Some(USAGE), "{ran:#?}");
    ensure!(
        ran.stderr.contains("can't open the staging directory"),
        "{ran:#?}"
    );
    ensure!(ran.stderr.contains("staging.dir"), "{ran:#?}");
    Ok(())
}

#[test]
fn a_stream_that_nobody_knows_is_a_mistake() -> Result<()> {
    let place = Place::new()?;
    place.stage("app", &schema(&[("a", "Utf8")]))?;
    place.refused(&["sync", "ap"], USAGE, &["`ap`", "app"])
}

#[test]
fn the_first_rule_that_matches_a_stream_holds() -> Result<()> {
    let place = Place::new()?;
    place.configure(
        "[[rules]]\nstreams = [\"app-1\"]\n[[rules]]\nstreams = [\"app-*\"]\nignore = true\n\
         [[rules]]\nstreams = [\"app-?\", \"web\"]\nexistence = [\"presence\"]\n",
    )?;
    for stream in ["app-1", "app-2", "web"] {
        place.stage(stream, &schema(&[("a", "Utf8")]))?;
    }
    let ran = place.run(&["sync"])?;
    ensure!(ran.code == Some(SETTLED), "{ran:#?}");
    let stored = |stream: &str| {
        place
            .path("store")
            .join(stream)
            .join("n1.schema.json")
            .exists()
    };
    ensure!(
        stored("app-1") && stored("web") && !stored("app-2"),
        "{ran:#?}"
    );
    Ok(())
}

#[test]
fn a_policy_that_fails_is_warned_about_with_its_stream_and_the_cause() -> Result<()> {
    let place = Place::new()?;
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/bundled/hostile.wasm");
    place.configure(&format!(
        "[policies.bad]\ncomponent = {guest:?}\nsettings = {{ act = \"trap\" }}\n\
         [sync]\nexistence = [\"bad\"]\nquarantine_after = 2\n"
    ))?;
    let fields = schema(&[("a", "Utf8")]);
    for stream in ["one", "two"] {
        place.stage(stream, &fields)?;
    }
    let mut agent = place.start(&["run", "--log", "info"])?;
    agent.logs(&["WARN", "policy failed", "policy=bad", "cause=\"trap\""])?;
    agent.logs(&["WARN", "policy quarantined", "policy=bad", "trap"])?;
    place.stage("three", &fields)?;
    let told = agent.logs(&[
        "WARN",
        "policy failed",
        "policy=bad",
        "cause=\"quarantined\"",
    ])?;
    ensure!(told.contains("stream=three"), "{told}");
    agent.logs(&["three", "→ synced"])?;
    agent.signal("TERM")?;
    ensure!(agent.ends()? == Some(0));
    Ok(())
}

#[test]
fn another_nodes_schema_in_staging_is_warned_about_and_left_alone() -> Result<()> {
    let place = Place::new()?;
    let text = fs::read_to_string(place.path("tidegate.toml"))?;
    let text = text
        .replace("[node]\nid = \"n1\"\n", "")
        .replace("layout = \"plain\"\n", "mode = \"ingest\"\n");
    fs::write(place.path("tidegate.toml"), text)?;
    fs::write(
        place.path("staging/ingestor.n1.json"),
        "{\"node_id\": \"n1\"}",
    )?;
    let folder = place.path("staging/app");
    fs::create_dir(&folder)?;
    for node in ["n1", "n2"] {
        let name = format!(".ingestor.{node}.schema");
        fs::write(folder.join(name), schema(&[(node, "Utf8")]))?;
    }
    let store = place.path("store/app/.stream");
    fs::create_dir_all(&store)?;
    let marker = "{\"created-at\": \"2020-01-01T00:00:00Z\"}";
    fs::write(store.join(".ingestor.n1.stream.json"), marker)?;

    let ran = place.run(&["sync", "--log", "warn"])?;
    ensure!(ran.code == Some(SETTLED), "{ran:#?}");
    let words = ["WARN", "stream=app", "left alone", ".ingestor.n2.schema"];
    let mut lines = ran.stderr.lines();
    ensure!(
        lines.any(|line| words.iter().all(|word| line.contains(word))),
        "{ran:#?}"
    );
    ensure!(store.join(".ingestor.n1.schema").exists(), "{ran:#?}");
    ensure!(!store.join(".ingestor.n2.schema").exists(), "{ran:#?}");
    Ok(())
}

/// Lets a place keep what it compiles, since another user may not enter the directory that the suites share.
fn own_cache(place: &Place) -> Result<()> {
    let text = fs::read_to_string(place.path("tidegate.toml"))?;
    let shared = policy_cache()?.display().to_string();
    Ok(fs::write(
        place.path("tidegate.toml"),
        text.replace(&shared, "cache"),
    )?)
}

/// Sets the permission bits of a path in the place.
fn allow(place: &Place, path: &str, mode: u32) -> Result<()> {
    let permissions = fs::Permissions::from_mode(mode);
    Ok(fs::set_permissions(place.path(path), permissions)?)
}

#[test]
fn what_may_not_be_read_is_told_and_harms_no_other_stream() -> Result<()> {
    let place = Place::new()?;
    own_cache(&place)?;
    for stream in ["good", "file", "folder"] {
        place.stage(stream, &schema(&[("a", "Utf8")]))?;
    }
    allow(&place, "staging/file/schema.json", 0o000)?;
    allow(&place, "staging/folder", 0o000)?;
    let ran = place.run_unprivileged(&["sync"])?;
    ensure!(ran.code == Some(UNSETTLED), "{ran:#?}");
    for (stream, part) in [("good", "synced"), ("file", "denied"), ("folder", "denied")] {
        let mut lines = ran.stdout.lines();
        let line = lines.find(|line| line.starts_with(&format!("{stream} ")));
        ensure!(line.is_some_and(|line| line.contains(part)), "{ran:#?}");
    }
    allow(&place, "staging/file/schema.json", 0o644)?;
    allow(&place, "staging/folder", 0o755)?;
    let ran = place.run_unprivileged(&["sync"])?;
    ensure!(ran.code == Some(SETTLED), "{ran:#?}");
    Ok(())
}

#[test]
fn what_the_agents_user_may_not_use_is_named_with_the_right_code() -> Result<()> {
    let place = Place::new()?;
    own_cache(&place)?;
    place.stage("app", &schema(&[("a", "Utf8")]))?;
    for (path, mode, code, parts) in [
        ("tidegate.toml", 0o000, USAGE, ["tidegate.toml", "denied"]),
        ("staging", 0o000, USAGE, ["staging", "denied"]),
        ("state", 0o500, USAGE, ["ledger.db", "can't be written"]),
        ("store", 0o500, STORE, ["store", "denied"]),
    ] {
        let before = fs::metadata(place.path(path))?.permissions().mode();
        allow(&place, path, mode)?;
        let ran = place.run_unprivileged(&["sync"])?;
        ensure!(ran.code == Some(code), "{path}: {ran:#?}");
        let said = format!("{}{}", ran.stdout, ran.stderr);
        for part in parts {
            ensure!(said.contains(part), "no `{part}`: {ran:#?}");
        }
        allow(&place, path, before)?;
    }
    let ran = place.run_unprivileged(&["sync"])?;
    ensure!(ran.code == Some(SETTLED), "{ran:#?}");
    Ok(())
}
