//! Where a node's files and keys are.

use object_store::path::Path;

use crate::stream::{NodeId, StreamId};

use super::keys::{KeyError, KeyForm, StreamKeys};
use super::parseable::{self, ParseableMode};
use super::template::{FileName, Segment, Template, TemplateError, TemplateLayout};

/// Names that end like this are data which waits to be converted or uploaded: evidence that a schema is owed.
const DATA_SUFFIXES: [&str; 3] = [".arrows", ".data.part", ".parquet"];

/// Where a node's files and keys are: a preset, or templates of the operator's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    name: String,
    mode: Option<ParseableMode>,
    form: KeyForm,
    staged: FileName,
    stored: Template,
    base: Option<Template>,
    marker: Option<Template>,
}

/// What a name in a stream's staging directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    OwnSchema,
    ForeignSchema,
    Data,
    /// Where the node moves data files while it converts them.
    Processing,
    Other,
}

impl Layout {
    /// Parseable's: staged `[<tenant>/]<stream>/.ingestor.<node>.schema`, stored under `.stream/` with the same name;
    /// `.schema` in both places on a standalone node.
    pub fn parseable(mode: ParseableMode) -> Self {
        let in_stream = |file| Template {
            folders: vec![
                Segment::Tenant,
                Segment::Stream,
                Segment::Text(parseable::FOLDER.to_owned()),
            ],
            file,
        };
        let named = |suffix: &str| match mode {
            ParseableMode::Ingest => FileName::OfNode {
                before: parseable::NODE_PREFIX.to_owned(),
                after: suffix.to_owned(),
            },
            ParseableMode::Standalone => FileName::Fixed(suffix.to_owned()),
        };
        let base = in_stream(FileName::Fixed(parseable::SCHEMA.to_owned()));
        Self {
            name: "parseable".to_owned(),
            mode: Some(mode),
            form: KeyForm::Encoded,
            staged: named(parseable::SCHEMA),
            stored: in_stream(named(parseable::SCHEMA)),
            base: (mode == ParseableMode::Ingest).then_some(base),
            marker: Some(in_stream(named(parseable::MARKER))),
        }
    }

    /// Staged `[<tenant>/]<stream>/schema.json`, stored `[<tenant>/]<stream>/<node>.schema.json`, without base schema
    /// and markers.
    pub fn plain() -> Self {
        Self {
            name: "plain".to_owned(),
            mode: None,
            form: KeyForm::Encoded,
            staged: FileName::Fixed("schema.json".to_owned()),
            stored: Template {
                folders: vec![Segment::Tenant, Segment::Stream],
                file: FileName::OfNode {
                    before: String::new(),
                    after: ".schema.json".to_owned(),
                },
            },
            base: None,
            marker: None,
        }
    }

    /// A layout of the operator's own, without markers.
    ///
    /// # Errors
    ///
    /// A template that is not well-formed, or in which two streams or two nodes would share a key.
    pub fn templates(layout: &TemplateLayout) -> Result<Self, TemplateError> {
        let refuse = |template: &str, problem: &str| {
            Err(TemplateError {
                template: template.to_owned(),
                problem: problem.to_owned(),
            })
        };
        let staged = Template::parse(&layout.staged)?;
        if !matches!(
            staged.folders.as_slice(),
            [Segment::Stream] | [Segment::Tenant, Segment::Stream]
        ) {
            return refuse(
                &layout.staged,
                "a staged schema is `{stream}/FILE` or `{tenant}/{stream}/FILE`",
            );
        }
        let stored = Template::parse(&layout.stored)?;
        if matches!(stored.file, FileName::Fixed(_)) {
            return refuse(
                &layout.stored,
                "the last segment must hold `{node}`, since each node owns its key",
            );
        }
        let base = layout.base.as_deref().map(Template::parse).transpose()?;
        if let (Some(text), Some(base)) = (&layout.base, &base) {
            if matches!(base.file, FileName::OfNode { .. }) {
                return refuse(
                    text,
                    "a base schema belongs to all nodes: leave `{node}` out",
                );
            }
            if base.has_tenant() != stored.has_tenant() {
                return refuse(
                    text,
                    "`{tenant}` must be in both `stored` and `base`, or in neither",
                );
            }
        }
        Ok(Self {
            name: layout.name.clone(),
            mode: None,
            form: KeyForm::Encoded,
            staged: staged.file,
            stored,
            base,
            marker: None,
        })
    }

