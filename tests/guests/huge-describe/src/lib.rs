//! A policy whose description has 16 MiB; the contract allows 64 KiB.

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
    fn describe() -> lifecycle::Description {
        lifecycle::Description {
            name: "huge-describe".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "x".repeat(16 << 20),
            settings_schema: String::new(),
            metadata: Vec::new(),
        }
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
