//! The crate that policies in Rust are written with, as this program brings it along.

/// Where a project keeps it.
pub(super) const VENDOR: &str = "vendor/tidegate-policy";

/// Its version.
pub(super) const VERSION: &str = "0.1.0";

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../plugins/sdk/", $path)))),*]
    };
}

/// Its files, by path. The contract's are among them: those of [`contract::FILES`](super::contract::FILES).
pub(super) const FILES: &[(&str, &str)] = files![
    "Cargo.toml",
    "README.md",
    "src/bindings.rs",
    "src/component.rs",
    "src/entropy.rs",
    "src/error.rs",
    "src/facts.rs",
    "src/failure.rs",
    "src/heap.rs",
    "src/host.rs",
    "src/imports.rs",
    "src/lib.rs",
    "src/policy.rs",
    "src/settings.rs",
    "src/span.rs",
    "src/testing/facts.rs",
    "src/testing/host.rs",
    "src/testing/mod.rs",
    "src/testing/settings.rs",
    "src/timestamp.rs",
    "src/verdict.rs",
    "wit/host.wit",
    "wit/policy.wit",
    "wit/types.wit",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn walk(root: &Path, dir: &Path, found: &mut BTreeSet<String>) -> std::io::Result<()> {
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            if path.is_dir() {
                walk(root, &path, found)?;
            } else if let Ok(path) = path.strip_prefix(root) {
                found.insert(path.to_string_lossy().into_owned());
            }
        }
        Ok(())
    }

    #[test]
    fn the_whole_crate_is_brought_along_but_for_its_tests() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/sdk"));
        let mut found = BTreeSet::new();
        walk(root, root, &mut found).unwrap();
        found.retain(|path| !path.starts_with("tests/"));
        let brought: BTreeSet<String> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(brought, found);
        let manifest: toml::Value = FILES[0].1.parse::<toml::Table>().unwrap().into();
        assert_eq!(manifest["package"]["version"].as_str(), Some(VERSION));
    }
}
