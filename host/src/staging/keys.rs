//! The keys of one stream.

use object_store::path::{Path, PathPart};

use crate::stream::{NodeId, StreamId};

use super::layout::Layout;
use super::parseable;
use super::template::{FileName, Template};

/// The longest key that S3, GCS and Azure all take, in bytes.
pub const MAX_KEY: usize = 1024;

/// How names become segments of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyForm {
    /// As `object_store::path::Path::from` makes them, which is what Parseable uses for every cloud store: all that
    /// is not ASCII, control characters and ``\ { } ^ % ` ] [ " > < ~ # | * ?`` are percent-encoded, so `ä` is
    /// `%C3%A4` and `100%` is `100%25`; spaces stay.
    #[default]
    Encoded,
    /// As they are, which is how Parseable names files when its store is a local directory.
    Literal,
}

/// Why a stream has no keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A name that is no segment of a key.
    #[error("{what} `{}` can't stand in a key", .name.escape_debug())]
    Name {
        /// `stream`, `tenant` or `node`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A key over [`MAX_KEY`].
    #[error("a key of {length} bytes is longer than the {MAX_KEY} that stores take")]
    TooLong {
        /// The key's length in bytes.
        length: usize,
    },
    /// The stream has a tenant and the layout no place for one.
    #[error("layout `{layout}` has no `{{tenant}}`, yet streams have tenants")]
    NoTenant {
        /// The layout's name.
        layout: String,
    },
}

/// What a key under a stream's root is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// This node's schema.
    Own,
    /// The stream's base schema.
    Base,
    /// Another node's schema. Carries the node's identity as it stands in the key, or the name where that holds none.
    Peer(String),
    /// This node's marker: the stream exists.
    OwnMarker,
    /// A marker of another node, or the stream's own.
    Marker,
    /// Something else.
    Other,
}

/// The keys of one stream on one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamKeys {
    /// The prefix that is the stream's alone, with its tenant, ending in `/`.
    pub root: String,
    /// The prefix under which the stream's nodes publish their schemas, ending in `/`. Markers are there too.
    pub peers_prefix: String,
    /// This node's schema.
    pub schema: Path,
    /// The stream's base schema; `None` where there is none besides this node's.
    pub base: Option<Path>,
    /// This node's marker; `None` in layouts without markers.
    pub marker: Option<Path>,
    /// The stream's own marker, which belongs to no node; `None` if it is this node's, or there are no markers.
    pub stream_marker: Option<Path>,
    /// How schemas of other nodes are named.
    peers: FileName,
    has_markers: bool,
}

impl StreamKeys {
    pub(super) fn new(layout: &Layout, node: &NodeId, stream: &StreamId) -> Result<Self, KeyError> {
        let form = layout.form();
        checked("node", node.as_str(), form)?;
        checked("stream", &stream.name, form)?;
        if let Some(tenant) = &stream.tenant {
            checked("tenant", tenant, form)?;
            if !layout.stored().has_tenant() {
                return Err(KeyError::NoTenant {
                    layout: layout.name().to_owned(),
                });
            }
        }
        let stored = layout.stored();
        let folder = joined(stored.folders_of(stream), form);
        let root: Path = folder.parts().take(stored.root_depth(stream)).collect();
        let key = |template: &Template| {
            let file = template.file.of(node);
            bounded(match template.folders == stored.folders {
                true => folder.clone().join(part(&file, form)),
                false => joined(template.folders_of(stream).chain([file.as_str()]), form),
            })
        };
        let schema = key(stored)?;
        let marker = layout.marker().map(key).transpose()?;
        // A key that is not valid in a store can't be a marker.
        let stream_marker = match layout.has_markers() {
            true => bounded(folder.clone().join(parseable::MARKER)).ok(),
            false => None,
        };
        Ok(Self {
            root: format!("{root}/"),
            peers_prefix: format!("{folder}/"),
            schema,
            base: layout.base(stream).map(key).transpose()?,
            stream_marker: stream_marker.filter(|key| Some(key) != marker.as_ref()),
            marker,
            peers: layout.peers().clone(),
            has_markers: layout.has_markers(),
        })
    }

