//! Where the agent may keep files of its own.

use std::path::{Path, PathBuf};

use url::Url;

use super::AgentError;
use crate::config::Settings;

/// Makes sure that the ledger lies neither in the staging directory nor in a store of local files: the node deletes or
/// trips over what it does not know there.
///
/// # Errors
///
/// [`AgentError::LedgerInside`].
pub fn check_ledger_place(settings: &Settings) -> Result<(), AgentError> {
    match node_directory_of(&settings.ledger.path, settings) {
        Some((what, dir)) => Err(AgentError::LedgerInside {
            ledger: settings.ledger.path.display().to_string(),
            what,
            dir: dir.display().to_string(),
        }),
        None => Ok(()),
    }
}

/// The directory of the node that the path lies in, with its name in words: the staging directory, or a store of local
/// files.
pub fn node_directory_of(path: &Path, settings: &Settings) -> Option<(&'static str, PathBuf)> {
    let path = resolved(path);
    let store = Url::parse(&settings.store.url)
        .ok()
        .filter(|url| url.scheme() == "file")
        .and_then(|url| url.to_file_path().ok());
    let staging = ("the staging directory", settings.staging.dir.clone());
    let store = store.map(|dir| ("the store", dir));
    std::iter::once(staging)
        .chain(store)
        .find(|(_, dir)| path.starts_with(resolved(dir)))
}

/// The path without links, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let known = absolute
        .ancestors()
        .find_map(|part| Some((part, part.canonicalize().ok()?)));
    match known {
        Some((part, real)) => match absolute.strip_prefix(part) {
            Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
            _ => real,
        },
        None => absolute,
    }
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
