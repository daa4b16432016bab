//! Compares what came of a scenario with what was expected.

use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;

use super::content::fields;
use super::expectation::{Bounds, Expectation, Expected, ExpectedContent, Properties, Scope, When};
use super::file::RequestOutcome;
use super::history::History;
use super::model::Scenario;
use super::play::Played;
use super::properties::{self, Property};
use super::timeline::{self, Focus, Window, clock};
use crate::agent::Loaded;
use crate::contract::{Phase, Role};
use crate::sandbox::store::{Outcome, Request};
use crate::sandbox::{Entry, Event};
use crate::schema::Schema;
use crate::stream::StreamId;
use crate::sync::{self, Level, in_short};

/// Stands for the host's default among names of verdicts.
pub(super) const NO_VERDICT: &str = "none";

/// Where the agents' probes put their objects.
const PROBES: &str = ".tidegate/";

/// Something that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Failure {
    /// The line of the file where the expectation begins; none for what every scenario expects.
    pub line: Option<usize>,
    /// What was expected.
    pub expected: String,
    /// What came.
    pub came: String,
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
    if played.endless {
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

/// One question that policies were asked.
pub struct Decision<'a> {
    /// When its attempt ended.
    pub at: Duration,
    /// The node.
    pub node: &'a str,
    /// The stream.
    pub stream: &'a StreamId,
    /// The role.
    pub role: Role,
    /// Who decided.
    pub by: Option<&'a str>,
    /// The verdict's name.
    pub kind: &'a str,
    /// The verdict for people.
    pub verdict: &'a str,
    /// Every policy that was asked.
    pub calls: &'a [sync::Call],
}

