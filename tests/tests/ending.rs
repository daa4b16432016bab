//! How commands end: the exit codes that they promise, on signals, when the time is over, and when the store is away.

use std::fs;

use anyhow::{Result, ensure};
use futures::TryStreamExt;
use object_store::ObjectStore;
use tidegate::storage::StoreSettings;
use tidegate_tests::command::tidegate;
use tidegate_tests::node::schema;
use tidegate_tests::place::{Mounted, Place, Started};
use tidegate_tests::s3::{Conditions, Endpoint};

const SETTLED: i32 = 0;
const INTERNAL: i32 = 1;
const USAGE: i32 = 2;
const UNSETTLED: i32 = 3;
const STORE: i32 = 4;
const POLICY: i32 = 5;

/// A store at a port where nobody listens.
fn nobody() -> StoreSettings {
    StoreSettings::new("s3://bucket")
        .with_option("endpoint", "http://127.0.0.1:9")
        .with_option("allow_http", "true")
        .with_option("region", "us-east-1")
        .with_option("access_key_id", "k")
        .with_option("secret_access_key", "s")
        .with_option("metadata_endpoint", "http://127.0.0.1:9")
}

fn ends(place: &Place, arguments: &[&str], code: i32, said: &[&str]) -> Result<()> {
    let ran = place.run(arguments)?;
    ensure!(ran.code == Some(code), "{arguments:?}: {ran:#?}");
    let all = format!("{}{}", ran.stdout, ran.stderr);
    for part in said {
        ensure!(all.contains(part), "no `{part}` in {ran:#?}");
    }
    Ok(())
}

#[test]
fn arguments_that_make_no_sense_are_a_mistake_and_a_question_for_help_is_none() -> Result<()> {
    let place = Place::new()?;
    ends(&place, &["--help"], SETTLED, &["Exit codes"])?;
    ends(&place, &["run", "--help"], SETTLED, &["5 policy unusable"])?;
    ends(&place, &["--version"], SETTLED, &["tidegate"])?;
    for arguments in [
        &["run", "--no-such"] as &[&str],
        &["run", "--for", "soon"],
        &["nothing"],
        &[],
    ] {
        ends(&place, arguments, USAGE, &[])?;
    }
    Ok(())
}

#[test]
fn a_signal_ends_the_agent_with_what_it_came_to() -> Result<()> {
    let place = Place::new()?;
    place.stage("app", &schema(&[("a", "Utf8")]))?;
    for signal in ["TERM", "INT"] {
        let mut agent = place.start(&["run", "--log", "info"])?;
        agent.logs(&["the agent runs"])?;
        if signal == "TERM" {
            agent.logs(&["app", "→ synced"])?;
        }
        agent.signal(signal)?;
        agent.logs(&["a signal stops the agent"])?;
        ensure!(agent.ends()? == Some(SETTLED), "SIG{signal}");
    }
    place.stage("broken", "{\"fields\": [")?;
    let mut agent = place.start(&["run", "--until-settled", "--log", "info"])?;
    agent.logs(&["broken", "schema"])?;
    agent.signal("TERM")?;
    ensure!(agent.ends()? == Some(UNSETTLED));
    Ok(())
}

#[test]
fn an_agent_whose_time_is_over_says_whether_all_was_settled() -> Result<()> {
    let place = Place::new()?;
    place.stage("broken", "{\"fields\": [")?;
    let limited = ["run", "--for", "50ms", "--log", "info"];
    ends(&place, &limited, UNSETTLED, &["the time is over"])?;
    ends(&place, &["sync"], UNSETTLED, &["broken"])?;
    ends(&place, &["status"], UNSETTLED, &["broken"])?;
    place.stage("broken", &schema(&[("a", "Utf8")]))?;
    ends(&place, &["run", "--until-settled"], SETTLED, &[])?;
    ends(&place, &["status"], SETTLED, &["synced"])
}

