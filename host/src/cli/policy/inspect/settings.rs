//! A settings schema as a table: one row a key. It shows what people choose by, not all that JSON Schema can say.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::policy::shown;

/// One key of a policy's settings.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Setting {
    /// Its place as TOML writes it: `overrides.other.max`; `[]` stands for a list's items.
    pub(super) key: String,
    /// What it takes, in words.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// Whether it must be there.
    pub(super) required: bool,
    /// What holds without it.
    pub(super) default: Option<Value>,
    /// What it means.
    pub(super) meaning: Option<String>,
}

/// The most keys that are told.
const MAX_KEYS: usize = 256;
/// How deep tables within tables are told.
const MAX_DEPTH: usize = 6;
/// How often a reference that leads to another is followed.
const MAX_HOPS: usize = 8;

type Schema = Map<String, Value>;

/// The keys that a schema describes; none where it can't be read.
pub(super) fn of_schema(text: &str) -> Vec<Setting> {
    let Ok(Value::Object(root)) = serde_json::from_str(text) else {
        return Vec::new();
    };
    let mut walk = Walk {
        root: &root,
        settings: Vec::new(),
    };
    walk.properties(&root, "", 0);
    walk.settings
}

struct Walk<'a> {
    root: &'a Schema,
    settings: Vec<Setting>,
}

impl<'a> Walk<'a> {
    fn properties(&mut self, schema: &'a Schema, prefix: &str, depth: usize) {
        let required: BTreeSet<&str> = items(schema, "required")
            .filter_map(Value::as_str)
            .collect();
        for (name, property) in table(schema, "properties").into_iter().flatten() {
            let Value::Object(own) = property else {
                continue;
            };
            if self.settings.len() >= MAX_KEYS {
                return;
            }
            let target = self.follow(own);
            let key = format!("{prefix}{}", toml_key(name));
            let either = |word: &str| own.get(word).or_else(|| target.get(word));
            self.settings.push(Setting {
                key: key.clone(),
                kind: self.kind(target, 0),
                required: required.contains(name.as_str()),
                default: either("default").cloned(),
                meaning: either("description").and_then(Value::as_str).map(in_a_line),
            });
            if depth < MAX_DEPTH {
                self.properties(target, &format!("{key}."), depth + 1);
                if let Some(of) = table(target, "items") {
                    self.properties(self.follow(of), &format!("{key}[]."), depth + 1);
                }
            }
        }
    }

    /// The schema that a `$ref` within the document leads to.
    fn follow(&self, schema: &'a Schema) -> &'a Schema {
        let mut at = schema;
        for _ in 0..MAX_HOPS {
            let pointer = at.get("$ref").and_then(Value::as_str);
            let Some(pointer) = pointer.and_then(|pointer| pointer.strip_prefix("#/")) else {
                break;
            };
            // A definition is two steps from the root; whoever nests them deeper is shown as `any`.
            let found = pointer
                .split_once('/')
                .and_then(|(group, name)| table(self.root, group)?.get(name)?.as_object());
            match found {
                Some(next) => at = next,
                None => break,
            }
        }
        at
    }

    /// What a schema takes, in words.
    fn kind(&self, schema: &'a Schema, depth: usize) -> String {
        if depth > MAX_DEPTH {
            return "any".to_owned();
        }
        let alternatives = items(schema, "anyOf").chain(items(schema, "oneOf"));
        let mut words: Vec<String> = Vec::new();
        for alternative in alternatives.filter_map(Value::as_object) {
            let word = self.kind(self.follow(alternative), depth + 1);
            if !words.contains(&word) {
                words.push(word);
            }
        }
        if !words.is_empty() {
            return words.join(" or ");
        }
        if let Some(value) = schema.get("const") {
            return in_short(value);
        }
        let values: Vec<String> = items(schema, "enum").map(in_short).collect();
        if !values.is_empty() {
            return values.join(" | ");
        }
        let names: Vec<&str> = match schema.get("type") {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ if schema.contains_key("properties") => vec!["object"],
            _ => vec!["any"],
        };
        let words: Vec<String> = names
            .iter()
            .map(|name| self.typed(name, schema, depth))
            .collect();
        words.join(" or ")
    }

    fn typed(&self, name: &str, schema: &'a Schema, depth: usize) -> String {
        match name {
            "object" => match table(schema, "additionalProperties") {
                Some(values) => format!("table of {}", self.kind(self.follow(values), depth + 1)),
                None => "table".to_owned(),
            },
            "array" => match table(schema, "items") {
                Some(of) => format!("list of {}", self.kind(self.follow(of), depth + 1)),
                None => "list".to_owned(),
            },
            "integer" | "number" => format!("{name}{}", range(schema)),
            "string" => match items(schema, "examples").next() {
                Some(example) => format!("string, such as {}", in_short(example)),
                None => "string".to_owned(),
            },
            other => shown(other),
        }
    }
}

/// The largest number that is told as a bound: those of 32 bits and more are the type's, not the author's.
const LARGEST_BOUND: f64 = 4_294_967_294.0;

fn range(schema: &Schema) -> String {
    let bound = |word| schema.get(word).filter(|value| value.is_number());
    let large = |value: &&Value| {
        value
            .as_f64()
            .is_some_and(|number| number.abs() <= LARGEST_BOUND)
    };
    let least = match (bound("minimum"), bound("exclusiveMinimum")) {
        (Some(least), _) => Some(format!("at least {least}")),
        (None, Some(least)) => Some(format!("above {least}")),
        (None, None) => None,
    };
    let most = match (bound("maximum").filter(large), bound("exclusiveMaximum")) {
        (Some(most), _) => Some(format!("at most {most}")),
        (None, Some(most)) => Some(format!("below {most}")),
        (None, None) => None,
    };
    [least, most]
        .into_iter()
        .flatten()
        .map(|bound| format!(", {bound}"))
        .collect()
}

/// A value as JSON writes it, cut and escaped.
pub(super) fn in_short(value: &Value) -> String {
    shown(&value.to_string())
}

/// A key as TOML writes it.
fn toml_key(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    match !name.is_empty() && name.bytes().all(bare) {
        true => name.to_owned(),
        false => in_short(&Value::String(name.to_owned())),
    }
}

fn table<'a>(schema: &'a Schema, word: &str) -> Option<&'a Schema> {
    schema.get(word).and_then(Value::as_object)
}

