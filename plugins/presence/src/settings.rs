use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidegate_policy::{Policy, Problems, Span};

/// The longest that each wait may be. The host takes ten minutes of `unsettled` in a row as `not-expected`; a minute of
/// them is left for a store that fails in between.
const LONGEST_WAIT: Span = Span::mins(9);

/// What tells that a schema is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// Data files that wait in staging.
    StagedData,
    /// The stream's mere existence.
    Always,
}

/// How the policy judges; the crate's documentation says what each setting means.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SchemaPresence {
    /// How long a staged file must have stood unchanged before it counts as there.
    pub settle: Span,
    /// A node's start-up time: no schema counts as absent until the host has known the node for so long.
    pub grace: Span,
    /// What tells that a schema is owed.
    pub evidence: Evidence,
    /// How long data must have waited without a schema before the schema counts as absent.
    pub watch: Span,
}

impl Default for SchemaPresence {
    fn default() -> Self {
        Self {
            settle: Span::secs(1),
            grace: Span::mins(2),
            evidence: Evidence::StagedData,
            watch: Span::secs(130),
        }
    }
}

impl Policy for SchemaPresence {
    fn validate(&self, problems: &mut Problems) {
        for (key, wait) in [
            ("/settle", self.settle),
            ("/grace", self.grace),
            ("/watch", self.watch),
        ] {
            if wait > LONGEST_WAIT {
                problems.add(
                    key,
                    format!(
                        "{wait} is too long: at most {LONGEST_WAIT}, since the host takes 10m of waiting in a row as \
                         `not-expected`"
                    ),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_policy::testing;

    use super::*;

    #[test]
    fn the_schema_tells_the_truth() {
        testing::assert_schema_fits::<SchemaPresence>();
    }

    #[test]
    fn every_problem_is_reported_with_its_pointer() {
        let problems = testing::problems::<SchemaPresence>(
            r#"{"settle": "soon", "evidence": "alwas", "wach": "1s"}"#,
        );
        let problems: Vec<_> = problems
            .iter()
            .map(|problem| (problem.pointer.as_str(), problem.message.as_str()))
            .collect();
        assert_eq!(
            problems,
            [
                ("/evidence", "unknown word `alwas`; did you mean `always`?"),
                (
                    "/settle",
                    "`soon` is no duration; write it like \"250ms\", \"30s\", \"2m\" or \"1h\""
                ),
                ("/wach", "unknown key `wach`; did you mean `watch`?"),
            ]
        );
    }

    #[test]
    fn no_wait_may_be_so_long_that_the_host_cuts_it() {
        let problems = testing::problems::<SchemaPresence>(r#"{"grace": "1h"}"#);
        assert_eq!(problems[0].pointer, "/grace");
        assert_eq!(
            problems[0].message,
            "1h is too long: at most 9m, since the host takes 10m of waiting in a row as `not-expected`"
        );
    }
}
