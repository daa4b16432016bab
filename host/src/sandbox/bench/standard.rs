//! The decisions that every policy of a role is measured by where no scenarios are named: what such policies are mostly
//! asked, and some of what is rare.

use std::time::Duration;

use crate::contract::{
    Facts, Failure, FailureKind, LocalFile, LocalState, ObjectInfo, Phase, RemoteState, Role,
    StoreFailure, StoreHealth, Trigger,
};
use crate::policy::{AskedFor, GrantValues, Policy};
use crate::stream::{NodeId, StreamId};
use crate::time::Timestamp;

use super::task::Task;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A moment of so many seconds ago.
fn ago(seconds: i64) -> Timestamp {
    NOW.shifted(-1_000 * seconds)
}

/// The decisions of this role, asked of this policy.
pub(super) fn tasks(policy: &Policy, role: Role) -> Vec<Task> {
    let asked = match role {
        Role::Existence => existence(),
        Role::Fallback => fallback(),
        Role::Retry => retry(),
    };
    let tasks = asked
        .into_iter()
        .enumerate()
        .map(|(at, (question, facts))| {
            let facts = Facts {
                // Spread over all words, so that jitter takes every branch.
                entropy: (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15),
                ..facts
            };
            Task {
                policy: policy.clone(),
                question,
                values: GrantValues::new("app", &facts),
                facts,
                calls: Vec::new(),
            }
        });
    tasks.collect()
}

/// A stream of a node that has run for an hour, in Parseable's layout.
fn facts() -> Facts {
    Facts {
        stream: StreamId::new("app"),
        node: NodeId::new("n1"),
        now: NOW,
        node_seen: ago(3_600),
        phase: Phase::Synced,
        trigger: Trigger::Changed,
        attempts: 0,
        failing_since: None,
        absent_since: None,
        absences: 0,
        last_success: Some(ago(600)),
        previous_delay: None,
        local: staged(60, true),
        remote: RemoteState::Missing { seen: ago(60) },
        staged_data_files: 3,
        oldest_data_file: Some(ago(300)),
        schema_key: "app/.stream/.ingestor.n1.schema".to_owned(),
        peers_prefix: "app/.stream/".to_owned(),
        base_key: Some("app/.stream/.schema".to_owned()),
        defaults: vec!["logs".to_owned()],
        store: StoreHealth {
            last_success: Some(ago(1)),
            failing_streams: 0,
            streams: 100,
        },
        attributes: vec![("mode".to_owned(), "ingest".to_owned())],
        entropy: 0,
    }
}

fn staged(seconds: i64, well_formed: bool) -> LocalState {
    LocalState::File(LocalFile {
        size: 2_000,
        modified: ago(seconds),
        stable_since: ago(seconds),
        fingerprint: if well_formed { 77 } else { 0 },
        well_formed,
    })
}

fn existence() -> Vec<(AskedFor, Facts)> {
    let missing = Facts {
        local: LocalState::Missing,
        ..facts()
    };
    let found = RemoteState::Found {
        object: ObjectInfo {
            size: 2_000,
            modified: ago(60),
            version: None,
        },
        seen: ago(60),
    };
    let asked = [
        facts(),
        Facts {
            local: staged(0, true),
            ..facts()
        },
        Facts {
            local: staged(60, false),
            ..facts()
        },
        missing.clone(),
        Facts {
            remote: RemoteState::Unknown,
            ..missing.clone()
        },
        Facts {
            remote: found,
            ..missing.clone()
        },
        Facts {
            oldest_data_file: Some(ago(5)),
            ..missing.clone()
        },
        Facts {
            staged_data_files: 0,
            oldest_data_file: None,
            ..missing
        },
    ];
    asked.map(|facts| (AskedFor::Existence, facts)).into()
}

fn fallback() -> Vec<(AskedFor, Facts)> {
    let absent = Facts {
        phase: Phase::Awaiting,
        local: LocalState::Missing,
        absent_since: Some(ago(180)),
        absences: 4,
        ..facts()
    };
    let asked = [
        absent.clone(),
        Facts {
            absent_since: Some(NOW),
            absences: 1,
            ..absent.clone()
        },
        Facts {
            defaults: Vec::new(),
            ..absent.clone()
        },
        Facts {
            base_key: None,
            absences: 1_000,
            ..absent
        },
    ];
    let question = || AskedFor::Fallback {
        reason: "3 data files have waited in staging for 5m without a schema".to_owned(),
    };
    asked.map(|facts| (question(), facts)).into()
}

fn retry() -> Vec<(AskedFor, Facts)> {
    let store = |kind, advice| {
        let failure = StoreFailure::new(kind, "500 InternalError: try again");
        Failure::Store(StoreFailure {
            retry_after: advice,
            ..failure
        })
    };
    let unavailable = || store(FailureKind::Unavailable, None);
    let asked = [
        (1, unavailable()),
        (2, unavailable()),
        (5, unavailable()),
        (30, unavailable()),
        (1, store(FailureKind::Timeout, None)),
        (
            1,
            store(FailureKind::Throttled, Some(Duration::from_secs(30))),
        ),
        (1, Failure::SchemaAbsent("data waits".to_owned())),
        (
            1,
            Failure::SchemaConflict("`a` is Int64 and Utf8".to_owned()),
        ),
    ];
    let failing = |attempts: u32| Facts {
        phase: Phase::Pending,
        trigger: Trigger::Scheduled,
        attempts,
        failing_since: Some(ago(i64::from(attempts) * 20)),
        previous_delay: (attempts > 1).then(|| Duration::from_secs(8)),
        store: StoreHealth {
            failing_streams: 10,
            ..facts().store
        },
        ..facts()
    };
    asked
        .map(|(attempts, failure)| (AskedFor::Retry { failure }, failing(attempts)))
        .into()
}