#[test]
fn an_agent_waits_for_a_node_that_has_not_started() -> Result<()> {
    let place = Place::new()?;
    let text = fs::read_to_string(place.path("tidegate.toml"))?;
    let text = text
        .replace("[node]\nid = \"n1\"\n", "")
        .replace("layout = \"plain\"", "scan_interval = \"10ms\"");
    fs::write(place.path("tidegate.toml"), text)?;
    fs::remove_dir(place.path("staging"))?;
    ends(
        &place,
        &["sync"],
        USAGE,
        &["can't open the staging directory"],
    )?;
    // Not beside the agent: one of the two would find the directory taken.
    fs::create_dir(place.path("staging"))?;
    ends(&place, &["sync"], USAGE, &["not written its identity"])?;
    fs::remove_dir(place.path("staging"))?;

    let mut agent = place.start(&["run", "--until-settled", "--log", "info"])?;
    agent.logs(&["waiting for the node", "can't open the staging directory"])?;
    fs::create_dir(place.path("staging"))?;
    agent.logs(&["waiting for the node", "identity"])?;
    let identity =
        "{\"node_id\": \"n1\", \"node_type\": \"ingestor\", \"token\": \"Basic c2VjcmV0\"}";
    fs::write(place.path("staging/ingestor.n1.json"), identity)?;
    agent.logs(&["the agent runs", "n1"])?;
    ensure!(agent.ends()? == Some(SETTLED));
    let mut agent = place.start(&["run", "--until-settled", "--log", "trace"])?;
    let told = agent.logs(&["c2VjcmV0"]);
    ensure!(told.is_err(), "the token was logged: {told:?}");
    Ok(())
}

#[test]
fn a_store_that_is_away_ends_with_a_code_of_its_own() -> Result<()> {
    let place = Place::new()?;
    place.configure_store(&nobody(), "")?;
    place.stage("app", &schema(&[("a", "Utf8")]))?;
    let mut agent = place.start(&["run", "--until-settled", "--log", "info"])?;
    agent.logs(&["could not be probed"])?;
    agent.logs(&["the agent runs"])?;
    agent.signal("TERM")?;
    ensure!(agent.ends()? == Some(STORE));
    ends(&place, &["sync"], STORE, &["could not be probed"])
}

#[tokio::test]
async fn a_store_that_goes_away_later_ends_with_the_same_code() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    let place = Place::new()?;
    place.configure_store(&endpoint.settings(), "")?;
    place.stage("app", &schema(&[("a", "Utf8")]))?;
    let place = beside(place, |place| ends(place, &["sync"], SETTLED, &["synced"])).await?;
    endpoint.go_away().await;
    let place = beside(place, |place| {
        ends(place, &["verify"], STORE, &["app: unreachable", "1 error"])?;
        place.stage("app", &schema(&[("a", "Utf8"), ("b", "Utf8")]))?;
        ends(place, &["sync"], STORE, &["app"])
    })
    .await?;
    endpoint.come_back().await?;
    beside(place, |place| ends(place, &["sync"], SETTLED, &["synced"])).await?;
    Ok(())
}

/// Runs commands on a thread of their own, so that the endpoint on this one can answer them.
async fn beside(
    place: Place,
    work: impl FnOnce(&Place) -> Result<()> + Send + 'static,
) -> Result<Place> {
    tokio::task::spawn_blocking(move || work(&place).map(|()| place)).await?
}

#[tokio::test]
async fn a_check_of_the_store_tells_one_that_ignores_conditions() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    let place = Place::new()?;
    place.configure_store(&endpoint.settings(), "")?;
    let place = beside(place, |place| {
        let said = ["it honours conditional writes, one after another and in a race"];
        ends(place, &["check", "--online"], SETTLED, &said)
    })
    .await?;
    endpoint.faults().set_conditions(Conditions::Ignore);
    let place = beside(place, |place| {
        // Only asking finds out.
        ends(place, &["check"], SETTLED, &["all is well"])?;
        let said = [
            "FAIL  store writes",
            "ignores the condition of conditional writes",
            "best-effort",
        ];
        ends(place, &["check", "--online"], STORE, &said)
    })
    .await?;
    place.configure_store(&endpoint.settings(), "conditional_writes = \"best-effort\"")?;
    beside(place, |place| {
        let said = [
            "warn  store writes",
            "every write is read back",
            "usable, with a warning",
        ];
        ends(place, &["check", "--online"], SETTLED, &said)
    })
    .await?;
    let left: Vec<_> = endpoint.objects().list(None).try_collect().await?;
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}

