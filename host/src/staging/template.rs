//! Templates for names and keys, with `{tenant}`, `{stream}` and `{node}`.

use crate::stream::{NodeId, StreamId};

/// A layout of the operator's own.
///
/// `{tenant}` and `{stream}` are whole segments, in this order; a `{tenant}` segment vanishes where streams have no
/// tenant. `{node}` stands in the last segment. So two streams never share a key, and one listing finds all peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateLayout {
    /// The layout's name in the configuration.
    pub name: String,
    /// A staged schema below the staging directory: `{tenant}/{stream}/FILE`, where `FILE` may contain `{node}`.
    pub staged: String,
    /// The key of a node's schema; contains `{node}`.
    pub stored: String,
    /// The key of a stream's base schema, without `{node}`.
    pub base: Option<String>,
}

/// Why a template can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template `{template}`: {problem}")]
pub struct TemplateError {
    /// The template as it was given.
    pub template: String,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

/// One segment of a template, the last one apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Text(String),
    Tenant,
    Stream,
}

/// The last segment: a text around a node's identity, or a text alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FileName {
    Fixed(String),
    OfNode { before: String, after: String },
}

impl FileName {
    /// The name for this node.
    pub(super) fn of(&self, node: &NodeId) -> String {
        match self {
            FileName::Fixed(name) => name.clone(),
            FileName::OfNode { before, after } => {
                format!("{before}{node}{after}", node = node.as_str())
            }
        }
    }

    /// The node whose name this is, as it stands there.
    pub(super) fn node_in<'a>(&self, name: &'a str) -> Option<&'a str> {
        match self {
            FileName::Fixed(_) => None,
            FileName::OfNode { before, after } => name
                .strip_prefix(before.as_str())?
                .strip_suffix(after.as_str())
                .filter(|node| !node.is_empty()),
        }
    }

    /// Whether this could be the name, for some node.
    pub(super) fn matches(&self, name: &str) -> bool {
        match self {
            FileName::Fixed(own) => own == name,
            FileName::OfNode { .. } => self.node_in(name).is_some(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) folders: Vec<Segment>,
    pub(super) file: FileName,
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, TemplateError> {
        parse(text).map_err(|problem| TemplateError {
            template: text.to_owned(),
            problem,
        })
    }

    /// The folders for this stream, outermost first.
    pub(super) fn folders_of<'a>(&'a self, stream: &'a StreamId) -> impl Iterator<Item = &'a str> {
        self.folders.iter().filter_map(|segment| match segment {
            Segment::Text(text) => Some(text.as_str()),
            Segment::Tenant => stream.tenant.as_deref(),
            Segment::Stream => Some(&*stream.name),
        })
    }

    /// How many of a stream's folders belong to it alone: those up to its own name.
    pub(super) fn root_depth(&self, stream: &StreamId) -> usize {
        let folders = self.folders.iter();
        folders
            .filter(|segment| **segment != Segment::Tenant || stream.tenant.is_some())
            .position(|segment| *segment == Segment::Stream)
            .map_or(0, |at| at + 1)
    }

    /// Whether some stream and node have this key.
    pub(super) fn matches(&self, key: &[&str]) -> bool {
        let Some((file, folders)) = key.split_last() else {
            return false;
        };
        let fits = |own: &[&Segment]| {
            own.len() == folders.len()
                && own.iter().zip(folders).all(|(own, folder)| match own {
                    Segment::Text(text) => text == folder,
                    Segment::Tenant | Segment::Stream => true,
                })
        };
        let all: Vec<_> = self.folders.iter().collect();
        let untenanted: Vec<_> = all
            .iter()
            .copied()
            .filter(|segment| **segment != Segment::Tenant)
            .collect();
        self.file.matches(file) && (fits(&all) || fits(&untenanted))
    }

    pub(super) fn has_tenant(&self) -> bool {
        self.folders.contains(&Segment::Tenant)
    }
}

fn parse(text: &str) -> Result<Template, String> {
    let mut segments: Vec<&str> = text.split('/').collect();
    let bad = |segment: &&str| {
        matches!(*segment, "" | "." | "..") || segment.chars().any(char::is_control)
    };
    if segments.iter().any(bad) {
        return Err(
            "segments are separated by single `/`, and none is empty, `.` or `..`".to_owned(),
        );
    }
    let file = segments.pop().unwrap_or_default();
    let folders = segments
        .into_iter()
        .map(|segment| match segment {
            "{tenant}" => Ok(Segment::Tenant),
            "{stream}" => Ok(Segment::Stream),
            text if text.contains(['{', '}']) => Err(format!(
                "`{text}` is no folder: `{{tenant}}` and `{{stream}}` are whole segments, `{{node}}` belongs into the \
                 last one"
            )),
            text => Ok(Segment::Text(text.to_owned())),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let places: Vec<_> = folders
        .iter()
        .filter(|segment| !matches!(segment, Segment::Text(_)))
        .collect();
    if !matches!(
        places.as_slice(),
        [Segment::Stream] | [Segment::Tenant, Segment::Stream]
    ) {
        return Err(
            "`{stream}` must be there once, and `{tenant}` at most once before it".to_owned(),
        );
    }
    let file = match file.split_once("{node}") {
        Some((before, after)) => FileName::OfNode {
            before: before.to_owned(),
            after: after.to_owned(),
        },
        None => FileName::Fixed(file.to_owned()),
    };
    let texts = match &file {
        FileName::Fixed(name) => [name.as_str(), ""],
        FileName::OfNode { before, after } => [before.as_str(), after.as_str()],
    };
    if texts.iter().any(|text| text.contains(['{', '}'])) {
        return Err("the last segment may hold `{node}` once, and no other placeholder".to_owned());
    }
    Ok(Template { folders, file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_that_could_mix_streams_are_refused() {
        let problem = |text: &str| Template::parse(text).unwrap_err().to_string();
        for text in ["{node}.json", "{stream}/{stream}/x", "{stream}/{tenant}/x"] {
            assert!(
                problem(text).contains("`{stream}` must be there once"),
                "{text}"
            );
        }
        assert!(problem("a-{stream}/x").starts_with("template `a-{stream}/x`: `a-{stream}` is no"));
        assert!(problem("{node}/{stream}/x").contains("`{node}` belongs into the last one"));
        assert!(problem("{stream}/{node}{node}").contains("once"));
        assert!(problem("{stream}/{name}.json").contains("no other placeholder"));
        for text in [
            "/{stream}/x",
            "{stream}//x",
            "{stream}/../x",
            "{stream}/",
            "",
        ] {
            assert!(problem(text).contains("none is empty"), "{text}");
        }
    }

    #[test]
    fn a_tenants_segment_vanishes_without_tenants() {
        let template = Template::parse("schemas/{tenant}/{stream}/v1/{node}.json").unwrap();
        let folders = |stream: &StreamId| template.folders_of(stream).collect::<Vec<_>>().join("/");
        assert_eq!(folders(&StreamId::new("s")), "schemas/s/v1");
        assert_eq!(template.root_depth(&StreamId::new("s")), 2);
        let stream = StreamId::with_tenant("t", "s");
        assert_eq!(folders(&stream), "schemas/t/s/v1");
        assert_eq!(template.root_depth(&stream), 3);
        assert!(template.matches(&["schemas", "s", "v1", "n.json"]));
        assert!(template.matches(&["schemas", "t", "s", "v1", "n.json"]));
        assert!(!template.matches(&["schemas", "s", "v1", ".json"]));
        assert!(!template.matches(&["other", "s", "v1", "n.json"]));
    }
}