/// Every decision, in order.
pub fn decisions(entries: &[Entry]) -> impl Iterator<Item = Decision<'_>> + Clone {
    entries.iter().flat_map(|entry| {
        let attempt = match &entry.event {
            Event::Attempt {
                node,
                stream,
                outcome,
                ..
            } => Some((node, stream, outcome)),
            _ => None,
        };
        attempt
            .into_iter()
            .flat_map(move |(node, stream, outcome)| {
                outcome
                    .story
                    .steps
                    .iter()
                    .filter_map(move |step| match step {
                        sync::Event::Asked {
                            role,
                            by,
                            kind,
                            verdict,
                            calls,
                        } => Some(Decision {
                            at: entry.at,
                            node,
                            stream,
                            role: *role,
                            by: by.as_deref(),
                            kind: kind.as_deref().unwrap_or(NO_VERDICT),
                            verdict,
                            calls,
                        }),
                        _ => None,
                    })
            })
    })
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
                let counted = self.requests(scope).filter(|request| {
                    (operations.is_empty() || operations.contains(&request.operation))
                        && match keys {
                            Some(keys) => keys.is_match(&request.key),
                            None => !request.key.starts_with(PROBES),
                        }
                        && outcome.is_none_or(|outcome| ended_like(request.outcome, outcome))
                });
                let moments: Vec<_> = counted.map(|request| request.at).collect();
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
            Expected::FailedCalls(count) => {
                let moments: Vec<_> = self
                    .calls(scope)
                    .filter(|(_, call)| call.failed)
                    .map(|(at, _)| at)
                    .collect();
                self.count(*count, "calls of policies that fail", &moments)
            }
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
            timeline: timeline::around(self.entries, &focus, at, Window::NEAR),
        }
    }

    fn properties(&self, expectation: &Expectation, which: &Properties) -> Option<Failure> {
        let history = self.history.as_ref()?;
        let scope = &expectation.scope;
        let expected = |property: Property| format!("{property}: {}", property.meaning());
        let (rest, needed) = history.rest();
        // A world that is stopped half-way has no end.
        let rests = rest >= needed || self.played.endless;
        let can_be_told = |property: &Property| rests || !property.needs_rest();
        let judged = match which {
            Properties::All => Property::ALL.into_iter().filter(can_be_told).collect(),
            Properties::These(these) => these.clone(),
        };
        if let Some(property) = judged.iter().find(|property| !can_be_told(property)) {
            let came = format!(
                "that can't be told: nothing disturbs the world for {} at its end, and a stream may take {} to settle: put `until` off",
                in_short(rest),
                in_short(needed)
            );
            let (line, at) = (Some(expectation.line), self.scenario.until);
            return Some(self.failure(line, scope, at, expected(*property), came));
        }
        let violations = properties::judge(history, &judged);
        let mut violations = violations.into_iter().filter(|violation| {
            let of_stream = scope.stream.as_ref().map(ToString::to_string);
            within(scope, violation.at)
                && of_stream.is_none_or(|of| of == violation.stream)
                && scope.node.as_ref().is_none_or(|of| *of == violation.node)
        });
        let first = violations.next()?;
        let others = match violations.count() {
            0 => String::new(),
            count => format!(" (and {count} more)"),
        };
        let focus = first.focus(self.scenario);
        Some(Failure {
            line: Some(expectation.line),
            expected: expected(first.property),
            came: format!("{} at {}{others}", first.in_words(), clock(first.at)),
            timeline: timeline::around(self.entries, &focus, first.at, Window::WIDE),
        })
    }

    /// What goes wrong without anybody having to expect it.
    fn unasked(&self) -> Vec<Failure> {
        let expects_end = |node: &str, reason: &str| {
            self.scenario.expectations.iter().any(|expectation| {
                let of_node = expectation.scope.node.as_deref();
                matches!(&expectation.what, Expected::Ends(words) if reason.contains(words))
                    && of_node.is_none_or(|of| of == node)
            })
        };
        let wrong = self.entries.iter().filter_map(|entry| match &entry.event {
            Event::Defect { node, stream, text } => {
                let came = format!("on {node}: {text}");
                Some((entry.at, stream.clone(), "no defect of Tidegate's", came))
            }
            Event::Ended { node, reason } if !expects_end(node, reason) => {
                let came = format!("the agent of {node} ended: {reason}");
                Some((entry.at, None, "agents to run on", came))
            }
            _ => None,
        });
        wrong
            .map(|(at, stream, expected, came)| {
                let scope = Scope {
                    stream,
                    ..Scope::default()
                };
                self.failure(None, &scope, at, expected.to_owned(), came)
            })
            .collect()
    }

    /// The phases that the stream comes into, and when.
    fn phases<'s>(&'s self, scope: &'s Scope) -> impl Iterator<Item = (Duration, Phase)> + 's {
        self.entries.iter().filter_map(|entry| match &entry.event {
            Event::Attempt {
                node,
                stream,
                outcome,
                ..
            } if scope.stream.as_ref() == Some(stream)
                && scope.node.as_ref().is_none_or(|wanted| wanted == node) =>
            {
                Some((entry.at, outcome.phase))
            }
            _ => None,
        })
    }

    fn phase(&self, scope: &Scope, phase: Phase, when: When) -> Option<Miss> {
        let stream = name(scope);
        let (moment, expected) = match when {
            When::At(at) => (at, format!("{stream} to be {phase} at {}", clock(at))),
            When::By(by) => (by, format!("{stream} to be {phase} by {}", clock(by))),
        };
        let until: Vec<_> = self
            .phases(scope)
            .take_while(|(at, _)| *at <= moment)
            .collect();
        let last = until.last().map_or(Phase::Unseen, |(_, phase)| *phase);
        let holds = match when {
            When::At(_) => last == phase,
            When::By(_) => until.iter().any(|(_, seen)| *seen == phase),
        };
        (!holds).then(|| Miss {
            at: moment,
            expected,
            came: format!("it was {last}"),
        })
    }

    fn never(&self, scope: &Scope, phases: &[Phase]) -> Option<Miss> {
        let (at, phase) = self
            .phases(scope)
            .filter(|(at, _)| within(scope, *at))
            .find(|(_, phase)| phases.contains(phase))?;
        let never: Vec<_> = phases.iter().map(ToString::to_string).collect();
        Some(Miss {
            at,
            expected: format!("{} never to be {}", name(scope), never.join(" or ")),
            came: format!("it was {phase} at {}", clock(at)),
        })
    }

    /// The decisions that the scope is about, whoever took them.
    fn concerning<'s>(&'s self, scope: &'s Scope) -> impl Iterator<Item = Decision<'s>> {
        decisions(self.entries).filter(move |decision| {
            within(scope, decision.at)
                && scope.stream.as_ref().is_none_or(|of| of == decision.stream)
                && scope.node.as_ref().is_none_or(|of| of == decision.node)
                && scope.role.is_none_or(|of| of == decision.role)
        })
    }

    /// Those of them that the scope's policy took.
    fn decided<'s>(&'s self, scope: &'s Scope) -> impl Iterator<Item = Decision<'s>> {
        let policy = scope.policy.as_deref();
        self.concerning(scope)
            .filter(move |decision| policy.is_none() || decision.by == policy)
    }

    fn verdicts(&self, scope: &Scope, names: &[String], among: bool) -> Option<Miss> {
        let came: Vec<_> = self
            .decided(scope)
            .map(|decision| (decision.at, decision.kind))
            .collect();
        let mut left = names.iter();
        let mut next = left.next();
        for (_, kind) in &came {
            if next.is_some_and(|name| name == kind) {
                next = left.next();
            } else if !among {
                break;
            }
        }
        let same_length = among || came.len() == names.len();
        if next.is_none() && same_length {
            return None;
        }
        let differs = came
            .iter()
            .zip(names)
            .find(|((_, kind), name)| kind != *name)
            .map(|((at, _), _)| *at);
        let last = came.get(names.len().min(came.len().saturating_sub(1)));
        let at = differs
            .or(last.map(|(at, _)| *at))
            .unwrap_or(self.scenario.until);
        let kinds: Vec<_> = came.iter().map(|(_, kind)| *kind).collect();
        Some(Miss {
            at,
            expected: match among {
                true => format!("these verdicts among others: {}", names.join(", ")),
                false => format!("these verdicts: {}", in_a_row(names)),
            },
            came: in_a_row(&kinds),
        })
    }

    fn delays(
        &self,
        scope: &Scope,
        (min, max, reach): (Option<Duration>, Option<Duration>, Option<Duration>),
        count: Bounds,
    ) -> Option<Miss> {
        let role = scope.role.unwrap_or(Role::Retry);
        let delays: Vec<_> = self
            .entries
            .iter()
            .filter_map(|entry| match &entry.event {
                Event::Attempt {
                    node,
                    stream,
                    outcome,
                    delay: Some(delay),
                } => {
                    let fits = within(scope, entry.at)
                        && scope.stream.as_ref().is_none_or(|of| of == stream)
                        && scope.node.as_ref().is_none_or(|of| of == node);
                    let asked = outcome.story.steps.iter().any(|step| match step {
                        sync::Event::Asked {
                            role: of, by, kind, ..
                        } => {
                            *of == role
                                && !matches!(kind.as_deref(), Some("on-change" | "abandon"))
                                && (role == Role::Retry || kind.as_deref() == Some("unsettled"))
                                && (scope.policy.is_none() || *by == scope.policy)
                        }
                        _ => false,
                    });
                    (fits && asked).then_some((entry.at, *delay))
                }
                _ => None,
            })
            .collect();
        let outside = delays.iter().find(|(_, delay)| {
            min.is_some_and(|min| *delay < min) || max.is_some_and(|max| *delay > max)
        });
        if let Some((at, delay)) = outside {
            let bound = |what: &str, length: Option<Duration>| {
                length.map(|length| format!("{what} {}", in_short(length)))
            };
            let bounds: Vec<_> = [bound("at least", min), bound("at most", max)]
                .into_iter()
                .flatten()
                .collect();
            return Some(Miss {
                at: *at,
                expected: format!("delays of {}", bounds.join(" and ")),
                came: format!("one of {} at {}", in_short(*delay), clock(*at)),
            });
        }
        let longest = delays.iter().max_by_key(|(_, delay)| *delay);
        if let Some(reach) = reach
            && longest.is_none_or(|(_, delay)| *delay < reach)
        {
            return Some(Miss {
                at: longest.map_or(self.scenario.until, |(at, _)| *at),
                expected: format!("a delay of at least {}", in_short(reach)),
                came: match longest {
                    Some((_, delay)) => format!("the longest is {}", in_short(*delay)),
                    None => "there is none".to_owned(),
                },
            });
        }
        let moments: Vec<_> = delays.iter().map(|(at, _)| *at).collect();
        self.count(count, "delays", &moments)
    }

    fn requests<'s>(&'s self, scope: &'s Scope) -> impl Iterator<Item = &'s Request> {
        self.entries
            .iter()
            .filter_map(move |entry| match &entry.event {
                Event::Request(request) => {
                    let by_agent = self.scenario.nodes.contains(&request.by);
                    let segments = || request.key.split('/');
                    let fits = within(scope, request.at)
                        && scope.node.as_ref().is_none_or(|of| *of == request.by)
                        && scope
                            .stream
                            .as_ref()
                            .is_none_or(|of| segments().any(|part| part == &*of.name));
                    (by_agent && fits).then_some(request)
                }
                _ => None,
            })
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

    fn object(&self, key: &Path, content: &ExpectedContent, at: Duration) -> Option<Miss> {
        let mut standing: Option<&Bytes> = None;
        for entry in self.entries {
            if let Event::Request(request) = &entry.event
                && request.at <= at
                && request.key == key.as_ref()
                && let Some(change) = &request.change
            {
                standing = change.after.as_ref();
            }
        }
        let holds = match content {
            ExpectedContent::Nothing => standing.is_none(),
            ExpectedContent::Anything => standing.is_some(),
            ExpectedContent::Text(text) => standing == Some(text),
            ExpectedContent::Schema(schema) => standing
                .and_then(|bytes| Schema::parse(bytes).ok())
                .is_some_and(|standing| standing == *schema),
        };
        if holds {
            return None;
        }
        let what = match content {
            ExpectedContent::Nothing => "nothing".to_owned(),
            ExpectedContent::Anything => "something".to_owned(),
            ExpectedContent::Text(text) => format!("`{}`", String::from_utf8_lossy(text)),
            ExpectedContent::Schema(schema) => fields(schema),
        };
        Some(Miss {
            at,
            expected: format!("{what} to stand under {key} at {}", clock(at)),
            came: match standing.map(|bytes| Schema::parse(bytes).map_err(|_| bytes)) {
                None => "nothing stands there".to_owned(),
                Some(Ok(schema)) => fields(&schema),
                Some(Err(bytes)) => format!("`{}`", String::from_utf8_lossy(bytes)),
            },
        })
    }

    /// What agents warned of in this part of what happened.
    fn warnings<'s>(&'s self, scope: &'s Scope) -> impl Iterator<Item = (Duration, &'s str)> {
        self.entries.iter().flat_map(move |entry| {
            let steps = match &entry.event {
                Event::Attempt {
                    node,
                    stream,
                    outcome,
                    ..
                } if within(scope, entry.at)
                    && scope.stream.as_ref().is_none_or(|of| of == stream)
                    && scope.node.as_ref().is_none_or(|of| of == node) =>
                {
                    outcome.story.steps.as_slice()
                }
                _ => &[],
            };
            steps.iter().flat_map(move |step| {
                let notes = match step {
                    sync::Event::Note { level, text } if *level > Level::Info => {
                        Some(text.as_str())
                    }
                    _ => None,
                };
                let calls = match step {
                    sync::Event::Asked { calls, .. } => calls.as_slice(),
                    _ => &[],
                };
                let failed = calls.iter().filter(|call| call.failed);
                let failed = failed.map(|call| call.verdict.as_str());
                notes
                    .into_iter()
                    .chain(failed)
                    .map(move |text| (entry.at, text))
            })
        })
    }

    fn warns(&self, scope: &Scope, words: &str) -> Option<Miss> {
        let warnings: Vec<_> = self.warnings(scope).collect();
        if warnings.iter().any(|(_, text)| text.contains(words)) {
            return None;
        }
        Some(Miss {
            at: warnings.last().map_or(self.scenario.until, |(at, _)| *at),
            expected: format!("a warning with `{words}`"),
            came: match warnings.last() {
                None => "there is no warning".to_owned(),
                Some((_, text)) => format!("{} others, the last: {text}", warnings.len()),
            },
        })
    }

    fn silent(&self, scope: &Scope) -> Option<Miss> {
        let (at, text) = self.warnings(scope).next()?;
        Some(Miss {
            at,
            expected: "no warning".to_owned(),
            came: format!("one at {}: {text}", clock(at)),
        })
    }

    fn no_overwrite(&self, scope: &Scope) -> Option<Miss> {
        self.requests(scope).find_map(|request| {
            let change = request.change.as_ref()?;
            let before = change.before.as_ref()?;
            if !request.operation.writes() || request.key.starts_with(PROBES) {
                return None;
            }
            let kept = match (
                Schema::parse(before),
                change.after.as_ref().map(|after| Schema::parse(after)),
            ) {
                (Ok(before), Some(Ok(after))) => after.covers(&before),
                _ => change.after.as_ref() == Some(before),
            };
            (!kept).then(|| Miss {
                at: request.at,
                expected: "no write that loses what stood there".to_owned(),
                came: format!(
                    "the {} of {} by {} at {}",
                    request.operation,
                    request.key,
                    request.by,
                    clock(request.at)
                ),
            })
        })
    }

    /// The calls of the scope's policy, whether it decided or not.
    fn calls<'s>(&'s self, scope: &'s Scope) -> impl Iterator<Item = (Duration, &'s sync::Call)> {
        let policy = scope.policy.as_deref();
        self.concerning(scope)
            .flat_map(|decision| decision.calls.iter().map(move |call| (decision.at, call)))
            .filter(move |(_, call)| policy.is_none_or(|of| call.policy == of))
    }

    fn budget(
        &self,
        scope: &Scope,
        fuel: Option<u64>,
        memory: Option<u64>,
        host_calls: Option<u32>,
    ) -> Option<Miss> {
        self.calls(scope).find_map(|(at, call)| {
            let calls = call.host_calls.len() as u64;
            let used = [
                ("fuel", call.fuel, fuel),
                ("bytes of memory", call.peak_memory, memory),
                ("host calls", calls, host_calls.map(u64::from)),
            ];
            used.into_iter().find_map(|(what, used, most)| {
                let most = most.filter(|most| used > *most)?;
                Some(Miss {
                    at,
                    expected: format!("each call to use at most {most} {what}"),
                    came: format!("{used} by {} at {}", call.policy, clock(at)),
                })
            })
        })
    }

    fn ends(&self, scope: &Scope, words: &str) -> Option<Miss> {
        let mut last = None;
        for entry in self.entries {
            if let Event::Ended { node, reason } = &entry.event
                && scope.node.as_ref().is_none_or(|of| of == node)
            {
                if reason.contains(words) {
                    return None;
                }
                last = Some((entry.at, reason));
            }
        }
        Some(Miss {
            at: last.map_or(self.scenario.until, |(at, _)| at),
            expected: format!("the agent to end with `{words}`"),
            came: match last {
                Some((_, reason)) => reason.clone(),
                None => "it runs on".to_owned(),
            },
        })
    }
}

