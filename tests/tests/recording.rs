//! Recordings, from the agent that makes them to the replay of what they hold.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use flate2::read::GzDecoder;
use insta::assert_snapshot;
use tidegate_tests::command::{Ran, command};
use tidegate_tests::guests::guests;
use tidegate_tests::place::{Mounted, Place, Started};

const SCHEMA: &str = r#"{"fields":[{"name":"a","data_type":"Utf8","nullable":true,"dict_id":0,"dict_is_ordered":false,"metadata":{}}],"metadata":{}}"#;
const FIRST: &str = "recording/decisions-000001.jsonl.gz";
const RUN: [&str; 4] = ["run", "--record", "recording", "--until-settled"];

/// A node whose agent recorded how it settled one stream and put off another.
fn recorded() -> Result<Place> {
    let place = Place::new()?;
    place.stage("app", SCHEMA)?;
    place.stage("bad", "nonsense")?;
    let mut agent = place.start(&["run", "--record", "recording"])?;
    for _ in ["app", "bad"] {
        agent.logs(&["unseen →"])?;
    }
    agent.signal("TERM")?;
    ensure!(agent.ends()? == Some(0), "it was asked to stop");
    Ok(place)
}

/// The lines of a file of a recording.
fn text(path: &Path) -> Result<String> {
    let mut text = String::new();
    GzDecoder::new(fs::File::open(path)?).read_to_string(&mut text)?;
    Ok(text)
}

