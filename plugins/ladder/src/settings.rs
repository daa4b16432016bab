use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use tidegate_policy::{Policy, Problems, Span};

use crate::rung::Rung;

/// The most rungs a ladder may have: more host calls than that are no fallback but a search.
const MAX_RUNGS: usize = 16;

/// How the policy chooses; the crate's documentation says what each setting means.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ladder {
    /// What to publish, best first. The first rung that has something to stand on is taken.
    #[schemars(length(min = 1, max = 16))]
    pub rungs: Vec<Rung>,
    /// How long, or in how many checks, a schema must have been absent before a fallback is placed. With both, both
    /// must have passed.
    #[schemars(with = "AfterForms")]
    pub after: After,
}

impl Default for Ladder {
    fn default() -> Self {
        Self {
            rungs: vec![Rung::Peers, Rung::Empty, Rung::Skip],
            after: After::default(),
        }
    }
}

impl Policy for Ladder {
    fn validate(&self, problems: &mut Problems) {
        match self.rungs.len() {
            0 => problems.add(
                "/rungs",
                "a ladder has at least one rung; `[\"skip\"]` publishes nothing",
            ),
            1..=MAX_RUNGS => {}
            many => problems.add(
                "/rungs",
                format!("{many} rungs are too many; at most {MAX_RUNGS}"),
            ),
        }
    }
}

/// What must have passed before a fallback is placed: both of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct After {
    /// The schema has been absent for so long.
    pub duration: Span,
    /// It has been absent in so many checks.
    pub checks: u32,
}

/// The forms in which an operator may write [`After`].
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum AfterForms {
    /// For so long.
    Duration(Span),
    /// In so many checks.
    Checks(u32),
    /// Both.
    Both(Both),
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Both {
    duration: Span,
    checks: u32,
}

impl<'de> Deserialize<'de> for After {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;

        impl<'de> Visitor<'de> for Forms {
            type Value = After;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a duration such as \"2m\", a number of checks, or a table of `duration` and `checks`",
                )
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<After, E> {
                let duration = text.parse().map_err(E::custom)?;
                Ok(After {
                    duration,
                    checks: 0,
                })
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<After, E> {
                let too_many = || E::custom(format!("{number} checks are too many"));
                let checks = u32::try_from(number).map_err(|_| too_many())?;
                Ok(After {
                    duration: Span::ZERO,
                    checks,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<After, A::Error> {
                let Both { duration, checks } = Both::deserialize(MapAccessDeserializer::new(map))?;
                Ok(After { duration, checks })
            }
        }

        deserializer.deserialize_any(Forms)
    }
}

#[cfg(test)]
mod tests {
    use tidegate_policy::testing;

    use super::*;

    #[test]
    fn the_schema_tells_the_truth() {
        testing::assert_schema_fits::<Ladder>();
    }

    #[test]
    fn after_has_three_forms() {
        let after = |text: &str| testing::settings::<Ladder>(text).after;
        let form = |duration, checks| After { duration, checks };
        assert_eq!(after("{}"), form(Span::ZERO, 0));
        assert_eq!(after(r#"{"after": "2m"}"#), form(Span::mins(2), 0));
        assert_eq!(after(r#"{"after": 3}"#), form(Span::ZERO, 3));
        assert_eq!(
            after(r#"{"after": {"duration": "2m", "checks": 3}}"#),
            form(Span::mins(2), 3)
        );
        assert_eq!(after(r#"{"after": {"checks": 3}}"#), form(Span::ZERO, 3));
    }

    #[test]
    fn every_problem_is_reported_with_its_pointer() {
        let problems = testing::problems::<Ladder>(
            r#"{"rungs": ["peers", "emty", 3], "after": {"duraton": "2m", "checks": "3"}, "rung": 1}"#,
        );
        let mut problems: Vec<_> = problems
            .iter()
            .map(|problem| (problem.pointer.as_str(), problem.message.as_str()))
            .collect();
        problems.sort_unstable();
        assert_eq!(
            problems,
            [
                (
                    "/after/checks",
                    "invalid type: string \"3\", expected a whole number from 0"
                ),
                (
                    "/after/duraton",
                    "unknown key `duraton`; did you mean `duration`?"
                ),
                ("/rung", "unknown key `rung`; did you mean `rungs`?"),
                (
                    "/rungs/1",
                    "`emty` is no rung; rungs are `peers`, `base`, `object:KEY`, `named:NAME`, `empty`, `skip`"
                ),
                ("/rungs/2", "invalid type: integer `3`, expected a string"),
            ]
        );
    }

    #[test]
    fn a_ladder_has_some_rungs_and_not_too_many() {
        let pointer = |text: &str| testing::problems::<Ladder>(text)[0].pointer.clone();
        assert_eq!(pointer(r#"{"rungs": []}"#), "/rungs");
        let many = format!(r#"{{"rungs": ["skip"{}]}}"#, r#", "skip""#.repeat(16));
        assert_eq!(pointer(&many), "/rungs");
        assert_eq!(pointer(r#"{"after": true}"#), "/after");
    }
}
