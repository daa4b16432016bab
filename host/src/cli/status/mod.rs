mod agent;
mod look;

use std::cmp::Reverse;
use std::io::{ErrorKind, IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::output::{self, Paint, Table, Tone, relative, tone};
use super::select::Selection;
use super::{CommandError, Config, exit};
use agent::{Agent, State};

use crate::agent::FirstLook;
use crate::config::Settings;
use crate::contract::{ObjectInfo, Phase, RemoteState};
use crate::ledger::{
    CheckResult, Condition, ConditionKind, Heartbeat, LastFailure, LedgerReader, Meta,
    PolicyHealth, PolicyStatus, StreamFilter, StreamRecord, holder, room,
};
use crate::text::counted;
use crate::time::{Clock, SystemClock, Timestamp};

/// How often `--watch` refreshes, unless it names an interval.
const REFRESH: &str = "2s";

/// Homes the cursor and clears the screen.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// The order of streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Sort {
    /// What needs attention first
    Worst,
    /// By tenant and name
    Name,
}

/// Show the state of streams.
#[derive(Debug, Args)]
pub(super) struct Status {
    /// Streams by name, tenant/name or glob; all when none is given
    #[arg(value_name = "STREAM")]
    streams: Vec<String>,
    #[command(flatten)]
    config: Config,
    /// Print JSON: a documented, versioned contract
    #[arg(long)]
    json: bool,
    /// Only streams in this phase; may be given several times
    #[arg(long, value_name = "PHASE")]
    phase: Vec<Phase>,
    /// Only streams that are not settled
    #[arg(long)]
    unsettled: bool,
    /// The order of streams; by default the worst come first, and with `--json` they are in the order of their names
    #[arg(long, value_enum, value_name = "ORDER")]
    sort: Option<Sort>,
    /// Show it again and again, at this interval
    #[arg(
        long,
        value_name = "INTERVAL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = REFRESH,
        value_parser = crate::time::parse_duration
    )]
    watch: Option<Duration>,
}

/// `status --json`, version 1.
#[derive(Debug, Serialize)]
struct Report {
    version: u32,
    node: Option<String>,
    store: Option<String>,
    agent: AgentRow,
    conditions: Vec<ConditionRow>,
    streams: Vec<Row>,
    policies: Vec<Policy>,
}

/// The agent, as it last reported about itself. Most fields are `null` before its first report.
#[derive(Debug, Serialize)]
struct AgentRow {
    state: State,
    pid: Option<u32>,
    started: Option<String>,
    reported: Option<String>,
    last_scan: Option<String>,
    next_scan: Option<String>,
    scan_is_stale: bool,
    store_answered: Option<String>,
    streams: Option<u64>,
    unjudged: u64,
    queued: Option<u64>,
    configuration: Option<String>,
    configuration_changed: Option<bool>,
    store_check: Option<Check>,
}

#[derive(Debug, Serialize)]
struct Check {
    result: CheckResult,
    detail: String,
    at: Option<String>,
}

#[derive(Debug, Serialize)]
struct ConditionRow {
    kind: ConditionKind,
    since: String,
    detail: String,
}

/// One stream.
#[derive(Debug, Serialize)]
struct Row {
    tenant: Option<String>,
    name: String,
    phase: Phase,
    settled: bool,
    attempts: u32,
    next_attempt: Option<String>,
    last_failure: Option<Failure>,
    last_success: Option<String>,
    source: Option<String>,
    local: Option<Local>,
    remote: Option<Remote>,
    updated: String,
}

#[derive(Debug, Serialize)]
struct Failure {
    kind: String,
    message: String,
    at: String,
}

/// The staged schema as it was last captured.
#[derive(Debug, Serialize)]
struct Local {
    fingerprint: Option<String>,
    captured: Option<String>,
}

/// The stored object as it was last seen.
#[derive(Debug, Serialize)]
struct Remote {
    exists: bool,
    size: Option<u64>,
    version: Option<String>,
    seen: String,
    confirmed: Option<String>,
}

#[derive(Debug, Serialize)]
struct Policy {
    name: String,
    sha256: String,
    version: String,
    state: PolicyHealth,
    failures: u32,
    since: String,
    cause: Option<String>,
}