fn files(place: &Place) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(place.path("recording"))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if !path.ends_with("recording.lock") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// What differs from run to run struck out, and what one stream's decisions may come in another order by.
macro_rules! assert_said {
    ($name:literal, $place:expr, $ran:expr) => {
        let ran: &Ran = $ran;
        let said = ran.shown($place.dir());
        insta::with_settings!({filters => vec![
            (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
            (r"\b\d{13}\b", "MILLIS"),
            (r"entropy \d+", "entropy N"),
            (r"unchanged for (\d+s )?\d+m?s", "unchanged for SOME TIME"),
            (r#""(entropy|fingerprint|modified|last_success)": \d+"#, "\"$1\": N"),
            (r#""last_success": (null|MILLIS)"#, "\"last_success\": WHEN"),
            (r"\.gz:\d+", ".gz:LINE"),
        ]}, {
            assert_snapshot!($name, said);
        });
    };
}

#[test]
fn an_agents_decisions_come_out_the_same_without_its_node() -> Result<()> {
    let place = recorded()?;
    assert_eq!(files(&place)?, [place.path(FIRST)]);
    // Nothing of the node is left for a replay to look at.
    for folder in ["staging", "store", ".tidegate-store", "state"] {
        fs::remove_dir_all(place.path(folder))?;
    }
    fs::remove_file(place.path("tidegate.toml"))?;
    let before = fs::read(place.path(FIRST))?;
    let ran = place.run(&["policy", "replay", "recording"])?;
    assert_said!("replay-same", place, &ran);
    assert_eq!(fs::read(place.path(FIRST))?, before);
    let there: Vec<_> = fs::read_dir(place.dir())?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Result<_, _>>()?;
    assert_eq!(there, ["recording"], "nothing was made");
    let file = place.run(&["policy", "replay", FIRST])?;
    assert_eq!(file, ran, "a file is replayed as its directory is");
    Ok(())
}

#[test]
fn another_component_is_told_by_where_it_differs() -> Result<()> {
    let place = recorded()?;
    let replay = ["policy", "replay", "recording", "--policy"];
    let other = [&replay[..], &["backoff=builtin:circuit-breaker"]].concat();
    let ran = place.run(&other)?;
    assert_said!("replay-different", place, &ran);
    assert_eq!(place.run(&other)?, ran, "the same again");
    let json = place.run(&[&other[..], &["--json"]].concat())?;
    assert_said!("replay-different-json", place, &json);
    Ok(())
}

#[test]
fn a_replay_prints_the_same_bytes_on_any_number_of_threads() -> Result<()> {
    let place = Place::new()?;
    for number in 0..24 {
        place.stage(&format!("app{number:02}"), SCHEMA)?;
    }
    let settled = place.run(&RUN)?;
    ensure!(settled.code == Some(0), "{settled:#?}");
    // Of the same component the fuel is compared too.
    let hostile = format!("presence={}", guests().join("hostile.wasm").display());
    let mut printed = Vec::new();
    for other in [&[][..], &["--policy", &hostile]] {
        let arguments = [&["policy", "replay", "recording", "--json"], other].concat();
        let replayed = |threads: &str| -> Result<Ran> {
            let mut command = command()?;
            // How many threads tokio runs tasks on.
            command.env("TOKIO_WORKER_THREADS", threads);
            let output = command.args(&arguments).current_dir(place.dir()).output();
            Ok(output?.into())
        };
        let first = replayed("1")?;
        for threads in ["1", "2", "4", "4"] {
            assert_eq!(replayed(threads)?, first, "{threads} threads");
        }
        printed.push(first);
    }
    let codes: Vec<_> = printed.iter().map(|ran| ran.code).collect();
    assert_eq!(codes, [Some(0), Some(3)], "{printed:#?}");
    Ok(())
}

#[test]
fn a_policy_that_asks_for_more_is_told_by_what() -> Result<()> {
    let place = recorded()?;
    let hostile = guests().join("hostile.wasm");
    let other = format!("presence={}", hostile.display());
    // It is asked with the settings of the policy that it stands in for, and takes any.
    let ran = place.run(&["policy", "replay", "recording", "--policy", &other])?;
    ensure!(ran.code == Some(3), "{ran:#?}");
    ensure!(
        ran.stdout
            .contains("presence, existence: present → abstain"),
        "{ran:#?}"
    );
    Ok(())
}

#[test]
fn components_that_are_missing_or_do_not_fit_are_refused() -> Result<()> {
    let place = recorded()?;
    let refused = |replaced: &str, parts: &[&str]| {
        place.refused(
            &["policy", "replay", "recording", "--policy", replaced],
            2,
            parts,
        )
    };
    refused(
        "backoff=none.wasm",
        &["decisions-000001.jsonl.gz:", "can't read `none.wasm`"],
    )?;
    refused("backoff=tidegate.toml", &["no WebAssembly binary"])?;
    refused(
        "backoff=builtin:never",
        &["asked for the role retry, which the component does not fill"],
    )?;
    refused(
        "presence=builtin:ladder",
        &["it refuses its settings", "/settle"],
    )?;
    refused(
        "nobody=builtin:never",
        &["no decision of a policy `nobody`: it has `backoff`, `presence`"],
    )?;
    refused("backoff", &["write it as NAME=FILE.wasm"])
}

#[test]
fn bad_recordings_are_refused_with_file_and_line() -> Result<()> {
    let place = recorded()?;
    let bytes = fs::read(place.path(FIRST))?;
    let refused = |path: &str, parts: &[&str]| place.refused(&["policy", "replay", path], 2, parts);
    refused(
        "none",
        &["there is no recording `none`", "tidegate run --record"],
    )?;
    refused("staging", &["`staging` holds no recording"])?;
    refused("tidegate.toml", &["tidegate.toml: it is no gzip file"])?;
    fs::write(place.path("cut.gz"), &bytes[..bytes.len() / 2])?;
    refused("cut.gz", &["cut.gz:", "it was cut off", "copy it again"])?;
    // In a directory, one bad file spoils the replay.
    fs::write(
        place.path("recording/decisions-000002.jsonl.gz"),
        &bytes[..10],
    )?;
    refused(
        "recording",
        &["recording/decisions-000002.jsonl.gz:1: ", "it was cut off"],
    )
}

#[test]
fn a_killed_agents_decisions_are_replayed_and_sealed_by_the_next_one() -> Result<()> {
    let place = Place::new()?;
    place.stage("app", SCHEMA)?;
    let mut agent = place.start(&["run", "--record", "recording"])?;
    agent.logs(&["stream=app", "unseen → synced"])?;
    // Its writer gathers for a moment before it writes; a node that is killed at once would lose that.
    let part = place.path(&format!("{FIRST}.part"));
    while fs::metadata(&part).map_or(0, |file| file.len()) == 0 {
        std::thread::yield_now();
    }
    agent.signal("KILL")?;
    ensure!(agent.ends()?.is_none(), "a signal ended it");
    let ran = place.run(&["policy", "replay", "recording"])?;
    ensure!(ran.code == Some(0), "{ran:#?}");
    ensure!(ran.stderr.contains("it is not sealed"), "{ran:#?}");
    let ran = place.run(&RUN)?;
    ensure!(ran.code == Some(0), "{ran:#?}");
    ensure!(
        ran.stderr.contains("sealed what an agent had recorded"),
        "{ran:#?}"
    );
    ensure!(
        files(&place)?.first() == Some(&place.path(FIRST)),
        "{:?}",
        files(&place)?
    );
    let ran = place.run(&["policy", "replay", "recording"])?;
    ensure!(ran.code == Some(0), "{ran:#?}");
    ensure!(ran.stderr.contains("was killed"), "{ran:#?}");
    Ok(())
}

#[test]
fn a_recording_whose_directory_goes_away_ends_and_the_agent_does_not() -> Result<()> {
    let place = Place::new()?;
    place.stage("bad", "nonsense")?;
    let mut agent = place.start(&["run", "--record", "recording"])?;
    agent.logs(&["stream=bad", "unseen → pending"])?;
    let part = place.path(&format!("{FIRST}.part"));
    while !part.exists() {
        std::thread::yield_now();
    }
    fs::remove_dir_all(place.path("recording"))?;
    place.stage("app", SCHEMA)?;
    agent.logs(&[
        "ERROR",
        "nothing more is recorded",
        "was removed or replaced",
    ])?;
    place.stage("other", SCHEMA)?;
    // It may be seen before its schema is in its directory.
    agent.logs(&["stream=other", "→ synced"])?;
    agent.signal("TERM")?;
    ensure!(agent.ends()? == Some(0), "it goes on as it would without");
    Ok(())
}

#[test]
fn a_full_disk_ends_the_recording_and_not_the_agent() -> Result<()> {
    let place = Place::new()?;
    fs::create_dir(place.path("recording"))?;
    let Some(_disk) = Mounted::tmpfs(place.path("recording"), "size=4k")? else {
        return Ok(());
    };
    for stream in 0..200 {
        place.stage(&format!("stream-{stream}"), SCHEMA)?;
    }
    let ran = place.run(&RUN)?;
    ensure!(ran.code == Some(0), "{ran:#?}");
    let error = ran
        .stderr
        .lines()
        .find(|line| line.contains("nothing more is recorded"));
    ensure!(
        error.is_some_and(|line| line.contains("ERROR") && line.contains("No space left")),
        "{ran:#?}"
    );
    Ok(())
}

#[test]
fn recordings_have_a_place_and_a_size() -> Result<()> {
    let place = Place::new()?;
    let refused = |arguments: &[&str], parts: &[&str]| {
        place.refused(&[&["run", "--record"], arguments].concat(), 2, parts)
    };
    refused(
        &["staging/x"],
        &["inside the staging directory", "name a place elsewhere"],
    )?;
    refused(&["store/x"], &["inside the store"])?;
    refused(
        &["r", "--record-file-size", "1kB"],
        &["files of 1000 bytes", "64 KiB or more"],
    )?;
    refused(
        &["r", "--record-max-size", "20MiB"],
        &["no room for two files"],
    )?;
    refused(
        &["tidegate.toml"],
        &["can't create the directory `tidegate.toml`"],
    )?;
    place.refused(
        &["run", "--record-max-size", "1GiB"],
        2,
        &["--record <DIR>"],
    )?;
    ensure!(!place.path("r").exists(), "nothing was made");
    Ok(())
}

/// Every secret of the test holds this.
const SECRET: &str = "hunter2";

#[test]
fn secrets_never_enter_a_recording() -> Result<()> {
    let place = Place::new()?;
    place.stage("app", SCHEMA)?;
    // A policy that asks nothing of its settings, beside the usual ones.
    let teller = guests().join("hostile.wasm");
    let policies = format!(
        "[policies.teller]\ncomponent = {teller:?}\n[policies.teller.settings]\nact = \"answer\"\n\
         api_token = \"{SECRET}-a\"\npassword = [\"{SECRET}-b\"]\naccessKey = {{ id = \"{SECRET}-c\" }}\n\
         nested = {{ url = \"https://me:{SECRET}-d@host/\" }}\n[sync]\nexistence = [\"teller\", \"presence\"]\n"
    );
    let head = place.head()?;
    let (before, _) = head.split_once("[store]").unwrap_or_default();
    let (_, after) = head.split_once("[ledger]").unwrap_or_default();
    let of_store = format!(
        "[store]\nurl = \"s3://logs\"\n[store.options]\nendpoint = \"http://127.0.0.1:9\"\n\
         proxy_url = \"http://someone:{SECRET}-e@127.0.0.1:9\"\n\
         access_key_id = \"{SECRET}-f\"\nsecret_access_key = \"{SECRET}-g\"\ntoken = \"{SECRET}-h\"\nregion = \"r\"\n\
         allow_http = true\n"
    );
    for (directory, store) in [
        ("options", of_store.as_str()),
        ("parseable", "[store]\nfrom = \"parseable\"\n"),
    ] {
        let configuration = format!("{before}{store}[ledger]{after}\n{policies}");
        fs::write(place.path("tidegate.toml"), configuration)?;
        let _ = fs::remove_file(place.path("state/ledger.db"));
        let mut agent = command()?;
        agent
            .args(["run", "--record", directory])
            .current_dir(place.dir());
        for (name, value) in [
            ("P_S3_URL", "http://127.0.0.1:9"),
            ("P_S3_BUCKET", "logs"),
            ("P_S3_REGION", "r"),
            ("P_S3_ACCESS_KEY", "hunter2-i"),
            ("P_S3_SECRET_KEY", "hunter2-j"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2-k"),
            ("AWS_SESSION_TOKEN", "hunter2-l"),
        ] {
            agent.env(name, value);
        }
        let mut agent = Started::new(&mut agent)?;
        agent.logs(&["stream=app", "unseen → pending"])?;
        agent.signal("TERM")?;
        agent.ends()?;
        let text = text(&place.path(directory).join("decisions-000001.jsonl.gz"))?;
        ensure!(!text.contains(SECRET), "{text}");
        for (what, times) in [
            ("\"name\":\"teller\"", 1),
            ("[redacted]", 4),
            ("{\"decision\"", 2),
        ] {
            let found = text.matches(what).count();
            ensure!(found >= times, "{found} of {what} in {text}");
        }
        ensure!(
            text.contains(
                "\"redacted\":[\"/accessKey\",\"/api_token\",\"/nested/url\",\"/password\"]"
            ),
            "{text}"
        );
    }
    // The other policies of it are compared all the same.
    let ran = place.run(&["policy", "replay", "options"])?;
    ensure!(ran.code == Some(0), "{ran:#?}");
    ensure!(
        ran.stdout.contains(
            "can't be compared: its policy's settings were recorded without their secrets"
        ),
        "{ran:#?}"
    );
    Ok(())
}
