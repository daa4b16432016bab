//! Which keys a policy may read and write: prefix templates from the configuration, decided on normalized keys.

use std::sync::Arc;

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::contract::Facts;
use crate::stream::{NodeId, StreamId};

/// What an operator grants to a policy: templates of prefixes, each ending in `/`.
///
/// `{root}` is the stream's own root with its tenant and stands at the start, `{tenant}`, `{stream}` and `{node}` are
/// one segment or a part of one. A template with `{tenant}` grants nothing for a stream without one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants {
    /// Prefixes that `object-reader` may read.
    pub read: Vec<String>,
    /// Prefixes that `object-writer` may write; never a key that a layout may own.
    pub write: Vec<String>,
}

/// What the templates stand for in one decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantValues {
    /// The stream's own root in the store: every segment of it, the tenant's too, without a trailing `/`.
    pub root: Arc<str>,
    /// The stream.
    pub stream: StreamId,
    /// The node.
    pub node: NodeId,
}

impl GrantValues {
    /// The values for the stream that these facts are about.
    pub fn new(root: impl Into<Arc<str>>, facts: &Facts) -> Self {
        Self {
            root: root.into(),
            stream: facts.stream.clone(),
            node: facts.node.clone(),
        }
    }
}

/// The parsed templates of a policy.
#[derive(Debug, Default)]
pub(super) struct GrantSet {
    pub(super) read: Vec<Template>,
    pub(super) write: Vec<Template>,
}

impl GrantSet {
    /// Parses the templates; the error names the one that is wrong and says why.
    pub(super) fn parse(grants: &Grants) -> Result<Self, String> {
        let parse = |kind: &str, templates: &[String]| {
            templates
                .iter()
                .map(|text| {
                    Template::parse(text).map_err(|why| format!("grants.{kind} `{text}`: {why}"))
                })
                .collect::<Result<Vec<_>, _>>()
        };
        let (read, write) = (parse("read", &grants.read)?, parse("write", &grants.write)?);
        match grants.write.iter().find(|text| names_layout_object(text)) {
            Some(text) => Err(format!(
                "grants.write `{text}`: keys of schemas and stream markers can't be granted"
            )),
            None => Ok(Self { read, write }),
        }
    }
}

/// One grant's template.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Vec<Part>>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Root,
    Tenant,
    Stream,
    Node,
}

impl Template {
    fn parse(text: &str) -> Result<Self, String> {
        let Some(prefix) = text.strip_suffix('/') else {
            return Err("a grant is a prefix and ends in `/`".to_owned());
        };
        let segments = prefix
            .split('/')
            .map(parse_segment)
            .collect::<Result<Vec<_>, _>>()?;
        for (index, segment) in segments.iter().enumerate() {
            let root = segment.contains(&Part::Root);
            if root && (index > 0 || segment.len() > 1) {
                return Err("`{root}` stands alone at the start".to_owned());
            }
        }
        Ok(Self(segments))
    }

    /// The prefix for this stream, without its trailing `/`. `None` where a value is missing or is no segment: such a
    /// template grants nothing.
    fn expand(&self, values: &GrantValues) -> Option<Path> {
        let mut prefix = String::new();
        for segment in &self.0 {
            if !prefix.is_empty() {
                prefix.push('/');
            }
            for part in segment {
                match part {
                    Part::Text(text) => prefix.push_str(text),
                    Part::Root => prefix.push_str(&values.root),
                    Part::Tenant => prefix.push_str(one_segment(values.stream.tenant.as_ref()?)?),
                    Part::Stream => prefix.push_str(one_segment(&values.stream.name)?),
                    Part::Node => prefix.push_str(one_segment(values.node.as_str())?),
                }
            }
        }
        parse_key(&prefix)
    }
}

