//! `status`, exit codes and the log while something is wrong with the node: nothing that is wrong looks healthy.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tidegate::agent::{Opening, open_parts};
use tidegate::config::Settings;
use tidegate::policy::{AskedFor, Decision, Recorder};
use tidegate::staging::{Layout, ParseableMode};
use tidegate::stream::{NodeId, StreamId};
use tidegate_tests::command::{Ran, command};
use tidegate_tests::node::schema;
use tidegate_tests::place::{Mounted, Place};
use tidegate_tests::s3::{Endpoint, Fault, Kind, Rule};

const SETTLED: i32 = 0;
const INTERNAL: i32 = 1;
const UNSETTLED: i32 = 3;
const STORE: i32 = 4;

/// Reports so often that no test waits for one, and scans as often.
const FAST: &str = "heartbeat_interval = \"20ms\"\n";

/// How often a command is run until it shows what a running agent is about to report.
const TRIES: usize = 500;

/// A place whose agent scans and reports often.
fn place() -> Result<Place> {
    let place = Place::new()?;
    hasten(&place)?;
    Ok(place)
}

fn hasten(place: &Place) -> Result<()> {
    let path = place.path("tidegate.toml");
    let text = fs::read_to_string(&path)?;
    let text = text
        .replace("[ledger]\n", &format!("[ledger]\n{FAST}"))
        .replace(
            "dir = \"staging\"\n",
            "dir = \"staging\"\nscan_interval = \"20ms\"\n",
        );
    Ok(fs::write(path, text)?)
}

/// Runs `status` until it ends with this code and prints all of this.
fn shows(place: &Place, code: i32, said: &[&str]) -> Result<Ran> {
    let mut last = None;
    for _ in 0..TRIES {
        let ran = place.run(&["status"])?;
        let says = |part: &&str| ran.stdout.contains(*part);
        if ran.code == Some(code) && said.iter().all(says) {
            return Ok(ran);
        }
        last = Some(ran);
    }
    anyhow::bail!("not exit {code} with {said:?}: {last:#?}")
}

fn json(place: &Place) -> Result<Value> {
    let ran = place.run(&["status", "--json"])?;
    Ok(serde_json::from_str(&ran.stdout)?)
}

fn fields(names: &[&str]) -> String {
    let fields: Vec<_> = names.iter().map(|name| (*name, "Utf8")).collect();
    schema(&fields)
}

#[test]
fn an_agent_that_was_killed_is_not_reported_as_healthy() -> Result<()> {
    let place = place()?;
    place.stage("app", &fields(&["a"]))?;
    let mut agent = place.start(&["run", "--log", "info"])?;
    agent.logs(&["app", "→ synced"])?;
    shows(&place, SETTLED, &["agent running", "1 stream: 1 synced"])?;
    agent.signal("KILL")?;
    ensure!(agent.ends()?.is_none());
    shows(
        &place,
        INTERNAL,
        &[
            "agent not running: it ended without a clean stop",
            "the agent was killed or crashed",
            "1 stream: 1 synced",
        ],
    )?;
    ensure!(json(&place)?["agent"]["state"] == "dead");
    // The next agent starts at once, and is the one that is reported.
    let mut agent = place.start(&["run", "--log", "info"])?;
    agent.logs(&["the agent runs"])?;
    shows(&place, SETTLED, &["agent running"])?;
    agent.signal("TERM")?;
    agent.ends()?;
    shows(&place, SETTLED, &["agent not running: it stopped cleanly"])?;
    Ok(())
}

#[test]
fn an_agent_that_waits_for_its_node_is_running_and_says_so() -> Result<()> {
    let place = place()?;
    place.stage("app", &fields(&["a"]))?;
    ensure!(place.run(&["sync"])?.code == Some(SETTLED));
    fs::rename(place.path("staging"), place.path("aside"))?;
    let mut agent = place.start(&["run", "--log", "info"])?;
    agent.logs(&["waiting for the node"])?;
    let shown = ["agent running", "staging-missing", "1 stream: 1 synced"];
    shows(&place, INTERNAL, &shown)?;
    fs::rename(place.path("aside"), place.path("staging"))?;
    agent.logs(&["the node is there"])?;
    shows(&place, SETTLED, &["agent running", "1 stream: 1 synced"])?;
    agent.signal("TERM")?;
    ensure!(agent.ends()? == Some(SETTLED));
    // What ends while it waits has stopped, and was not killed.
    fs::rename(place.path("staging"), place.path("aside"))?;
    let mut agent = place.start(&["run", "--log", "info"])?;
    agent.logs(&["waiting for the node"])?;
    shows(&place, INTERNAL, &["agent running", "staging-missing"])?;
    agent.signal("TERM")?;
    ensure!(agent.ends()? == Some(SETTLED));
    shows(&place, INTERNAL, &["it stopped cleanly", "staging-missing"])?;
    Ok(())
}

