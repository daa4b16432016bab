use common::{Problem, Span, Table};
use serde_json::Value;

use crate::rung::Rung;

/// JSON Schema of the settings.
pub const SCHEMA: &str = include_str!("../settings.schema.json");

/// The most rungs a ladder may have: more host calls than that are no fallback but a search.
const MAX_RUNGS: usize = 16;

/// How the policy chooses; the crate's documentation says what each setting means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What to publish, best first.
    pub rungs: Vec<Rung>,
    /// What must have passed before a fallback is placed.
    pub after: After,
}

/// What must have passed before a fallback is placed: both of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After {
    /// The schema has been absent for so long.
    pub duration: Span,
    /// It has been absent in so many checks.
    pub checks: u32,
}

impl After {
    const AT_ONCE: After = After {
        duration: Span::ZERO,
        checks: 0,
    };
}

impl Settings {
    /// Reads the settings from JSON.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let mut table = Table::parse(text)?;
        let settings = Self {
            rungs: rungs(&mut table),
            after: after(&mut table),
        };
        let problems = table.finish();
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(problems)
        }
    }
}

fn rungs(table: &mut Table) -> Vec<Rung> {
    const KEY: &str = "rungs";
    let Some(items) = table.list(KEY) else {
        return vec![Rung::Peers, Rung::Empty, Rung::Skip];
    };
    if items.is_empty() {
        table.problem(
            KEY,
            "a ladder has at least one rung; `[\"skip\"]` publishes nothing",
        );
    }
    if items.len() > MAX_RUNGS {
        table.problem(
            KEY,
            format!("{} rungs are too many; at most {MAX_RUNGS}", items.len()),
        );
    }
    let mut rungs = Vec::new();
    for (index, item) in items.iter().take(MAX_RUNGS).enumerate() {
        let place = format!("{KEY}/{index}");
        match item {
            Value::String(text) => match text.parse() {
                Ok(rung) => rungs.push(rung),
                Err(problem) => table.problem(&place, problem),
            },
            other => {
                table.wrong_kind::<()>(&place, "the name of a rung", other);
            }
        }
    }
    rungs
}

fn after(table: &mut Table) -> After {
    const KEY: &str = "after";
    let Some(value) = table.take(KEY) else {
        return After::AT_ONCE;
    };
    let form = value.clone();
    table.put_back(KEY, value);
    match form {
        Value::String(_) => After {
            duration: table.duration(KEY).unwrap_or(Span::ZERO),
            ..After::AT_ONCE
        },
        Value::Number(_) => After {
            checks: table.count(KEY).unwrap_or(0),
            ..After::AT_ONCE
        },
        Value::Object(_) => {
            let Some(mut inner) = table.table(KEY) else {
                return After::AT_ONCE;
            };
            let after = After {
                duration: inner.duration("duration").unwrap_or(Span::ZERO),
                checks: inner.count("checks").unwrap_or(0),
            };
            table.absorb(inner);
            after
        }
        other => {
            table.take(KEY);
            table.wrong_kind::<()>(
                KEY,
                "a duration such as \"2m\", a number of checks, or a table of `duration` and `checks`",
                &other,
            );
            After::AT_ONCE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_and_the_parser_agree() {
        common::fixture::assert_schema_fits(SCHEMA, Settings::parse);
    }

    #[test]
    fn after_has_three_forms() {
        let after = |text: &str| Settings::parse(text).unwrap().after;
        let form = |duration, checks| After { duration, checks };
        assert_eq!(after("{}"), form(Span::ZERO, 0));
        assert_eq!(after(r#"{"after": "2m"}"#), form(Span::secs(120), 0));
        assert_eq!(after(r#"{"after": 3}"#), form(Span::ZERO, 3));
        assert_eq!(
            after(r#"{"after": {"duration": "2m", "checks": 3}}"#),
            form(Span::secs(120), 3)
        );
        assert_eq!(after(r#"{"after": {"checks": 3}}"#), form(Span::ZERO, 3));
    }

    #[test]
    fn every_problem_is_reported_with_its_pointer() {
        let problems = Settings::parse(
            r#"{"rungs": ["peers", "emty", 3], "after": {"duraton": "2m", "checks": "3"}, "rung": 1}"#,
        )
        .unwrap_err();
        let problems: Vec<_> = problems
            .iter()
            .map(|problem| (problem.pointer.as_str(), problem.message.as_str()))
            .collect();
        assert_eq!(
            problems,
            [
                (
                    "/rungs/1",
                    "`emty` is no rung; rungs are `peers`, `base`, `object:KEY`, `named:NAME`, `empty`, `skip`"
                ),
                ("/rungs/2", "expected the name of a rung, not the number 3"),
                (
                    "/after/checks",
                    "expected a whole number from 0, not the text \"3\""
                ),
                (
                    "/after/duraton",
                    "unknown key `duraton`; did you mean `duration`?"
                ),
                ("/rung", "unknown key `rung`; did you mean `rungs`?"),
            ]
        );
    }

    #[test]
    fn a_ladder_has_some_rungs_and_not_too_many() {
        let pointer = |text: &str| Settings::parse(text).unwrap_err()[0].pointer.clone();
        assert_eq!(pointer(r#"{"rungs": []}"#), "/rungs");
        let many = serde_json::json!({ "rungs": vec!["skip"; 17] }).to_string();
        assert_eq!(pointer(&many), "/rungs");
        assert_eq!(pointer(r#"{"after": true}"#), "/after");
    }
}