    /// The same layout with names in keys written that way.
    pub fn with_keys(mut self, form: KeyForm) -> Self {
        self.form = form;
        self
    }

    /// The layout's name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Parseable's mode, for the Parseable layout.
    pub fn mode(&self) -> Option<ParseableMode> {
        self.mode
    }

    /// Whether streams have markers in the store; without them a stream exists as long as it is staged.
    pub fn has_markers(&self) -> bool {
        self.marker.is_some()
    }

    /// The name of this node's schema in a stream's staging directory.
    pub fn staged_name(&self, node: &NodeId) -> String {
        self.staged.of(node)
    }

    /// The keys of a stream.
    ///
    /// # Errors
    ///
    /// See [`KeyError`]: names that can't stand in a key.
    pub fn keys(&self, node: &NodeId, stream: &StreamId) -> Result<StreamKeys, KeyError> {
        StreamKeys::new(self, node, stream)
    }

    /// Whether the stream belongs to the node's own machinery, so that it never gets a named schema.
    pub fn is_internal(&self, stream: &StreamId) -> bool {
        self.mode.is_some() && parseable::INTERNAL.contains(&&*stream.name)
    }

    /// Whether the layout may own this key on any node, so that no policy may write it: schemas, bases, markers, and
    /// every key with `.schema` in it.
    pub fn reserves(&self, key: &Path) -> bool {
        let segments: Vec<_> = key.as_ref().split('/').collect();
        key.as_ref().contains(parseable::SCHEMA)
            || self.mode.is_some() && segments.contains(&parseable::FOLDER)
            || self.stored.matches(&segments)
            || self
                .base
                .as_ref()
                .is_some_and(|base| base.matches(&segments))
    }

    pub(super) fn form(&self) -> KeyForm {
        self.form
    }

    pub(super) fn stored(&self) -> &Template {
        &self.stored
    }

    pub(super) fn peers(&self) -> &FileName {
        &self.stored.file
    }

    pub(super) fn base(&self, stream: &StreamId) -> Option<&Template> {
        let without = self.mode.is_some() && &*stream.name == parseable::WITHOUT_BASE;
        self.base.as_ref().filter(|_| !without)
    }

    pub(super) fn marker(&self) -> Option<&Template> {
        self.marker.as_ref()
    }

