//! The questions that policies were asked, and their calls.

use std::time::Duration;

use super::{Judge, Miss, within};
use crate::contract::Role;
use crate::sandbox::scenario::expectation::Scope;
use crate::sandbox::scenario::timeline::clock;
use crate::sandbox::{Entry, Event};
use crate::stream::StreamId;
use crate::sync;

/// Stands for the host's default among names of verdicts.
pub(in crate::sandbox::scenario) const NO_VERDICT: &str = "none";

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

impl Decision<'_> {
    /// Why a policy did not decide: the first call that failed.
    pub fn failure(&self) -> Option<String> {
        let call = self.calls.iter().find(|call| call.failed)?;
        Some(format!("{} failed: {}", call.policy, call.verdict))
    }

    /// The verdict; where it is the host's default because a call failed, with the reason.
    pub fn in_words(&self) -> String {
        match self.failure().filter(|_| self.by.is_none()) {
            Some(failure) => format!("{} ({failure})", self.verdict),
            None => self.verdict.to_owned(),
        }
    }
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

impl Judge<'_> {
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

    pub(super) fn verdicts(&self, scope: &Scope, names: &[String], among: bool) -> Option<Miss> {
        let came: Vec<_> = self
            .decided(scope)
            .map(|decision| (decision.at, decision.kind))
            .collect();
        // A policy whose calls fail decides nothing: this says why its verdicts are missing.
        let failure = self.concerning(scope).find_map(|decision| {
            let failed = decision.calls.iter().any(|call| {
                call.failed && scope.policy.as_ref().is_none_or(|of| call.policy == *of)
            });
            decision.failure().filter(|_| failed)
        });
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
            came: match failure {
                Some(failure) => format!("{}; {failure}", in_a_row(&kinds)),
                None => in_a_row(&kinds),
            },
        })
    }

    /// The calls of the scope's policy, whether it decided or not.
    pub(super) fn calls<'s>(
        &'s self,
        scope: &'s Scope,
    ) -> impl Iterator<Item = (Duration, &'s sync::Call)> {
        let policy = scope.policy.as_deref();
        self.concerning(scope)
            .flat_map(|decision| decision.calls.iter().map(move |call| (decision.at, call)))
            .filter(move |(_, call)| policy.is_none_or(|of| call.policy == of))
    }

    pub(super) fn budget(
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
