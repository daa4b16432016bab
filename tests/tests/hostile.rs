//! Hostile guests in a whole agent, beside a healthy stream: the host and its neighbour come to no harm, each failure is
//! recorded by its cause, no verdict out of bounds takes effect, and whoever goes on is quarantined for all to see.
//!
//! The guests are those of `tests/guests/bundled`, or of the directory that `TIDEGATE_GUESTS` names.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate::agent::{Agent, AgentError, Opening, open_parts};
use tidegate::config::Settings;
use tidegate::contract::{Phase, Role};
use tidegate::ledger::{LedgerReader, StateScope};
use tidegate::stream::{NodeId, StreamId};
use tidegate::sync::{Call, Event, Story};
use tidegate::time::{Clock, SystemClock};
use tidegate_tests::command::command;
use tidegate_tests::guests::guests;

const NODE: &str = "n1";

/// The stream that the hostile policy is asked about; the guests know it by this name.
const HARMED: &str = "app";
/// Its neighbour, which has the bundled policies.
const HEALTHY: &str = "other";

const SCHEMA: &str = r#"{"fields":[{"name":"a","data_type":"Utf8","nullable":true,"dict_id":0,"dict_is_ordered":false,"metadata":{}}],"metadata":{}}"#;

/// Failures in a row that quarantine a policy here.
const QUARANTINE_AFTER: u64 = 2;

/// Longer than a pass waits for streams that are too early to tell.
const MIN_DELAY: Duration = Duration::from_secs(20);
const MAX_DELAY: Duration = Duration::from_secs(60);

const ROLES: [Role; 3] = [Role::Existence, Role::Fallback, Role::Retry];

/// What one of the guest's acts must come to.
struct Case {
    guest: &'static str,
    roles: &'static [Role],
    settings: Value,
    cause: &'static str,
}

fn acts() -> Vec<Case> {
    let acts = [
        ("trap", "trap"),
        ("panic", "trap"),
        ("loop", "out-of-fuel"),
        ("log-forever", "out-of-fuel"),
        ("recurse", "trap"),
        ("memory-at-once", "out-of-memory"),
        ("memory-by-steps", "out-of-memory"),
        ("huge-reason", "bytes-accepted"),
        ("huge-error", "bytes-accepted"),
        ("long-reason", "out-of-bounds"),
        ("invalid-utf8", "trap"),
        ("invalid-utf8-argument", "trap"),
        ("error", "guest-error"),
        ("head-forever", "host-calls"),
        ("list-forever", "host-calls"),
        ("stage-forever", "host-calls"),
        ("load-forever", "host-calls"),
        ("ignore-budget", "host-calls"),
        ("huge-key", "bytes-accepted"),
        ("huge-swap", "bytes-accepted"),
        ("huge-log", "bytes-accepted"),
        ("trap-after-swap", "trap"),
        ("error-after-swap", "guest-error"),
        ("loop-after-swap", "out-of-fuel"),
    ];
    let acts = acts.map(|(act, cause)| {
        let mut settings = json!({ "act": act });
        if act.starts_with("huge-") {
            settings["mib"] = json!(16);
        }
        Case {
            guest: "hostile",
            roles: &ROLES,
            settings,
            cause,
        }
    });
    let odd = [
        ("growing-memories", "out-of-memory"),
        ("growing-table", "out-of-tables"),
        ("bad-pointer", "trap"),
        ("bad-discriminant", "trap"),
    ];
    let odd = odd.map(|(guest, cause)| Case {
        guest,
        roles: &ROLES[..1],
        settings: json!({}),
        cause,
    });
    let writer = [("put-forever", "host-calls"), ("put-then-trap", "trap")];
    let writer = writer.map(|(act, cause)| Case {
        guest: "hostile-writer",
        roles: &ROLES,
        settings: json!({ "act": act }),
        cause,
    });
    acts.into_iter().chain(odd).chain(writer).collect()
}

#[tokio::test]
async fn no_policy_harms_the_host_or_another_stream() -> Result<()> {
    let cache = tempfile::tempdir()?;
    for Case {
        guest,
        roles,
        settings,
        cause,
    } in acts()
    {
        for role in roles {
            attacked(cache.path(), guest, *role, &settings, cause)
                .await
                .with_context(|| format!("{guest} {settings} as {role}"))?;
        }
    }
    Ok(())
}