#[tokio::test]
async fn an_operator_who_accepts_ignored_conditions_is_warned_at_every_start() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    endpoint.faults().set_conditions(Conditions::Ignore);
    let place = Place::new()?;
    let accepted = "conditional_writes = \"best-effort\"";
    place.configure_store(&endpoint.settings(), accepted)?;
    place.stage("app", &schema(&[("a", "Utf8")]))?;
    let place = beside(place, |place| {
        let said = ["WARN", "ignores the condition", "every write is read back"];
        ends(place, &["sync"], SETTLED, &said)?;
        ends(place, &["sync"], SETTLED, &said)
    })
    .await?;
    // What was found wrong is asked again, since it may have been put right.
    endpoint.faults().set_conditions(Conditions::Honour);
    beside(place, |place| {
        let ran = place.run(&["sync"])?;
        ensure!(
            ran.code == Some(SETTLED) && ran.stderr.is_empty(),
            "{ran:#?}"
        );
        Ok(())
    })
    .await?;
    Ok(())
}

#[test]
fn of_several_problems_the_one_to_be_mended_first_decides() -> Result<()> {
    let place = Place::new()?;
    let policy = "[policies.gone]\ncomponent = \"gone.wasm\"\n";
    place.configure_store(&nobody(), "")?;
    ends(&place, &["check", "--online"], STORE, &["1 problem"])?;
    let text = fs::read_to_string(place.path("tidegate.toml"))?;
    fs::write(place.path("tidegate.toml"), format!("{text}\n{policy}"))?;
    ends(&place, &["check", "--online"], POLICY, &["2 problems"])?;
    let text = fs::read_to_string(place.path("tidegate.toml"))?;
    let text = text.replace("state/ledger.db", "staging/ledger.db");
    fs::write(place.path("tidegate.toml"), text)?;
    ends(&place, &["check", "--online"], USAGE, &["3 problems"])
}

#[test]
fn a_stream_that_the_ledger_does_not_know_is_a_mistake() -> Result<()> {
    let place = Place::new()?;
    for command in [
        &["status"] as &[&str],
        &["explain", "app"],
        &["verify", "app"],
    ] {
        let ran = place.run(command)?;
        ensure!(ran.code == Some(USAGE), "without a ledger: {ran:#?}");
    }
    place.stage("app1", &schema(&[("a", "Utf8")]))?;
    place.stage("app2", &schema(&[("a", "Utf8")]))?;
    ends(&place, &["sync"], SETTLED, &[])?;
    for command in ["status", "explain", "verify"] {
        ends(&place, &[command, "web"], USAGE, &["no stream named `web`"])?;
    }
    ends(
        &place,
        &["explain", "app*"],
        USAGE,
        &["app1", "app2", "name one"],
    )?;
    ends(&place, &["explain", "app1"], SETTLED, &["app1"])?;
    ends(&place, &["sync", "app["], USAGE, &["`app[` is no stream"])
}

#[test]
fn a_repair_of_all_that_is_lost_ends_well() -> Result<()> {
    let place = Place::new()?;
    place.stage("app", &schema(&[("a", "Utf8")]))?;
    ends(&place, &["sync"], SETTLED, &[])?;
    fs::remove_file(place.path("store/app/n1.schema.json"))?;
    ends(&place, &["verify"], UNSETTLED, &["app: missing", "1 error"])?;
    ends(
        &place,
        &["verify", "--repair"],
        SETTLED,
        &["app: missing", ": 1 repaired"],
    )?;
    ends(
        &place,
        &["verify"],
        SETTLED,
        &["all as the ledger knows it"],
    )
}

