//! A policy of all three roles that imports the object-writer and misuses it in the way its settings name:
//! `{"act": "…"}`, with `"role": "…"` in that role only. `tests/guests/README.md` lists the acts and what the host owes
//! to each.

#![allow(
    missing_docs,
    reason = "the generated bindings are documented by the contract"
)]

wit_bindgen::generate!({
    path: "../../../wit/0.1",
    world: "writing-policy",
});

use std::cell::RefCell;

use serde_json::Value;

use exports::tidegate::policy::{existence, fallback, lifecycle, retry};
use tidegate::policy::object_writer::{self, WriteError, WriteMode};
use tidegate::policy::types::{Failure, StreamFacts};

/// Keys that no grant may cover, and ways out of one for `notes/`.
const KEYS: &[&str] = &[
    "",
    "/",
    "notes",
    "notes/",
    "../x",
    "notes/../x",
    "notes/%2e%2e/x",
    "notes//x",
    "/notes/x",
    "notes/./x",
    "notes/\0",
    "other/x",
    "notes2/x",
    "app/.stream/.schema",
    "app/.stream/.ingestor.n1.schema",
    "app/.stream/.ingestor.n2.schema",
    "app/.stream/.stream.json",
    "app/.stream/.ingestor.n1.stream.json",
    "notes/.schema",
    "notes/x.schema",
    "notes/x.schema.json",
    "notes/x.schema.bak",
    "notes/.stream.json",
    ".tidegate/canary",
    ".parseable.json",
];

struct Policy;

thread_local! {
    static SETTINGS: RefCell<Value> = const { RefCell::new(Value::Null) };
}

impl lifecycle::Guest for Policy {
    fn describe() -> lifecycle::Description {
        lifecycle::Description {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Misuses the object-writer in the way its settings name; for tests."
                .to_owned(),
            settings_schema: String::new(),
            metadata: Vec::new(),
        }
    }

    fn configure(settings: String) -> Result<(), Vec<lifecycle::SettingsProblem>> {
        let settings: Value = serde_json::from_str(&settings).map_err(|error| {
            vec![lifecycle::SettingsProblem {
                pointer: String::new(),
                message: error.to_string(),
            }]
        })?;
        let writes_now = settings["act"] == "put-in-configure";
        SETTINGS.set(settings);
        if writes_now {
            put(&key(), b"x", &WriteMode::Create);
        }
        Ok(())
    }
}

impl existence::Guest for Policy {
    fn check(_facts: StreamFacts) -> Result<existence::Presence, String> {
        Ok(act("existence").map_or(existence::Presence::Abstain, existence::Presence::Absent))
    }
}

impl fallback::Guest for Policy {
    fn choose(_facts: StreamFacts, _reason: String) -> Result<fallback::Choice, String> {
        Ok(act("fallback").map_or(fallback::Choice::Abstain, fallback::Choice::Skip))
    }
}

impl retry::Guest for Policy {
    fn decide(_facts: StreamFacts, _failure: Failure) -> Result<retry::Decision, String> {
        Ok(act("retry").map_or(retry::Decision::Abstain, retry::Decision::Abandon))
    }
}

fn setting(name: &str) -> Value {
    SETTINGS.with_borrow(|settings| settings[name].clone())
}

fn key() -> String {
    setting("key").as_str().unwrap_or("notes/x").to_owned()
}

/// What the act gave, for the verdict's reason.
fn act(role: &str) -> Option<String> {
    if setting("role").as_str().is_some_and(|only| only != role) {
        return None;
    }
    let mode = match setting("update").as_str() {
        Some(version) => WriteMode::Update(version.to_owned()),
        None => WriteMode::Create,
    };
    Some(match setting("act").as_str()? {
        "put" => {
            let text = setting("text").as_str().unwrap_or("x").to_owned();
            put(&key(), text.as_bytes(), &mode)
        }
        "put-climb" => {
            let out: Vec<_> = KEYS.iter().filter(|key| !refused(key)).collect();
            format!(
                "refused {} of {}; let through: {out:?}",
                KEYS.len() - out.len(),
                KEYS.len()
            )
        }
        "put-huge" => {
            let mebibytes = setting("mib").as_u64().unwrap_or(16) as usize;
            put(&key(), &vec![b'x'; mebibytes << 20], &mode)
        }
        "put-forever" => put_forever(),
        "put-then-trap" => {
            put(&key(), b"x", &mode);
            trap()
        }
        _ => return None,
    })
}

fn put(key: &str, bytes: &[u8], mode: &WriteMode) -> String {
    match object_writer::put(key, bytes, mode) {
        Ok(object) => format!("wrote {} bytes", object.size),
        Err(WriteError::NotGranted(_)) => "not-granted".to_owned(),
        Err(WriteError::Reserved(_)) => "reserved".to_owned(),
        Err(WriteError::Stale(object)) => format!("stale({:?})", object.map(|object| object.size)),
        Err(WriteError::TooLarge(bound)) => format!("too-large({bound})"),
        Err(WriteError::BudgetExhausted) => "budget-exhausted".to_owned(),
        Err(WriteError::Failed(failure)) => format!("failed({:?})", failure.kind),
    }
}

fn refused(key: &str) -> bool {
    matches!(
        object_writer::put(key, b"x", &WriteMode::Create),
        Err(WriteError::NotGranted(_) | WriteError::Reserved(_))
    )
}

fn put_forever() -> ! {
    let mut count = 0_u64;
    loop {
        put(&format!("notes/{count}"), b"x", &WriteMode::Create);
        count += 1;
    }
}

#[allow(clippy::panic, reason = "trapping is what this act is for")]
fn trap() -> ! {
    panic!("traps by request")
}

export!(Policy);