/// What one look at the ledger shows.
struct View {
    meta: Meta,
    agent: Agent,
    /// The selected streams.
    records: Vec<StreamRecord>,
    policies: Vec<PolicyStatus>,
    /// Whether the configuration file differs from the one that the agent was started with.
    reconfigured: Option<bool>,
    /// How long the first look at new streams takes.
    ahead: Option<FirstLook>,
    now: Timestamp,
}

impl Status {
    pub(super) async fn run(self) -> Result<u8, CommandError> {
        let (_, settings) = self.config.read()?;
        let selection = Selection::parse(&self.streams)?;
        let Some(interval) = self.watch else {
            let view = View::read(&settings, &selection)?;
            output::print(&self.show(&view)?)?;
            return Ok(view.code());
        };
        let on_screen = std::io::stdout().is_terminal();
        loop {
            let view = View::read(&settings, &selection)?;
            let text = self.show(&view)?;
            let text = match on_screen {
                true => format!("{CLEAR}{text}"),
                // A blank line separates one look from the next.
                false => format!("{text}\n"),
            };
            let mut out = std::io::stdout().lock();
            match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
                // The reader has seen enough.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(view.code()),
                written => written?,
            }
            drop(out);
            tokio::time::sleep(interval).await;
        }
    }

    fn show(&self, view: &View) -> Result<String, CommandError> {
        let mut shown: Vec<&StreamRecord> = view
            .records
            .iter()
            .filter(|record| self.phase.is_empty() || self.phase.contains(&record.phase))
            .filter(|record| !self.unsettled || !record.settled)
            .collect();
        let usual = if self.json { Sort::Name } else { Sort::Worst };
        if self.sort.unwrap_or(usual) == Sort::Worst {
            // The sort is stable: streams that are equally bad stay in the order of their names.
            shown.sort_by_key(|record| badness(record));
        }
        if self.json {
            let report = view.report(&shown);
            let text = match self.watch {
                Some(_) => serde_json::to_string(&report),
                None => serde_json::to_string_pretty(&report),
            };
            return Ok(format!("{}\n", text.map_err(anyhow::Error::new)?));
        }
        let paint = Paint::stdout();
        Ok(format!(
            "{}\n{}",
            view.head(paint),
            table(&shown, view.records.len(), &view.policies, view.now, paint)
        ))
    }
}

impl View {
    fn read(settings: &Settings, selection: &Selection) -> Result<Self, CommandError> {
        let path = &settings.ledger.path;
        let reader = LedgerReader::open(path)?;
        // The lock comes before the report: an agent that stops in between has reported that.
        let held = holder(path);
        let meta = reader.meta()?;
        let filter = StreamFilter {
            node: meta.node.clone(),
            ..StreamFilter::default()
        };
        let mut records = reader.streams(&filter)?;
        let (beat, policies) = (reader.heartbeat()?, reader.policies()?);
        let now = SystemClock::new().now();
        let reconfigured = beat
            .as_ref()
            .map(|beat| beat.configuration != settings.digest);
        let mut agent = Agent::judge(beat, held, room(path), now);
        if !agent.runs() {
            look::look(&mut agent, settings, meta.node.as_ref(), &records, now);
        }
        if let Some(pattern) = selection.unmatched(records.iter().map(|record| &record.stream)) {
            return Err(CommandError::Usage(format!(
                "the ledger knows no stream named `{pattern}`"
            )));
        }
        records.retain(|record| selection.takes(&record.stream));
        let ahead = FirstLook::at(agent.unjudged, settings);
        Ok(Self {
            meta,
            agent,
            records,
            policies,
            reconfigured,
            ahead,
            now,
        })
    }

    /// The exit code. All selected streams count, even those that are not shown.
    fn code(&self) -> u8 {
        self.agent
            .code(self.records.iter().any(|record| !record.settled))
    }

