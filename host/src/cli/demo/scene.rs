//! The files that the demo plays with: a staging directory, a store of local files, and a configuration.
//!
//! `app` and `pstats` are files of a real Parseable 2.9.5 ingest node, `app` in the state that Tidegate exists for: its
//! schema is staged, and the node's object is missing in the store.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use url::Url;

use crate::contract::Phase;
use crate::schema::Schema;
use crate::time::{Timestamp, millis};

/// The captured node.
const NODE: &str = "95659b0612138de";
/// A node that is only known by what it publishes.
const PEER: &str = "f2c81d04a7e93b6";

const IDENTITY: &str = include_str!("data/ingestor.json");
const APP_STAGED: &str = include_str!("data/app.staged.json");
const APP_BASE: &str = include_str!("data/app.base.json");
const APP_BASE_MARKER: &str = include_str!("data/app.base-marker.json");
const APP_MARKER: &str = include_str!("data/app.marker.json");
const PSTATS_STAGED: &str = include_str!("data/pstats.staged.json");
const PSTATS_STORED: &str = include_str!("data/pstats.stored.json");
const PSTATS_MARKER: &str = include_str!("data/pstats.marker.json");
const CONFIGURATION: &str = include_str!("demo.toml");

/// How long before the demo its streams were created: what is staged must be younger.
const CREATED_BEFORE: std::time::Duration = std::time::Duration::from_secs(60);

/// Whose files.
#[derive(Clone, Copy, Debug)]
enum Whose {
    Own,
    Peers,
}

impl Whose {
    fn node(self) -> &'static str {
        match self {
            Whose::Own => NODE,
            Whose::Peers => PEER,
        }
    }
}

/// One stream, and how it must end.
#[derive(Debug)]
pub(super) struct Part {
    /// Its name.
    pub(super) stream: &'static str,
    /// Its last phase.
    pub(super) ends: Phase,
    /// What happened to it, in plain words.
    pub(super) story: &'static str,
    /// Where the schema in the store came from, in plain words.
    pub(super) from: &'static str,
    /// Fields that this node's object must hold at the end; `None` where there must be no object.
    pub(super) stored: Option<&'static [&'static str]>,
}

/// The streams, in the order in which they are shown.
pub(super) const PARTS: [Part; 7] = [
    Part {
        stream: "app",
        ends: Phase::Synced,
        story: "captured fault: missing in the store, created from the staged file",
        from: "this node",
        stored: Some(&["host", "newfield", "status", "tags"]),
    },
    Part {
        stream: "pstats",
        ends: Phase::Synced,
        story: "captured and healthy: the store held it all, nothing was written",
        from: "the store",
        stored: Some(&["p_timestamp"]),
    },
    Part {
        stream: "web",
        ends: Phase::Synced,
        story: "healthy: a new field was staged and merged into the stored schema",
        from: "this node",
        stored: Some(&["path", "status", "referrer"]),
    },
    Part {
        stream: "orders",
        ends: Phase::Synced,
        story: "its schema came late: nothing was published before it was there",
        from: "this node",
        stored: Some(&["order", "total"]),
    },
    Part {
        stream: "payments",
        ends: Phase::Synced,
        story: "no schema for long: its peer's stood in, then its own was merged in",
        from: "this node, its peer",
        stored: Some(&["payment", "amount", "currency"]),
    },
    Part {
        stream: "audit",
        ends: Phase::Pending,
        story: "its staged file is cut off: not published, looked at when it changes",
        from: "nowhere",
        stored: None,
    },
    Part {
        stream: "metrics",
        ends: Phase::Conflicted,
        story: "two nodes disagree on a field's type: not published, a person decides",
        from: "nowhere",
        stored: None,
    },
];

/// The demo's directory.
#[derive(Debug)]
pub(super) struct Scene {
    root: PathBuf,
    created_at: String,
}

impl Scene {
    /// Sets the scene in an empty directory.
    pub(super) fn set(root: &Path, now: Timestamp) -> io::Result<Self> {
        let created = now.as_millis().saturating_sub(millis(CREATED_BEFORE));
        let scene = Self {
            root: root.canonicalize()?,
            created_at: Timestamp::from_millis(created).to_string(),
        };
        fs::create_dir(scene.store())?;
        let store = Url::from_directory_path(scene.store())
            .map_err(|()| io::Error::other("the directory's path makes no file: URL"))?;
        let text = CONFIGURATION.replace("{store}", store.as_str().trim_end_matches('/'));
        fs::write(scene.configuration(), text)?;
        write(
            &scene.staging().join(format!("ingestor.{NODE}.json")),
            IDENTITY,
        )?;
        scene.captured()?;
        scene.made_up()?;
        Ok(scene)
    }

    /// The configuration file.
    pub(super) fn configuration(&self) -> PathBuf {
        self.root.join("tidegate.toml")
    }

    fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }

    fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    fn captured(&self) -> io::Result<()> {
        self.stage("app", APP_STAGED)?;
        self.stage_data("app")?;
        let folder = self.folder("app");
        write(&folder.join(".schema"), APP_BASE)?;
        write(&folder.join(".stream.json"), &self.marker(APP_BASE_MARKER)?)?;
        self.create("app", Whose::Own, APP_MARKER)?;
        self.stage("pstats", PSTATS_STAGED)?;
        self.create("pstats", Whose::Own, PSTATS_MARKER)?;
        self.publish("pstats", Whose::Own, PSTATS_STORED)
    }

    fn made_up(&self) -> io::Result<()> {
        for stream in ["web", "orders", "payments", "audit", "metrics"] {
            self.create(stream, Whose::Own, APP_MARKER)?;
            self.stage_data(stream)?;
        }
        let web = schema(&[("path", "Utf8"), ("status", "Int64")]);
        self.stage("web", &web)?;
        self.publish("web", Whose::Own, &web)?;
        self.create("payments", Whose::Peers, APP_MARKER)?;
        let payments = schema(&[("payment", "Utf8"), ("amount", "Float64")]);
        self.publish("payments", Whose::Peers, &payments)?;
        let audit = schema(&[("actor", "Utf8"), ("action", "Utf8")]);
        self.stage("audit", audit.get(..audit.len() / 2).unwrap_or_default())?;
        self.stage("metrics", &schema(&[("latency", "Float64")]))?;
        self.create("metrics", Whose::Peers, APP_MARKER)?;
        self.publish("metrics", Whose::Peers, &schema(&[("latency", "Utf8")]))
    }

    /// A new field comes to the healthy stream.
    pub(super) fn grow_web(&self) -> io::Result<()> {
        let web = [("path", "Utf8"), ("status", "Int64"), ("referrer", "Utf8")];
        self.stage("web", &schema(&web))
    }

    /// The late schema comes.
    pub(super) fn bring_orders(&self) -> io::Result<()> {
        self.stage(
            "orders",
            &schema(&[("order", "Utf8"), ("total", "Float64")]),
        )
    }

    /// The schema comes for which a fallback stands in the store.
    pub(super) fn bring_payments(&self) -> io::Result<()> {
        let payments = [("amount", "Float64"), ("currency", "Utf8")];
        self.stage("payments", &schema(&payments))
    }

    /// The names of the fields that this node's object of the stream holds; `None` without an object.
    pub(super) fn stored(&self, stream: &str) -> io::Result<Option<Vec<String>>> {
        let path = self.folder(stream).join(schema_name(Whose::Own));
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        let schema = Schema::parse(&bytes).map_err(io::Error::other)?;
        Ok(Some(schema.fields().map(|field| field.name).collect()))
    }

    fn folder(&self, stream: &str) -> PathBuf {
        self.store().join(stream).join(".stream")
    }

    /// Stages a schema as the node does: under another name, then renamed.
    fn stage(&self, stream: &str, schema: &str) -> io::Result<()> {
        let path = self.staging().join(stream).join(schema_name(Whose::Own));
        let draft = path.with_extension("schema.tmp");
        write(&draft, schema)?;
        fs::rename(draft, path)
    }

    /// Data that waits to be uploaded: its content is no business of Tidegate's.
    fn stage_data(&self, stream: &str) -> io::Result<()> {
        let name = format!("e2e0e660939b93c6.date=2026-11-22.hour=19.minute=30.vm{NODE}.data.part");
        write(&self.staging().join(stream).join(name), "")
    }

    /// Creates the stream for a node: it exists while its marker does.
    fn create(&self, stream: &str, whose: Whose, marker: &str) -> io::Result<()> {
        let name = format!(".ingestor.{}.stream.json", whose.node());
        write(&self.folder(stream).join(name), &self.marker(marker)?)
    }

    fn publish(&self, stream: &str, whose: Whose, schema: &str) -> io::Result<()> {
        write(&self.folder(stream).join(schema_name(whose)), schema)
    }

    /// The captured marker of a stream that was created just before the demo: what is staged would otherwise be older
    /// than its stream where the clock is behind the capture's, and be held back.
    fn marker(&self, captured: &str) -> io::Result<String> {
        let mut marker: Value = serde_json::from_str(captured)?;
        if let Some(created_at) = marker.get_mut("created-at") {
            *created_at = json!(self.created_at);
        }
        Ok(marker.to_string())
    }
}

fn schema_name(whose: Whose) -> String {
    format!(".ingestor.{}.schema", whose.node())
}

/// A schema of nullable fields as Parseable writes it.
fn schema(fields: &[(&str, &str)]) -> String {
    let field = |(name, data_type): &(&str, &str)| {
        json!({
            "name": name, "data_type": data_type, "nullable": true,
            "dict_id": 0, "dict_is_ordered": false, "metadata": {},
        })
    };
    let fields: Vec<Value> = fields.iter().map(field).collect();
    json!({"fields": fields, "metadata": {}}).to_string()
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_captured_case_is_the_captured_one() {
        let captured = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/parseable-2.9.5");
        for (embedded, path) in [
            (IDENTITY, "staging/ingestor.NODE.json"),
            (APP_STAGED, "staging/app/.ingestor.NODE.schema"),
            (APP_BASE, "store/app/.stream/.schema"),
            (APP_BASE_MARKER, "store/app/.stream/.stream.json"),
            (APP_MARKER, "store/app/.stream/.ingestor.NODE.stream.json"),
            (PSTATS_STAGED, "staging/pstats/.ingestor.NODE.schema"),
            (PSTATS_STORED, "store/pstats/.stream/.ingestor.NODE.schema"),
            (
                PSTATS_MARKER,
                "store/pstats/.stream/.ingestor.NODE.stream.json",
            ),
        ] {
            let path = captured.join(path.replace("NODE", NODE));
            assert_eq!(
                embedded,
                fs::read_to_string(&path).unwrap(),
                "{}",
                path.display()
            );
        }
    }
}
