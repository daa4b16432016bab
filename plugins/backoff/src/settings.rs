use common::{Problem, Span, Table};

use crate::curve::{Curve, Jitter};
use crate::kind::Kind;

/// JSON Schema of the settings.
pub const SCHEMA: &str = include_str!("../settings.schema.json");

/// The largest factor: a hundredfold leaves no curve to speak of.
const MAX_FACTOR: f64 = 100.0;

/// The first delay after failures that only a person can mend.
const FOR_PEOPLE: Span = Span::secs(30);

/// What to do about a kind of failure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Wait along this curve.
    Wait(Curve),
    /// Wait for a change.
    OnChange,
    /// Give up at once.
    Abandon,
}

/// How the policy decides; the crate's documentation says what each setting means.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What to do about each kind of failure, in the order of [`Kind::ALL`].
    rules: [Rule; Kind::ALL.len()],
    /// Give up after so many failed attempts.
    pub max_attempts: Option<u32>,
    /// Give up when attempts have failed for so long.
    pub max_elapsed: Option<Span>,
}

impl Settings {
    /// Reads the settings from JSON.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let mut table = Table::parse(text)?;
        let general = curve(
            &mut table,
            Curve {
                initial: Span::secs(1),
                factor: 2.0,
                max: Span::secs(300),
                jitter: Jitter::Full,
            },
        );
        let max_attempts = table.count("max-attempts");
        if max_attempts == Some(0) {
            table.problem("max-attempts", "at least 1; leave it out to never give up");
        }
        let settings = Self {
            rules: rules(&mut table, general),
            max_attempts,
            max_elapsed: table.duration("max-elapsed"),
        };
        let problems = table.finish();
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(problems)
        }
    }

    /// What to do about this kind of failure.
    pub fn rule(&self, kind: Kind) -> Rule {
        // `Kind`'s discriminants are its places in `Kind::ALL`; a test holds them to it.
        self.rules[kind as usize]
    }
}

/// A curve from the table's keys, `base` where they are missing.
fn curve(table: &mut Table, base: Curve) -> Curve {
    let initial = table.duration("initial");
    let max = table.duration("max");
    let curve = Curve {
        initial: initial.unwrap_or(base.initial),
        factor: table.number("factor").unwrap_or(base.factor),
        max: max.unwrap_or(base.max),
        jitter: table
            .choice(
                "jitter",
                &[
                    ("none", Jitter::None),
                    ("full", Jitter::Full),
                    ("equal", Jitter::Equal),
                    ("decorrelated", Jitter::Decorrelated),
                ],
            )
            .unwrap_or(base.jitter),
    };
    if !(1.0..=MAX_FACTOR).contains(&curve.factor) {
        table.problem(
            "factor",
            format!("{} is not between 1 and {MAX_FACTOR}", curve.factor),
        );
    }
    for (key, span) in [("initial", initial), ("max", max)] {
        if span == Some(Span::ZERO) {
            table.problem(key, "at least 1ms");
        }
    }
    if curve.initial > curve.max {
        let key = if initial.is_some() { "initial" } else { "max" };
        table.problem(
            key,
            format!(
                "`initial` ({}) is longer than `max` ({})",
                curve.initial, curve.max
            ),
        );
    }
    curve
}

fn rules(table: &mut Table, general: Curve) -> [Rule; Kind::ALL.len()] {
    let mut overrides = table.table("overrides");
    let rules = Kind::ALL.map(|kind| {
        let written = overrides.as_mut().and_then(|overrides| {
            let mut inner = overrides.table(kind.name())?;
            let rule = rule(&mut inner, general);
            overrides.absorb(inner);
            Some(rule)
        });
        written.unwrap_or_else(|| built_in(kind, general))
    });
    if let Some(mut overrides) = overrides {
        // What TOML makes of an unquoted `overrides.store.throttled`.
        if overrides.has("store") {
            overrides.take("store");
            overrides.problem(
                "store",
                "quote the names of store failures: overrides.\"store.throttled\"",
            );
        }
        table.absorb(overrides);
    }
    rules
}

/// A rule from its own table.
fn rule(table: &mut Table, general: Curve) -> Rule {
    let action = table.choice(
        "action",
        &[("on-change", Rule::OnChange), ("abandon", Rule::Abandon)],
    );
    if let Some(action) = action {
        for key in ["initial", "factor", "max", "jitter"] {
            if table.take(key).is_some() {
                table.problem(
                    key,
                    "means nothing beside an `action`; leave one of them out",
                );
            }
        }
        return action;
    }
    Rule::Wait(curve(table, general))
}

