//! Which node this is: read from the staging directory or given by the operator, never invented.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::error::Category;

use crate::files::read_regular;
use crate::stream::NodeId;

use super::StagingSettings;
use super::keys::is_segment;
use super::parseable::ParseableMode;

/// What Parseable calls an ingest node, in the file's name and in the file.
const INGESTOR: &str = "ingestor";

/// How many bytes of an identity file are read; Parseable's have about 300.
const MAX_IDENTITY_FILE: u64 = 64 * 1024;

/// The identity of a standalone node, whose files and keys carry none.
const STANDALONE: &str = "standalone";

/// What is known about the node's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The node.
    Known(NodeId),
    /// The node has not written its identity yet, or not completely: sidecars start first. Look again.
    NotYet,
}

/// Why the node's identity can't be told.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The staging directory, or the file in it, could not be read.
    #[error("can't read {}", .path.display())]
    Unreadable {
        /// The directory or file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Several nodes left their identity there.
    #[error("several nodes claim {}: {}; leave the one of the node that runs here", .dir.display(), .files.join(", "))]
    Several {
        /// The staging directory.
        dir: PathBuf,
        /// The files' names, sorted.
        files: Vec<String>,
    },
    /// The file is not what Parseable writes. It holds an administrator's token, so nothing of it is shown.
    #[error("{} is no identity of a Parseable node (line {line}, column {column})", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where it stops making sense.
        line: usize,
        /// Where it stops making sense.
        column: usize,
    },
    /// The file ends too early. Parseable writes it in place, so it may be whole a moment later.
    #[error("{} is empty or cut off: the node may be writing it; if that lasts, restart the node, which writes it again", .path.display())]
    CutOff {
        /// The file.
        path: PathBuf,
    },
    /// The node's id can't stand in a key.
    #[error("{} holds a `node_id` that can't stand in a key", .path.display())]
    BadId {
        /// The file.
        path: PathBuf,
    },
    /// The directory belongs to a node of a kind that stages no schemas.
    #[error("{} belongs to a node that is no ingest node: point `staging.dir` at an ingest node's", .path.display())]
    WrongRole {
        /// The identity file.
        path: PathBuf,
    },
    /// The layout is for standalone nodes and the directory belongs to an ingest node.
    #[error("{} belongs to an ingest node, yet the layout is for a standalone one: set `staging.mode = \"ingest\"`", .path.display())]
    NotStandalone {
        /// The identity file.
        path: PathBuf,
    },
    /// The layout has no identity of its own, and the operator gave none.
    #[error("layout `{layout}` needs `node.id` in the configuration")]
    Required {
        /// The layout's name.
        layout: String,
    },
    /// The operator gave an identity that differs from the node's own.
    #[error("`node.id` is `{given}`, yet {} says `{found}`: leave `node.id` out", .path.display())]
    Differs {
        /// What the operator gave.
        given: NodeId,
        /// What the file says.
        found: NodeId,
        /// The file.
        path: PathBuf,
    },
}

pub(super) fn identify(settings: &StagingSettings) -> Result<Identity, IdentityError> {
    let given = settings.node.clone();
    match settings.layout.mode() {
        None => given
            .map(Identity::Known)
            .ok_or_else(|| IdentityError::Required {
                layout: settings.layout.name().to_owned(),
            }),
        Some(ParseableMode::Standalone) => match identity_files(&settings.dir)?.first() {
            Some(file) => Err(IdentityError::NotStandalone {
                path: settings.dir.join(file),
            }),
            None => Ok(Identity::Known(
                given.unwrap_or_else(|| NodeId::new(STANDALONE)),
            )),
        },
        Some(ParseableMode::Ingest) => {
            let files = identity_files(&settings.dir)?;
            let path = match files.as_slice() {
                [] => return Ok(Identity::NotYet),
                [file] => settings.dir.join(file),
                _ => {
                    return Err(IdentityError::Several {
                        dir: settings.dir.clone(),
                        files,
                    });
                }
            };
            let found = read(&path)?;
            match (given, &found) {
                (Some(given), Identity::Known(node)) if given != *node => {
                    Err(IdentityError::Differs {
                        given,
                        found: node.clone(),
                        path,
                    })
                }
                _ => Ok(found),
            }
        }
    }
}

/// The file that holds this node's identity.
pub(super) fn file_of(dir: &Path, node: &NodeId) -> PathBuf {
    dir.join(format!("{INGESTOR}.{}.json", node.as_str()))
}

/// The bucket that the node's own identity file names, where there is one: a hint for messages.
pub fn bucket_name(settings: &StagingSettings) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        bucket_name: Option<String>,
    }
    settings.layout.mode()?;
    let files = identity_files(&settings.dir).ok()?;
    let [file] = files.as_slice() else {
        return None;
    };
    let bytes = read_regular(&settings.dir.join(file), MAX_IDENTITY_FILE).ok()?;
    serde_json::from_slice::<Named>(&bytes).ok()?.bucket_name
}