    /// What this key is. Keys that aren't directly under [`peers_prefix`](Self::peers_prefix) are `Other`, the base
    /// apart.
    pub fn classify(&self, key: &Path) -> KeyKind {
        if *key == self.schema {
            return KeyKind::Own;
        }
        if Some(key) == self.base.as_ref() {
            return KeyKind::Base;
        }
        if Some(key) == self.marker.as_ref() {
            return KeyKind::OwnMarker;
        }
        match key.as_ref().strip_prefix(&self.peers_prefix) {
            Some(name) if name.contains('/') => KeyKind::Other,
            Some(name) if self.has_markers && parseable::is_marker_name(name) => KeyKind::Marker,
            Some(name) if self.has_markers && parseable::is_schema_name(name) => KeyKind::Peer(
                parseable::node_in_schema_name(name)
                    .unwrap_or(name)
                    .to_owned(),
            ),
            Some(name) => match self.peers.node_in(name) {
                Some(node) => KeyKind::Peer(node.to_owned()),
                None => KeyKind::Other,
            },
            None => KeyKind::Other,
        }
    }
}

fn checked(what: &'static str, name: &str, form: KeyForm) -> Result<(), KeyError> {
    let encodable = form == KeyForm::Encoded || PathPart::parse(name).is_ok();
    if encodable && is_segment(name) {
        return Ok(());
    }
    Err(KeyError::Name {
        what,
        name: name.to_owned(),
    })
}

/// Whether this text is one segment of a path.
pub(super) fn is_segment(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

fn joined<'a>(segments: impl Iterator<Item = &'a str>, form: KeyForm) -> Path {
    match form {
        KeyForm::Encoded => segments.collect(),
        KeyForm::Literal => {
            let text = segments.collect::<Vec<_>>().join("/");
            // Every segment was parsed before; if one was not, encoding it is what remains.
            Path::parse(&text).unwrap_or_else(|_| Path::from(text))
        }
    }
}

/// A segment that was checked before.
fn part(name: &str, form: KeyForm) -> PathPart<'_> {
    match form {
        KeyForm::Encoded => PathPart::from(name),
        KeyForm::Literal => PathPart::parse(name).unwrap_or_else(|_| PathPart::from(name)),
    }
}

fn bounded(key: Path) -> Result<Path, KeyError> {
    let length = key.as_ref().len();
    if length <= MAX_KEY {
        return Ok(key);
    }
    Err(KeyError::TooLong { length })
}

#[cfg(test)]
mod tests {
    use super::super::ParseableMode;
    use super::*;

    fn keys(layout: &Layout, stream: &StreamId) -> StreamKeys {
        layout.keys(&NodeId::new("n1"), stream).unwrap()
    }

    fn path(key: &str) -> Path {
        Path::parse(key).unwrap()
    }

    #[test]
    fn parseable_keys_are_those_of_the_captured_case() {
        let layout = Layout::parseable(ParseableMode::Ingest);
        let node = NodeId::new("95659b0612138de");
        let keys = layout.keys(&node, &StreamId::new("app")).unwrap();
        assert_eq!(keys.root, "app/");
        assert_eq!(keys.peers_prefix, "app/.stream/");
        assert_eq!(
            keys.schema,
            path("app/.stream/.ingestor.95659b0612138de.schema")
        );
        assert_eq!(keys.base, Some(path("app/.stream/.schema")));
        assert_eq!(
            keys.marker,
            Some(path("app/.stream/.ingestor.95659b0612138de.stream.json"))
        );
        let keys = layout
            .keys(&node, &StreamId::with_tenant("t", "pstats"))
            .unwrap();
        assert_eq!(keys.root, "t/pstats/");
        assert_eq!(keys.base, None, "pstats has none");
    }

    #[test]
    fn keys_under_a_streams_root_are_told_apart() {
        let keys = keys(
            &Layout::parseable(ParseableMode::Ingest),
            &StreamId::new("app"),
        );
        let kind = |key: &str| keys.classify(&path(key));
        assert_eq!(kind("app/.stream/.ingestor.n1.schema"), KeyKind::Own);
        assert_eq!(kind("app/.stream/.schema"), KeyKind::Base);
        assert_eq!(
            kind("app/.stream/.ingestor.n2.schema"),
            KeyKind::Peer("n2".to_owned())
        );
        assert_eq!(
            kind("app/.stream/old.schema"),
            KeyKind::Peer("old.schema".to_owned())
        );
        assert_eq!(
            kind("app/.stream/.ingestor.n1.stream.json"),
            KeyKind::OwnMarker
        );
        assert_eq!(
            kind("app/.stream/.ingestor.n2.stream.json"),
            KeyKind::Marker
        );
        assert_eq!(kind("app/.stream/.stream.json"), KeyKind::Marker);
        assert_eq!(kind("app/.stream/.ingestor.n2.schema.tmp"), KeyKind::Other);
        assert_eq!(kind("app/.stream/x/.ingestor.n2.schema"), KeyKind::Other);
        assert_eq!(kind("apps/.stream/.ingestor.n2.schema"), KeyKind::Other);
        assert_eq!(kind("app/date=2026-11-22/a.parquet"), KeyKind::Other);
    }