#[test]
fn an_identity_that_is_cut_off_is_not_called_missing() -> Result<()> {
    let place = place()?;
    let path = place.path("tidegate.toml");
    let text = fs::read_to_string(&path)?;
    let text = text.replace("[node]\nid = \"n1\"\n", "");
    fs::write(&path, text.replace("layout = \"plain\"\n", ""))?;
    let identity = place.path("staging/ingestor.n1.json");
    fs::write(&identity, "{\"node_id\": \"n1\", \"node_ty")?;
    let cut_off = "is empty or cut off: the node may be writing it";
    let check = place.run(&["check"])?;
    ensure!(check.stdout.contains(cut_off), "{check:#?}");
    let mut agent = place.start(&["run", "--log", "info"])?;
    agent.logs(&["waiting for the node", cut_off])?;
    shows(
        &place,
        INTERNAL,
        &["agent running", "identity-unclear", cut_off],
    )?;
    fs::write(
        &identity,
        "{\"node_id\": \"n1\", \"node_type\": \"ingestor\"}",
    )?;
    agent.logs(&["the agent runs"])?;
    fs::write(&identity, "{\"node_id\": \"n1\"")?;
    agent.logs(&["identity-unclear", cut_off])?;
    shows(&place, INTERNAL, &["identity-unclear", cut_off])?;
    Ok(())
}

#[test]
fn without_an_agent_what_changed_in_staging_is_not_taken_for_synced() -> Result<()> {
    let place = place()?;
    place.stage("app", &fields(&["a"]))?;
    ensure!(place.run(&["sync"])?.code == Some(SETTLED));
    shows(
        &place,
        SETTLED,
        &["it stopped cleanly", "1 stream: 1 synced"],
    )?;
    place.stage("new", &fields(&["a"]))?;
    place.stage("app", &fields(&["a", "b"]))?;
    shows(&place, UNSETTLED, &["2 streams changed in staging"])?;
    ensure!(place.run(&["sync"])?.code == Some(SETTLED));
    shows(&place, SETTLED, &["2 streams: 2 synced"])?;
    fs::rename(place.path("staging"), place.path("aside"))?;
    shows(&place, INTERNAL, &["staging-missing"])?;
    Ok(())
}

#[test]
fn a_full_ledger_is_reported_for_as_long_as_it_lasts() -> Result<()> {
    let place = place()?;
    let Some(_mounted) = Mounted::tmpfs(place.path("state"), "size=1m")? else {
        return Ok(());
    };
    place.stage("app", &fields(&["a"]))?;
    let mut agent = place.start(&["run", "--log", "info"])?;
    agent.logs(&["app", "→ synced"])?;
    let filler = place.path("state/filler");
    // It writes until nothing more goes in.
    let _ = fs::write(&filler, vec![0; 2 << 20]);
    place.stage("app", &fields(&["a", "b"]))?;
    agent.logs(&["ledger-failing", "no space left for the ledger"])?;
    let check = place.run(&["check"])?;
    ensure!(check.code != Some(SETTLED), "{check:#?}");
    ensure!(
        check.stdout.contains("no space left for the ledger"),
        "{check:#?}"
    );
    let ran = shows(&place, INTERNAL, &["ledger-failing"])?;
    ensure!(ran.stdout.contains("app "), "{ran:#?}");
    ensure!(json(&place)?["conditions"][0]["kind"] == "ledger-failing");
    fs::remove_file(&filler)?;
    // A change spares the test the time after which it is tried again.
    place.stage("app", &fields(&["a", "b", "c"]))?;
    agent.logs(&["ledger-failing", "over after"])?;
    shows(&place, SETTLED, &["1 stream: 1 synced"])?;
    Ok(())
}

