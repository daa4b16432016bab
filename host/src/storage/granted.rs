//! The prefixes that an operator granted to a policy.

use std::fmt;
use std::str::FromStr;

use object_store::path::Path;

use super::key::{KeyError, parse_key, reserved};

/// Why a grant can't be used. `template` is as the operator wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(
    missing_docs,
    reason = "the messages say what each means and what to do"
)]
pub enum GrantError {
    #[error("the grant {template:?} must end in `/`: grants are prefixes of whole segments")]
    NoSlash { template: String },
    #[error(
        "the grant {template:?} has the unknown placeholder {{{name}}}; there are {{root}}, {{tenant}}, {{stream}} and {{node}}"
    )]
    Placeholder { template: String, name: String },
    #[error(
        "the grant {template:?} has a brace that is not part of a placeholder such as {{root}}"
    )]
    Brace { template: String },
    #[error(
        "the grant {template:?} has text right before or behind {{root}}; a stream's root is the beginning of a key, in whole segments"
    )]
    RootInside { template: String },
    #[error("the grant {template:?} is not a valid prefix")]
    Key {
        template: String,
        #[source]
        source: KeyError,
    },
    #[error("the grant {template:?} uses {{tenant}}, and the stream has none")]
    NoTenant { template: String },
    #[error(
        "the grant {template:?} can't take {value:?} for {{{name}}}: it is not one segment of a key"
    )]
    Value {
        template: String,
        name: &'static str,
        value: String,
    },
    #[error("the grant {template:?} covers schema keys, which policies can't write")]
    Reserved { template: String },
}

/// A prefix template such as `{root}/.stream/`, as an operator writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    template: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Root,
    Value(Name),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Tenant,
    Stream,
    Node,
}

impl Name {
    fn text(self) -> &'static str {
        match self {
            Name::Tenant => "tenant",
            Name::Stream => "stream",
            Name::Node => "node",
        }
    }
}

/// What the placeholders stand for, for one stream.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// The stream's own root in the store, tenant included, from the layout. The only value of several segments.
    pub root: &'a Path,
    /// The stream's tenant.
    pub tenant: Option<&'a str>,
    /// The stream's name.
    pub stream: &'a str,
    /// The node's identity.
    pub node: &'a str,
}

impl Grant {
    /// Reads a template: text and the placeholders `{root}` (at the beginning only), `{tenant}`, `{stream}`, `{node}`,
    /// ending in `/`.
    pub fn parse(template: &str) -> Result<Self, GrantError> {
        let owned = || template.to_owned();
        let mut rest = template
            .strip_suffix('/')
            .ok_or_else(|| GrantError::NoSlash { template: owned() })?;
        let mut parts = Vec::new();
        while let Some(at) = rest.find(['{', '}']) {
            let (text, tail) = rest.split_at(at);
            let (name, after) = tail
                .strip_prefix('{')
                .and_then(|tail| tail.split_once('}'))
                .ok_or_else(|| GrantError::Brace { template: owned() })?;
            if !text.is_empty() {
                parts.push(Part::Text(text.to_owned()));
            }
            parts.push(match name {
                "root" if parts.is_empty() && (after.is_empty() || after.starts_with('/')) => {
                    Part::Root
                }
                "root" => return Err(GrantError::RootInside { template: owned() }),
                "tenant" => Part::Value(Name::Tenant),
                "stream" => Part::Value(Name::Stream),
                "node" => Part::Value(Name::Node),
                _ => {
                    return Err(GrantError::Placeholder {
                        template: owned(),
                        name: name.to_owned(),
                    });
                }
            });
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        let grant = Self {
            template: owned(),
            parts,
        };
        // With values that are as harmless as can be, what is still wrong is the template's own fault.
        grant.expand(&Values {
            root: &Path::from("r"),
            tenant: Some("t"),
            stream: "s",
            node: "n",
        })?;
        Ok(grant)
    }

    /// The same for a grant to write, which can't name schema keys.
    pub fn parse_for_writing(template: &str) -> Result<Self, GrantError> {
        let grant = Self::parse(template)?;
        match reserved(template) {
            false => Ok(grant),
            true => Err(GrantError::Reserved {
                template: grant.template,
            }),
        }
    }

    /// The prefix that is granted for one stream. Values are put in once: braces in them are text.
    pub fn expand(&self, values: &Values<'_>) -> Result<Prefix, GrantError> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Root => text.push_str(values.root.as_ref()),
                Part::Value(name) => text.push_str(self.segment(*name, values)?),
            }
        }
        match parse_key(&text) {
            Ok(path) => Ok(Prefix(path)),
            Err(source) => Err(GrantError::Key {
                template: self.template.clone(),
                source,
            }),
        }
    }

    fn segment<'a>(&self, name: Name, values: &Values<'a>) -> Result<&'a str, GrantError> {
        let value = match name {
            Name::Tenant => values.tenant.ok_or_else(|| GrantError::NoTenant {
                template: self.template.clone(),
            })?,
            Name::Stream => values.stream,
            Name::Node => values.node,
        };
        if value.contains('/') || parse_key(value).is_err() {
            return Err(GrantError::Value {
                template: self.template.clone(),
                name: name.text(),
                value: value.to_owned(),
            });
        }
        Ok(value)
    }
}