fn built_in(kind: Kind, general: Curve) -> Rule {
    match kind {
        Kind::SchemaInvalid | Kind::SchemaConflict => Rule::OnChange,
        Kind::PermissionDenied | Kind::NotFound => Rule::Wait(Curve {
            initial: FOR_PEOPLE.max(general.initial).min(general.max),
            ..general
        }),
        _ => Rule::Wait(general),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENERAL: Curve = Curve {
        initial: Span::secs(1),
        factor: 2.0,
        max: Span::secs(300),
        jitter: Jitter::Full,
    };

    #[test]
    fn the_schema_and_the_parser_agree() {
        common::fixture::assert_schema_fits(SCHEMA, Settings::parse);
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        let documented = schema["properties"]["overrides"]["properties"]
            .as_object()
            .unwrap();
        assert_eq!(documented.len(), Kind::ALL.len());
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            assert!(documented.contains_key(kind.name()), "{}", kind.name());
            assert_eq!(kind as usize, place);
        }
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let settings = Settings::parse("{}").unwrap();
        for kind in Kind::ALL {
            let rule = match kind {
                Kind::SchemaInvalid | Kind::SchemaConflict => Rule::OnChange,
                Kind::PermissionDenied | Kind::NotFound => Rule::Wait(Curve {
                    initial: Span::secs(30),
                    ..GENERAL
                }),
                _ => Rule::Wait(GENERAL),
            };
            assert_eq!(settings.rule(kind), rule, "{kind:?}");
        }
        assert_eq!((settings.max_attempts, settings.max_elapsed), (None, None));
    }

    #[test]
    fn a_rule_replaces_the_built_in_one_and_inherits_the_general_curve() {
        let settings = Settings::parse(
            r#"{"max": "10s", "jitter": "equal", "overrides": {
                "schema-invalid": {"initial": "5s"},
                "store.timeout": {"factor": 3, "max": "20s", "jitter": "none"},
                "other": {"action": "abandon"},
                "store.permission-denied": {"action": "on-change"}
            }}"#,
        )
        .unwrap();
        let general = Curve {
            max: Span::secs(10),
            jitter: Jitter::Equal,
            ..GENERAL
        };
        assert_eq!(
            settings.rule(Kind::SchemaInvalid),
            Rule::Wait(Curve {
                initial: Span::secs(5),
                ..general
            })
        );
        assert_eq!(
            settings.rule(Kind::Timeout),
            Rule::Wait(Curve {
                factor: 3.0,
                max: Span::secs(20),
                jitter: Jitter::None,
                ..general
            })
        );
        assert_eq!(settings.rule(Kind::Other), Rule::Abandon);
        assert_eq!(settings.rule(Kind::PermissionDenied), Rule::OnChange);
        // The built-in rule bends to a shorter maximum.
        assert_eq!(
            settings.rule(Kind::NotFound),
            Rule::Wait(Curve {
                initial: Span::secs(10),
                ..general
            })
        );
    }

    #[test]
    fn every_problem_is_reported_with_its_pointer() {
        let problems = Settings::parse(
            r#"{"initial": "10m", "factor": 0.5, "jitter": "ful", "max-attempts": 0, "max-elapsd": "1h",
                "overrides": {
                    "store": {"throttled": {}},
                    "store.throtled": {},
                    "store.timeout": {"action": "on-change", "max": "1s"},
                    "other": {"max": "0s", "action": "abandn"},
                    "schema-absent": 3
                }}"#,
        )
        .unwrap_err();
        let problems: Vec<_> = problems
            .iter()
            .map(|problem| (problem.pointer.as_str(), problem.message.as_str()))
            .collect();
        for problem in [
            ("/initial", "`initial` (10m) is longer than `max` (5m)"),
            ("/factor", "0.5 is not between 1 and 100"),
            (
                "/jitter",
                "`ful` is none of `none`, `full`, `equal`, `decorrelated`; did you mean `full`?",
            ),
            ("/max-attempts", "at least 1; leave it out to never give up"),
            (
                "/max-elapsd",
                "unknown key `max-elapsd`; did you mean `max-elapsed`?",
            ),
            (
                "/overrides/store",
                "quote the names of store failures: overrides.\"store.throttled\"",
            ),
            (
                "/overrides/store.throtled",
                "unknown key `store.throtled`; did you mean `store.throttled`?",
            ),
            (
                "/overrides/store.timeout/max",
                "means nothing beside an `action`; leave one of them out",
            ),
            ("/overrides/other/max", "at least 1ms"),
            (
                "/overrides/other/action",
                "`abandn` is none of `on-change`, `abandon`; did you mean `abandon`?",
            ),
            (
                "/overrides/schema-absent",
                "expected a table, not the number 3",
            ),
        ] {
            assert!(
                problems.contains(&problem),
                "{problem:?} is not in {problems:#?}"
            );
        }
    }
}
