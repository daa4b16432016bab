use common::{Problem, Span, Table};

/// JSON Schema of the settings.
pub const SCHEMA: &str = include_str!("../settings.schema.json");

/// The longest that each wait may be: sums of them must stay within the contract's 49 days.
const LONGEST: Span = Span::secs(86_400);

/// When the circuit opens and for how long; the crate's documentation says what each setting means.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The share of streams that must fail.
    pub threshold: f64,
    /// How many streams must fail besides.
    pub min_streams: u32,
    /// The first open time.
    pub open_for: Span,
    /// The longest open time.
    pub max_open: Span,
    /// The probe's time.
    pub probe_for: Span,
}

impl Settings {
    /// Reads the settings from JSON.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let mut table = Table::parse(text)?;
        let threshold = table.number("threshold").unwrap_or(0.5);
        if !(threshold > 0.0 && threshold <= 1.0) {
            table.problem(
                "threshold",
                format!("{threshold} is no share: above 0, at most 1"),
            );
        }
        let min_streams = table.count("min-streams").unwrap_or(3);
        if min_streams == 0 {
            table.problem("min-streams", "at least 1");
        }
        let open_for = table.duration("open-for");
        let max_open = table.duration("max-open");
        let probe_for = table.duration("probe-for");
        for (key, span) in [
            ("open-for", open_for),
            ("max-open", max_open),
            ("probe-for", probe_for),
        ] {
            match span {
                Some(Span::ZERO) => table.problem(key, "at least 1ms"),
                Some(span) if span > LONGEST => {
                    table.problem(key, format!("{span} is too long: at most {LONGEST}"));
                }
                _ => {}
            }
        }
        let settings = Self {
            threshold,
            min_streams,
            open_for: open_for.unwrap_or(Span::secs(30)),
            max_open: max_open.unwrap_or(Span::secs(300)),
            probe_for: probe_for.unwrap_or(Span::secs(60)),
        };
        if settings.open_for > settings.max_open {
            let key = if open_for.is_some() {
                "open-for"
            } else {
                "max-open"
            };
            table.problem(
                key,
                format!(
                    "`open-for` ({}) is longer than `max-open` ({})",
                    settings.open_for, settings.max_open
                ),
            );
        }
        let problems = table.finish();
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(problems)
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
    fn every_problem_is_reported_with_its_pointer() {
        let problems = Settings::parse(
            r#"{"threshold": 50, "min-streams": 0, "open-for": "10m", "probe-for": "2d", "max-opn": "1h"}"#,
        )
        .unwrap_err();
        let problems: Vec<_> = problems
            .iter()
            .map(|problem| (problem.pointer.as_str(), problem.message.as_str()))
            .collect();
        assert_eq!(
            problems,
            [
                ("/threshold", "50 is no share: above 0, at most 1"),
                ("/min-streams", "at least 1"),
                ("/probe-for", "2d is too long: at most 1d"),
                (
                    "/open-for",
                    "`open-for` (10m) is longer than `max-open` (5m)"
                ),
                (
                    "/max-opn",
                    "unknown key `max-opn`; did you mean `max-open`?"
                ),
            ]
        );
        for text in [
            r#"{"threshold": 0}"#,
            r#"{"open-for": "0s"}"#,
            r#"{"max-open": "1s"}"#,
        ] {
            assert_eq!(Settings::parse(text).unwrap_err().len(), 1, "{text}");
        }
    }
}