fn parse_segment(segment: &str) -> Result<Vec<Part>, String> {
    if segment.is_empty() {
        return Err("it has an empty segment (a leading `/` or `//`)".to_owned());
    }
    let mut parts = Vec::new();
    let mut rest = segment;
    while let Some((text, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            return Err("a `{` is not closed".to_owned());
        };
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
        parts.push(match name {
            "root" => Part::Root,
            "tenant" => Part::Tenant,
            "stream" => Part::Stream,
            "node" => Part::Node,
            _ => {
                return Err(format!(
                    "`{{{name}}}` is unknown: use {{root}}, {{tenant}}, {{stream}} or {{node}}"
                ));
            }
        });
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    for part in &parts {
        if let Part::Text(text) = part {
            if text.contains('}') {
                return Err("a `}` has no `{`".to_owned());
            }
            if text.chars().any(char::is_control) {
                return Err("it has a control character".to_owned());
            }
        }
    }
    if let [Part::Text(text)] = parts.as_slice()
        && is_dots(text)
    {
        return Err("`.` and `..` are no segments of a key".to_owned());
    }
    Ok(parts)
}

/// A value that stands for one segment. What could climb out of it, or be several, is refused.
fn one_segment(value: &str) -> Option<&str> {
    let whole = !value.is_empty() && !value.contains(['/', '\0']) && !is_dots(value);
    whole.then_some(value)
}

/// A key as the host normalizes it; `None` for what is no well-formed key: an empty segment, a leading or trailing `/`,
/// `.` and `..` (also percent-encoded, since a store's gateway may decode them), control characters.
///
/// Never by `Path::from`, which would quietly encode what it does not like into another key.
pub(super) fn parse_key(key: &str) -> Option<Path> {
    if key.is_empty() || key.starts_with('/') || key.ends_with('/') {
        return None;
    }
    if key.split('/').any(is_dots) {
        return None;
    }
    Path::parse(key).ok()
}

fn is_dots(segment: &str) -> bool {
    // The longest spelling of `..` is `%2e%2e`.
    if segment.len() > 6 {
        return false;
    }
    matches!(segment, "." | "..")
        || matches!(
            segment.to_ascii_lowercase().replace("%2e", ".").as_str(),
            "." | ".."
        )
}

/// A policy's grants, expanded for one stream.
#[derive(Debug)]
pub(super) struct Granted(Vec<Path>);

impl Granted {
    pub(super) fn expand(templates: &[Template], values: &GrantValues) -> Self {
        Self(
            templates
                .iter()
                .filter_map(|template| template.expand(values))
                .collect(),
        )
    }

    /// Whether the key lies inside a grant: below its prefix, by whole segments.
    pub(super) fn covers_key(&self, key: &Path) -> bool {
        self.0.iter().any(|prefix| {
            key.prefix_match(prefix)
                .is_some_and(|mut rest| rest.next().is_some())
        })
    }

    /// Whether everything under the prefix lies inside one grant.
    pub(super) fn covers_prefix(&self, prefix: &Path) -> bool {
        self.0.iter().any(|grant| prefix.prefix_matches(grant))
    }
}

/// The keys of a stream's layout: where no policy may write, whatever was granted.
#[derive(Debug)]
pub(super) struct LayoutKeys {
    schema_key: String,
    base_key: Option<String>,
    peers_prefix: String,
}

impl LayoutKeys {
    pub(super) fn of(facts: &Facts) -> Self {
        Self {
            schema_key: facts.schema_key.clone(),
            base_key: facts.base_key.clone(),
            peers_prefix: facts.peers_prefix.clone(),
        }
    }

    /// Whether a layout may own the key: a schema, a marker, anything directly beside the peers' schemas, and the
    /// host's own corner of the store.
    pub(super) fn reserves(&self, key: &Path) -> bool {
        let key = key.as_ref();
        let beside_peers = key
            .strip_prefix(self.peers_prefix.as_str())
            .is_some_and(|name| !name.contains('/'));
        beside_peers
            || key == self.schema_key
            || Some(key) == self.base_key.as_deref()
            || names_layout_object(key)
    }
}

/// The host's own corner of the store: its probe's canaries.
const HOST_PREFIX: &str = ".tidegate";

fn names_layout_object(key: &str) -> bool {
    // Some file systems don't tell upper from lower case.
    let key = key.to_ascii_lowercase();
    let own = key
        .strip_prefix(HOST_PREFIX)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    own || key.contains(".schema") || key.contains(".stream.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(tenant: Option<&str>, stream: &str) -> GrantValues {
        let stream = match tenant {
            Some(tenant) => StreamId::with_tenant(tenant, stream),
            None => StreamId::new(stream),
        };
        let root = match &stream.tenant {
            Some(tenant) => format!("{tenant}/{}", stream.name),
            None => stream.name.to_string(),
        };
        GrantValues {
            root: root.into(),
            stream,
            node: NodeId::new("n1"),
        }
    }

    fn granted(template: &str, values: &GrantValues) -> Granted {
        Granted::expand(&[Template::parse(template).unwrap()], values)
    }

    fn reads(granted: &Granted, key: &str) -> bool {
        parse_key(key).is_some_and(|key| granted.covers_key(&key))
    }

    #[test]
    fn a_grant_covers_what_lies_below_its_prefix_by_whole_segments() {
        let granted = granted("{root}/.stream/", &values(None, "app"));
        assert!(reads(&granted, "app/.stream/x"));
        assert!(reads(&granted, "app/.stream/a/b"));
        for key in [
            "app/.stream",
            "app/.streams/x",
            "app/.strea",
            "app/x",
            "app2/.stream/x",
            "x/app/.stream/x",
        ] {
            assert!(!reads(&granted, key), "{key}");
        }
    }

    #[test]
    fn keys_that_climb_out_are_no_keys() {
        let granted = granted("{root}/", &values(None, "app"));
        for key in [
            "app/../secret",
            "app/./x",
            "app//x",
            "/app/x",
            "app/x/",
            "app/%2e%2e/secret",
            "app/.%2E/secret",
            "app/\0x",
            "app/\nx",
            "",
            "..",
        ] {
            assert!(!reads(&granted, key), "{key:?}");
        }
        assert!(reads(&granted, "app/a b%20#ü"));
        assert!(reads(&granted, "app/...") && reads(&granted, "app/..x"));
    }

    #[test]
    fn a_tenants_stream_is_not_the_untenanted_one() {
        let tenanted = granted("{root}/", &values(Some("t"), "logs"));
        assert!(reads(&tenanted, "t/logs/x"));
        assert!(!reads(&tenanted, "logs/x"));
        let untenanted = granted("{tenant}/{stream}/", &values(None, "logs"));
        assert!(!reads(&untenanted, "logs/x") && !reads(&untenanted, "/logs/x"));
    }

    #[test]
    fn values_stay_one_segment_and_expand_once() {
        for stream in ["..", ".", "a/b", "a\0b", "", "%2e%2e"] {
            let granted = granted("x/{stream}/", &values(None, stream));
            for key in ["x/a/b/c", "y", "x/y", "a", "secret/x"] {
                assert!(!reads(&granted, key), "{stream:?} {key}");
            }
        }
        let granted = granted("x/{stream}/", &values(None, "{node}"));
        assert!(reads(&granted, "x/{node}/k") && !reads(&granted, "x/n1/k"));
        // Parts that only together make up `..`.
        let granted = super::tests::granted("x/.{stream}/", &values(None, "%2e"));
        assert!(!reads(&granted, "x/k") && !reads(&granted, "k"));
    }

    #[test]
    fn a_listing_must_lie_inside_one_grant() {
        let granted = granted("a/b/", &values(None, "app"));
        let covers = |prefix: &str| granted.covers_prefix(&parse_key(prefix).unwrap());
        assert!(covers("a/b") && covers("a/b/c"));
        assert!(!covers("a") && !covers("a/bc"));
    }

    #[test]
    fn bad_templates_are_named() {
        for (template, why) in [
            ("a/b", "ends in `/`"),
            ("/a/", "empty segment"),
            ("a//b/", "empty segment"),
            ("/", "empty segment"),
            ("../a/", "no segments"),
            ("{nope}/", "unknown"),
            ("{root/", "not closed"),
            ("a}/", "has no `{`"),
            ("x/{root}/", "alone at the start"),
            ("{root}x/", "alone at the start"),
        ] {
            let error = Template::parse(template).unwrap_err();
            assert!(error.contains(why), "{template}: {error}");
        }
    }

    #[test]
    fn schema_keys_cannot_be_granted_for_writing() {
        for template in ["{root}/.schema/", "{root}/X.Schema.d/", ".tidegate/x/"] {
            let grants = Grants {
                write: vec![template.to_owned()],
                ..Grants::default()
            };
            assert!(GrantSet::parse(&grants).is_err(), "{template}");
        }
    }

    #[test]
    fn layouts_keys_are_reserved() {
        let keys = LayoutKeys {
            schema_key: "schemas/app".to_owned(),
            base_key: Some("base/app".to_owned()),
            peers_prefix: "app/.stream/".to_owned(),
        };
        for key in [
            "schemas/app",
            "base/app",
            "app/.stream/anything",
            "app/notes/x.schema",
            "app/notes/x.SCHEMA.bak",
            "app/.ingestor.n.stream.json",
            ".tidegate/probe",
        ] {
            assert!(keys.reserves(&parse_key(key).unwrap()), "{key}");
        }
        assert!(!keys.reserves(&parse_key("app/.stream/notes/x").unwrap()));
        assert!(!keys.reserves(&parse_key(".tidegates/x").unwrap()));
    }
}
