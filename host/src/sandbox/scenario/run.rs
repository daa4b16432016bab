//! Runs a scenario with fresh and with reused instances.

use std::collections::BTreeMap;

use serde::Serialize;

use super::failed::{FailedCalls, expects_failed_calls, failed_calls};
use super::judge::{Decision, Failure, decisions, judge};
use super::model::Scenario;
use super::play::{Played, play};
use super::timeline::clock;
use crate::agent::Loaded;
use crate::policy::Instances;
use crate::sandbox::Event;
use crate::sync::Call;

/// What came of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The scenario's name.
    pub name: String,
    /// What it is about.
    pub title: String,
    /// What is not as expected, with fresh instances; with reused ones where only those fail.
    pub failures: Vec<Failure>,
    /// Where verdicts depend on what an instance remembers.
    pub hidden_state: Option<String>,
    /// The calls of policies that failed, of the run that the failures are from.
    pub failed_calls: Vec<FailedCalls>,
    /// Whether an expectation is about failing calls.
    #[serde(skip)]
    pub expects_failed_calls: bool,
    /// Questions that policies were asked, with fresh instances.
    pub decisions: u64,
    /// Fuel that they used.
    pub fuel: u64,
    /// The most that a call of each policy used.
    pub most: BTreeMap<String, Most>,
    /// Requests of all agents.
    pub requests: u64,
}

impl Report {
    /// The report of a scenario that could not be played, for this reason.
    pub fn not_played(scenario: &Scenario, failure: Failure) -> Self {
        Self {
            name: scenario.name.clone(),
            title: scenario.title.clone(),
            failures: vec![failure],
            hidden_state: None,
            failed_calls: Vec::new(),
            expects_failed_calls: false,
            decisions: 0,
            fuel: 0,
            most: BTreeMap::new(),
            requests: 0,
        }
    }

    /// Whether everything is as expected.
    pub fn passed(&self) -> bool {
        self.failures.is_empty() && self.hidden_state.is_none()
    }

    /// The failed calls that a reader wants to see: all if the scenario failed, else those that no expectation is about.
    pub fn notable_calls(&self) -> &[FailedCalls] {
        match self.passed() && self.expects_failed_calls {
            true => &[],
            false => &self.failed_calls,
        }
    }
}

/// The most that a call of a policy used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Most {
    /// Fuel.
    pub fuel: u64,
    /// Bytes of memory.
    pub memory: u64,
    /// Host calls.
    pub host_calls: u64,
}

/// Runs the scenario twice: with an instance of its own for each decision, and with instances that live on.
pub fn run(scenario: &Scenario, policies: &Loaded) -> Report {
    let fresh = play(scenario, policies, Some(Instances::Fresh));
    let reused = play(scenario, policies, Some(Instances::Reuse));
    let mut failures = judge(scenario, policies, &fresh);
    let mut judged = &fresh;
    if failures.is_empty() {
        failures = judge(scenario, policies, &reused);
        for failure in &mut failures {
            failure.came.push_str(" (with reused instances)");
        }
        if !failures.is_empty() {
            judged = &reused;
        }
    }
    let used = decisions(&fresh.entries).flat_map(|decision| decision.calls);
    let requests = fresh.entries.iter().filter(|entry| {
        matches!(&entry.event, Event::Request(request)
            if scenario.nodes.contains(&request.by))
    });
    Report {
        name: scenario.name.clone(),
        title: scenario.title.clone(),
        failures,
        hidden_state: hidden_state(&fresh, &reused),
        failed_calls: failed_calls(&judged.entries),
        expects_failed_calls: expects_failed_calls(scenario),
        decisions: decisions(&fresh.entries).count() as u64,
        fuel: used.clone().map(|call| call.fuel).sum(),
        most: most(used),
        requests: requests.count() as u64,
    }
}

fn most<'a>(calls: impl Iterator<Item = &'a Call>) -> BTreeMap<String, Most> {
    let mut most = BTreeMap::<String, Most>::new();
    for call in calls {
        let of = most.entry(call.policy.clone()).or_default();
        of.fuel = of.fuel.max(call.fuel);
        of.memory = of.memory.max(call.peak_memory);
        of.host_calls = of.host_calls.max(call.host_calls.len() as u64);
    }
    most
}

/// The first decision that differs between fresh and reused instances. Both runs have the same seed, so nothing else
/// than an instance's memory makes the first difference.
fn hidden_state(fresh: &Played, reused: &Played) -> Option<String> {
    let (mut fresh, mut reused) = (decisions(&fresh.entries), decisions(&reused.entries));
    loop {
        return match (fresh.next(), reused.next()) {
            (None, None) => None,
            (Some(one), Some(other)) if same(&one, &other) => continue,
            (Some(one), Some(other)) => Some(format!(
                "a fresh instance answers `{}`, a reused one `{}`, at {} about the {} of {} on {}",
                one.in_words(),
                other.in_words(),
                clock(one.at),
                one.role,
                one.stream,
                one.node
            )),
            (Some(only), None) | (None, Some(only)) => Some(format!(
                "one kind of instances decides at {} about the {} of {} on {}, and the other never does",
                clock(only.at),
                only.role,
                only.stream,
                only.node
            )),
        };
    }
}

fn same(one: &Decision<'_>, other: &Decision<'_>) -> bool {
    (one.at, one.node, one.stream, one.role, one.by, one.verdict)
        == (
            other.at,
            other.node,
            other.stream,
            other.role,
            other.by,
            other.verdict,
        )
}