/// A policy that fails each time: the host's own default stands, and then the policy is not asked any more.
async fn attacked(
    cache: &Path,
    guest: &str,
    role: Role,
    settings: &Value,
    cause: &str,
) -> Result<()> {
    let world = World::new(cache, guest, role, settings)?;
    let mut agent = world.open().await?;
    for pass in 0..=QUARANTINE_AFTER {
        agent.pass(|_| true, std::future::pending()).await?;
        let expected = if pass < QUARANTINE_AFTER {
            cause
        } else {
            "quarantined"
        };
        let call = world.call(role)?;
        ensure!(
            call.failed && call.verdict.starts_with(&format!("{expected}:")),
            "pass {pass}: {call:?}"
        );
        world
            .holds_its_default(role)
            .with_context(|| format!("pass {pass}"))?;
        world.neighbour_is_synced()?;
    }
    let reader = LedgerReader::open(&world.ledger())?;
    for stream in [None, Some(StreamId::new(HARMED))] {
        let scope = StateScope {
            node: NodeId::new(NODE),
            stream,
        };
        let kept = reader.load_state("hostile", &scope, "hostile")?;
        ensure!(
            kept.is_none(),
            "state of a failed decision was kept: {kept:?}"
        );
    }
    agent.close().await?;
    let status = world.command(&["status", "--json"])?;
    let policies = status["policies"].as_array().context("policies")?;
    let policy = policies
        .iter()
        .find(|policy| policy["name"] == "hostile")
        .context("the policy")?;
    let found = (&policy["state"], &policy["failures"], &policy["cause"]);
    let expected = (
        &json!("quarantined"),
        &json!(QUARANTINE_AFTER),
        &json!(cause),
    );
    ensure!(found == expected, "{policy}");
    let explained = world.command(&["explain", HARMED, "--json"])?.to_string();
    ensure!(explained.contains(&format!("{cause}:")), "{explained}");
    Ok(())
}

/// Verdicts that are well-formed and want too much: what took effect stays within the operator's bounds.
#[tokio::test]
async fn no_verdict_out_of_bounds_takes_effect() -> Result<()> {
    let cache = tempfile::tempdir()?;
    let stranger = SCHEMA.replace("\"a\"", "\"made-up\"");
    let cases = [
        (
            Role::Existence,
            json!({ "presence": { "unsettled": u32::MAX } }),
            "unsettled",
        ),
        (
            Role::Existence,
            json!({ "presence": { "unsettled": 0 } }),
            "unsettled",
        ),
        (Role::Existence, json!({ "presence": "present" }), "present"),
        (
            Role::Fallback,
            json!({ "choice": { "document": "no schema" } }),
            "",
        ),
        (
            Role::Fallback,
            json!({ "choice": { "document": stranger } }),
            "a document",
        ),
        (
            Role::Fallback,
            json!({ "choice": { "document-of-mib": 12 } }),
            "bytes-accepted",
        ),
        (
            Role::Fallback,
            json!({ "choice": { "named": "nobody" } }),
            "",
        ),
        (
            Role::Fallback,
            json!({ "choice": { "object": "../../etc/passwd" } }),
            "",
        ),
        (
            Role::Fallback,
            json!({ "choice": { "object": "other/.stream/.schema" } }),
            "",
        ),
        (Role::Retry, json!({ "retry": { "after": 0 } }), "again in"),
        (
            Role::Retry,
            json!({ "retry": { "after": u32::MAX } }),
            "again in",
        ),
    ];
    for (role, settings, said) in cases {
        async {
            let world = World::new(cache.path(), "hostile", role, &settings)?;
            let mut agent = world.open().await?;
            let stop = tokio::time::sleep(Duration::from_secs(30));
            agent.pass(|_| true, stop).await?;
            let call = world.call(role)?;
            ensure!(call.verdict.contains(said), "{call:?}");
            ensure!(!world.object(HARMED).exists(), "something was published");
            // What is there and can't be read waits for a change, and for the hourly recheck.
            if said != "present" {
                world.waits_within_bounds(role)?;
            }
            world.neighbour_is_synced()?;
            agent.close().await?;
            anyhow::Ok(())
        }
        .await
        .with_context(|| format!("{settings} as {role}"))?;
    }
    Ok(())
}

