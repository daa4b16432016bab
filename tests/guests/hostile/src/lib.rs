//! A policy of all three roles that misbehaves in the way its settings name: `{"act": "…"}`, with `"role": "…"` in that
//! role only. `tests/guests/README.md` lists the acts and what the host owes to each.

#![allow(clippy::panic, reason = "misbehaving is what this guest is for")]
#![allow(
    missing_docs,
    reason = "the generated bindings are documented by the contract"
)]

mod answer;
mod climb;
mod compute;
mod flood;
mod stored;

wit_bindgen::generate!({
    path: "../../../wit/0.1",
    world: "sync-policy",
    additional_derives: [serde::Serialize],
});

use std::cell::{Cell, RefCell};

use serde_json::{Value, json};

use exports::tidegate::policy::{existence, fallback, lifecycle, retry};
use tidegate::policy::types::{Failure, StreamFacts};
use tidegate::policy::{log, object_reader, state};

struct Policy;

thread_local! {
    static SETTINGS: RefCell<Value> = const { RefCell::new(Value::Null) };
    /// What a policy must not have: memory that survives a decision.
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

/// What an act comes to, where it comes back at all.
enum Outcome {
    /// Text for the verdict's reason: absent, skip or abandon.
    Report(String),
    /// The verdict that the settings spell out.
    Answer,
    /// The role's error.
    Error(String),
    /// The odd calls of an instance abstain, the even ones give a verdict.
    Abstain,
}

impl lifecycle::Guest for Policy {
    fn describe() -> lifecycle::Description {
        lifecycle::Description {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Misbehaves in the way its settings name; for tests.".to_owned(),
            settings_schema: String::new(),
            metadata: Vec::new(),
        }
    }

    fn configure(settings: String) -> Result<(), Vec<lifecycle::SettingsProblem>> {
        let problem =
            |pointer: String, message: String| lifecycle::SettingsProblem { pointer, message };
        let settings: Value = serde_json::from_str(&settings)
            .map_err(|error| vec![problem(String::new(), error.to_string())])?;
        let act = settings["act"].as_str().unwrap_or_default().to_owned();
        SETTINGS.set(settings);
        match act.as_str() {
            "trap-in-configure" => compute::trap(),
            "loop-in-configure" => compute::spin(),
            "read-in-configure" => {
                let _ = object_reader::head("app/.stream/.schema");
            }
            "state-in-configure" => {
                let _ = state::load(state::Scope::ThisNode, "key");
            }
            "log-in-configure" => log::write(log::Level::Info, "configured"),
            "many-problems" => {
                let problems = (0..number("count", 500))
                    .map(|n| {
                        problem(
                            format!("/key-{n}"),
                            format!("problem {n}: {}", "x".repeat(1000)),
                        )
                    })
                    .collect();
                return Err(problems);
            }
            "no-problems" => return Err(Vec::new()),
            _ => {}
        }
        Ok(())
    }
}

impl existence::Guest for Policy {
    fn check(facts: StreamFacts) -> Result<existence::Presence, String> {
        let report = || json!({ "facts": facts });
        match act("existence", report) {
            Outcome::Report(text) => Ok(existence::Presence::Absent(text)),
            Outcome::Answer => Ok(answer::presence(&setting("presence"))),
            Outcome::Error(text) => Err(text),
            Outcome::Abstain => Ok(existence::Presence::Abstain),
        }
    }
}

impl fallback::Guest for Policy {
    fn choose(facts: StreamFacts, reason: String) -> Result<fallback::Choice, String> {
        let report = || json!({ "facts": facts, "reason": reason });
        match act("fallback", report) {
            Outcome::Report(text) if setting("as") == "document" => {
                Ok(fallback::Choice::Document(text))
            }
            Outcome::Report(text) => Ok(fallback::Choice::Skip(text)),
            Outcome::Answer => Ok(answer::choice(&setting("choice"))),
            Outcome::Error(text) => Err(text),
            Outcome::Abstain => Ok(fallback::Choice::Abstain),
        }
    }
}

impl retry::Guest for Policy {
    fn decide(facts: StreamFacts, failure: Failure) -> Result<retry::Decision, String> {
        let report = || json!({ "facts": facts, "failure": failure });
        match act("retry", report) {
            Outcome::Report(text) => Ok(retry::Decision::Abandon(text)),
            Outcome::Answer => Ok(answer::decision(&setting("retry"))),
            Outcome::Error(text) => Err(text),
            Outcome::Abstain => Ok(retry::Decision::Abstain),
        }
    }
}

/// A value of the settings, null where there is none.
fn setting(name: &str) -> Value {
    SETTINGS.with_borrow(|settings| settings[name].clone())
}

/// A number of the settings, or its default.
fn number(name: &str, default: u64) -> u64 {
    setting(name).as_u64().unwrap_or(default)
}

/// A text of the settings, or its default.
fn text(name: &str, default: &str) -> String {
    setting(name).as_str().unwrap_or(default).to_owned()
}

/// So many MiB of text.
fn mebibytes(default: u64) -> String {
    "x".repeat(number("mib", default) as usize * (1 << 20))
}

fn act(role: &str, asked: impl Fn() -> Value) -> Outcome {
    if setting("role").as_str().is_some_and(|only| only != role) {
        return Outcome::Abstain;
    }
    match text("act", "answer").as_str() {
        "answer" => Outcome::Answer,
        "echo" => {
            let asked = asked();
            log::write(log::Level::Info, &asked.to_string());
            let part = asked.pointer(&text("field", "")).unwrap_or(&Value::Null);
            Outcome::Report(part.to_string())
        }
        "error" => Outcome::Error(text("message", "refuses to judge")),
        "remember" => {
            CALLS.set(CALLS.get() + 1);
            if CALLS.get() % 2 == 1 {
                Outcome::Abstain
            } else {
                Outcome::Report(format!("call {} of this instance", CALLS.get()))
            }
        }
        "trap" => compute::trap(),
        "panic" => panic!("panics by request"),
        "loop" => compute::spin(),
        "recurse" => Outcome::Report(compute::recurse(0).to_string()),
        "memory-at-once" => Outcome::Report(compute::memory_at_once(number("mib", 1024))),
        "memory-by-steps" => compute::memory_by_steps(),
        "huge-reason" => Outcome::Report(mebibytes(16)),
        "long-reason" => Outcome::Report("x".repeat(1025)),
        "huge-error" => Outcome::Error(mebibytes(16)),
        "invalid-utf8" => Outcome::Report(compute::invalid_utf8()),
        "invalid-utf8-argument" => {
            log::write(log::Level::Info, &compute::invalid_utf8());
            Outcome::Report("the host took it".to_owned())
        }
        act => flood::act(act)
            .or_else(|| climb::act(act))
            .or_else(|| stored::act(act))
            .unwrap_or_else(|| Outcome::Error(format!("there is no act `{act}`"))),
    }
}

export!(Policy);
