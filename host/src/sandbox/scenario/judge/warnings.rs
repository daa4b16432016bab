//! What agents warned of, and how they ended.

use std::time::Duration;

use super::{Failure, Judge, Miss, within};
use crate::sandbox::Event;
use crate::sandbox::scenario::expectation::{Expected, Scope};
use crate::sandbox::scenario::timeline::clock;
use crate::sync::{self, Level};
use crate::text::counted;

impl Judge<'_> {
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

    pub(super) fn warns(&self, scope: &Scope, words: &str) -> Option<Miss> {
        let warnings: Vec<_> = self.warnings(scope).collect();
        if warnings.iter().any(|(_, text)| text.contains(words)) {
            return None;
        }
        Some(Miss {
            at: warnings.last().map_or(self.scenario.until, |(at, _)| *at),
            expected: format!("a warning with `{words}`"),
            came: match warnings.last() {
                None => "there is no warning".to_owned(),
                Some((_, text)) => {
                    format!("{}, the last: {text}", counted(warnings.len(), "other"))
                }
            },
        })
    }

    pub(super) fn silent(&self, scope: &Scope) -> Option<Miss> {
        let (at, text) = self.warnings(scope).next()?;
        Some(Miss {
            at,
            expected: "no warning".to_owned(),
            came: format!("one at {}: {text}", clock(at)),
        })
    }

    pub(super) fn ends(&self, scope: &Scope, words: &str) -> Option<Miss> {
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

    /// What goes wrong without anybody having to expect it.
    pub(super) fn unasked(&self) -> Vec<Failure> {
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
}
