//! The policy layer against guests that misbehave in one way each. They are written by hand, as core modules of a few
//! lines that the `guest` module wraps into components.

mod budgets;
mod builtin;
mod cache;
mod chain;
mod failures;
pub(crate) mod guest;
mod hostile;
mod imports;
mod inspection;
mod load;
mod record;
mod reuse;
mod state;
mod versions;
pub(crate) mod wasi;
pub(crate) mod world;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::contract::{Facts, LocalState, Phase, RemoteState, StoreHealth, Trigger};
use crate::stream::{NodeId, StreamId};
use crate::time::Timestamp;
use guest::Guest;
use world::{Memory, StillClock};

/// A component whose existence verdict tells how often its instance was asked, as a number of milliseconds.
pub(crate) fn remembering() -> Vec<u8> {
    reuse::counter("").component()
}

/// A runtime of few slots on a clock that stands still.
fn runtime() -> Runtime {
    runtime_with(4, Arc::new(StillClock::default()))
}

/// A runtime as the sandbox has it: computations are not interrupted, so that no test depends on the machine's speed.
fn runtime_with(slots: u16, clock: Arc<StillClock>) -> Runtime {
    Runtime::new(RuntimeSettings {
        slots,
        idle: 2,
        yield_every: None,
        cache: None,
        clock,
    })
    .unwrap()
}

fn settings(guest: &Guest) -> PolicySettings {
    PolicySettings::new("hostile", ComponentSource::Bytes(guest.component().into()))
}

async fn load(guest: &Guest) -> Policy {
    runtime().load(&settings(guest)).await.unwrap()
}

pub(crate) fn facts() -> Facts {
    Facts {
        stream: StreamId::new("app"),
        node: NodeId::new("n1"),
        now: Timestamp::from_millis(1_000),
        node_seen: Timestamp::from_millis(0),
        phase: Phase::Unseen,
        trigger: Trigger::FirstSeen,
        attempts: 0,
        failing_since: None,
        absent_since: None,
        absences: 0,
        last_success: None,
        previous_delay: None,
        local: LocalState::Missing,
        remote: RemoteState::Unknown,
        staged_data_files: 0,
        oldest_data_file: None,
        schema_key: "app/.stream/.ingestor.n1.schema".to_owned(),
        peers_prefix: "app/.stream/".to_owned(),
        base_key: Some("app/.stream/.schema".to_owned()),
        defaults: vec!["empty".to_owned()],
        store: StoreHealth::default(),
        attributes: Vec::new(),
        entropy: 7,
    }
}

pub(crate) fn values() -> GrantValues {
    GrantValues::new("app", &facts())
}

/// Asks the existence role in a world without anything in it.
async fn ask(policy: &Policy) -> CallReport {
    ask_in(policy, Arc::new(Memory::default())).await
}

async fn ask_in(policy: &Policy, world: Arc<Memory>) -> CallReport {
    policy
        .ask(Question::Existence, &facts(), world, values())
        .await
}

/// What a guest that answers `unsettled` reports in its number of milliseconds.
fn number(report: &CallReport) -> u64 {
    match &report.verdict {
        Ok(Verdict::Existence(crate::contract::Presence::Unsettled(length))) => {
            u64::try_from(length.as_millis()).unwrap()
        }
        other => panic!("no number but {other:?}"),
    }
}

fn cause(report: &CallReport) -> Cause {
    report.verdict.as_ref().unwrap_err().cause
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