    #[test]
    fn a_standalone_node_owns_what_is_the_base_elsewhere() {
        let keys = keys(
            &Layout::parseable(ParseableMode::Standalone),
            &StreamId::new("app"),
        );
        assert_eq!(keys.schema, path("app/.stream/.schema"));
        assert_eq!(keys.base, None);
        assert_eq!(keys.marker, Some(path("app/.stream/.stream.json")));
        assert_eq!(keys.classify(&path("app/.stream/.schema")), KeyKind::Own);
        assert_eq!(
            keys.classify(&path("app/.stream/.ingestor.n2.schema")),
            KeyKind::Peer("n2".to_owned())
        );
    }

    #[test]
    fn plain_keys_have_peers_and_no_markers() {
        let keys = keys(&Layout::plain(), &StreamId::with_tenant("t", "s"));
        assert_eq!(keys.schema, path("t/s/n1.schema.json"));
        assert_eq!(
            (keys.root.as_str(), keys.peers_prefix.as_str()),
            ("t/s/", "t/s/")
        );
        assert_eq!((&keys.base, &keys.marker), (&None, &None));
        assert_eq!(
            keys.classify(&path("t/s/n2.schema.json")),
            KeyKind::Peer("n2".to_owned())
        );
        assert_eq!(keys.classify(&path("t/s/.schema.json")), KeyKind::Other);
        assert_eq!(keys.classify(&path("t/s/.stream.json")), KeyKind::Other);
    }

    #[test]
    fn nasty_names_give_the_keys_that_parseable_writes() {
        let layout = Layout::parseable(ParseableMode::Ingest);
        for name in ["a b", "100%", "a#b?", "grün", "日本", "%2F", "a..b", "~{x}"] {
            let keys = keys(&layout, &StreamId::new(name));
            // Parseable joins the names with `/` and hands the text to `Path::from`.
            let theirs = Path::from(format!("{name}/.stream/.ingestor.n1.schema"));
            assert_eq!(keys.schema, theirs);
            assert_eq!(keys.classify(&theirs), KeyKind::Own);
            assert!(theirs.as_ref().starts_with(&keys.peers_prefix));
        }
        assert_eq!(
            keys(&layout, &StreamId::new("ä%")).schema.as_ref(),
            "%C3%A4%25/.stream/.ingestor.n1.schema"
        );
        let literal = layout.with_keys(KeyForm::Literal);
        assert_eq!(
            keys(&literal, &StreamId::new("ä%")).schema.as_ref(),
            "ä%/.stream/.ingestor.n1.schema"
        );
    }

    #[test]
    fn names_that_are_no_segment_have_no_keys() {
        let layout = Layout::parseable(ParseableMode::Ingest);
        for name in ["", ".", "..", "a/b", "a\0"] {
            let error = layout.keys(&NodeId::new("n1"), &StreamId::new(name));
            assert!(
                matches!(error, Err(KeyError::Name { what: "stream", .. })),
                "{name:?}"
            );
            let error = layout.keys(&NodeId::new(name), &StreamId::new("s"));
            assert!(
                matches!(error, Err(KeyError::Name { what: "node", .. })),
                "{name:?}"
            );
        }
        let literal = layout.clone().with_keys(KeyForm::Literal);
        assert!(
            literal
                .keys(&NodeId::new("n1"), &StreamId::new("a\nb"))
                .is_err()
        );
        assert!(
            layout
                .keys(&NodeId::new("n1"), &StreamId::new("a\nb"))
                .is_ok()
        );
    }

    #[test]
    fn keys_are_as_long_as_stores_take() {
        let layout = Layout::parseable(ParseableMode::Ingest);
        let longest = "x".repeat(255);
        assert!(
            layout
                .keys(
                    &NodeId::new("n1"),
                    &StreamId::with_tenant(&*longest, &*longest)
                )
                .is_ok()
        );
        let wide = "日".repeat(85);
        let error = layout.keys(&NodeId::new("n1"), &StreamId::with_tenant(&*wide, &*wide));
        assert!(
            matches!(error, Err(KeyError::TooLong { length: 1559, .. })),
            "{error:?}"
        );
    }
}
