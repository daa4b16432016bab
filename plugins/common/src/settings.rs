use serde_json::{Map, Value};

use crate::Span;

/// One thing that is wrong with a policy's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// JSON Pointer (RFC 6901) to the offending value.
    pub pointer: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// A table of settings that is read key by key.
///
/// Each getter takes its key out of the table and answers `None` when the key is absent or wrong; what is wrong is
/// collected, so that the operator hears of everything at once. [`Table::finish`] then denies what nobody asked for.
#[derive(Debug)]
pub struct Table {
    pointer: String,
    values: Map<String, Value>,
    known: Vec<&'static str>,
    problems: Vec<Problem>,
}

impl Table {
    /// The settings as a whole, from the JSON text that the host passes to `configure`.
    ///
    /// # Errors
    ///
    /// When the text is no JSON object.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let whole = |message: String| {
            vec![Problem {
                pointer: String::new(),
                message,
            }]
        };
        match serde_json::from_str(text) {
            Ok(Value::Object(values)) => Ok(Self::new(String::new(), values)),
            Ok(other) => Err(whole(format!("settings are a table, not {}", kind(&other)))),
            Err(error) => Err(whole(format!("settings are no JSON: {error}"))),
        }
    }

    fn new(pointer: String, values: Map<String, Value>) -> Self {
        Self {
            pointer,
            values,
            known: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// A duration, written as a string with a unit.
    pub fn duration(&mut self, key: &'static str) -> Option<Span> {
        match self.take(key)? {
            Value::String(text) => text
                .parse()
                .map_err(|message| self.problem(key, message))
                .ok(),
            Value::Number(number) => {
                self.problem(
                    key,
                    format!("a duration is a string with a unit: \"{number}s\", not {number}"),
                );
                None
            }
            other => self.wrong_kind(key, "a duration such as \"30s\"", &other),
        }
    }

    /// A number, whole or not.
    pub fn number(&mut self, key: &'static str) -> Option<f64> {
        let value = self.take(key)?;
        match value.as_f64() {
            Some(number) => Some(number),
            None => self.wrong_kind(key, "a number", &value),
        }
    }

    /// A whole number from 0.
    pub fn count(&mut self, key: &'static str) -> Option<u32> {
        let value = self.take(key)?;
        match value.as_u64().map(u32::try_from) {
            Some(Ok(count)) => Some(count),
            Some(Err(_)) => {
                self.problem(key, format!("{value} is too large; at most {}", u32::MAX));
                None
            }
            None => self.wrong_kind(key, "a whole number from 0", &value),
        }
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        match self.take(key)? {
            Value::String(text) => {
                let found = choices.iter().find(|(word, _)| *word == text);
                if found.is_none() {
                    let words = || choices.iter().map(|(word, _)| *word);
                    let message = format!(
                        "`{text}` is none of {}{}",
                        list(words()),
                        hint(&text, words())
                    );
                    self.problem(key, message);
                }
                found.map(|(_, choice)| *choice)
            }
            other => {
                let words = list(choices.iter().map(|(word, _)| *word));
                self.wrong_kind(key, &format!("one of {words}"), &other)
            }
        }
    }

    /// A list, whose items the caller judges.
    pub fn list(&mut self, key: &'static str) -> Option<Vec<Value>> {
        match self.take(key)? {
            Value::Array(items) => Some(items),
            other => self.wrong_kind(key, "a list", &other),
        }
    }

    /// A table within this one. Give it back by [`Table::absorb`].
    pub fn table(&mut self, key: &'static str) -> Option<Table> {
        match self.take(key)? {
            Value::Object(values) => Some(Self::new(self.pointer_to(key), values)),
            other => self.wrong_kind(key, "a table", &other),
        }
    }

    /// Collects what is wrong with a table within this one, unknown keys included.
    pub fn absorb(&mut self, inner: Table) {
        self.problems.extend(inner.finish());
    }

    /// The value as it stands, for a key that has several forms.
    pub fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.values.remove(key)
    }

    /// Puts a value back for another getter: how a key with several forms chooses one.
    pub fn put_back(&mut self, key: &'static str, value: Value) {
        self.values.insert(key.to_owned(), value);
    }

    /// Whether the table still holds this key.
    pub fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// Notes that the value under `key` (a path such as `rungs/2` for an item) is wrong.
    pub fn problem(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push(Problem {
            pointer: self.pointer_to(key),
            message: message.into(),
        });
    }

    /// Notes that the value under `key` has the wrong type. Answers `None`, for the getters.
    pub fn wrong_kind<T>(&mut self, key: &str, wanted: &str, value: &Value) -> Option<T> {
        self.problem(key, format!("expected {wanted}, not {}", kind(value)));
        None
    }

    /// Ends the reading: everything that is wrong, unknown keys included.
    pub fn finish(mut self) -> Vec<Problem> {
        for key in std::mem::take(&mut self.values).keys() {
            let known = || self.known.iter().copied();
            let message = if self.known.is_empty() {
                format!("unknown key `{key}`; this policy has no settings")
            } else {
                match hint(key, known()) {
                    hint if hint.is_empty() => {
                        format!("unknown key `{key}`; known are {}", list(known()))
                    }
                    hint => format!("unknown key `{key}`{hint}"),
                }
            };
            let pointer = format!("{}/{}", self.pointer, escape(key));
            self.problems.push(Problem { pointer, message });
        }
        self.problems
    }

    fn pointer_to(&self, key: &str) -> String {
        format!("{}/{key}", self.pointer)
    }
}

