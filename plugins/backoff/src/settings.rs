use schemars::JsonSchema;
use serde::Deserialize;
use tidegate_policy::{Policy, Problems, Span};

use crate::curve::{Curve, Jitter};
use crate::kind::Kind;
use crate::rule::{Action, Overrides, Rule};

/// The largest factor: a hundredfold leaves no curve to speak of.
const MAX_FACTOR: f64 = 100.0;

/// The first delay after failures that only a person can mend.
const FOR_PEOPLE: Span = Span::secs(30);

/// How the policy decides; the crate's documentation says what each setting means.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Backoff {
    /// The delay after the first failure, before jitter.
    pub initial: Span,
    /// What each further failure multiplies the delay by. `decorrelated` does not use it.
    #[schemars(range(min = 1, max = 100))]
    pub factor: f64,
    /// The longest delay; only the store's own advice may exceed it.
    pub max: Span,
    /// How the delay is spread, so that streams and nodes that failed together do not retry together.
    pub jitter: Jitter,
    /// Give up after so many failed attempts in a row; never for `schema-absent`. Without it: never.
    #[schemars(range(min = 1))]
    pub max_attempts: Option<u32>,
    /// Give up when attempts have failed for so long; never for `schema-absent`. Without it: never.
    pub max_elapsed: Option<Span>,
    /// Other rules by kind of failure. A rule here replaces the built-in rule of its kind as a whole; what it leaves
    /// out is as above.
    pub overrides: Overrides,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            initial: Span::secs(1),
            factor: 2.0,
            max: Span::mins(5),
            jitter: Jitter::Full,
            max_attempts: None,
            max_elapsed: None,
            overrides: Overrides::default(),
        }
    }
}

/// What is done about a failure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Response {
    /// Wait along this curve.
    Wait(Curve),
    /// Wait for a change.
    OnChange,
    /// Give up at once.
    Abandon,
}

impl Backoff {
    /// What is done about this kind of failure.
    pub fn response(&self, kind: Kind) -> Response {
        match self.overrides.of(kind) {
            Some(rule) => match rule.action {
                Some(Action::OnChange) => Response::OnChange,
                Some(Action::Abandon) => Response::Abandon,
                None => Response::Wait(self.curve_of(rule)),
            },
            None => self.built_in(kind),
        }
    }

    fn built_in(&self, kind: Kind) -> Response {
        let general = self.curve_of(Rule::default());
        match kind {
            Kind::SchemaInvalid | Kind::SchemaConflict => Response::OnChange,
            Kind::PermissionDenied | Kind::NotFound => Response::Wait(Curve {
                initial: FOR_PEOPLE.max(general.initial).min(general.max),
                ..general
            }),
            _ => Response::Wait(general),
        }
    }

    /// The curve of a rule: what it leaves out is as in general.
    fn curve_of(&self, rule: Rule) -> Curve {
        Curve {
            initial: rule.initial.unwrap_or(self.initial),
            factor: rule.factor.unwrap_or(self.factor),
            max: rule.max.unwrap_or(self.max),
            jitter: rule.jitter.unwrap_or(self.jitter),
        }
    }
}

impl Policy for Backoff {
    fn validate(&self, problems: &mut Problems) {
        validate_curve(&self.curve_of(Rule::default()), "", problems);
        if self.max_attempts == Some(0) {
            let message = "at least 1; leave it out to never give up";
            problems.add("/max-attempts", message);
        }
        self.overrides.validate(problems);
        for kind in Kind::ALL {
            let Some(rule) = self.overrides.of(kind) else {
                continue;
            };
            let place = format!("/overrides/{}", kind.name());
            let curve = [
                ("initial", rule.initial.is_some()),
                ("factor", rule.factor.is_some()),
                ("max", rule.max.is_some()),
                ("jitter", rule.jitter.is_some()),
            ];
            let written = curve.into_iter().filter(|(_, written)| *written);
            if rule.action.is_some() {
                for (key, _) in written {
                    let message = "means nothing beside an `action`; leave one of them out";
                    problems.add(format!("{place}/{key}"), message);
                }
            } else {
                validate_curve(&self.curve_of(rule), &place, problems);
            }
        }
    }
}

fn validate_curve(curve: &Curve, place: &str, problems: &mut Problems) {
    if !(1.0..=MAX_FACTOR).contains(&curve.factor) {
        let message = format!("{} is not between 1 and {MAX_FACTOR}", curve.factor);
        problems.add(format!("{place}/factor"), message);
    }
    for (key, span) in [("initial", curve.initial), ("max", curve.max)] {
        if span == Span::ZERO {
            problems.add(format!("{place}/{key}"), "at least 1ms");
        }
    }
    if curve.initial > curve.max {
        let message = format!(
            "`initial` ({}) is longer than `max` ({})",
            curve.initial, curve.max
        );
        problems.add(format!("{place}/initial"), message);
    }
}

#[cfg(test)]
mod tests {
    use tidegate_policy::testing;

    use super::*;

