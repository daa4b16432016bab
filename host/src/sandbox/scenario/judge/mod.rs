//! Compares what came of a scenario with what was expected.

mod decisions;
mod delays;
mod phases;
mod probes;
mod properties;
mod store;
mod warnings;

use std::time::Duration;

use super::expectation::{Bounds, Expectation, Expected, Scope};
use super::history::History;
use super::model::Scenario;
use super::play::Played;
use super::properties::Property;
use super::timeline::{self, Focus, clock};
use crate::agent::Loaded;
use crate::sandbox::Entry;
use crate::sync::Call;

pub(super) use decisions::NO_VERDICT;
pub use decisions::{Decision, decisions};

/// Something that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Failure {
    /// The line of the file where the expectation begins; none for what every scenario expects.
    pub line: Option<usize>,
    /// What was expected.
    pub expected: String,
    /// What came.
    pub came: String,
    /// Possible explanations that the timeline does not show.
    pub notes: Vec<String>,
    /// What happened around it.
    pub timeline: Vec<String>,
}

/// Everything that is not as expected.
pub fn judge(scenario: &Scenario, policies: &Loaded, played: &Played) -> Vec<Failure> {
    let judge = Judge {
        scenario,
        entries: &played.entries,
        played,
        // It costs more than everything else here.
        history: scenario
            .expects_properties()
            .then(|| History::new(scenario, policies, played)),
    };
    let mut failures: Vec<_> = scenario
        .expectations
        .iter()
        .filter_map(|expectation| judge.judge(expectation))
        .collect();
    failures.extend(judge.unasked());
    if let Some(stuck) = played.stuck {
        failures.push(judge.failure(
            None,
            &Scope::default(),
            scenario.until,
            "the scenario to come to its end".to_owned(),
            stuck.to_string(),
        ));
    }
    if played.endless && !scenario.expects(Property::ComesToRest) {
        let at = played.entries.last().map_or(scenario.until, |last| last.at);
        failures.push(judge.failure(
            None,
            &Scope::default(),
            at,
            format!("less than {} things to happen", played.entries.len()),
            format!(
                "there were more, and the world was stopped at {}",
                clock(at)
            ),
        ));
    }
    failures
}

struct Judge<'a> {
    scenario: &'a Scenario,
    entries: &'a [Entry],
    played: &'a Played,
    /// Where a property is expected.
    history: Option<History<'a>>,
}

/// What was expected and what came, at a moment.
struct Miss {
    at: Duration,
    expected: String,
    came: String,
}

impl Judge<'_> {
    fn judge(&self, expectation: &Expectation) -> Option<Failure> {
        let scope = &expectation.scope;
        let miss = match &expectation.what {
            Expected::Phase(phase, when) => self.phase(scope, *phase, *when),
            Expected::Never(phases) => self.never(scope, phases),
            Expected::Verdicts { names, among } => self.verdicts(scope, names, *among),
            Expected::Delays {
                min,
                max,
                reach,
                count,
            } => self.delays(scope, (*min, *max, *reach), *count),
            Expected::Requests {
                operations,
                keys,
                outcome,
                count,
            } => {
                let moments = self.requested(scope, operations, keys.as_ref(), *outcome);
                self.count(*count, "requests", &moments)
            }
            Expected::Object { key, content, at } => self.object(key, content, *at),
            Expected::Warns(words) => self.warns(scope, words),
            Expected::Silent => self.silent(scope),
            Expected::NoOverwrite => self.no_overwrite(scope),
            Expected::Budget {
                fuel,
                memory,
                host_calls,
            } => self.budget(scope, *fuel, *memory, *host_calls),
            Expected::FailedCalls(count) => self.failed_calls(scope, *count),
            Expected::Ends(words) => self.ends(scope, words),
            Expected::Properties(which) => return self.properties(expectation, which),
        }?;
        Some(self.failure(
            Some(expectation.line),
            scope,
            miss.at,
            miss.expected,
            miss.came,
        ))
    }

    fn failure(
        &self,
        line: Option<usize>,
        scope: &Scope,
        at: Duration,
        expected: String,
        came: String,
    ) -> Failure {
        let focus = Focus {
            stream: scope.stream.clone(),
            node: scope.node.clone(),
        };
        Failure {
            line,
            expected,
            came,
            notes: self.probes(scope.node.as_deref(), at),
            timeline: timeline::around(self.entries, &focus, at),
        }
    }

    fn failed_calls(&self, scope: &Scope, count: Bounds) -> Option<Miss> {
        let failed: Vec<_> = self.calls(scope).filter(|(_, call)| call.failed).collect();
        let moments: Vec<_> = failed.iter().map(|(at, _)| *at).collect();
        let mut miss = self.count(count, "calls of policies that fail", &moments)?;
        if let Some((_, first)) = failed.first() {
            let Call {
                policy, verdict, ..
            } = first;
            miss.came
                .push_str(&format!(", the first of {policy}: {verdict}"));
        }
        Some(miss)
    }

    /// Whether as many things happened as expected.
    fn count(&self, count: Bounds, what: &str, moments: &[Duration]) -> Option<Miss> {
        let number = moments.len() as u64;
        if count.hold(number) {
            return None;
        }
        // The first that is too much, else the end.
        let surplus = count
            .max
            .and_then(|max| moments.get(usize::try_from(max).ok()?));
        Some(Miss {
            at: surplus.copied().unwrap_or(self.scenario.until),
            expected: format!("{} {what}", count.in_words()),
            came: number.to_string(),
        })
    }
}

fn within(scope: &Scope, at: Duration) -> bool {
    scope.from.is_none_or(|from| at >= from) && scope.until.is_none_or(|until| at <= until)
}
