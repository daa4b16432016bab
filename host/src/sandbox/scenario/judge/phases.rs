//! The phases that streams come into.

use std::time::Duration;

use super::{Judge, Miss, within};
use crate::contract::Phase;
use crate::sandbox::Event;
use crate::sandbox::scenario::expectation::{Scope, When};
use crate::sandbox::scenario::timeline::clock;

impl Judge<'_> {
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

    pub(super) fn phase(&self, scope: &Scope, phase: Phase, when: When) -> Option<Miss> {
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

    pub(super) fn never(&self, scope: &Scope, phases: &[Phase]) -> Option<Miss> {
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
