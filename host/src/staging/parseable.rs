//! What Parseable 2.9.5 calls things, and how its stream markers read (`src/storage/mod.rs` there, `ObjectStoreFormat`).

use serde::Deserialize;
use serde_json::Value;

use crate::time::Timestamp;

use super::layout::Layout;

/// The folder of a stream's schemas and markers in the store.
pub(super) const FOLDER: &str = ".stream";
/// What a schema's name ends with; alone it is the base's, and a standalone node's.
pub(super) const SCHEMA: &str = ".schema";
/// What a marker's name ends with.
pub(super) const MARKER: &str = ".stream.json";
/// What the names of an ingest node's files begin with.
pub(super) const NODE_PREFIX: &str = ".ingestor.";
/// Where a node moves data files while it converts them.
pub(super) const PROCESSING: &str = "processing_";
/// Streams of Parseable's own.
pub(super) const INTERNAL: [&str; 3] = ["pmeta", "pstats", "pbilling"];
/// The stream that only ingest nodes write, so that no node ever puts a base schema there.
pub(super) const WITHOUT_BASE: &str = "pstats";

/// Which kind of Parseable node owns the staging directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseableMode {
    /// An ingest node of a cluster: its files and keys carry its identity.
    Ingest,
    /// A single node: its files and keys carry none.
    Standalone,
}

impl ParseableMode {
    /// The mode's name in the configuration and among the facts.
    pub fn name(self) -> &'static str {
        match self {
            ParseableMode::Ingest => "ingest",
            ParseableMode::Standalone => "standalone",
        }
    }
}

pub(super) fn is_schema_name(name: &str) -> bool {
    // `Path::extension` of `.schema` is none, hence the comparison of text.
    name.ends_with(SCHEMA)
}

pub(super) fn is_marker_name(name: &str) -> bool {
    name.ends_with(MARKER)
}

pub(super) fn node_in_schema_name(name: &str) -> Option<&str> {
    let node = name.strip_prefix(NODE_PREFIX)?.strip_suffix(SCHEMA)?;
    (!node.is_empty()).then_some(node)
}

/// What a stream's marker says. The stream exists while the marker does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// When the stream was created: a new value is a new incarnation. Nodes write slightly different times into their
    /// own markers, so values of different markers don't compare.
    pub created_at: Timestamp,
    /// For the facts: `stream-type`, `static-schema` (`true`, `false`), `created-at` (as it stands there), `mode`.
    pub attributes: Vec<(String, String)>,
}

/// Why a marker says nothing. The stream exists all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarkerError {
    /// Not JSON, or not a marker's.
    #[error("marker is not readable: {message}")]
    Malformed {
        /// What the parser says, with the place.
        message: String,
    },
    /// `created-at` is no time by RFC 3339.
    #[error("marker's `created-at` is no RFC 3339 time: `{}`", .text.escape_debug())]
    CreatedAt {
        /// What stands there.
        text: String,
    },
}

/// The part of a marker that matters here; all else is left unread.
#[derive(Deserialize)]
struct MarkerFile {
    #[serde(rename = "created-at")]
    created_at: String,
    stream_type: Option<String>,
    /// Parseable writes the text `"true"` or leaves it out.
    static_schema_flag: Option<Value>,
}

impl Layout {
    /// Reads a stream's marker.
    ///
    /// # Errors
    ///
    /// See [`MarkerError`].
    pub fn read_marker(&self, bytes: &[u8]) -> Result<Marker, MarkerError> {
        let file: MarkerFile =
            serde_json::from_slice(bytes).map_err(|error| MarkerError::Malformed {
                message: error.to_string(),
            })?;
        let created_at = chrono::DateTime::parse_from_rfc3339(&file.created_at)
            .ok()
            .and_then(|time| u64::try_from(time.timestamp_millis()).ok())
            .map(Timestamp::from_millis)
            .ok_or_else(|| MarkerError::CreatedAt {
                text: file.created_at.chars().take(64).collect(),
            })?;
        let is_static = match file.static_schema_flag {
            Some(Value::Bool(flag)) => flag,
            Some(Value::String(flag)) => flag == "true",
            _ => false,
        };
        let mut attributes = vec![
            (
                "stream-type".to_owned(),
                file.stream_type.unwrap_or_else(|| "UserDefined".to_owned()),
            ),
            ("static-schema".to_owned(), is_static.to_string()),
            ("created-at".to_owned(), file.created_at),
        ];
        if let Some(mode) = self.mode() {
            attributes.push(("mode".to_owned(), mode.name().to_owned()));
        }
        Ok(Marker {
            created_at,
            attributes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPTURED: &[u8] = include_bytes!(
        "../../../tests/data/parseable-2.9.5/store/pstats/.stream/.ingestor.95659b0612138de.stream.json"
    );

    fn read(bytes: &[u8]) -> Result<Marker, MarkerError> {
        Layout::parseable(ParseableMode::Ingest).read_marker(bytes)
    }

    fn attribute<'a>(marker: &'a Marker, name: &str) -> &'a str {
        let found = marker.attributes.iter().find(|(key, _)| key == name);
        &found.unwrap().1
    }

    #[test]
    fn the_captured_marker_is_read() {
        let marker = read(CAPTURED).unwrap();
        assert_eq!(marker.created_at.to_string(), "2026-11-22T19:31:30.923Z");
        assert_eq!(attribute(&marker, "stream-type"), "Internal");
        assert_eq!(attribute(&marker, "static-schema"), "false");
        assert_eq!(
            attribute(&marker, "created-at"),
            "2026-11-22T19:31:30.923382470+00:00"
        );
        assert_eq!(attribute(&marker, "mode"), "ingest");
    }

    #[test]
    fn static_schemas_are_flagged_by_a_text() {
        let flagged = |flag: &str| {
            let text = format!(r#"{{"created-at":"2026-11-22T19:31:30Z"{flag}}}"#);
            attribute(&read(text.as_bytes()).unwrap(), "static-schema").to_owned()
        };
        assert_eq!(flagged(r#","static_schema_flag":"true""#), "true");
        assert_eq!(flagged(r#","static_schema_flag":true"#), "true");
        assert_eq!(flagged(r#","static_schema_flag":null"#), "false");
        assert_eq!(flagged(""), "false");
    }

    #[test]
    fn broken_markers_say_where() {
        assert_eq!(
            read(b"{}").unwrap_err().to_string(),
            "marker is not readable: missing field `created-at` at line 1 column 2"
        );
        assert_eq!(
            read(br#"{"created-at":"yesterday"}"#)
                .unwrap_err()
                .to_string(),
            "marker's `created-at` is no RFC 3339 time: `yesterday`"
        );
        assert!(read(br#"{"created-at":"1969-01-01T00:00:00Z"}"#).is_err());
    }
}
