//! Where the agent may keep files of its own.

use std::path::{Path, PathBuf};

use super::AgentError;
use crate::config::{Settings, local_directory, resolved};

/// Makes sure that the ledger lies neither in the staging directory nor in a store of local files: the node deletes or
/// trips over what it does not know there.
///
/// # Errors
///
/// [`AgentError::LedgerInside`].
pub fn check_ledger_place(settings: &Settings) -> Result<(), AgentError> {
    let (staging, store) = (&settings.staging.dir, &settings.store.url);
    check_ledger_path(&settings.ledger.path, Some(staging), Some(store))
}

/// As [`check_ledger_place`], with only the parts of the configuration that are known.
///
/// # Errors
///
/// [`AgentError::LedgerInside`].
pub fn check_ledger_path(
    ledger: &Path,
    staging: Option<&Path>,
    store_url: Option<&str>,
) -> Result<(), AgentError> {
    match directory_around(ledger, staging, store_url) {
        Some((what, dir)) => Err(AgentError::LedgerInside {
            ledger: ledger.display().to_string(),
            what,
            dir: dir.display().to_string(),
        }),
        None => Ok(()),
    }
}

/// The directory of the node that the path lies in, with its name in words: the staging directory, or a store of local
/// files.
pub fn node_directory_of(path: &Path, settings: &Settings) -> Option<(&'static str, PathBuf)> {
    let (staging, store) = (&settings.staging.dir, &settings.store.url);
    directory_around(path, Some(staging), Some(store))
}

fn directory_around(
    path: &Path,
    staging: Option<&Path>,
    store_url: Option<&str>,
) -> Option<(&'static str, PathBuf)> {
    let path = resolved(path);
    let staging = staging.map(|dir| ("the staging directory", dir.to_owned()));
    let store = store_url
        .and_then(local_directory)
        .map(|dir| ("the store", dir));
    staging
        .into_iter()
        .chain(store)
        .find(|(_, dir)| path.starts_with(resolved(dir)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    fn check(root: &Path, ledger: &str) -> Result<(), AgentError> {
        let text = format!(
            "[staging]\ndir = \"staging\"\n[store]\nurl = \"file://{}/store\"\n[ledger]\npath = {ledger:?}\n",
            root.display()
        );
        let source = Source::new(root.join("tidegate.toml"), text);
        check_ledger_place(&Settings::from_source(&source, &|_| None).unwrap())
    }

    #[test]
    fn a_ledger_among_the_nodes_files_is_refused() {
        let root = tempfile::tempdir().unwrap();
        for dir in ["staging", "store/app"] {
            std::fs::create_dir_all(root.path().join(dir)).unwrap();
        }
        std::os::unix::fs::symlink(root.path().join("store"), root.path().join("link")).unwrap();
        for inside in [
            "staging/ledger.db",
            "store/app/ledger.db",
            "link/new/ledger.db",
        ] {
            let error = check(root.path(), inside).unwrap_err();
            assert!(matches!(error, AgentError::LedgerInside { .. }), "{error}");
        }
        for beside in ["ledger.db", "staging.db", "new/ledger.db"] {
            check(root.path(), beside).unwrap();
        }
    }
}