fn name(scope: &Scope) -> String {
    let stream = scope
        .stream
        .as_ref()
        .map_or_else(String::new, ToString::to_string);
    match &scope.node {
        Some(node) => format!("{stream} on {node}"),
        None => stream,
    }
}

fn within(scope: &Scope, at: Duration) -> bool {
    scope.from.is_none_or(|from| at >= from) && scope.until.is_none_or(|until| at <= until)
}

fn ended_like(outcome: Outcome, wanted: RequestOutcome) -> bool {
    match wanted {
        RequestOutcome::Done => outcome == Outcome::Done,
        RequestOutcome::Missing => outcome == Outcome::Missing,
        RequestOutcome::Refused => outcome == Outcome::Refused,
        RequestOutcome::Failed => matches!(outcome, Outcome::Failed(_)),
        RequestOutcome::AnswerLost => outcome == Outcome::AnswerLost,
        RequestOutcome::Unanswered => outcome == Outcome::Unanswered,
    }
}

/// The names in a row; many of one kind are counted.
fn in_a_row(names: &[impl AsRef<str>]) -> String {
    let mut groups: Vec<(&str, usize)> = Vec::new();
    for name in names {
        match groups.last_mut() {
            Some((last, count)) if *last == name.as_ref() => *count += 1,
            _ => groups.push((name.as_ref(), 1)),
        }
    }
    let groups: Vec<_> = groups
        .into_iter()
        .map(|(name, count)| match count {
            1 => name.to_owned(),
            _ => format!("{count} × {name}"),
        })
        .collect();
    match groups.is_empty() {
        true => "none".to_owned(),
        false => groups.join(", "),
    }
}
