use schemars::JsonSchema;
use serde::Deserialize;
use tidegate_policy::{Policy, Problems, Span};

/// The longest that each wait may be: sums of them must stay within the contract's 49 days.
const LONGEST: Span = Span::hours(24);

/// When the circuit opens and for how long; the crate's documentation says what each setting means.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct CircuitBreaker {
    /// The share of the node's streams that must fail before the circuit opens.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub threshold: f64,
    /// How many streams must fail besides.
    #[schemars(range(min = 1))]
    pub min_streams: u32,
    /// How long the circuit stays open at first; twice as long after each probe that fails.
    pub open_for: Span,
    /// The longest that it stays open.
    pub max_open: Span,
    /// How long a probe has before another stream may probe.
    pub probe_for: Span,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self {
            threshold: 0.5,
            min_streams: 3,
            open_for: Span::secs(30),
            max_open: Span::mins(5),
            probe_for: Span::mins(1),
        }
    }
}

impl Policy for CircuitBreaker {
    fn validate(&self, problems: &mut Problems) {
        if !(self.threshold > 0.0 && self.threshold <= 1.0) {
            let message = format!("{} is no share: above 0, at most 1", self.threshold);
            problems.add("/threshold", message);
        }
        if self.min_streams == 0 {
            problems.add("/min-streams", "at least 1");
        }
        for (key, span) in [
            ("/open-for", self.open_for),
            ("/max-open", self.max_open),
            ("/probe-for", self.probe_for),
        ] {
            if span == Span::ZERO {
                problems.add(key, "at least 1ms");
            } else if span > LONGEST {
                problems.add(key, format!("{span} is too long: at most {LONGEST}"));
            }
        }
        if self.open_for > self.max_open {
            let message = format!(
                "`open-for` ({}) is longer than `max-open` ({})",
                self.open_for, self.max_open
            );
            problems.add("/open-for", message);
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_policy::testing;

    use super::*;

    #[test]
    fn the_schema_tells_the_truth() {
        testing::assert_schema_fits::<CircuitBreaker>();
    }

    #[test]
    fn every_problem_is_reported_with_its_pointer() {
        let problems = testing::problems::<CircuitBreaker>(
            r#"{"threshold": 50, "min-streams": 0, "open-for": "10m", "probe-for": "2d"}"#,
        );
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
            ]
        );
        for text in [
            r#"{"threshold": 0}"#,
            r#"{"open-for": "0s"}"#,
            r#"{"max-open": "1s"}"#,
            r#"{"max-opn": "1h"}"#,
        ] {
            assert_eq!(testing::problems::<CircuitBreaker>(text).len(), 1, "{text}");
        }
    }
}