#[test]
fn a_staging_directory_that_goes_away_is_reported_for_as_long_as_it_lasts() -> Result<()> {
    let place = place()?;
    place.stage("app", &fields(&["a"]))?;
    let (staging, aside) = (place.path("staging"), place.path("aside"));
    let mut agent = place.start(&["run", "--log", "info"])?;
    agent.logs(&["app", "→ synced"])?;
    fs::rename(&staging, &aside)?;
    agent.logs(&["staging-missing", "can't"])?;
    shows(&place, INTERNAL, &["agent running", "staging-missing"])?;
    // What is left where a volume was mounted is an empty directory.
    fs::create_dir(&staging)?;
    shows(&place, INTERNAL, &["replaced by an empty one"])?;
    let limited = json(&place)?;
    ensure!(
        limited["conditions"][0]["kind"] == "staging-missing",
        "{limited:#}"
    );
    fs::remove_dir(&staging)?;
    fs::rename(&aside, &staging)?;
    agent.logs(&["staging-missing", "over after"])?;
    shows(&place, SETTLED, &["agent running"])?;
    // Nothing of it was taken for deleted, and the directory is watched again.
    place.stage("app", &fields(&["a", "b"]))?;
    let stored = place.path("store/app/n1.schema.json");
    for _ in 0..TRIES {
        shows(&place, SETTLED, &["1 synced"])?;
        if fs::read_to_string(&stored)?.contains("\"b\"") {
            return Ok(());
        }
    }
    anyhow::bail!("the new field was not published")
}

#[test]
fn an_unmounted_staging_directory_is_not_taken_for_one_without_streams() -> Result<()> {
    let place = place()?;
    let Some(mounted) = Mounted::tmpfs(place.path("staging"), "size=1m")? else {
        return Ok(());
    };
    place.stage("app", &fields(&["a"]))?;
    let mut agent = place.start(&["run", "--until-settled", "--log", "info"])?;
    agent.logs(&["app", "→ synced"])?;
    ensure!(agent.ends()? == Some(SETTLED));
    let mut agent = place.start(&["run", "--log", "info"])?;
    shows(&place, SETTLED, &["agent running"])?;
    drop(mounted);
    agent.logs(&["staging-missing", "mount its volume again"])?;
    shows(&place, INTERNAL, &["staging-missing"])?;
    agent.signal("TERM")?;
    ensure!(agent.ends()? == Some(INTERNAL));
    Ok(())
}

/// A place with a parseable node of this identity, in a store of local files.
struct Parseable {
    place: Place,
    layout: Layout,
}

impl Parseable {
    fn new() -> Result<Self> {
        let place = Place::new()?;
        let head = place.head()?;
        let text = head
            .replace("[node]\nid = \"n1\"\n", "")
            .replace("layout = \"plain\"\n", "");
        fs::write(place.path("tidegate.toml"), text)?;
        hasten(&place)?;
        let layout = Layout::parseable(ParseableMode::Ingest);
        Ok(Self { place, layout })
    }

    fn identify(&self, node: &str) -> Result<()> {
        let text = format!("{{\"node_id\": \"{node}\", \"node_type\": \"ingestor\"}}");
        let file = self.place.path(&format!("staging/ingestor.{node}.json"));
        Ok(fs::write(file, text)?)
    }

    fn stage(&self, node: &str, stream: &str, text: &str) -> Result<()> {
        let folder = self.place.path("staging").join(stream);
        fs::create_dir_all(&folder)?;
        let name = self.layout.staged_name(&NodeId::new(node));
        Ok(fs::write(folder.join(name), text)?)
    }

    fn mark(&self, node: &str, stream: &str) -> Result<()> {
        let keys = self
            .layout
            .keys(&NodeId::new(node), &StreamId::new(stream))?;
        let marker = keys.marker.context("no marker")?;
        let path = self.place.path("store").join(marker.as_ref());
        fs::create_dir_all(path.parent().context("no folder")?)?;
        let text = "{\"created-at\": \"2020-01-01T00:00:00Z\", \"stream_type\": \"UserDefined\"}";
        Ok(fs::write(path, text)?)
    }

    fn has(&self, node: &str, stream: &str) -> Result<bool> {
        let keys = self
            .layout
            .keys(&NodeId::new(node), &StreamId::new(stream))?;
        Ok(self.place.path("store").join(keys.schema.as_ref()).exists())
    }
}

