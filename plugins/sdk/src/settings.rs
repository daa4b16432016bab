//! Settings: read by serde, with everything that is wrong told at once.

use schemars::generate::SchemaSettings;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::Policy;

/// The most problems that are told of one policy's settings.
const MAX_PROBLEMS: usize = 64;

/// One thing that is wrong with a policy's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// JSON Pointer (RFC 6901) to the offending value; empty for the settings as a whole.
    pub pointer: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// What is wrong with a policy's settings.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Tells of a problem at a place: `"/factor"`, or `"/rungs/2"` for an item of a list.
    pub fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem {
            pointer: pointer.into(),
            message: message.into(),
        });
    }
}

/// JSON Schema of a policy's settings.
pub(crate) fn schema<P: Policy>() -> String {
    let schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<P>();
    // Strings, numbers and maps with string keys always serialize.
    serde_json::to_string(&schema).unwrap_or_default()
}

/// Reads a policy's settings.
///
/// serde stops at the first problem. So what is wrong is taken out of the settings, which leaves its default, and the
/// rest is read again: the settings' author hears of everything at once.
pub(crate) fn parse<P: Policy>(text: &str) -> Result<P, Vec<Problem>> {
    let mut problems = Problems::default();
    let mut settings = match serde_json::from_str(text) {
        Ok(settings @ Value::Object(_)) => settings,
        Ok(_) => {
            problems.add("", "settings are a table");
            return Err(problems.0);
        }
        Err(error) => {
            problems.add("", format!("settings are no JSON: {error}"));
            return Err(problems.0);
        }
    };
    let mut removed = Removed::default();
    while problems.0.len() < MAX_PROBLEMS {
        let error = match serde_path_to_error::deserialize::<_, P>(&settings) {
            Ok(policy) => {
                if problems.0.is_empty() {
                    policy.validate(&mut problems);
                }
                return match problems.0.is_empty() {
                    true => Ok(policy),
                    false => Err(problems.0),
                };
            }
            Err(error) => error,
        };
        let place = place(&error);
        let pointer = removed.original(&place);
        // A value is missing, or its table is wrong, because of what was taken out: that is told already.
        if !removed.holds_below(&pointer) {
            problems.add(pointer, in_words(&error.inner().to_string()));
        }
        if !removed.take(&mut settings, &place) {
            break;
        }
    }
    Err(problems.0)
}

/// A step from a value to one that it holds.
#[derive(Clone, Debug)]
enum Step {
    Key(String),
    Index(usize),
}