    /// What this name in a stream's staging directory is, `own` being this node's schema.
    pub(crate) fn file_kind(&self, own: &str, name: &str) -> FileKind {
        if name == own {
            FileKind::OwnSchema
        } else if DATA_SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
            FileKind::Data
        } else if self.mode.is_some() && name.starts_with(parseable::PROCESSING) {
            FileKind::Processing
        } else if self.staged.node_in(name).is_some()
            || self.mode.is_some() && parseable::is_schema_name(name)
        {
            FileKind::ForeignSchema
        } else {
            FileKind::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(staged: &str, stored: &str, base: Option<&str>) -> Result<Layout, TemplateError> {
        Layout::templates(&TemplateLayout {
            name: "mine".to_owned(),
            staged: staged.to_owned(),
            stored: stored.to_owned(),
            base: base.map(str::to_owned),
        })
    }

    #[test]
    fn templates_of_the_operators_own_work() {
        let layout = own(
            "{stream}/{node}.avsc",
            "meta/{stream}/v1/{node}.json",
            Some("meta/{stream}/base.json"),
        )
        .unwrap();
        let node = NodeId::new("n1");
        assert_eq!(layout.staged_name(&node), "n1.avsc");
        assert_eq!(
            layout.file_kind("n1.avsc", "n2.avsc"),
            FileKind::ForeignSchema
        );
        let keys = layout.keys(&node, &StreamId::new("s")).unwrap();
        assert_eq!(keys.schema.as_ref(), "meta/s/v1/n1.json");
        assert_eq!(keys.root, "meta/s/");
        assert_eq!(keys.peers_prefix, "meta/s/v1/");
        assert_eq!(
            keys.base.as_ref().map(AsRef::as_ref),
            Some("meta/s/base.json")
        );
        let with_tenant = layout
            .keys(&node, &StreamId::with_tenant("t", "s"))
            .unwrap_err();
        assert_eq!(
            with_tenant.to_string(),
            "layout `mine` has no `{tenant}`, yet streams have tenants"
        );
    }

    #[test]
    fn templates_that_cannot_work_are_refused_with_the_remedy() {
        let problem = |result: Result<Layout, TemplateError>| result.unwrap_err().problem;
        assert!(
            problem(own("{stream}/a/b.json", "{stream}/{node}", None)).contains("{stream}/FILE")
        );
        assert!(problem(own("{stream}/s", "{stream}/s.json", None)).contains("must hold `{node}`"));
        assert!(
            problem(own(
                "{stream}/s",
                "{stream}/{node}",
                Some("{stream}/{node}b")
            ))
            .contains("leave `{node}` out")
        );
        assert!(
            problem(own(
                "{stream}/s",
                "{tenant}/{stream}/{node}",
                Some("{stream}/b")
            ))
            .contains("in neither")
        );
    }

    #[test]
    fn parseable_names_are_told_apart() {
        let layout = Layout::parseable(ParseableMode::Ingest);
        let own = layout.staged_name(&NodeId::new("n1"));
        assert_eq!(own, ".ingestor.n1.schema");
        let kind = |name: &str| layout.file_kind(&own, name);
        assert_eq!(kind(".ingestor.n1.schema"), FileKind::OwnSchema);
        assert_eq!(kind(".ingestor.n2.schema"), FileKind::ForeignSchema);
        assert_eq!(kind(".schema"), FileKind::ForeignSchema);
        assert_eq!(kind(".ingestor.n1.schema.tmp"), FileKind::Other);
        assert_eq!(kind("a.date=x.data.arrows"), FileKind::Data);
        assert_eq!(kind("a.date=x.data.part"), FileKind::Data);
        assert_eq!(kind("a.date=x.data.parquet"), FileKind::Data);
        assert_eq!(kind("a.parquet.part"), FileKind::Other);
        assert_eq!(kind("processing_29"), FileKind::Processing);
        let standalone = Layout::parseable(ParseableMode::Standalone);
        assert_eq!(standalone.staged_name(&NodeId::new("n1")), ".schema");
    }

    #[test]
    fn what_a_layout_owns_is_reserved_on_every_node() {
        let path = |key: &str| Path::parse(key).unwrap();
        let parseable = Layout::parseable(ParseableMode::Ingest);
        for key in [
            "a/.stream/.ingestor.x.schema",
            "a/.stream/.stream.json",
            "t/a/.stream/x",
            "q/.schema-backup",
        ] {
            assert!(parseable.reserves(&path(key)), "{key}");
        }
        assert!(!parseable.reserves(&path("policies/report.json")));
        assert!(Layout::plain().reserves(&path("s/n.schema.json")));
        let own = own("{stream}/s", "{tenant}/{stream}/{node}.json", None).unwrap();
        assert!(own.reserves(&path("t/s/n.json")) && own.reserves(&path("s/n.json")));
        assert!(!own.reserves(&path("reports/t/s/n.json")));
    }

    #[test]
    fn internal_streams_are_parseables_own() {
        let layout = Layout::parseable(ParseableMode::Ingest);
        for name in ["pmeta", "pstats", "pbilling"] {
            assert!(layout.is_internal(&StreamId::new(name)));
            assert!(!Layout::plain().is_internal(&StreamId::new(name)));
        }
        assert!(!layout.is_internal(&StreamId::new("app")));
    }
}
