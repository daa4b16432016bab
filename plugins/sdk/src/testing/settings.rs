#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "this is for tests, where a panic is the failure"
)]

use std::fmt::Debug;

use serde_json::{Map, Value};

use crate::{Policy, Problem, settings};

/// The policy with these settings (a JSON object), as `configure` makes it.
///
/// # Panics
///
/// When they are refused, with everything that is wrong.
pub fn settings<P: Policy>(text: &str) -> P {
    match settings::parse(text) {
        Ok(policy) => policy,
        Err(problems) => panic!("the settings {text} are refused: {problems:#?}"),
    }
}

/// Everything that is wrong with these settings, as an operator is told; nothing where they are right.
pub fn problems<P: Policy>(text: &str) -> Vec<Problem> {
    settings::parse::<P>(text).err().unwrap_or_default()
}

/// Checks that the settings' JSON Schema, which people and tools read, tells the truth: it denies unknown keys, every
/// key has a description, and writing all defaults changes nothing.
///
/// # Panics
///
/// When the schema and the settings disagree.
pub fn assert_schema_fits<P: Policy + PartialEq + Debug>() {
    let schema: Value = serde_json::from_str(&settings::schema::<P>()).expect("the schema is JSON");
    assert_eq!(
        schema["additionalProperties"], false,
        "unknown keys are accepted: `#[serde(deny_unknown_fields)]` denies them"
    );
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    let mut defaults = Map::new();
    for (key, property) in properties {
        assert!(
            property["description"].is_string(),
            "`{key}` has no description: a doc comment becomes one"
        );
        if let Some(default) = property.get("default") {
            defaults.insert(key.clone(), default.clone());
        }
    }
    let written = Value::Object(defaults).to_string();
    assert_eq!(
        settings::<P>(&written),
        settings::<P>("{}"),
        "the schema's defaults are not what is left out"
    );
}
