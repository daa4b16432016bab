//! `[staging]`, `[node]` and `[layouts]`.

use super::file::{self, File};
use super::problems::Found;
use super::reader::Reader;
use super::source::Problem;
use crate::staging::{KeyForm, Layout, ParseableMode, StagingSettings, TemplateLayout};
use crate::stream::NodeId;

impl Reader<'_> {
    pub(super) fn staging(&self, file: &File, found: &Found) -> Option<StagingSettings> {
        let staging = &file.staging;
        let layout = found.keep(self.layout(file));
        let dir = found.keep(self.written_path(&["staging", "dir"], &staging.dir));
        let max_streams = found.keep(match staging.max_streams {
            Some(0) => Err(self.too_few(&["staging", "max_streams"])),
            Some(streams) => Ok(Some(usize::try_from(streams).unwrap_or(usize::MAX))),
            None => Ok(None),
        });
        let id = found.keep(self.node_id(file));
        let layout = layout?;
        let id = id?;
        if id.is_none() && layout.mode().is_none() {
            let message = format!(
                "the layout `{}` needs the node's identity: write `[node]` with `id = \"…\"`",
                layout.name()
            );
            return found.keep(Err(self.problem(&["staging", "layout"], message)));
        }
        let mut settings = StagingSettings::new(dir?, layout);
        settings.node = id;
        settings.tenants = staging.tenants.unwrap_or(false);
        settings.max_schema_size = staging
            .max_schema_size
            .map_or(settings.max_schema_size, |size| size.0);
        settings.max_streams = max_streams?.unwrap_or(settings.max_streams);
        settings.max_watches = staging.max_watches.map_or(settings.max_watches, |watches| {
            usize::try_from(watches).unwrap_or(usize::MAX)
        });
        Some(settings)
    }

    fn node_id(&self, file: &File) -> Result<Option<NodeId>, Problem> {
        let id = file.node.as_ref().and_then(|node| node.id.as_deref());
        match id {
            Some(id) if matches!(id, "" | "." | "..") || id.contains(['/', '\0']) => {
                Err(self.problem(&["node", "id"], "a node's id is one segment of a key"))
            }
            id => Ok(id.map(NodeId::new)),
        }
    }

    fn layout(&self, file: &File) -> Result<Layout, Problem> {
        let mode = match file.staging.mode {
            Some(file::Mode::Standalone) => ParseableMode::Standalone,
            Some(file::Mode::Ingest) | None => ParseableMode::Ingest,
        };
        let name = file.staging.layout.as_deref().unwrap_or("parseable");
        if name != "parseable" && file.staging.mode.is_some() {
            return Err(self.problem(&["staging", "mode"], "only the parseable layout has modes"));
        }
        for preset in ["parseable", "plain"] {
            if file.layouts.contains_key(preset) {
                return Err(self.problem(
                    &["layouts", preset],
                    "this name stands for a preset: take another one",
                ));
            }
        }
        match (name, file.layouts.get(name)) {
            ("parseable", _) => Ok(Layout::parseable(mode)),
            ("plain", _) => Ok(Layout::plain()),
            (_, Some(layout)) => self.templates(name, layout),
            (_, None) => {
                let known = file
                    .layouts
                    .keys()
                    .map(String::as_str)
                    .chain(["parseable", "plain"]);
                let message = format!(
                    "no layout is named `{name}`; {}",
                    super::source::suggest(name, known)
                );
                Err(self.problem(&["staging", "layout"], message))
            }
        }
    }

    fn templates(&self, name: &str, layout: &file::Layout) -> Result<Layout, Problem> {
        let templates = TemplateLayout {
            name: name.to_owned(),
            staged: layout.staged.clone(),
            stored: layout.stored.clone(),
            base: layout.base.clone(),
        };
        Layout::templates(&templates).map_err(|error| {
            let key = match &error.template {
                staged if *staged == layout.staged => "staged",
                stored if *stored == layout.stored => "stored",
                _ => "base",
            };
            self.problem(&["layouts", name, key], error.to_string())
        })
    }

    /// Layouts that are written down and not chosen: a slip in one should not wait for the day on which it is.
    pub(super) fn unused_layouts(&self, file: &File, found: &Found) {
        let chosen = file.staging.layout.as_deref().unwrap_or("parseable");
        for (name, layout) in &file.layouts {
            if name != chosen && name != "parseable" && name != "plain" {
                found.keep(self.templates(name, layout));
            }
        }
    }
}

/// Parseable's drive mode names files by streams' names as they are; for every cloud store it encodes them.
pub(super) fn literal_keys(layout: Layout, local_files: bool) -> Layout {
    match layout.mode() {
        Some(_) if local_files => layout.with_keys(KeyForm::Literal),
        _ => layout,
    }
}