#[test]
fn a_node_that_comes_back_under_another_identity_is_published_under_that_one() -> Result<()> {
    let node = Parseable::new()?;
    node.identify("n1")?;
    node.mark("n1", "app")?;
    node.stage("n1", "app", &fields(&["a"]))?;
    let mut agent = node.place.start(&["run", "--log", "info"])?;
    agent.logs(&["app", "→ synced"])?;
    fs::remove_file(node.place.path("staging/ingestor.n1.json"))?;
    agent.logs(&["staging-missing", "identity is gone"])?;
    shows(&node.place, INTERNAL, &["staging-missing"])?;
    node.mark("n2", "app")?;
    node.stage("n2", "app", &fields(&["a", "b"]))?;
    node.identify("n2")?;
    agent.logs(&["another identity", "n2"])?;
    agent.logs(&["app", "→ synced"])?;
    ensure!(node.has("n1", "app")? && node.has("n2", "app")?);
    shows(&node.place, SETTLED, &["node n2", "1 stream: 1 synced"])?;
    // Two identities are a question that only an operator can answer.
    node.identify("n3")?;
    agent.logs(&["identity-unclear", "several nodes"])?;
    shows(&node.place, INTERNAL, &["identity-unclear"])?;
    fs::remove_file(node.place.path("staging/ingestor.n3.json"))?;
    agent.logs(&["identity-unclear", "over after"])?;
    shows(&node.place, SETTLED, &[])?;
    Ok(())
}

#[test]
fn an_invalid_schema_that_is_staged_for_a_synced_stream_is_unsettled() -> Result<()> {
    let place = place()?;
    place.stage("app", &fields(&["a"]))?;
    let until_settled = ["run", "--until-settled", "--for", "300ms"];
    ensure!(place.run(&until_settled)?.code == Some(SETTLED));
    place.stage("app", "{\"fields\": [")?;
    ensure!(place.run(&until_settled)?.code == Some(UNSETTLED));
    shows(&place, UNSETTLED, &["synced, unsettled", "1 stream"])?;
    let row = &json(&place)?["streams"][0];
    ensure!(row["settled"] == false, "{row:#}");
    ensure!(row["last_failure"]["kind"] == "schema-invalid", "{row:#}");
    // What was staged before is synced again at once, and the failure is forgotten.
    place.stage("app", &fields(&["a"]))?;
    ensure!(place.run(&["sync"])?.code == Some(SETTLED));
    shows(&place, SETTLED, &["synced"])?;
    let row = &json(&place)?["streams"][0];
    ensure!(
        row["last_failure"].is_null() && row["attempts"] == 0,
        "{row:#}"
    );
    // The same if no policy is asked about it.
    place.configure("[sync]\nexistence = []\n")?;
    place.stage("app", "{}")?;
    ensure!(place.run(&["sync"])?.code == Some(UNSETTLED));
    shows(&place, UNSETTLED, &["synced, unsettled"])?;
    Ok(())
}

/// Panics where an attempt asks whether a schema is there.
#[derive(Debug)]
struct Panics;

impl Recorder for Panics {
    fn record(&self, decision: Box<Decision>) {
        if matches!(decision.question, AskedFor::Existence) {
            std::panic::resume_unwind(Box::new("told to panic"));
        }
    }
}

#[tokio::test]
async fn an_attempt_that_panics_is_counted_shown_and_tried_again() -> Result<()> {
    let place = place()?;
    place.stage("app", &fields(&["a"]))?;
    ensure!(place.run(&["sync"])?.code == Some(SETTLED));
    place.stage("app", &fields(&["a", "b"]))?;
    let (_, settings) = Settings::read(&place.path("tidegate.toml"), &|_| None)?;
    let opening = Opening {
        recorder: Some(Arc::new(Panics)),
        ..Opening::default()
    };
    let mut agent = open_parts(&settings, opening).await?;
    let tally = agent.pass(|_| true, std::future::pending()).await?;
    ensure!(!tally.settled, "{tally:?}");
    let conditions = agent.conditions();
    ensure!(
        conditions[0].kind.name() == "attempts-failing",
        "{conditions:?}"
    );
    agent.close().await?;
    shows(
        &place,
        INTERNAL,
        &["attempts-failing", "synced, unsettled", "internal error"],
    )?;
    let row = &json(&place)?["streams"][0];
    // The store was not asked about it, so the pass looked once more before it ended.
    ensure!(row["attempts"] == 2, "{row:#}");
    ensure!(row["next_attempt"].is_string(), "{row:#}");
    // An agent that does not panic has the stream, and all is well.
    ensure!(place.run(&["sync"])?.code == Some(SETTLED));
    shows(&place, SETTLED, &["1 stream: 1 synced"])?;
    Ok(())
}

