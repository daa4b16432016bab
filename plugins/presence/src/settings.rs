use common::{Problem, Span, Table};

/// JSON Schema of the settings.
pub const SCHEMA: &str = include_str!("../settings.schema.json");

/// The longest that each wait may be. The host takes ten minutes of `unsettled` in a row as `not-expected`; a minute of
/// them is left for a store that fails in between.
const LONGEST_WAIT: Span = Span::secs(9 * 60);

/// What tells that a schema is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Data files that wait in staging.
    StagedData,
    /// The stream's mere existence.
    Always,
}

/// How the policy judges; the crate's documentation says what each setting means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a staged file must have stood unchanged.
    pub settle: Span,
    /// The node's start-up time.
    pub grace: Span,
    /// What tells that a schema is owed.
    pub evidence: Evidence,
    /// How long data must have waited without a schema.
    pub watch: Span,
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
            settle: wait(&mut table, "settle", Span::secs(1)),
            grace: wait(&mut table, "grace", Span::secs(120)),
            evidence: table
                .choice(
                    "evidence",
                    &[
                        ("staged-data", Evidence::StagedData),
                        ("always", Evidence::Always),
                    ],
                )
                .unwrap_or(Evidence::StagedData),
            watch: wait(&mut table, "watch", Span::secs(130)),
        };
        let problems = table.finish();
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(problems)
        }
    }
}

fn wait(table: &mut Table, key: &'static str, default: Span) -> Span {
    let wait = table.duration(key).unwrap_or(default);
    if wait > LONGEST_WAIT {
        table.problem(
            key,
            format!(
                "{wait} is too long: at most {LONGEST_WAIT}, since the host takes 10m of waiting in a row as \
                 `not-expected`"
            ),
        );
    }
    wait
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_and_the_parser_agree() {
        common::fixture::assert_schema_fits(SCHEMA, Settings::parse);
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        assert_eq!(
            Settings::parse("{}"),
            Ok(Settings {
                settle: Span::secs(1),
                grace: Span::secs(120),
                evidence: Evidence::StagedData,
                watch: Span::secs(130),
            })
        );
    }

    #[test]
    fn every_problem_is_reported_with_its_pointer() {
        let problems = Settings::parse(
            r#"{"settle": "soon", "grace": "1h", "evidence": "alwas", "wach": "1s"}"#,
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
                    "/settle",
                    "`soon` is no duration; write it like \"250ms\", \"30s\", \"2m\" or \"1h\""
                ),
                (
                    "/grace",
                    "1h is too long: at most 9m, since the host takes 10m of waiting in a row as `not-expected`"
                ),
                (
                    "/evidence",
                    "`alwas` is none of `staged-data`, `always`; did you mean `always`?"
                ),
                ("/wach", "unknown key `wach`; did you mean `watch`?"),
            ]
        );
    }
}