/// The names `ingestor.<id>.json` in the directory, sorted.
fn identity_files(dir: &Path) -> Result<Vec<String>, IdentityError> {
    let unreadable = |source| IdentityError::Unreadable {
        path: dir.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_identity_file(name.as_bytes()) && !is_dir {
            files.push(name);
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// Whether this is the name of a node's identity file.
pub(super) fn is_identity_file(name: &[u8]) -> bool {
    name.strip_prefix(INGESTOR.as_bytes())
        .and_then(|rest| rest.strip_prefix(b"."))
        .and_then(|rest| rest.strip_suffix(b".json"))
        .is_some_and(|id| !id.is_empty())
}

/// The two values that are needed. The file also holds an administrator's token, which is never kept.
#[derive(Deserialize)]
struct IdentityFile {
    /// `ingestor_id` in files of before version 4, which Parseable rewrites at its next start.
    #[serde(alias = "ingestor_id")]
    node_id: String,
    node_type: Option<String>,
}

fn read(path: &Path) -> Result<Identity, IdentityError> {
    let unreadable = |source| IdentityError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let bytes = match read_regular(path, MAX_IDENTITY_FILE) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Identity::NotYet),
        read => read.map_err(unreadable)?,
    };
    let file: IdentityFile = match serde_json::from_slice(&bytes) {
        Ok(file) => file,
        Err(error) if error.classify() == Category::Eof => {
            return Err(IdentityError::CutOff {
                path: path.to_owned(),
            });
        }
        // The parser's message may quote the token, so only the place is kept.
        Err(error) => {
            return Err(IdentityError::Malformed {
                path: path.to_owned(),
                line: error.line(),
                column: error.column(),
            });
        }
    };
    if file.node_type.is_some_and(|kind| kind != INGESTOR) {
        return Err(IdentityError::WrongRole {
            path: path.to_owned(),
        });
    }
    if !is_segment(&file.node_id) {
        return Err(IdentityError::BadId {
            path: path.to_owned(),
        });
    }
    Ok(Identity::Known(NodeId::new(file.node_id)))
}

#[cfg(test)]
mod tests {
    use super::super::Layout;
    use super::*;

    const CAPTURED: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/data/parseable-2.9.5/staging"
    );

    fn settings(dir: &Path) -> StagingSettings {
        StagingSettings::new(dir, Layout::parseable(ParseableMode::Ingest))
    }

    /// The identity that a directory with this file gives.
    fn with_file(content: &str) -> Result<Identity, IdentityError> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("ingestor.n1.json"), content).unwrap();
        identify(&settings(dir.path()))
    }

    #[test]
    fn the_captured_node_is_known() {
        let identity = identify(&settings(Path::new(CAPTURED))).unwrap();
        assert_eq!(identity, Identity::Known(NodeId::new("95659b0612138de")));
        let mut other = settings(Path::new(CAPTURED));
        other.node = Some(NodeId::new("n1"));
        let message = identify(&other).unwrap_err().to_string();
        assert!(message.starts_with("`node.id` is `n1`, yet"), "{message}");
    }

    #[test]
    fn a_node_that_has_not_started_yet_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("ingestor.a.json")).unwrap();
        assert_eq!(identify(&settings(dir.path())).unwrap(), Identity::NotYet);
        for cut_off in ["", r#"{"node_id":"n"#] {
            let error = with_file(cut_off).unwrap_err();
            assert!(matches!(error, IdentityError::CutOff { .. }), "{error}");
        }
    }

    #[test]
    fn two_nodes_in_one_directory_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        for node in ["b", "a"] {
            fs::write(dir.path().join(format!("ingestor.{node}.json")), "{}").unwrap();
        }
        let message = identify(&settings(dir.path())).unwrap_err().to_string();
        assert!(
            message.contains("ingestor.a.json, ingestor.b.json"),
            "{message}"
        );
    }

    #[test]
    fn older_files_are_read_and_other_roles_refused() {
        let old = with_file(r#"{"version":"v3","token":"t","ingestor_id":"n1"}"#).unwrap();
        assert_eq!(old, Identity::Known(NodeId::new("n1")));
        let error = with_file(r#"{"node_id":"q1","node_type":"querier"}"#).unwrap_err();
        assert!(matches!(error, IdentityError::WrongRole { .. }));
        let error = with_file(r#"{"node_id":"../x","node_type":"ingestor"}"#).unwrap_err();
        assert!(matches!(error, IdentityError::BadId { .. }));
    }

    #[test]
    fn the_token_in_the_file_is_never_shown() {
        for content in [
            r#""Basic c2VjcmV0""#,
            r#"{"node_id":["Basic c2VjcmV0"]}"#,
            r#"{"token":"Basic c2VjcmV0","node_id":7}"#,
            r#"{"token":"Basic c2VjcmV0",,"node_id":"n"}"#,
        ] {
            let error = with_file(content).unwrap_err();
            assert!(matches!(error, IdentityError::Malformed { line: 1, .. }));
            assert!(
                !format!("{error} {error:?}").contains("c2VjcmV0"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_standalone_node_needs_no_identity() {
        let dir = tempfile::tempdir().unwrap();
        let mut settings =
            StagingSettings::new(dir.path(), Layout::parseable(ParseableMode::Standalone));
        assert_eq!(
            identify(&settings).unwrap(),
            Identity::Known(NodeId::new("standalone"))
        );
        settings.node = Some(NodeId::new("n1"));
        assert_eq!(
            identify(&settings).unwrap(),
            Identity::Known(NodeId::new("n1"))
        );
        fs::write(dir.path().join("ingestor.n1.json"), "{}").unwrap();
        assert!(matches!(
            identify(&settings),
            Err(IdentityError::NotStandalone { .. })
        ));
    }

    #[test]
    fn other_layouts_need_one_from_the_operator() {
        let mut settings = StagingSettings::new("nowhere", Layout::plain());
        assert_eq!(
            identify(&settings).unwrap_err().to_string(),
            "layout `plain` needs `node.id` in the configuration"
        );
        settings.node = Some(NodeId::new("n1"));
        assert_eq!(
            identify(&settings).unwrap(),
            Identity::Known(NodeId::new("n1"))
        );
    }

    #[test]
    fn a_directory_that_is_missing_is_an_error_and_not_a_wait() {
        let error = identify(&settings(Path::new("/nowhere/at/all"))).unwrap_err();
        assert_eq!(error.to_string(), "can't read /nowhere/at/all");
    }
}
