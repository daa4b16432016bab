use crate::{
    Entropy, Facts, FailureKind, LocalFile, LocalState, ObjectInfo, Phase, RemoteState, Span,
    StoreFailure, StoreHealth, Timestamp, Trigger,
};

/// The clock of [`facts`].
pub const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A stream `app` that a node has watched for a day, with nothing staged and nothing known of the store. Write what
/// matters over it: `Facts { attempts: 3, ..facts() }`.
pub fn facts() -> Facts {
    Facts {
        tenant: None,
        name: "app".to_owned(),
        node: "n1".to_owned(),
        now: NOW,
        node_seen: NOW - Span::hours(24),
        phase: Phase::Unseen,
        trigger: Trigger::Changed,
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
        defaults: Vec::new(),
        store: StoreHealth {
            last_success: None,
            failing_streams: 0,
            streams: 10,
        },
        attributes: Vec::new(),
        entropy: Entropy::from_word(u64::MAX / 2),
    }
}

/// A staged file that has stood unchanged for so long.
pub fn staged_file(age: Span, well_formed: bool) -> LocalState {
    LocalState::File(LocalFile {
        size: 100,
        modified: NOW - age,
        stable_since: NOW - age,
        fingerprint: u64::from(well_formed),
        well_formed,
    })
}

/// Some object, a second old.
pub fn object() -> ObjectInfo {
    ObjectInfo {
        size: 100,
        modified: NOW - Span::secs(1),
        version: Some("\"1\"".to_owned()),
    }
}

/// A failed request to the store, without advice.
pub fn store_failure(kind: FailureKind) -> StoreFailure {
    StoreFailure {
        kind,
        message: "the store says no".to_owned(),
        retry_after: None,
    }
}
