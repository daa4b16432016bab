use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use tidegate_policy::Facts;

/// One thing to publish, as the settings name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Rung {
    /// The merge of the other nodes' schemas and the base.
    Peers,
    /// The stream's base schema.
    Base,
    /// The object under this key, in which `{tenant}`, `{stream}` and `{node}` stand for the stream's own.
    Object(String),
    /// The operator's default schema of this name.
    Named(String),
    /// A schema without fields.
    Empty,
    /// Nothing.
    Skip,
}

impl FromStr for Rung {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "peers" => Ok(Rung::Peers),
            "base" => Ok(Rung::Base),
            "empty" => Ok(Rung::Empty),
            "skip" => Ok(Rung::Skip),
            _ => match text.split_once(':') {
                Some(("named", "")) => {
                    Err("`named:` lacks the name of a default schema".to_owned())
                }
                Some(("named", name)) => Ok(Rung::Named(name.to_owned())),
                Some(("object", key)) => {
                    check_template(key).map_err(|problem| format!("`{text}`: {problem}"))?;
                    Ok(Rung::Object(key.to_owned()))
                }
                _ => Err(format!(
                    "`{text}` is no rung; rungs are `peers`, `base`, `object:KEY`, `named:NAME`, `empty`, `skip`"
                )),
            },
        }
    }
}

impl TryFrom<String> for Rung {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Rung> for String {
    fn from(rung: Rung) -> Self {
        rung.to_string()
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rung::Peers => f.write_str("peers"),
            Rung::Base => f.write_str("base"),
            Rung::Object(key) => write!(f, "object:{key}"),
            Rung::Named(name) => write!(f, "named:{name}"),
            Rung::Empty => f.write_str("empty"),
            Rung::Skip => f.write_str("skip"),
        }
    }
}

impl JsonSchema for Rung {
    fn schema_name() -> Cow<'static, str> {
        "rung".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "enum": ["peers", "base", "empty", "skip"] },
                {
                    "type": "string",
                    "pattern": "^object:.+$",
                    "description": "The schema in this object; {tenant}, {stream} and {node} stand for the stream's own."
                },
                {
                    "type": "string",
                    "pattern": "^named:.+$",
                    "description": "The operator's default schema of this name."
                }
            ]
        })
    }
}

/// Refuses what can never become a key, so that the operator hears of it before a stream needs it.
fn check_template(template: &str) -> Result<(), String> {
    expand(template, Some("t"), "s", "n")
        .map(|key| key.unwrap_or_default())
        .and_then(|key| {
            if key.is_empty() {
                Err("lacks an object key".to_owned())
            } else if key
                .split('/')
                .any(|segment| matches!(segment, "" | "." | ".."))
            {
                Err("a key is segments joined by single `/`, none of them `.` or `..`".to_owned())
            } else {
                Ok(())
            }
        })
}

/// The key that the template of an `object:` rung means for this stream; `None` when it asks for a tenant and the
/// stream has none.
pub(crate) fn object_key(template: &str, facts: &Facts) -> Option<String> {
    // The settings were checked, so only the tenant can be wanting.
    expand(template, facts.tenant.as_deref(), &facts.name, &facts.node)
        .ok()
        .flatten()
}

fn expand(
    template: &str,
    tenant: Option<&str>,
    stream: &str,
    node: &str,
) -> Result<Option<String>, String> {
    let mut key = String::new();
    let mut rest = template;
    while let Some(brace) = rest.find(['{', '}']) {
        let (plain, tail) = rest.split_at(brace);
        key.push_str(plain);
        let (name, after) = tail
            .strip_prefix('{')
            .and_then(|tail| tail.split_once('}'))
            .ok_or("a brace stands alone; placeholders are {tenant}, {stream} and {node}")?;
        match name {
            "tenant" => match tenant {
                Some(tenant) => key.push_str(tenant),
                None => return Ok(None),
            },
            "stream" => key.push_str(stream),
            "node" => key.push_str(node),
            _ => {
                return Err(format!(
                    "unknown placeholder {{{name}}}; there are {{tenant}}, {{stream}} and {{node}}"
                ));
            }
        }
        rest = after;
    }
    key.push_str(rest);
    Ok(Some(key))
}

#[cfg(test)]
mod tests {
    use tidegate_policy::testing::facts;

    use super::*;

    #[test]
    fn rungs_are_read_by_name() {
        for (text, rung) in [
            ("peers", Rung::Peers),
            ("base", Rung::Base),
            ("empty", Rung::Empty),
            ("skip", Rung::Skip),
            ("named:wide:1", Rung::Named("wide:1".to_owned())),
            (
                "object:d/{stream}.schema",
                Rung::Object("d/{stream}.schema".to_owned()),
            ),
        ] {
            assert_eq!(rung.to_string(), text);
            assert_eq!(text.parse(), Ok(rung));
        }
    }

    #[test]
    fn what_is_no_rung_says_why() {
        for (text, why) in [
            ("peer", "is no rung"),
            ("Peers", "is no rung"),
            ("named:", "lacks the name"),
            ("object:", "lacks an object key"),
            ("object:/a", "segments"),
            ("object:a/../b", "segments"),
            ("object:a/{region}", "unknown placeholder {region}"),
            ("object:a/{stream", "a brace stands alone"),
            ("object:a}b", "a brace stands alone"),
        ] {
            let problem = text.parse::<Rung>().unwrap_err();
            assert!(problem.contains(why), "{text}: {problem}");
        }
    }

    #[test]
    fn placeholders_stand_for_the_streams_own() {
        let mut facts = facts();
        let template = "{tenant}/{stream}/x-{node}.schema";
        assert_eq!(object_key(template, &facts), None);
        assert_eq!(object_key("d/{stream}", &facts).as_deref(), Some("d/app"));
        // A name is expanded once: what looks like a placeholder in it stays.
        facts.tenant = Some("{node}".to_owned());
        assert_eq!(
            object_key(template, &facts).as_deref(),
            Some("{node}/app/x-n1.schema")
        );
    }
}
