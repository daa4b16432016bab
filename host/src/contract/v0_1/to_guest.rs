//! From the host's own types to what a guest is given.

use std::time::Duration;

use super::bindings::tidegate::policy::types as wit;
use crate::contract::{
    Facts, Failure, FailureKind, LocalState, ObjectInfo, Phase, RemoteState, StoreFailure, Trigger,
    Version,
};
use crate::time::{Timestamp, millis};

/// The facts' lists in the shape that the bindings borrow. It outlives the [`wit::StreamFacts`] made from it.
pub(crate) struct Lists<'a> {
    defaults: Vec<&'a str>,
    attributes: Vec<(&'a str, &'a str)>,
}

impl<'a> Lists<'a> {
    /// The lists of these facts.
    pub(crate) fn of(facts: &'a Facts) -> Self {
        Self {
            defaults: facts.defaults.iter().map(String::as_str).collect(),
            attributes: facts
                .attributes
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
        }
    }
}

/// The facts as a guest sees them.
pub(crate) fn stream_facts<'a>(facts: &'a Facts, lists: &'a Lists<'a>) -> wit::StreamFacts<'a> {
    wit::StreamFacts {
        tenant: facts.stream.tenant.as_deref(),
        name: &facts.stream.name,
        node: facts.node.as_str(),
        now: facts.now.as_millis(),
        node_seen: facts.node_seen.as_millis(),
        phase: phase(facts.phase),
        trigger: trigger(facts.trigger),
        attempts: facts.attempts,
        failing_since: facts.failing_since.map(Timestamp::as_millis),
        absent_since: facts.absent_since.map(Timestamp::as_millis),
        absences: facts.absences,
        last_success: facts.last_success.map(Timestamp::as_millis),
        previous_delay: facts.previous_delay.map(short_millis),
        local: local_state(&facts.local),
        remote: remote_state(&facts.remote),
        staged_data_files: facts.staged_data_files,
        oldest_data_file: facts.oldest_data_file.map(Timestamp::as_millis),
        schema_key: &facts.schema_key,
        peers_prefix: &facts.peers_prefix,
        base_key: facts.base_key.as_deref(),
        defaults: &lists.defaults,
        store: wit::StoreHealth {
            last_success: facts.store.last_success.map(Timestamp::as_millis),
            failing_streams: facts.store.failing_streams,
            streams: facts.store.streams,
        },
        attributes: &lists.attributes,
        entropy: facts.entropy,
    }
}

/// The failure that a retry policy is asked about.
pub(crate) fn failure(failure: &Failure) -> wit::Failure<'_> {
    match failure {
        Failure::SchemaAbsent(reason) => wit::Failure::SchemaAbsent(reason),
        Failure::SchemaInvalid(reason) => wit::Failure::SchemaInvalid(reason),
        Failure::SchemaConflict(reason) => wit::Failure::SchemaConflict(reason),
        Failure::Store(failure) => wit::Failure::Store(wit::StoreFailureParam {
            kind: failure_kind(failure.kind),
            message: &failure.message,
            retry_after: failure.retry_after.map(short_millis),
        }),
        Failure::Other(reason) => wit::Failure::Other(reason),
    }
}

/// A failed request that a host function reports.
pub(crate) fn store_failure(failure: StoreFailure) -> wit::StoreFailureResult {
    wit::StoreFailureResult {
        kind: failure_kind(failure.kind),
        message: failure.message,
        retry_after: failure.retry_after.map(short_millis),
    }
}

/// An object that a host function describes.
pub(crate) fn object_info(object: ObjectInfo) -> wit::ObjectInfoResult {
    wit::ObjectInfoResult {
        size: object.size,
        modified: object.modified.as_millis(),
        version: object.version.map(|version| version.as_str().to_owned()),
    }
}

/// The contract's `millis` are 32 bits: what is longer than 49 days is cut to that.
fn short_millis(length: Duration) -> u32 {
    u32::try_from(millis(length)).unwrap_or(u32::MAX)
}

fn local_state(local: &LocalState) -> wit::LocalState<'_> {
    match local {
        LocalState::Missing => wit::LocalState::Missing,
        LocalState::Unreadable(cause) => wit::LocalState::Unreadable(cause),
        LocalState::TooLarge(size) => wit::LocalState::TooLarge(*size),
        LocalState::File(file) => wit::LocalState::File(wit::LocalSchema {
            size: file.size,
            modified: file.modified.as_millis(),
            stable_since: file.stable_since.as_millis(),
            fingerprint: file.fingerprint,
            well_formed: file.well_formed,
        }),
    }
}

fn remote_state(remote: &RemoteState) -> wit::RemoteState<'_> {
    match remote {
        RemoteState::Unknown => wit::RemoteState::Unknown,
        RemoteState::Missing { seen } => wit::RemoteState::Missing(seen.as_millis()),
        RemoteState::Found { object, seen } => wit::RemoteState::Found(wit::RemoteInfo {
            object: wit::ObjectInfoParam {
                size: object.size,
                modified: object.modified.as_millis(),
                version: object.version.as_ref().map(Version::as_str),
            },
            seen: seen.as_millis(),
        }),
    }
}

fn phase(phase: Phase) -> wit::Phase {
    match phase {
        Phase::Unseen => wit::Phase::Unseen,
        Phase::Idle => wit::Phase::Idle,
        Phase::Awaiting => wit::Phase::Awaiting,
        // The contract has no name for a stream that the store does not know.
        Phase::Unknown | Phase::Pending => wit::Phase::Pending,
        Phase::Provisional => wit::Phase::Provisional,
        Phase::Synced => wit::Phase::Synced,
        Phase::Conflicted => wit::Phase::Conflicted,
        Phase::Abandoned => wit::Phase::Abandoned,
        Phase::Gone => wit::Phase::Gone,
    }
}

fn trigger(trigger: Trigger) -> wit::Trigger {
    match trigger {
        Trigger::FirstSeen => wit::Trigger::FirstSeen,
        Trigger::Changed => wit::Trigger::Changed,
        Trigger::Scheduled => wit::Trigger::Scheduled,
        Trigger::Requested => wit::Trigger::Requested,
        Trigger::Verification => wit::Trigger::Verification,
    }
}

fn failure_kind(kind: FailureKind) -> wit::StoreFailureKind {
    match kind {
        FailureKind::Throttled => wit::StoreFailureKind::Throttled,
        FailureKind::Unavailable => wit::StoreFailureKind::Unavailable,
        FailureKind::Timeout => wit::StoreFailureKind::Timeout,
        FailureKind::PreconditionFailed => wit::StoreFailureKind::PreconditionFailed,
        FailureKind::PermissionDenied => wit::StoreFailureKind::PermissionDenied,
        FailureKind::NotFound => wit::StoreFailureKind::NotFound,
        FailureKind::Other => wit::StoreFailureKind::Other,
    }
}
