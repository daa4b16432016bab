//! The delays after decisions.

use std::time::Duration;

use super::{Judge, Miss, within};
use crate::contract::Role;
use crate::sandbox::Event;
use crate::sandbox::scenario::expectation::{Bounds, Scope};
use crate::sandbox::scenario::timeline::clock;
use crate::sync;
use crate::time::in_short;

impl Judge<'_> {
    pub(super) fn delays(
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
}