    /// The lines above the table: the node, the state of its agent, and what is wrong with them.
    fn head(&self, paint: Paint) -> String {
        let node = self
            .meta
            .node
            .as_ref()
            .map_or("unknown", |node| node.as_str());
        let store = self.meta.store.as_deref().unwrap_or_default();
        let mut text = format!(
            "node {node} · store {store}\n{}\n",
            self.agent.headline(self.now)
        );
        for problem in self.agent.problems(self.now) {
            text.push_str(&paint.paint(Tone::Bad, &problem));
            text.push('\n');
        }
        if self.agent.unjudged > 0 {
            let found = self.agent.beat.as_ref().map_or(0, |beat| beat.streams);
            let line = match self.agent.runs() {
                true => format!(
                    "{} of {} found in staging {} not judged yet",
                    self.agent.unjudged,
                    counted(found, "stream"),
                    if self.agent.unjudged == 1 {
                        "is"
                    } else {
                        "are"
                    }
                ),
                false => format!(
                    "{} changed in staging since the last look at {}",
                    counted(self.agent.unjudged, "stream"),
                    if self.agent.unjudged == 1 {
                        "it"
                    } else {
                        "them"
                    }
                ),
            };
            text.push_str(&paint.paint(Tone::Doubtful, &line));
            text.push('\n');
        }
        if let Some(ahead) = &self.ahead {
            text.push_str(&format!("{ahead}\n"));
        }
        if self.reconfigured == Some(true) && self.agent.runs() {
            let line = "the configuration file changed since the agent started: restart it to apply the changes";
            text.push_str(&paint.paint(Tone::Doubtful, line));
            text.push('\n');
        }
        text
    }

    fn report(&self, shown: &[&StreamRecord]) -> Report {
        Report {
            version: 1,
            node: self.meta.node.as_ref().map(ToString::to_string),
            store: self.meta.store.clone(),
            agent: self.agent_row(),
            conditions: self.agent.conditions.iter().map(condition).collect(),
            streams: shown.iter().map(|record| row(record)).collect(),
            policies: self.policies.iter().map(policy).collect(),
        }
    }

    fn agent_row(&self) -> AgentRow {
        let beat = self.agent.beat.as_ref();
        let time =
            |of: fn(&Heartbeat) -> Option<Timestamp>| beat.and_then(of).map(|at| at.to_string());
        AgentRow {
            state: self.agent.state,
            pid: beat.map(|beat| beat.pid),
            started: time(|beat| Some(beat.started)),
            reported: time(|beat| Some(beat.at)),
            last_scan: time(|beat| beat.scanned),
            next_scan: time(|beat| beat.next_scan),
            scan_is_stale: self.agent.scan_is_stale,
            store_answered: time(|beat| beat.store_answered),
            streams: beat.map(|beat| beat.streams),
            unjudged: self.agent.unjudged,
            queued: beat.map(|beat| beat.queued),
            configuration: beat.map(|beat| beat.configuration.to_string()),
            configuration_changed: self.reconfigured,
            store_check: beat.map(|beat| Check {
                result: beat.store_check.result,
                detail: beat.store_check.detail.clone(),
                at: time(|beat| beat.store_check.at),
            }),
        }
    }
}

fn condition(condition: &Condition) -> ConditionRow {
    ConditionRow {
        kind: condition.kind,
        since: condition.since.to_string(),
        detail: condition.detail.clone(),
    }
}

/// What a stream is sorted by: unsettled ones first, those that need an operator before those that wait, and those that
/// failed more often before others.
fn badness(record: &StreamRecord) -> (bool, usize, Reverse<u32>) {
    const WORST_FIRST: [Phase; 10] = [
        Phase::Conflicted,
        Phase::Unknown,
        Phase::Abandoned,
        Phase::Pending,
        Phase::Awaiting,
        Phase::Unseen,
        Phase::Synced,
        Phase::Provisional,
        Phase::Gone,
        Phase::Idle,
    ];
    let rank = WORST_FIRST
        .iter()
        .position(|phase| *phase == record.phase)
        .unwrap_or_default();
    (record.settled, rank, Reverse(record.attempts))
}

