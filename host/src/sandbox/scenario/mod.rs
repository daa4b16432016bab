//! Scenarios: worlds that are written down, with what is expected of the policies that live through them.

mod content;
mod expectation;
mod failed;
pub mod file;
mod history;
mod judge;
mod model;
mod play;
mod properties;
mod read;
mod run;
mod settle;
#[cfg(test)]
mod tests;
mod timeline;

/// The JSON Schema of scenario files, as pretty JSON with a newline at its end.
pub fn json_schema() -> String {
    let schema = schemars::schema_for!(File);
    // Its keys are texts and nothing in it fails to become JSON.
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

pub use expectation::{Bounds, Expectation, Expected, ExpectedContent, Properties, Scope, When};
pub use failed::FailedCalls;
pub use file::{File, RequestOutcome};
pub use judge::{Decision, Failure, decisions, judge};
pub use model::{Deed, Scenario, Step};
pub use play::{NodeEnd, Played, play, play_recorded};
pub use properties::{Property, Violation, violations};
pub use read::MAX_LENGTH;
pub use run::{Most, Report, run};
pub use settle::settling_time;
pub use timeline::{Focus, around, clock, in_words};
