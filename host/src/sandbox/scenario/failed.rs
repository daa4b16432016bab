//! The calls of policies that failed in a scenario, with what the policies said about it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::expectation::Expected;
use super::judge::decisions;
use super::model::Scenario;
use super::timeline::{clock, log_lines};
use crate::contract::Role;
use crate::sandbox::Entry;

/// Calls of one policy in one role that failed by one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailedCalls {
    /// The policy's name in the configuration.
    pub policy: String,
    /// What it was asked for.
    pub role: Role,
    /// The cause's name.
    pub cause: String,
    /// How many calls failed.
    pub calls: u64,
    /// When the first of them failed, as timelines write it.
    pub at: String,
    /// The node that asked.
    pub node: String,
    /// The stream that it was about.
    pub stream: String,
    /// The cause with its details, and the error that the policy itself logged last.
    pub message: String,
    /// The other lines that the policy logged in that call.
    pub log: Vec<String>,
}

/// All calls that failed, in the order of the first of each kind.
pub(super) fn failed_calls(entries: &[Entry]) -> Vec<FailedCalls> {
    let mut kinds: Vec<FailedCalls> = Vec::new();
    let mut known: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    for decision in decisions(entries) {
        for call in decision.calls.iter().filter(|call| call.failed) {
            let cause = call.cause.as_deref().unwrap_or_default();
            let kind = (call.policy.as_str(), decision.role.name(), cause);
            if let Some(known) = known.get(&kind).and_then(|at| kinds.get_mut(*at)) {
                known.calls += 1;
                continue;
            }
            known.insert(kind, kinds.len());
            kinds.push(FailedCalls {
                policy: call.policy.clone(),
                role: decision.role,
                cause: cause.to_owned(),
                calls: 1,
                at: clock(decision.at),
                node: decision.node.to_owned(),
                stream: decision.stream.to_string(),
                message: call.verdict.clone(),
                log: log_lines(call),
            });
        }
    }
    kinds
}

/// Whether the scenario says something about failing calls, so that they need not be pointed out.
pub(super) fn expects_failed_calls(scenario: &Scenario) -> bool {
    scenario.expectations.iter().any(|expectation| {
        matches!(
            expectation.what,
            Expected::FailedCalls(_) | Expected::Warns(_)
        )
    })
}

impl FailedCalls {
    /// The calls in one line, and the log lines below it.
    pub fn lines(&self) -> Vec<String> {
        let Self {
            policy,
            role,
            at,
            node,
            stream,
            message,
            ..
        } = self;
        let times = match self.calls {
            1 => "once".to_owned(),
            calls => format!("{calls} times"),
        };
        let first = match self.calls {
            1 => "at",
            _ => "first at",
        };
        let head = format!(
            "{policy} failed {times} in {role}, {first} {at} on {node} about {stream}: {message}"
        );
        let logged = self.log.iter().map(|line| format!("  logged: {line}"));
        std::iter::once(head).chain(logged).collect()
    }
}