impl FromStr for Grant {
    type Err = GrantError;

    fn from_str(template: &str) -> Result<Self, GrantError> {
        Self::parse(template)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.template)
    }
}

/// A granted prefix: whole segments, and everything below them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(Path);

impl Prefix {
    /// Whether the key lies below; the prefix itself is no key below it.
    pub fn contains(&self, key: &Path) -> bool {
        key.prefix_match(&self.0)
            .is_some_and(|mut below| below.next().is_some())
    }

    /// Whether all keys under `prefix` lie below.
    pub fn covers(&self, prefix: &Path) -> bool {
        prefix.prefix_matches(&self.0)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::parse_prefix;
    use super::*;
    use proptest::prelude::*;

    fn expand(template: &str, stream: &str) -> Result<Prefix, GrantError> {
        Grant::parse(template)?.expand(&Values {
            root: &Path::parse("acme/app").unwrap(),
            tenant: None,
            stream,
            node: "n1",
        })
    }

    #[test]
    fn prefixes_are_whole_segments() {
        let prefix = expand("{root}/.stream/", "app").unwrap();
        assert_eq!(prefix.to_string(), "acme/app/.stream/");
        for (key, granted) in [
            ("acme/app/.stream/x", true),
            ("acme/app/.stream/x/y", true),
            ("acme/app/.stream", false),
            ("acme/app/.streams/x", false),
            ("acme/app/x", false),
            ("app/.stream/x", false),
        ] {
            assert_eq!(prefix.contains(&parse_key(key).unwrap()), granted, "{key}");
        }
        assert!(prefix.covers(&parse_prefix("acme/app/.stream/").unwrap()));
        assert!(!prefix.covers(&parse_prefix("acme/app/").unwrap()));
    }

    #[test]
    fn templates_with_mistakes_are_refused() {
        use GrantError as E;
        assert!(matches!(Grant::parse("{root}"), Err(E::NoSlash { .. })));
        assert!(matches!(Grant::parse("/"), Err(E::Key { .. })));
        assert!(matches!(Grant::parse("/a/"), Err(E::Key { .. })));
        assert!(matches!(Grant::parse("{root}/../"), Err(E::Key { .. })));
        assert!(matches!(Grant::parse("{rot}/"), Err(E::Placeholder { .. })));
        assert!(matches!(Grant::parse("{root/"), Err(E::Brace { .. })));
        assert!(matches!(Grant::parse("a}/"), Err(E::Brace { .. })));
        assert!(matches!(
            Grant::parse("a/{root}/"),
            Err(E::RootInside { .. })
        ));
        // Or else `acme/app2/` would be within reach of the stream `app`.
        assert!(matches!(
            Grant::parse("{root}2/"),
            Err(E::RootInside { .. })
        ));
        assert!(matches!(
            expand("{tenant}/x/", "app"),
            Err(E::NoTenant { .. })
        ));
        assert!(matches!(
            Grant::parse_for_writing("{root}/.Schema/"),
            Err(E::Reserved { .. })
        ));
        assert!(Grant::parse_for_writing("{root}/notes/").is_ok());
    }

    #[test]
    fn dots_from_template_and_value_together_are_refused() {
        assert!(matches!(
            expand("a/.{stream}/", "."),
            Err(GrantError::Value { .. })
        ));
        assert!(matches!(
            expand("a/{stream}/", "x/y"),
            Err(GrantError::Value { .. })
        ));
        assert_eq!(
            expand("a/{stream}/", "{node}").unwrap().to_string(),
            "a/{node}/"
        );
    }

    proptest! {
        #[test]
        fn no_value_reaches_outside_its_segment(stream in any::<String>(), below in "[a-z.]{1,4}") {
            if let Ok(prefix) = expand("pre/{stream}/", &stream) {
                let text = prefix.to_string();
                prop_assert!(text.starts_with("pre/") && text.matches('/').count() == 2);
                if let Ok(key) = parse_key(&format!("{text}{below}")) {
                    prop_assert!(prefix.contains(&key));
                }
                prop_assert!(!prefix.contains(&Path::parse("other/x").unwrap()));
            }
        }
    }
}
