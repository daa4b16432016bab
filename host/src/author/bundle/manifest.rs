use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::guests::{Guest, Set};
use super::sources::digest;
use crate::author::component::roles;
use crate::digest::Digest;

/// The manifest's name, beside the components.
const FILE: &str = "manifest.toml";

const HEADER: &str = "\
# Written by `tidegate policy bundle`, together with the components beside it. Don't edit either: change the sources,
# build again and commit what it writes.

";

/// What stands beside a set's components.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// Which compiler built them.
    compiler: String,
    #[serde(rename = "component", default)]
    components: Vec<Component>,
}

/// One component.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Component {
    name: String,
    /// The policy's own version.
    version: String,
    roles: Vec<String>,
    pub(super) file: String,
    /// In bytes.
    pub(super) size: u64,
    /// Of the component.
    sha256: Digest,
    /// Of what it was built from.
    sources_sha256: Digest,
}

impl Component {
    /// Describes a component, and the sources as they stand now.
    pub(super) fn describe(root: &Path, set: &Set, guest: &Guest, bytes: &[u8]) -> Result<Self> {
        Ok(Self {
            name: guest.name.to_owned(),
            version: version(root, set, guest)?,
            roles: roles(bytes).with_context(|| format!("`{}`", guest.name))?,
            file: format!("{}.wasm", guest.name),
            size: bytes.len() as u64,
            sha256: Digest::of(bytes),
            sources_sha256: digest(root, &set.sources(guest))?,
        })
    }
}

impl Manifest {
    pub(super) fn new(compiler: String, components: Vec<Component>) -> Self {
        Self {
            compiler,
            components,
        }
    }

    fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("can't read `{}`", path.display()))?;
        toml::from_str(&text).with_context(|| format!("`{}` is no manifest", path.display()))
    }

    pub(super) fn write(&self, dir: &Path) -> Result<()> {
        let path = dir.join(FILE);
        let text = format!("{HEADER}{}", toml::to_string(self).context("no TOML")?);
        std::fs::write(&path, text).with_context(|| format!("can't write `{}`", path.display()))
    }
}

/// What disagrees between a set's manifest, its components and its sources.
pub(super) fn check(root: &Path, set: &Set) -> Result<Vec<String>> {
    let dir = root.join(set.dir);
    let manifest = Manifest::read(&dir)?;
    let mut problems = Vec::new();
    for guest in set.guests {
        let Some(listed) = manifest
            .components
            .iter()
            .find(|listed| listed.name == guest.name)
        else {
            problems.push(format!("{}/{FILE}: lacks `{}`", set.dir, guest.name));
            continue;
        };
        let path = dir.join(&listed.file);
        let place = format!("{}/{}", set.dir, listed.file);
        match std::fs::read(&path) {
            Ok(bytes) if Digest::of(&bytes) != listed.sha256 => {
                problems.push(format!(
                    "{place}: the component is not the one that the manifest lists"
                ));
            }
            Ok(bytes) => {
                let described = Component::describe(root, set, guest, &bytes)?;
                if described.sources_sha256 != listed.sources_sha256 {
                    problems.push(format!("{place}: the sources changed after it was built"));
                } else if described != *listed {
                    problems.push(format!(
                        "{place}: the manifest lists another version, size or role"
                    ));
                }
            }
            Err(error) => problems.push(format!("{place}: {error}")),
        }
    }
    for listed in &manifest.components {
        if !set.guests.iter().any(|guest| guest.name == listed.name) {
            problems.push(format!(
                "{}/{FILE}: lists `{}`, which is no guest",
                set.dir, listed.name
            ));
        }
    }
    Ok(problems)
}

/// The version that a guest's `Cargo.toml` declares, by itself or through the workspace; a module has none of its own.
fn version(root: &Path, set: &Set, guest: &Guest) -> Result<String> {
    if guest.is_module() {
        return Ok(String::new());
    }
    let read = |path: &str| -> Result<toml::Table> {
        let text = std::fs::read_to_string(root.join(path))
            .with_context(|| format!("can't read `{path}`"))?;
        toml::from_str(&text).with_context(|| format!("`{path}` is no TOML"))
    };
    let own = format!("{}/Cargo.toml", guest.source);
    let declared = read(&own)?
        .get("package")
        .and_then(|package| package.get("version"))
        .cloned();
    let version = match declared {
        Some(toml::Value::Table(_)) => read(&format!("{}/Cargo.toml", set.workspace))?
            .get("workspace")
            .and_then(|workspace| workspace.get("package")?.get("version"))
            .cloned(),
        declared => declared,
    };
    version
        .as_ref()
        .and_then(toml::Value::as_str)
        .map(str::to_owned)
        .with_context(|| format!("`{own}` declares no version"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: Set = Set {
        dir: "out",
        workspace: "all",
        guests: &[Guest {
            name: "one",
            source: "one",
        }],
        shared: &["shared"],
    };

    /// A repository with one guest, whose component is the smallest there is.
    fn repository() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for sub in ["all", "one", "out"] {
            std::fs::create_dir(root.join(sub)).unwrap();
        }
        std::fs::write(root.join("shared"), "shared").unwrap();
        std::fs::write(root.join("all/Cargo.lock"), "").unwrap();
        std::fs::write(
            root.join("all/Cargo.toml"),
            "workspace.package.version = \"1.2.3\"",
        )
        .unwrap();
        std::fs::write(
            root.join("one/Cargo.toml"),
            "package.version.workspace = true",
        )
        .unwrap();
        std::fs::write(root.join("one/lib.rs"), "// before").unwrap();
        let bytes = b"\0asm\x0d\0\x01\0";
        std::fs::write(root.join("out/one.wasm"), bytes).unwrap();
        let component = Component::describe(root, &SET, &SET.guests[0], bytes).unwrap();
        assert_eq!(component.version, "1.2.3");
        Manifest::new("rustc".to_owned(), vec![component])
            .write(&root.join("out"))
            .unwrap();
        assert_eq!(check(root, &SET).unwrap(), Vec::<String>::new());
        dir
    }

    #[test]
    fn changed_sources_are_found() {
        for file in ["all/Cargo.lock", "shared", "one/lib.rs", "one/new.rs"] {
            let dir = repository();
            std::fs::write(dir.path().join(file), "// after").unwrap();
            assert_eq!(
                check(dir.path(), &SET).unwrap(),
                ["out/one.wasm: the sources changed after it was built"]
            );
        }
    }

    #[test]
    fn a_changed_or_missing_component_is_found() {
        let dir = repository();
        let component = dir.path().join("out/one.wasm");
        std::fs::write(&component, "other").unwrap();
        let problems = check(dir.path(), &SET).unwrap();
        assert!(problems[0].contains("is not the one"), "{problems:?}");
        std::fs::remove_file(component).unwrap();
        let problems = check(dir.path(), &SET).unwrap();
        assert!(problems[0].starts_with("out/one.wasm: "), "{problems:?}");
    }

    #[test]
    fn an_edited_manifest_is_found() {
        let dir = repository();
        let path = dir.path().join("out").join(FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        for (from, to, problem) in [
            ("1.2.3", "1.2.4", "another version"),
            ("name = \"one\"", "name = \"two\"", "lacks `one`"),
        ] {
            std::fs::write(&path, text.replace(from, to)).unwrap();
            let problems = check(dir.path(), &SET).unwrap();
            assert!(problems[0].contains(problem), "{problems:?}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(check(dir.path(), &SET).is_err());
    }
}
