//! Facts and checks for the tests of policies.

#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "this module is for tests, where a panic is the failure"
)]

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde_json::{Map, Value};

use crate::Problem;
use crate::object_reader::ReadError;
use crate::types::{
    LocalSchema, LocalState, ObjectInfo, Phase, RemoteState, StoreFailure, StoreFailureKind,
    StoreHealth, StreamFacts, Trigger,
};

/// The clock of [`facts`], in milliseconds since the epoch.
pub const NOW: u64 = 1_800_000_000_000;

/// A stream `app` that a node has watched for a day, with nothing staged and nothing known of the store.
pub fn facts() -> StreamFacts {
    StreamFacts {
        tenant: None,
        name: "app".to_owned(),
        node: "n1".to_owned(),
        now: NOW,
        node_seen: NOW - 86_400_000,
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
        entropy: u64::MAX / 2,
    }
}

/// A staged file that has stood unchanged for `age` milliseconds.
pub fn staged_file(age: u64, well_formed: bool) -> LocalState {
    LocalState::File(LocalSchema {
        size: 100,
        modified: NOW - age,
        stable_since: NOW - age,
        fingerprint: u64::from(well_formed),
        well_formed,
    })
}

/// Some object.
pub fn object() -> ObjectInfo {
    ObjectInfo {
        size: 100,
        modified: NOW - 1000,
        version: Some("\"1\"".to_owned()),
    }
}

/// A failed request to the store.
pub fn store_failure(kind: StoreFailureKind) -> StoreFailure {
    StoreFailure {
        kind,
        message: "the store says no".to_owned(),
        retry_after: None,
    }
}

/// A read that failed because the store was unavailable.
pub fn unavailable() -> ReadError {
    ReadError::Failed(store_failure(StoreFailureKind::Unavailable))
}

/// Checks that a policy's JSON Schema tells the truth about its parser: it is closed, every property is known to the
/// parser, every default may be written out, and writing all of them changes nothing.
///
/// # Panics
///
/// When the schema and the parser disagree.
pub fn assert_schema_fits<T: PartialEq + Debug>(
    schema: &str,
    parse: impl Fn(&str) -> Result<T, Vec<Problem>>,
) {
    let schema: Value = serde_json::from_str(schema).expect("the schema is JSON");
    assert_eq!(schema["type"], "object");
    assert_eq!(
        schema["additionalProperties"], false,
        "unknown keys are denied"
    );
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    let mut defaults = BTreeMap::new();
    for (key, property) in properties {
        assert!(
            property["description"].is_string(),
            "`{key}` has a description"
        );
        let problems = parse(&format!(r#"{{"{key}": null}}"#)).expect_err("no setting is null");
        assert!(
            problems
                .iter()
                .all(|problem| !problem.message.starts_with("unknown")),
            "the parser does not know `{key}`: {problems:?}"
        );
        if let Some(default) = property.get("default") {
            defaults.insert(key, default);
        }
    }
    let written = serde_json::to_string(&defaults).expect("JSON");
    assert_eq!(
        parse(&written).expect("the defaults are right"),
        parse("{}").expect("no settings are right"),
        "the schema's defaults are the parser's"
    );
}
