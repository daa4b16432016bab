use clap::Args;
use serde::Serialize;

use super::output::{self, Paint, Table, Tone, relative, tone};
use super::select::Selection;
use super::{CommandError, Config, exit, first_look};
use crate::contract::{ObjectInfo, Phase, RemoteState};
use crate::ledger::{
    LastFailure, LedgerReader, PolicyHealth, PolicyStatus, StreamFilter, StreamRecord,
};
use crate::text::counted;
use crate::time::{Clock, SystemClock, Timestamp};

/// Show how streams stand.
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
}

/// `status --json`, version 1.
#[derive(Debug, Serialize)]
struct Report {
    version: u32,
    node: Option<String>,
    store: Option<String>,
    streams: Vec<Row>,
    policies: Vec<Policy>,
}

/// One stream.
#[derive(Debug, Serialize)]
struct Row {
    tenant: Option<String>,
    name: String,
    phase: Phase,
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

impl Status {
    pub(super) fn run(self) -> Result<u8, CommandError> {
        let (_, settings) = self.config.read()?;
        let selection = Selection::parse(&self.streams)?;
        let reader = LedgerReader::open(&settings.ledger.path)?;
        let meta = reader.meta()?;
        let filter = StreamFilter {
            node: meta.node.clone(),
            ..StreamFilter::default()
        };
        let mut records = reader.streams(&filter)?;
        if let Some(pattern) = selection.unmatched(records.iter().map(|record| &record.stream)) {
            return Err(CommandError::Usage(format!(
                "the ledger knows no stream named `{pattern}`"
            )));
        }
        records.retain(|record| selection.takes(&record.stream));
        let policies = reader.policies()?;
        let text = if self.json {
            let report = Report {
                version: 1,
                node: meta.node.map(|node| node.to_string()),
                store: meta.store,
                streams: records.iter().map(row).collect(),
                policies: policies.iter().map(policy).collect(),
            };
            let mut text = serde_json::to_string_pretty(&report).map_err(anyhow::Error::new)?;
            text.push('\n');
            text
        } else {
            let ahead = meta
                .node
                .as_ref()
                .and_then(|node| first_look::ahead(&settings, node));
            let node = meta
                .node
                .map_or_else(|| "unknown".to_owned(), |node| node.to_string());
            let store = meta.store.unwrap_or_default();
            let ahead = ahead.map(|look| format!("{look}\n\n"));
            format!(
                "node {node} · store {store}\n\n{}{}",
                ahead.unwrap_or_default(),
                table(
                    &records,
                    &policies,
                    SystemClock::new().now(),
                    Paint::stdout()
                )
            )
        };
        output::print(&text)?;
        Ok(
            match records
                .iter()
                .any(|record| exit::is_unsettled(record.phase))
            {
                true => exit::UNSETTLED,
                false => exit::SETTLED,
            },
        )
    }
}

fn table(
    records: &[StreamRecord],
    policies: &[PolicyStatus],
    now: Timestamp,
    paint: Paint,
) -> String {
    let mut text = String::new();
    if records.is_empty() {
        text.push_str("no streams yet\n");
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
                (tone(record.phase), record.phase.to_string()),
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
            "{}: {}\n",
            counted(records.len(), "stream"),
            counts.join(", ")
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