/// Reads and writes where nothing was granted find nothing, and change nothing.
#[tokio::test]
async fn nothing_is_reached_that_was_not_granted() -> Result<()> {
    let cache = tempfile::tempdir()?;
    let cases = [
        ("hostile", json!({ "act": "climb" }), "found 0: []"),
        ("hostile", json!({ "act": "climb-staging" }), "found 0: []"),
        (
            "hostile",
            json!({ "act": "list-everything" }),
            "found 0: []",
        ),
        (
            "hostile-writer",
            json!({ "act": "put-climb" }),
            "let through: []",
        ),
        (
            "hostile-writer",
            json!({ "act": "put-huge" }),
            "bytes-accepted",
        ),
        (
            "hostile",
            json!({ "act": "stop-at-budget" }),
            "stopped after 200 calls",
        ),
        (
            "hostile",
            json!({ "act": "log-flood", "presence": { "absent": "quiet" } }),
            "absent: quiet",
        ),
    ];
    for (guest, settings, said) in cases {
        async {
            let world = World::new(cache.path(), guest, Role::Existence, &settings)?;
            let before = files(&world.dir.path().join("store"));
            let mut agent = world.open().await?;
            agent.pass(|_| true, std::future::pending()).await?;
            let call = world.call(Role::Existence)?;
            ensure!(call.verdict.contains(said), "{call:?}");
            world.neighbour_is_synced()?;
            let published = world.object(HEALTHY);
            let mut after = files(&world.dir.path().join("store"));
            after.remove(&published);
            ensure!(after == before, "the store changed: {after:?}");
            agent.close().await?;
            anyhow::Ok(())
        }
        .await
        .with_context(|| format!("{guest} {settings}"))?;
    }
    Ok(())
}

/// Guests that can't even be set up are refused by name, and nothing begins.
#[tokio::test]
async fn what_can_not_be_loaded_is_refused() -> Result<()> {
    let cache = tempfile::tempdir()?;
    let cases = [
        ("huge-memory", json!({}), "out-of-memory"),
        ("several-memories", json!({}), "out-of-memory"),
        ("huge-table", json!({}), "fit"),
        ("loop-in-start", json!({}), "out-of-fuel"),
        ("trap-in-start", json!({}), "trap"),
        ("bad-realloc", json!({}), "trap"),
        ("trap-in-describe", json!({}), "describe"),
        ("huge-describe", json!({}), "describe"),
        (
            "hostile",
            json!({ "act": "trap-in-configure" }),
            "configure",
        ),
        (
            "hostile",
            json!({ "act": "loop-in-configure" }),
            "out-of-fuel",
        ),
        (
            "hostile",
            json!({ "act": "read-in-configure" }),
            "configure",
        ),
        ("hostile", json!({ "act": "many-problems" }), "settings"),
    ];
    for (guest, settings, why) in cases {
        let world = World::new(cache.path(), guest, Role::Existence, &settings)?;
        let error = match world
            .open()
            .await
            .err()
            .map(anyhow::Error::downcast::<AgentError>)
        {
            Some(Ok(error @ AgentError::Policy(_))) => anyhow::Error::from(error),
            other => panic!("{guest} {settings}: {other:?}"),
        };
        let said = format!("{error:#}");
        assert!(
            said.contains("hostile") && said.contains(why),
            "{guest} {settings}: {said}"
        );
        assert!(!world.ledger().exists(), "{guest}");
    }
    Ok(())
}

/// A node with two streams, a store and an agent's configuration.
struct World {
    dir: TempDir,
}