fn items<'a>(schema: &'a Schema, word: &str) -> impl Iterator<Item = &'a Value> {
    schema
        .get(word)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// A text as a cell of a table: its line breaks are those of a source.
fn in_a_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    shown(&words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(schema: &str) -> Vec<String> {
        of_schema(schema)
            .iter()
            .map(|setting| {
                let default = setting.default.as_ref().map_or("-".to_owned(), in_short);
                format!("{}: {} = {default}", setting.key, setting.kind)
            })
            .collect()
    }

    #[test]
    fn keys_types_bounds_and_defaults_are_told() {
        let schema = r##"{
            "$defs": {"duration": {"type": "string", "examples": ["30s"]}},
            "required": ["mode"],
            "properties": {
                "after": {"$ref": "#/$defs/duration", "default": "1m", "description": "How long.\u001b"},
                "at.most": {"type": "integer", "minimum": 1, "maximum": 4294967295},
                "mode": {"enum": ["a", "b"]},
                "steps": {"type": "array", "items": {"type": "object", "properties": {
                    "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
                }}},
                "names": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
                "either": {"anyOf": [{"$ref": "#/$defs/duration"}, {"type": "boolean"}, {"type": "boolean"}]}
            }
        }"##;
        assert_eq!(
            rows(schema),
            [
                "after: string, such as \"30s\" = \"1m\"",
                "\"at.most\": integer, at least 1 = -",
                "either: string, such as \"30s\" or boolean = -",
                "mode: \"a\" | \"b\" = -",
                "names: table of string or null = -",
                "steps: list of table = -",
                "steps[].share: number, above 0, at most 1 = -",
            ]
        );
        let settings = of_schema(schema);
        assert_eq!(settings[0].meaning.as_deref(), Some("How long.\\u{1b}"));
        assert!(settings[3].required && !settings[0].required);
    }

    #[test]
    fn schemas_that_lead_in_circles_or_nowhere_are_told_as_far_as_they_go() {
        let circle = r##"{"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"},
            "tree": {"properties": {"left": {"$ref": "#/$defs/tree"}, "right": {"$ref": "#/$defs/tree"}}}},
            "properties": {"x": {"$ref": "#/$defs/a"}, "y": {"$ref": "#/nowhere"}, "z": {"$ref": "#/$defs/tree"}}}"##;
        let rows = rows(circle);
        assert!(rows.len() <= MAX_KEYS);
        assert_eq!(rows[..2], ["x: any = -", "y: any = -"]);
        for nonsense in [
            "",
            "[]",
            "7",
            r#"{"properties": 7}"#,
            r#"{"properties": {"a": 7}}"#,
        ] {
            assert_eq!(of_schema(nonsense), []);
        }
    }
}