#[tokio::test]
async fn streams_that_were_found_and_not_judged_are_counted() -> Result<()> {
    const STREAMS: usize = 100;
    let endpoint = Endpoint::start().await?;
    let place = Place::new()?;
    place.configure_store(&endpoint.settings(), "")?;
    hasten(&place)?;
    let faults = endpoint.faults().clone();
    for kind in [Kind::Get, Kind::Head] {
        faults.add(Rule::always(Fault::Hang).on(kind).keys("s[0-9]*/**")?);
    }
    for number in 0..STREAMS {
        place.stage(&format!("s{number}"), &fields(&["a"]))?;
    }
    let place = tokio::task::spawn_blocking(move || -> Result<Place> {
        let mut agent = place.start(&["run", "--log", "info"])?;
        agent.logs(&["the agent runs"])?;
        let said = ["100 of 100 streams found in staging are not judged yet"];
        shows(&place, UNSETTLED, &said)?;
        let report = json(&place)?;
        ensure!(report["agent"]["unjudged"] == 100, "{report:#}");
        Ok(place)
    })
    .await??;
    drop(place);
    Ok(())
}

#[tokio::test]
async fn a_check_of_the_store_that_fails_shows_its_cause() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    let place = Place::new()?;
    place.configure_store(&endpoint.settings(), "")?;
    hasten(&place)?;
    place.stage("app", &fields(&["a"]))?;
    let faults = endpoint.faults().clone();
    faults.add(Rule::always(Fault::Answer(403, "AccessDenied")).on(Kind::Put));
    tokio::task::spawn_blocking(move || -> Result<()> {
        let mut agent = place.start(&["run", "--log", "info"])?;
        agent.logs(&["store-check-failing", "403"])?;
        let ran = shows(&place, STORE, &["store-check-failing", "403"])?;
        ensure!(!ran.stdout.contains("not probed"), "{ran:#?}");
        let report = json(&place)?;
        let check = &report["agent"]["store_check"];
        ensure!(check["result"] == "failed", "{check:#}");
        let shown = shows(
            &place,
            STORE,
            &["nothing is written, because the check of the store failed"],
        )?;
        ensure!(shown.stdout.contains("pending"), "{shown:#?}");
        faults.clear();
        agent.logs(&["store-check-failing", "over after"])?;
        Ok(())
    })
    .await?
}

#[test]
fn streams_are_filtered_and_sorted_and_the_exit_code_is_that_of_all() -> Result<()> {
    let place = place()?;
    for stream in ["a", "b", "c"] {
        place.stage(stream, &fields(&["x"]))?;
    }
    place.run(&["sync"])?;
    place.stage("c", "{\"fields\": [")?;
    place.run(&["sync"])?;
    let names = |arguments: &[&str]| -> Result<Vec<String>> {
        let ran = place.run(arguments)?;
        ensure!(ran.code == Some(UNSETTLED), "{ran:#?}");
        let rows = ran
            .stdout
            .lines()
            .skip_while(|line| !line.starts_with("STREAM"));
        let names = rows.skip(1).take_while(|line| !line.is_empty());
        Ok(names
            .filter_map(|line| Some(line.split(' ').next()?.to_owned()))
            .collect())
    };
    ensure!(names(&["status"])? == ["c", "a", "b"]);
    ensure!(names(&["status", "--sort", "name"])? == ["a", "b", "c"]);
    ensure!(names(&["status", "--unsettled"])? == ["c"]);
    ensure!(names(&["status", "--phase", "pending", "--phase", "gone"])?.is_empty());
    ensure!(place.run(&["status", "--phase", "nonsense"])?.code == Some(2));
    Ok(())
}

#[test]
fn a_watch_in_a_pipe_shows_one_report_after_another_without_control_codes() -> Result<()> {
    let place = place()?;
    place.stage("app", &fields(&["a"]))?;
    place.run(&["sync"])?;
    for arguments in [
        &["status", "--watch=100ms"] as &[&str],
        &["status", "--watch=100ms", "--json"],
    ] {
        let mut watch = command()?
            .args(arguments)
            .current_dir(place.dir())
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(watch.stdout.take().context("stdout is piped")?).lines();
        let mut reports = 0;
        for line in lines {
            let line = line?;
            ensure!(!line.contains('\u{1b}'), "{line:?}");
            reports +=
                usize::from(line.starts_with("node n1") || line.starts_with("{\"version\":1"));
            if reports == 3 {
                break;
            }
        }
        // The reader is gone, so it ends.
        ensure!(reports == 3 && watch.wait()?.code() == Some(SETTLED));
    }
    Ok(())
}