impl World {
    fn new(cache: &Path, guest: &str, role: Role, settings: &Value) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let (staging, store) = (dir.path().join("staging"), dir.path().join("store"));
        for stream in [HARMED, HEALTHY] {
            fs::create_dir_all(staging.join(stream))?;
            let folder = store.join(stream).join(".stream");
            fs::create_dir_all(&folder)?;
            fs::write(
                folder.join(format!(".ingestor.{NODE}.stream.json")),
                r#"{"created-at":"2026-01-01T00:00:00Z"}"#,
            )?;
        }
        fs::write(
            staging.join(format!("ingestor.{NODE}.json")),
            json!({ "node_id": NODE, "node_type": "ingestor" }).to_string(),
        )?;
        fs::write(
            staging
                .join(HEALTHY)
                .join(format!(".ingestor.{NODE}.schema")),
            SCHEMA,
        )?;
        // Data waits and no schema does: one is owed, and every role has its say.
        fs::write(staging.join(HARMED).join("minute.data.arrows"), "data")?;
        let component = guests().join(guest).with_extension("wasm");
        let (write, chain) = (
            if guest == "hostile-writer" {
                r#"write = ["notes/"]"#
            } else {
                ""
            },
            |asked| {
                if asked == role {
                    "hostile"
                } else {
                    ["presence", "never", "backoff"][asked as usize]
                }
            },
        );
        let settings = inline(settings);
        let configuration = format!(
            r#"
[staging]
dir = "staging"
[store]
url = "file://{store}"
requests_per_second = 100_000
burst = 100_000
[ledger]
path = "ledger.db"
durability = "kill"
[runtime]
cache = {cache:?}
[policies.hostile]
component = {component:?}
settings = {settings}
limits = {{ fuel = 100_000_000, deadline = "5m", host_calls = 200 }}
[policies.hostile.grants]
read = ["{{root}}/.stream/"]
{write}
[policies.presence]
component = "builtin:presence"
settings = {{ settle = "0s", grace = "0s", watch = "0s" }}
[sync]
start_jitter = "0ms"
quarantine_after = {QUARANTINE_AFTER}
quarantine_for = "1h"
bounds = {{ min_delay = "{min}s", max_delay = "{max}s" }}
[[rules]]
streams = ["{HARMED}"]
existence = ["{existence}"]
fallback = ["{fallback}"]
retry = ["{retry}"]
"#,
            store = store.display(),
            cache = cache.join("compiled"),
            min = MIN_DELAY.as_secs(),
            max = MAX_DELAY.as_secs(),
            existence = chain(Role::Existence),
            fallback = chain(Role::Fallback),
            retry = chain(Role::Retry),
        );
        fs::write(dir.path().join("tidegate.toml"), configuration)?;
        Ok(Self { dir })
    }

    fn ledger(&self) -> PathBuf {
        self.dir.path().join("ledger.db")
    }

    fn object(&self, stream: &str) -> PathBuf {
        let folder = self.dir.path().join("store").join(stream).join(".stream");
        folder.join(format!(".ingestor.{NODE}.schema"))
    }

    async fn open(&self) -> Result<Agent> {
        let (_, settings) = Settings::read(&self.dir.path().join("tidegate.toml"), &|_| None)?;
        Ok(open_parts(&settings, Opening::default()).await?)
    }

    /// What the command prints, beside the agent or after it.
    fn command(&self, arguments: &[&str]) -> Result<Value> {
        let output = command()?
            .args(arguments)
            .arg("--config")
            .arg(self.dir.path().join("tidegate.toml"))
            .output()?;
        serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// The hostile policy's last call, as the ledger tells it.
    fn call(&self, role: Role) -> Result<Call> {
        let reader = LedgerReader::open(&self.ledger())?;
        let attempts = reader.attempts(&NodeId::new(NODE), &StreamId::new(HARMED), 1)?;
        let attempt = attempts.first().context("no attempt is recorded")?;
        let story: Story = serde_json::from_str(&attempt.attempt.detail)?;
        let asked = story.steps.into_iter().find_map(|step| match step {
            Event::Asked {
                role: asked, calls, ..
            } if asked == role => Some(calls),
            _ => None,
        });
        let calls =
            asked.with_context(|| format!("no {role} was asked: {}", attempt.attempt.detail))?;
        calls
            .into_iter()
            .find(|call| call.policy == "hostile")
            .context("the hostile policy was not asked")
    }

    /// Nothing is published, and the stream waits as the host itself decides.
    fn holds_its_default(&self, role: Role) -> Result<()> {
        ensure!(!self.object(HARMED).exists(), "something was published");
        let phase = self.phase(HARMED)?;
        match role {
            // Never absent: that could place a fallback.
            Role::Existence => ensure!(phase == Phase::Idle, "{phase}"),
            Role::Fallback | Role::Retry => self.waits_within_bounds(role)?,
        }
        Ok(())
    }

    fn waits_within_bounds(&self, role: Role) -> Result<()> {
        let reader = LedgerReader::open(&self.ledger())?;
        let record = reader
            .stream(&NodeId::new(NODE), &StreamId::new(HARMED))?
            .context("a record")?;
        if role != Role::Existence {
            ensure!(record.phase == Phase::Awaiting, "{}", record.phase);
        }
        let next = record.next_attempt.context("it is never looked at again")?;
        let wait = next.since(record.updated);
        ensure!(wait <= MAX_DELAY, "{wait:?} is over the operator's bound");
        ensure!(next.since(SystemClock::new().now()) <= MAX_DELAY);
        // The moment of the record lies a little behind that of the verdict.
        ensure!(
            wait + Duration::from_millis(500) >= MIN_DELAY,
            "{wait:?} is under the operator's bound"
        );
        Ok(())
    }

    fn neighbour_is_synced(&self) -> Result<()> {
        let phase = self.phase(HEALTHY)?;
        ensure!(phase == Phase::Synced, "the neighbour is {phase}");
        let stored: Value = serde_json::from_slice(&fs::read(self.object(HEALTHY))?)?;
        ensure!(stored == serde_json::from_str::<Value>(SCHEMA)?, "{stored}");
        Ok(())
    }

    fn phase(&self, stream: &str) -> Result<Phase> {
        let reader = LedgerReader::open(&self.ledger())?;
        let record = reader.stream(&NodeId::new(NODE), &StreamId::new(stream))?;
        Ok(record
            .with_context(|| format!("{stream} is not known"))?
            .phase)
    }
}

/// A JSON value as TOML, on one line.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| format!("{name} = {}", inline(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        // JSON's strings and numbers are TOML's, too.
        other => other.to_string(),
    }
}

fn files(dir: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => dirs.push(path),
                path => _ = found.insert(path),
            }
        }
    }
    found
}