    const GENERAL: Curve = Curve {
        initial: Span::secs(1),
        factor: 2.0,
        max: Span::mins(5),
        jitter: Jitter::Full,
    };

    #[test]
    fn the_schema_tells_the_truth() {
        testing::assert_schema_fits::<Backoff>();
    }

    #[test]
    fn every_kind_of_failure_has_its_rule_by_name() {
        for kind in Kind::ALL {
            let name = kind.name();
            let text = format!(r#"{{"overrides": {{"{name}": {{"action": "abandon"}}}}}}"#);
            let settings: Backoff = testing::settings(&text);
            for other in Kind::ALL {
                let abandons = settings.response(other) == Response::Abandon;
                assert_eq!(abandons, other == kind, "{name}");
            }
        }
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let settings: Backoff = testing::settings("{}");
        for kind in Kind::ALL {
            let response = match kind {
                Kind::SchemaInvalid | Kind::SchemaConflict => Response::OnChange,
                Kind::PermissionDenied | Kind::NotFound => Response::Wait(Curve {
                    initial: Span::secs(30),
                    ..GENERAL
                }),
                _ => Response::Wait(GENERAL),
            };
            assert_eq!(settings.response(kind), response, "{kind:?}");
        }
        assert_eq!((settings.max_attempts, settings.max_elapsed), (None, None));
    }

    #[test]
    fn a_rule_replaces_the_built_in_one_and_inherits_the_general_curve() {
        let settings: Backoff = testing::settings(
            r#"{"max": "10s", "jitter": "equal", "overrides": {
                "schema-invalid": {"initial": "5s"},
                "store.timeout": {"factor": 3, "max": "20s", "jitter": "none"},
                "other": {"action": "abandon"},
                "store.permission-denied": {"action": "on-change"}
            }}"#,
        );
        let general = Curve {
            max: Span::secs(10),
            jitter: Jitter::Equal,
            ..GENERAL
        };
        assert_eq!(
            settings.response(Kind::SchemaInvalid),
            Response::Wait(Curve {
                initial: Span::secs(5),
                ..general
            })
        );
        assert_eq!(
            settings.response(Kind::Timeout),
            Response::Wait(Curve {
                factor: 3.0,
                max: Span::secs(20),
                jitter: Jitter::None,
                ..general
            })
        );
        assert_eq!(settings.response(Kind::Other), Response::Abandon);
        assert_eq!(
            settings.response(Kind::PermissionDenied),
            Response::OnChange
        );
        // The built-in rule bends to a shorter maximum.
        assert_eq!(
            settings.response(Kind::NotFound),
            Response::Wait(Curve {
                initial: Span::secs(10),
                ..general
            })
        );
    }

    fn told(text: &str) -> Vec<(String, String)> {
        let problems = testing::problems::<Backoff>(text);
        let mut told: Vec<_> = problems
            .into_iter()
            .map(|problem| (problem.pointer, problem.message))
            .collect();
        told.sort_unstable();
        told
    }

    #[test]
    fn what_has_the_wrong_type_or_name_is_reported_with_its_pointer() {
        let problems = told(
            r#"{"jitter": "ful", "max-elapsd": "1h", "overrides": {
                "store.throtled": {}, "other": {"action": "abandn"}, "schema-absent": 3}}"#,
        );
        let expected = [
            ("/jitter", "unknown word `ful`; did you mean `full`?"),
            (
                "/max-elapsd",
                "unknown key `max-elapsd`; did you mean `max-elapsed`?",
            ),
            (
                "/overrides/other/action",
                "unknown word `abandn`; did you mean `abandon`?",
            ),
            (
                "/overrides/schema-absent",
                "invalid type: integer `3`, expected a table",
            ),
            (
                "/overrides/store.throtled",
                "unknown key `store.throtled`; did you mean `store.throttled`?",
            ),
        ];
        let owned = |(pointer, message): (&str, &str)| (pointer.to_owned(), message.to_owned());
        assert_eq!(problems, expected.map(owned));
    }

    #[test]
    fn what_is_out_of_range_is_reported_with_its_pointer() {
        let problems = told(
            r#"{"initial": "10m", "factor": 0.5, "max-attempts": 0, "overrides": {
                "store": {"throttled": {}},
                "store.timeout": {"action": "on-change", "max": "1s"},
                "other": {"initial": "0s", "max": "0s", "factor": 2}}}"#,
        );
        let expected = [
            ("/factor", "0.5 is not between 1 and 100"),
            ("/initial", "`initial` (10m) is longer than `max` (5m)"),
            ("/max-attempts", "at least 1; leave it out to never give up"),
            ("/overrides/other/initial", "at least 1ms"),
            ("/overrides/other/max", "at least 1ms"),
            (
                "/overrides/store",
                "quote the names of store failures: overrides.\"store.throttled\"",
            ),
            (
                "/overrides/store.timeout/max",
                "means nothing beside an `action`; leave one of them out",
            ),
        ];
        let owned = |(pointer, message): (&str, &str)| (pointer.to_owned(), message.to_owned());
        assert_eq!(problems, expected.map(owned));
    }
}