/// A disk of their own under the ledger and the store, filled while the agent runs.
#[test]
fn a_disk_that_fills_up_under_a_running_agent_is_told_and_loses_nothing() -> Result<()> {
    let place = Place::new()?;
    let Some(_mounted) = Mounted::tmpfs(place.path("state"), "size=1m")? else {
        return Ok(());
    };
    place.stage("first", &schema(&[("a", "Utf8")]))?;
    let mut agent = place.start(&["run", "--log", "info"])?;
    agent.logs(&["first", "→ synced"])?;

    let filler = place.path("state/filler");
    let fill = || {
        // It writes until nothing more goes in.
        let _ = fs::write(&filler, vec![0; 2 << 20]);
    };
    fill();
    place.stage("second", &schema(&[("a", "Utf8")]))?;
    agent.logs(&["no space left for the ledger"])?;
    fs::remove_file(&filler)?;
    // A change spares the test the time after which it is tried again.
    place.stage("second", &schema(&[("a", "Utf8"), ("b", "Utf8")]))?;
    agent.logs(&["second", "→ synced"])?;

    fill();
    place.stage("third", &schema(&[("a", "Utf8")]))?;
    agent.logs(&["no space left for the ledger"])?;
    agent.signal("TERM")?;
    ensure!(agent.ends()? == Some(INTERNAL));
    fs::remove_file(&filler)?;
    ends(&place, &["sync"], SETTLED, &[])?;
    for stream in ["first", "second", "third"] {
        let stored = place.path("store").join(stream).join("n1.schema.json");
        ensure!(stored.exists(), "{stream}");
    }
    Ok(())
}

#[test]
fn a_demo_that_is_stopped_has_not_ended_as_told() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut demo = Started::new(
        tidegate_tests::command::command()?
            .args(["demo", "--dir", "kept", "--log", "info"])
            .current_dir(dir.path()),
    )?;
    demo.logs(&["→ synced"])?;
    demo.signal("INT")?;
    ensure!(demo.ends()? == Some(INTERNAL));
    let again = tidegate(dir.path(), &["demo", "--dir", "kept"])?;
    ensure!(again.code == Some(USAGE), "{again:#?}");
    Ok(())
}

#[test]
fn a_fallback_in_place_of_a_schema_is_settled_and_warned_of() -> Result<()> {
    let place = Place::new()?;
    place.configure(
        r#"
[policies.eager]
component = "builtin:presence"
settings = { settle = "0s", watch = "0s", grace = "0s" }
[policies.ladder]
component = "builtin:ladder"
settings = { after = "0s" }
[sync]
existence = ["eager"]
"#,
    )?;
    fs::create_dir(place.path("staging/app"))?;
    fs::write(place.path("staging/app/x.data.arrows"), "")?;
    let warning = &["only a fallback is in the store for some streams"];
    ends(&place, &["run", "--until-settled"], SETTLED, warning)?;
    ends(&place, &["sync"], SETTLED, warning)?;
    ends(&place, &["status"], SETTLED, &["provisional"])
}

#[test]
fn a_verification_leaves_alone_what_a_rule_ignores() -> Result<()> {
    let place = Place::new()?;
    for stream in ["app", "left-out"] {
        place.stage(stream, &schema(&[("a", "Utf8")]))?;
    }
    ends(&place, &["sync"], SETTLED, &[])?;
    for stream in ["app", "left-out"] {
        fs::remove_file(place.path("store").join(stream).join("n1.schema.json"))?;
    }
    place.configure("[[rules]]\nstreams = [\"left-*\"]\nignore = true\n")?;
    ends(&place, &["verify", "--repair"], SETTLED, &["1 repaired"])?;
    ensure!(place.path("store/app/n1.schema.json").exists());
    ensure!(!place.path("store/left-out/n1.schema.json").exists());
    Ok(())
}
