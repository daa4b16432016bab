//! The policy: its fields are the settings that an operator writes, its methods are the verdicts.
//!
//! What it reads of the world comes through `Host`, so that the same code runs in `cargo test`.

use schemars::JsonSchema;
use serde::Deserialize;
// @if existence retry
use tidegate_policy::Span;
// @end
// @if fallback
use tidegate_policy::{Choice, Fallback};
// @end
// @if retry
use tidegate_policy::{Decision, Failure, Retry};
// @end
// @if existence
use tidegate_policy::{Existence, LocalState, Presence};
// @end
use tidegate_policy::{Facts, Host, Policy, Problems, Result};

/// What an operator can set. Doc comments become the descriptions that `tidegate policy inspect` shows.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    // @if existence
    /// How long data may wait for its schema.
    pub grace: Span,
    // @end
    // @if fallback
    /// How many checks must find the schema absent first.
    pub checks: u32,
    /// The default schema to publish; empty for the merge of what the peers have.
    pub schema: String,
    // @end
    // @if retry
    /// The longest delay after the first failure.
    pub first: Span,
    /// The longest delay of all.
    pub longest: Span,
    // @end
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            // @if existence
            grace: Span::mins(2),
            // @end
            // @if fallback
            checks: 3,
            schema: String::new(),
            // @end
            // @if retry
            first: Span::secs(1),
            longest: Span::mins(1),
            // @end
        }
    }
}

impl Policy for Settings {
    fn validate(&self, problems: &mut Problems) {
        // @if existence
        if self.grace > Span::mins(9) {
            let message = "at most 9m: the host takes 10m of waiting in a row as `not-expected`";
            problems.add("/grace", message);
        }
        // @end
        // @if fallback
        if self.checks == 0 {
            problems.add("/checks", "at least 1: it is the first check that asks");
        }
        // @end
        // @if retry
        if self.first > self.longest {
            problems.add("/first", "this is more than `longest`");
        }
        // @end
    }
}

// @if existence
impl Existence for Settings {
    fn check(&self, facts: &Facts, _host: &impl Host) -> Result<Presence> {
        match &facts.local {
            LocalState::File(file) if file.well_formed => return Ok(Presence::Present),
            LocalState::Missing => {}
            // Something stands there that is no schema: the host's own rule is good enough.
            _ => return Ok(Presence::Abstain),
        }
        let Some(oldest) = facts.oldest_data_file else {
            return Ok(Presence::NotExpected("no data waits".to_owned()));
        };
        let waited = facts.now.since(oldest);
        if waited < self.grace {
            return Ok(Presence::Unsettled(self.grace.saturating_sub(waited)));
        }
        Ok(Presence::Absent(format!(
            "data has waited for {waited} without a schema"
        )))
    }
}

// @end
// @if fallback
impl Fallback for Settings {
    fn choose(&self, facts: &Facts, _reason: &str, _host: &impl Host) -> Result<Choice> {
        if facts.absences < self.checks {
            return Ok(Choice::Skip("it may come yet".to_owned()));
        }
        if facts.defaults.contains(&self.schema) {
            return Ok(Choice::Named(self.schema.clone()));
        }
        Ok(Choice::Peers)
    }
}

// @end
// @if retry
impl Retry for Settings {
    fn decide(&self, facts: &Facts, failure: &Failure, _host: &impl Host) -> Result<Decision> {
        if let Failure::SchemaInvalid(_) = failure {
            // The same file will not parse the next time either.
            return Ok(Decision::OnChange);
        }
        let doublings = facts.attempts.saturating_sub(1).min(31);
        let most = (self.first * (1 << doublings)).min(self.longest);
        // Half of it is left to chance, so that those that failed together do not come back together. Chance comes from
        // the facts: a generator of the policy's own would begin alike in every instance, on every node.
        let delay = facts.entropy.between(most / 2, most);
        Ok(Decision::After(delay.max(failure.advice())))
    }
}

// @end
tidegate_policy::export!(Settings: {{traits}});

#[cfg(test)]
mod tests;
