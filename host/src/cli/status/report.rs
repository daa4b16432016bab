//! `status --json`.

use serde::Serialize;

use super::View;
use super::agent::State;
use crate::contract::{ObjectInfo, Phase, RemoteState};
use crate::ledger::{
    CheckResult, Condition, ConditionKind, Heartbeat, LastFailure, PolicyHealth, PolicyStatus,
    StreamRecord,
};
use crate::time::Timestamp;

/// `status --json`, version 1.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    version: u32,
    node: Option<String>,
    store: Option<String>,
    /// Why an agent with this configuration would refuse the ledger.
    other_store: Option<String>,
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
pub(in crate::cli) struct ConditionRow {
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

impl View {
    pub(super) fn report(&self, shown: &[&StreamRecord]) -> Report {
        Report {
            version: 1,
            node: self.meta.node.as_ref().map(ToString::to_string),
            store: self.meta.store.clone(),
            other_store: self.other_store.clone(),
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

impl std::fmt::Display for ConditionRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.detail)
    }
}

pub(in crate::cli) fn condition(condition: &Condition) -> ConditionRow {
    ConditionRow {
        kind: condition.kind,
        since: condition.since.to_string(),
        detail: condition.detail.clone(),
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
