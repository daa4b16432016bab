//! A policy that traps when it is asked what it is.

#![allow(
    missing_docs,
    reason = "the generated bindings are documented by the contract"
)]

wit_bindgen::generate!({
    path: "../../../wit/0.1",
    world: "existence-policy",
});

use exports::tidegate::policy::{existence, lifecycle};

struct Policy;

impl lifecycle::Guest for Policy {
    #[allow(clippy::panic, reason = "trapping is what this guest is for")]
    fn describe() -> lifecycle::Description {
        panic!("describes nothing")
    }

    fn configure(_settings: String) -> Result<(), Vec<lifecycle::SettingsProblem>> {
        Ok(())
    }
}

impl existence::Guest for Policy {
    fn check(_facts: existence::StreamFacts) -> Result<existence::Presence, String> {
        Ok(existence::Presence::Abstain)
    }
}

export!(Policy);
