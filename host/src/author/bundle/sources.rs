use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

/// Directories whose files go into no component: what a build makes, and what a policy is tested by.
const NO_SOURCES: [&str; 2] = ["target", "scenarios"];

/// The digest of a guest's sources: every file below the given files and directories, sorted by path.
///
/// It covers each file's path relative to the repository (with `/`), its length and its content, with line ends as `\n`
/// so that a checkout on another system agrees. Hidden files and the directories [`NO_SOURCES`] are left out.
pub(super) fn digest(root: &Path, places: &[impl AsRef<str>]) -> Result<Digest> {
    let mut files = BTreeMap::new();
    for place in places {
        collect(root, place.as_ref(), &mut files)?;
    }
    let mut hash = Sha256::new();
    for (path, content) in files {
        hash.update(path.as_bytes());
        hash.update([0]);
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(content);
    }
    Ok(hash.into())
}

fn collect(root: &Path, place: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    let path = root.join(place);
    let unreadable = || format!("can't read the sources at `{}`", path.display());
    let kind = path.metadata().with_context(unreadable)?;
    if kind.is_file() {
        let content = std::fs::read(&path).with_context(unreadable)?;
        files.insert(place.to_owned(), unix_line_ends(content));
        return Ok(());
    }
    for entry in path.read_dir().with_context(unreadable)? {
        let name = entry.with_context(unreadable)?.file_name();
        let Some(name) = name.to_str() else {
            bail!("`{}` holds a file whose name is not UTF-8", path.display());
        };
        if !NO_SOURCES.contains(&name) && !name.starts_with('.') {
            collect(root, &format!("{place}/{name}"), files)?;
        }
    }
    Ok(())
}

fn unix_line_ends(content: Vec<u8>) -> Vec<u8> {
    let mut previous = 0;
    let mut kept = Vec::with_capacity(content.len());
    for byte in content {
        if byte == b'\n' && previous == b'\r' {
            kept.pop();
        }
        kept.push(byte);
        previous = byte;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        dir
    }

    fn of(files: &[(&str, &str)], places: &[&str]) -> Digest {
        digest(tree(files).path(), places).unwrap()
    }

    #[test]
    fn the_digest_covers_names_and_contents_and_nothing_else() {
        let plain = of(&[("a/x.rs", "1\n2\n"), ("b.toml", "3")], &["a", "b.toml"]);
        let same = [
            of(
                &[("a/x.rs", "1\r\n2\r\n"), ("b.toml", "3")],
                &["b.toml", "a"],
            ),
            of(
                &[
                    ("a/x.rs", "1\n2\n"),
                    ("a/target/y", "?"),
                    ("a/scenarios/y.toml", "?"),
                    ("a/.swp", "?"),
                    ("b.toml", "3"),
                    ("c", "?"),
                ],
                &["a", "b.toml"],
            ),
        ];
        assert_eq!(same, [plain, plain]);
        for other in [
            of(&[("a/x.rs", "1\n2\n"), ("b.toml", "4")], &["a", "b.toml"]),
            of(&[("a/y.rs", "1\n2\n"), ("b.toml", "3")], &["a", "b.toml"]),
            of(&[("a/x.rs", "1\n2\n3"), ("b.toml", "")], &["a", "b.toml"]),
            of(&[("a/x.rs", "1\r2\n"), ("b.toml", "3")], &["a", "b.toml"]),
        ] {
            assert_ne!(other, plain);
        }
    }

    #[test]
    fn missing_sources_are_an_error_that_names_them() {
        let error = digest(tree(&[]).path(), &["gone"]).unwrap_err();
        assert!(error.to_string().contains("gone"), "{error}");
    }
}
