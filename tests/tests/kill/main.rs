//! The agent is killed again and again at moments that a seed chooses, and every guarantee holds all the same.
//!
//! A moment is a request: the n-th that the endpoint sees since the start hangs, before or after it took effect, and
//! then the process gets its SIGKILL. Meanwhile a node stages, publishes and deletes, at other requests.
//! `TIDEGATE_KILL_SEED` repeats a run, `TIDEGATE_KILLS` makes it longer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may")]

mod checks;
mod node;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tidegate_tests::command::command;
use tidegate_tests::s3::{Endpoint, Fault, Kind, Rule};
use tokio::task::JoinHandle;

use checks::Checks;
use node::{Dice, Node};

/// Kills in all, unless the environment says otherwise.
const KILLS: u64 = 208;

/// Agents that are killed side by side, each with a node, a store and a ledger of its own.
const AGENTS: u64 = 4;

const STREAMS: usize = 20;

/// The keys that faults are about: a store that could never be probed would never be written to.
const SCHEMAS_AND_MARKERS: &str = "s[0-9][0-9]/**";

/// How long an agent that asks nothing more is left alone before it is killed all the same.
const IDLE: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_killed_keeps_every_guarantee() -> Result<()> {
    let seed = number("TIDEGATE_KILL_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let kills = number("TIDEGATE_KILLS").unwrap_or(KILLS);
    eprintln!("TIDEGATE_KILL_SEED={seed}");
    let cache = tempfile::tempdir()?;
    // Once for all: compiling takes longer than everything else.
    World::new(seed, cache.path())
        .await?
        .run(&["sync", "--dry-run"])?
        .wait()
        .await?;
    let worlds = (0..AGENTS).map(|agent| {
        let (seed, cache) = (seed.wrapping_mul(AGENTS).wrapping_add(agent), cache.path().to_owned());
        tokio::spawn(async move {
            let mut world = World::new(seed, &cache).await?;
            let result = world.suffer(kills.div_ceil(AGENTS)).await;
            let World { killed, mid_write, idle, ref checks, .. } = world;
            eprintln!(
                "seed {seed}: {killed} kills ({mid_write} while a write was under way, {idle} idle), {} writes, {} raced with a deletion",
                checks.writes, checks.raced
            );
            // What is needed to look into a failure stays.
            if let Err(error) = &result {
                eprintln!("seed {seed}: {error:?}\nkept: {}", world.dir.keep().display());
            }
            result
        })
    });
    for world in worlds.collect::<Vec<_>>() {
        world
            .await?
            .with_context(|| format!("repeat with TIDEGATE_KILL_SEED={seed}"))?;
    }
    Ok(())
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

struct World {
    dir: TempDir,
    endpoint: Endpoint,
    node: Node,
    checks: Checks,
    dice: Dice,
    killed: u64,
    mid_write: u64,
    idle: u64,
}

impl World {
    async fn new(seed: u64, cache: &Path) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let endpoint = Endpoint::start().await?;
        let node = Node::start(dir.path(), seed, STREAMS, &endpoint).await?;
        let options = endpoint.settings().options;
        let options: String = options
            .iter()
            .map(|(key, value)| format!("{key} = {value:?}\n"))
            .collect();
        let cache = cache.join("compiled");
        let configuration = format!(
            r#"
[staging]
dir = "staging"
scan_interval = "100ms"
[store]
url = "s3://bkt"
requests_per_second = 100_000
burst = 100_000
[store.options]
{options}
[ledger]
path = "ledger.db"
durability = "kill"
[runtime]
cache = {cache:?}
[sync]
attempt_timeout = "5s"
start_jitter = "0ms"
check_peers_interval = "1s"
clock_tolerance = "0s"
recheck_interval = "300ms"
bounds = {{ min_delay = "10ms", max_delay = "200ms" }}
[policies.presence]
component = "builtin:presence"
settings = {{ settle = "0s", grace = "0s", watch = "0s" }}
[policies.presence.grants]
read = ["{{root}}/.stream/"]
[policies.ladder]
component = "builtin:ladder"
[policies.ladder.grants]
read = ["{{root}}/.stream/"]
[policies.backoff]
component = "builtin:backoff"
settings = {{ initial = "10ms", max = "200ms" }}
[verify]
interval = "1s"
"#
        );
        std::fs::write(dir.path().join("tidegate.toml"), configuration)?;
        Ok(Self {
            dir,
            endpoint,
            node,
            checks: Checks::default(),
            dice: Dice(!seed),
            killed: 0,
            mid_write: 0,
            idle: 0,
        })
    }

    fn ledger(&self) -> PathBuf {
        self.dir.path().join("ledger.db")
    }

    fn run(&self, arguments: &[&str]) -> Result<Agent> {
        Agent::start(arguments, &self.dir.path().join("tidegate.toml"))
    }

    /// Is killed so many times, and settles in the end.
    async fn suffer(&mut self, kills: u64) -> Result<()> {
        while self.killed < kills {
            self.round()
                .await
                .with_context(|| format!("after {} kills", self.killed))?;
        }
        self.node.stage_all()?;
        self.node.drop_unknown(&self.ledger())?;
        self.endpoint.faults().clear();
        self.checks.agent_starts();
        let mut agent = self.run(&["run", "--until-settled", "--for", "60s"])?;
        let (status, log) = agent.wait().await?;
        ensure!(
            status.code() == Some(0),
            "the last run ended with {status}:\n{log}"
        );
        self.checks
            .hold(&self.node, &self.endpoint, &self.ledger())
            .await?;
        self.checks.settled(&self.node, &self.ledger())
    }

    /// One life of the agent.
    async fn round(&mut self) -> Result<()> {
        for _ in 0..self.dice.below(8) {
            self.node.act(&self.endpoint).await?;
        }
        let faults = self.endpoint.faults().clone();
        let scale = [8, 40, 160][self.dice.below(3)];
        let moment = 1 + self.dice.below(scale) as u64;
        let fault = match self.dice.below(2) {
            0 => Fault::Hang,
            _ => Fault::HangAfter,
        };
        // Half of the moments count writes: those are what a kill may hurt.
        let mid_write = self.dice.below(2) == 0;
        faults.add(match mid_write {
            true => Rule::nth(1 + moment / 8, fault)
                .on(Kind::Put)
                .keys(SCHEMAS_AND_MARKERS)?,
            false => Rule::nth(moment, fault),
        });
        if self.dice.below(3) > 0 {
            for rule in [
                Rule::every(7, Fault::DropAfter).on(Kind::Put),
                Rule::every(5, Fault::DropBefore).on(Kind::Put),
                Rule::every(23, Fault::Throttle(None)),
                Rule::every(29, Fault::Answer(500, "InternalError")),
                Rule::every(31, Fault::DropAfter),
            ] {
                faults.add(rule.keys(SCHEMAS_AND_MARKERS)?);
            }
        }
        let mut hangs = faults.hangs();
        hangs.mark_unchanged();
        let mut arrivals = faults.arrivals();
        let start = *arrivals.borrow_and_update();
        self.checks.agent_starts();
        let mut agent = self.run(&["run"])?;
        let mut at = start;
        loop {
            at += 1 + self.dice.below(20) as u64;
            let over = tokio::select! {
                biased;
                _ = hangs.changed() => {
                    self.mid_write += u64::from(mid_write);
                    true
                }
                ended = agent.wait() => {
                    let (status, log) = ended?;
                    anyhow::bail!("the agent ended by itself with {status}:\n{log}");
                }
                arrived = arrivals.wait_for(|arrived| *arrived >= at) => arrived.is_err(),
                () = idle(faults.arrivals()) => {
                    self.idle += 1;
                    true
                }
            };
            if over {
                break;
            }
            self.node.act(&self.endpoint).await?;
        }
        let (_, log) = agent.kill().await?;
        self.killed += 1;
        // What the dead process had sent is done by now, or never.
        self.endpoint.cut().await;
        faults.clear();
        let checked = self
            .checks
            .hold(&self.node, &self.endpoint, &self.ledger())
            .await;
        checked.with_context(|| format!("the agent said:\n{log}"))
    }
}

/// Ends when no request came for a while.
async fn idle(mut arrivals: tokio::sync::watch::Receiver<u64>) {
    arrivals.mark_unchanged();
    while tokio::time::timeout(IDLE, arrivals.changed()).await.is_ok() {}
}

/// A process of the agent.
struct Agent {
    process: Child,
    /// Ends with what the process said, when it does.
    said: JoinHandle<String>,
}

impl Agent {
    fn start(arguments: &[&str], configuration: &Path) -> Result<Self> {
        let mut process = command()?
            .args(arguments)
            .arg("--config")
            .arg(configuration)
            .args(["--log", "info"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stderr = process.stderr.take().context("stderr is piped")?;
        let said = tokio::task::spawn_blocking(move || {
            let mut said = Vec::new();
            let _ = stderr.read_to_end(&mut said);
            String::from_utf8_lossy(&said).into_owned()
        });
        Ok(Self { process, said })
    }

    async fn wait(&mut self) -> Result<(ExitStatus, String)> {
        let said = (&mut self.said).await?;
        Ok((self.process.wait()?, said))
    }

    async fn kill(mut self) -> Result<(ExitStatus, String)> {
        self.process.kill()?;
        self.wait().await
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