/// Where in the settings something is wrong. Of an unknown key that is the key itself.
fn place(error: &serde_path_to_error::Error<serde_json::Error>) -> Vec<Step> {
    let steps = error.path().iter().filter_map(|segment| match segment {
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    steps.collect()
}

/// What was taken out of the settings.
#[derive(Default)]
struct Removed(Vec<(String, Step)>);

impl Removed {
    /// The pointer to a place as it was before anything was taken out: items of lists have moved since.
    fn original(&self, place: &[Step]) -> String {
        let mut pointer = String::new();
        for step in place {
            match step {
                Step::Key(key) => {
                    pointer.push('/');
                    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                }
                Step::Index(index) => {
                    let taken = self.0.iter().filter_map(|(list, step)| match step {
                        Step::Index(index) if *list == pointer => Some(*index),
                        _ => None,
                    });
                    let mut taken: Vec<usize> = taken.collect();
                    taken.sort_unstable();
                    let at = taken
                        .into_iter()
                        .fold(*index, |at, taken| at + usize::from(taken <= at));
                    pointer.push_str(&format!("/{at}"));
                }
            }
        }
        pointer
    }

    /// Whether something within the value at this pointer was taken out.
    fn holds_below(&self, pointer: &str) -> bool {
        let below = |parent: &str| {
            let rest = parent.strip_prefix(pointer);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.0.iter().any(|(parent, _)| below(parent))
    }

    /// Takes a value out. False where there is none, or it is all that there is.
    fn take(&mut self, settings: &mut Value, place: &[Step]) -> bool {
        let Some((last, parents)) = place.split_last() else {
            return false;
        };
        let parent = self.original(parents);
        let mut value = settings;
        for step in parents {
            let next = match step {
                Step::Key(key) => value.get_mut(key),
                Step::Index(index) => value.get_mut(index),
            };
            match next {
                Some(next) => value = next,
                None => return false,
            }
        }
        let original = match (last, &mut *value) {
            (Step::Key(key), Value::Object(table)) => match table.remove(key) {
                Some(_) => last.clone(),
                None => return false,
            },
            (Step::Index(index), Value::Array(list)) if *index < list.len() => {
                list.remove(*index);
                let pointer = self.original(place);
                let original = pointer.rsplit('/').next().and_then(|at| at.parse().ok());
                Step::Index(original.unwrap_or(*index))
            }
            _ => return false,
        };
        self.0.push((parent, original));
        true
    }
}

/// serde's message for an operator: what there is instead of an unknown word, and the one that was likely meant.
fn in_words(text: &str) -> String {
    for (kind, name) in [("unknown field `", "key"), ("unknown variant `", "word")] {
        let Some(unknown) = quoted(text, kind) else {
            continue;
        };
        let known: Vec<&str> = text
            .split_once("expected")
            .map_or("", |(_, known)| known)
            .split('`')
            .skip(1)
            .step_by(2)
            .collect();
        let likely = known
            .iter()
            .map(|word| (strsim::damerau_levenshtein(unknown, word), *word))
            .filter(|(distance, word)| *distance < word.len() && distance * 3 <= word.len().max(3))
            .min();
        return match (likely, known.is_empty()) {
            (Some((_, word)), _) => {
                format!("unknown {name} `{unknown}`; did you mean `{word}`?")
            }
            (None, false) => {
                format!(
                    "unknown {name} `{unknown}`; known are `{}`",
                    known.join("`, `")
                )
            }
            (None, true) => format!("unknown {name} `{unknown}`; this policy has no settings"),
        };
    }
    match text.split_once(", expected ") {
        Some((wrong, "u8" | "u16" | "u32" | "u64" | "usize")) => {
            format!("{wrong}, expected a whole number from 0")
        }
        Some((wrong, "i8" | "i16" | "i32" | "i64" | "isize")) => {
            format!("{wrong}, expected a whole number")
        }
        Some((wrong, "f32" | "f64")) => format!("{wrong}, expected a number"),
        Some((wrong, "a sequence")) => format!("{wrong}, expected a list"),
        Some((wrong, kind)) if kind.starts_with("struct ") => format!("{wrong}, expected a table"),
        _ => text.to_owned(),
    }
}

/// What stands in back-quotes after this beginning of a message.
fn quoted<'a>(text: &'a str, beginning: &str) -> Option<&'a str> {
    let (word, _) = text.strip_prefix(beginning)?.split_once('`')?;
    Some(word)
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::Span;

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
    struct Settings {
        /// How long.
        delay: Span,
        factor: f64,
        count: u32,
        jitter: Jitter,
        rungs: Vec<Span>,
        inner: Inner,
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Inner {
        a: Option<u32>,
        b: Option<Span>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    enum Jitter {
        None,
        Full,
    }

    impl Default for Settings {
        fn default() -> Self {
            Self {
                delay: Span::secs(30),
                factor: 2.0,
                count: 3,
                jitter: Jitter::Full,
                rungs: Vec::new(),
                inner: Inner::default(),
            }
        }
    }

    impl Policy for Settings {
        fn validate(&self, problems: &mut Problems) {
            if self.factor < 1.0 {
                problems.add("/factor", format!("{} is below 1", self.factor));
            }
        }
    }

    fn problems(text: &str) -> Vec<(String, String)> {
        let problems = parse::<Settings>(text).expect_err(text);
        let parts = |problem: Problem| (problem.pointer, problem.message);
        problems.into_iter().map(parts).collect()
    }

    fn told(problems: &[(String, String)]) -> Vec<(&str, &str)> {
        problems
            .iter()
            .map(|(pointer, message)| (pointer.as_str(), message.as_str()))
            .collect()
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        assert_eq!(parse::<Settings>("{}"), Ok(Settings::default()));
        let settings = parse::<Settings>(r#"{"delay": "2m", "jitter": "none"}"#);
        let expected = Settings {
            delay: Span::mins(2),
            jitter: Jitter::None,
            ..Settings::default()
        };
        assert_eq!(settings, Ok(expected));
    }

    #[test]
    fn every_problem_is_told_at_once_with_its_place() {
        let problems = problems(
            r#"{"delay": "soon", "count": -1, "jitter": "ful", "rungs": ["1s", "x", "2s", 3],
                "inner": {"a": "one", "c": 1}, "facter": 2}"#,
        );
        let mut told = told(&problems);
        told.sort_unstable();
        assert_eq!(
            told,
            [
                (
                    "/count",
                    "invalid value: integer `-1`, expected a whole number from 0"
                ),
                (
                    "/delay",
                    "`soon` is no duration; write it like \"250ms\", \"30s\", \"2m\" or \"1h\""
                ),
                ("/facter", "unknown key `facter`; did you mean `factor`?"),
                (
                    "/inner/a",
                    "invalid type: string \"one\", expected a whole number from 0"
                ),
                ("/inner/c", "unknown key `c`; known are `a`, `b`"),
                ("/jitter", "unknown word `ful`; did you mean `full`?"),
                (
                    "/rungs/1",
                    "`x` is no duration; write it like \"250ms\", \"30s\", \"2m\" or \"1h\""
                ),
                ("/rungs/3", "a duration is text with a unit: \"3s\", not 3"),
            ]
        );
    }

    #[test]
    fn what_is_out_of_range_is_told_once_the_types_are_right() {
        assert_eq!(
            told(&problems(r#"{"factor": 0.5}"#)),
            [("/factor", "0.5 is below 1")]
        );
        assert_eq!(problems(r#"{"factor": 0.5, "count": "x"}"#).len(), 1);
    }

    #[test]
    fn what_is_no_table_of_settings_is_refused() {
        for text in ["[]", "3", "{", ""] {
            let problems = problems(text);
            assert_eq!((problems.len(), problems[0].0.as_str()), (1, ""), "{text}");
        }
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    struct Required {
        key: u32,
    }

    impl Policy for Required {}

    #[test]
    fn a_required_value_that_is_wrong_is_not_missing_as_well() {
        let problems = |text| parse::<Required>(text).map(|read| read.key).unwrap_err();
        assert_eq!(problems("{}")[0].message, "missing field `key`");
        let wrong = problems(r#"{"key": "x"}"#);
        assert_eq!((wrong.len(), wrong[0].pointer.as_str()), (1, "/key"));
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct NoSettings {}

    impl Policy for NoSettings {}

    #[test]
    fn a_policy_without_settings_says_so() {
        let problems = parse::<NoSettings>(r#"{"rungs": []}"#).unwrap_err();
        assert_eq!(problems[0].pointer, "/rungs");
        assert_eq!(
            problems[0].message,
            "unknown key `rungs`; this policy has no settings"
        );
    }

    #[test]
    #[should_panic(expected = "unknown keys are accepted")]
    fn a_schema_that_accepts_unknown_keys_does_not_fit() {
        #[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
        #[serde(default)]
        struct Lax {
            /// Anything.
            key: u32,
        }
        impl Policy for Lax {}
        crate::testing::assert_schema_fits::<Lax>();
    }

    #[test]
    fn the_schema_tells_of_types_meanings_and_defaults() {
        let schema: Value = serde_json::from_str(&schema::<Settings>()).unwrap();
        assert_eq!(schema["additionalProperties"], false);
        let delay = &schema["properties"]["delay"];
        assert_eq!(delay["description"], "How long.");
        assert_eq!(delay["default"], "30s");
        assert_eq!(delay["type"], "string");
    }
}
