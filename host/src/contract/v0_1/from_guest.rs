//! From what a guest answers to the host's own types. Nothing is judged here: whether a verdict is within bounds is
//! the policy layer's to say.

use std::time::Duration;

use super::bindings::exports::tidegate::policy::{existence, fallback, lifecycle, retry};
use crate::contract::{Choice, Description, Presence, RetryDecision, SettingsProblem};

impl From<lifecycle::Description> for Description {
    fn from(told: lifecycle::Description) -> Self {
        Description {
            name: told.name,
            version: told.version,
            summary: told.summary,
            settings_schema: told.settings_schema,
            metadata: told.metadata,
        }
    }
}

impl From<lifecycle::SettingsProblem> for SettingsProblem {
    fn from(problem: lifecycle::SettingsProblem) -> Self {
        SettingsProblem {
            pointer: problem.pointer,
            message: problem.message,
        }
    }
}

impl From<existence::Presence> for Presence {
    fn from(verdict: existence::Presence) -> Self {
        match verdict {
            existence::Presence::Present => Presence::Present,
            existence::Presence::Absent(reason) => Presence::Absent(reason),
            existence::Presence::NotExpected(reason) => Presence::NotExpected(reason),
            existence::Presence::Unsettled(millis) => Presence::Unsettled(length(millis)),
            existence::Presence::Abstain => Presence::Abstain,
        }
    }
}

impl From<fallback::Choice> for Choice {
    fn from(verdict: fallback::Choice) -> Self {
        match verdict {
            fallback::Choice::Skip(reason) => Choice::Skip(reason),
            fallback::Choice::Named(name) => Choice::Named(name),
            fallback::Choice::Object(key) => Choice::Object(key),
            fallback::Choice::Peers => Choice::Peers,
            fallback::Choice::Document(document) => Choice::Document(document),
            fallback::Choice::Abstain => Choice::Abstain,
        }
    }
}

impl From<retry::Decision> for RetryDecision {
    fn from(verdict: retry::Decision) -> Self {
        match verdict {
            retry::Decision::After(millis) => RetryDecision::After(length(millis)),
            retry::Decision::OnChange => RetryDecision::OnChange,
            retry::Decision::Abandon(reason) => RetryDecision::Abandon(reason),
            retry::Decision::Abstain => RetryDecision::Abstain,
        }
    }
}

fn length(millis: u32) -> Duration {
    Duration::from_millis(u64::from(millis))
}