/// What kind of value this is, for people.
fn kind(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(value) => format!("the number {value}"),
        Value::String(value) => format!("the text \"{}\"", shorten(value)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a table".to_owned(),
    }
}

/// The beginning of a text that an operator may have pasted in whole.
fn shorten(text: &str) -> &str {
    &text[..text.floor_char_boundary(60)]
}

/// A key as a segment of a JSON Pointer.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// `; did you mean …?` for the closest of the known words, or nothing when none is close.
fn hint<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    // Two slips, or a third of a short word: further away it is another word.
    let limit = (word.chars().count() / 3).clamp(1, 2);
    known
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| format!("; did you mean `{candidate}`?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(problems: &[Problem]) -> Vec<(&str, &str)> {
        problems
            .iter()
            .map(|problem| (problem.pointer.as_str(), problem.message.as_str()))
            .collect()
    }

    #[test]
    fn everything_wrong_is_told_at_once_with_its_place() {
        let mut table = Table::parse(
            r#"{"settle": 5, "evidence": "allways", "tries": -1, "inner": {"a/b~": 1, "wiat": "1s"}, "graec": "1s"}"#,
        )
        .unwrap();
        assert_eq!(table.duration("settle"), None);
        assert_eq!(table.duration("grace"), None);
        assert_eq!(
            table.choice("evidence", &[("always", 1), ("staged-data", 2)]),
            None
        );
        assert_eq!(table.count("tries"), None);
        let mut inner = table.table("inner").unwrap();
        assert_eq!(inner.duration("wait"), None);
        table.absorb(inner);
        assert_eq!(
            problems(&table.finish()),
            [
                (
                    "/settle",
                    "a duration is a string with a unit: \"5s\", not 5"
                ),
                (
                    "/evidence",
                    "`allways` is none of `always`, `staged-data`; did you mean `always`?"
                ),
                (
                    "/tries",
                    "expected a whole number from 0, not the number -1"
                ),
                ("/inner/a~1b~0", "unknown key `a/b~`; known are `wait`"),
                ("/inner/wiat", "unknown key `wiat`; did you mean `wait`?"),
                ("/graec", "unknown key `graec`; did you mean `grace`?"),
            ]
        );
    }

    #[test]
    fn what_is_no_table_is_refused_as_a_whole() {
        assert_eq!(
            problems(&Table::parse("[1]").unwrap_err()),
            [("", "settings are a table, not a list")]
        );
        assert!(
            Table::parse("{").unwrap_err()[0]
                .message
                .starts_with("settings are no JSON")
        );
    }

    #[test]
    fn right_values_are_taken_and_nothing_is_left() {
        let mut table = Table::parse(r#"{"settle": "2m", "factor": 2, "tries": 3}"#).unwrap();
        assert_eq!(table.duration("settle"), Some(Span::secs(120)));
        assert_eq!(table.number("factor"), Some(2.0));
        assert_eq!(table.count("tries"), Some(3));
        assert_eq!(table.finish(), []);
    }
}