fn table(
    records: &[&StreamRecord],
    selected: usize,
    policies: &[PolicyStatus],
    now: Timestamp,
    paint: Paint,
) -> String {
    let mut text = String::new();
    if selected == 0 {
        text.push_str("no streams yet\n");
    } else if records.is_empty() {
        text.push_str(&format!(
            "none of {} is shown\n",
            counted(selected, "stream")
        ));
    } else {
        let mut table = Table::new(&[
            "STREAM",
            "PHASE",
            "SOURCE",
            "ATTEMPTS",
            "NEXT",
            "LAST FAILURE",
        ]);
        for record in records {
            let failure = record
                .last_failure
                .as_ref()
                .map(|failure| failure.message.clone())
                .unwrap_or_default();
            table.row(vec![
                (Tone::Plain, record.stream.to_string()),
                phase_of(record),
                (
                    Tone::Plain,
                    record.source.clone().unwrap_or_else(|| "–".to_owned()),
                ),
                (Tone::Plain, record.attempts.to_string()),
                (
                    Tone::Plain,
                    record
                        .next_attempt
                        .map_or_else(|| "–".to_owned(), |at| relative(at, now)),
                ),
                (Tone::Faint, failure),
            ]);
        }
        text.push_str(&table.render(paint));
        text.push('\n');
        let count = |phase| {
            (
                phase,
                records
                    .iter()
                    .filter(|record| record.phase == phase)
                    .count(),
            )
        };
        let counts = Phase::ALL
            .into_iter()
            .map(count)
            .filter(|(_, count)| *count > 0);
        let counts: Vec<_> = counts
            .map(|(phase, count)| format!("{count} {phase}"))
            .collect();
        text.push_str(&format!(
            "{}: {}{}\n",
            counted(records.len(), "stream"),
            counts.join(", "),
            match selected - records.len() {
                0 => String::new(),
                hidden => format!("; {hidden} not shown"),
            }
        ));
    }
    for policy in policies
        .iter()
        .filter(|policy| policy.health != PolicyHealth::Healthy)
    {
        let line = format!(
            "policy {} is {} since {} after {} in a row{}",
            policy.name,
            policy.health.name(),
            policy.since,
            counted(policy.failures, "failure"),
            policy
                .cause
                .as_ref()
                .map(|cause| format!(": {cause}"))
                .unwrap_or_default(),
        );
        text.push_str(&paint.paint(Tone::Bad, &line));
        text.push('\n');
    }
    text
}

/// The phase; with a sign where it only says what the store was last known to hold.
fn phase_of(record: &StreamRecord) -> (Tone, String) {
    match record.phase.is_settled() && !record.settled {
        true => (Tone::Bad, format!("{}, unsettled", record.phase)),
        false => (tone(record.phase), record.phase.to_string()),
    }
}

fn row(record: &StreamRecord) -> Row {
    let text = |at: Timestamp| at.to_string();
    let failure = |failure: &LastFailure| Failure {
        kind: failure.kind.clone(),
        message: failure.message.clone(),
        at: failure.at.to_string(),
    };
    let confirmed = record.confirmed.map(|digest| digest.to_string());
    let remote = match &record.remote {
        RemoteState::Unknown => None,
        RemoteState::Missing { seen } => Some(Remote {
            exists: false,
            size: None,
            version: None,
            seen: text(*seen),
            confirmed,
        }),
        RemoteState::Found {
            object: ObjectInfo { size, version, .. },
            seen,
        } => Some(Remote {
            exists: true,
            size: Some(*size),
            version: version.as_ref().map(|version| version.as_str().to_owned()),
            seen: text(*seen),
            confirmed,
        }),
    };
    let local = Local {
        fingerprint: record
            .local_fingerprint
            .map(|fingerprint| format!("{fingerprint:016x}")),
        captured: record.captured.map(|digest| digest.to_string()),
    };
    Row {
        tenant: record.stream.tenant.as_ref().map(ToString::to_string),
        name: record.stream.name.to_string(),
        phase: record.phase,
        settled: record.settled,
        attempts: record.attempts,
        next_attempt: record.next_attempt.map(text),
        last_failure: record.last_failure.as_ref().map(failure),
        last_success: record.last_success.map(text),
        source: record.source.clone(),
        local: (local.fingerprint.is_some() || local.captured.is_some()).then_some(local),
        remote,
        updated: text(record.updated),
    }
}

fn policy(policy: &PolicyStatus) -> Policy {
    Policy {
        name: policy.name.clone(),
        sha256: policy.digest.to_string(),
        version: policy.version.clone(),
        state: policy.health,
        failures: policy.failures,
        since: policy.since.to_string(),
        cause: policy.cause.clone(),
    }
}
