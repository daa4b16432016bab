//! The maintainers' step: builds the guests of this repository into components, and keeps their manifests.
//!
//! Components are committed so that neither `cargo install` nor the tests need a WebAssembly toolchain. A manifest beside
//! them holds the digest of each component and of the sources it was built from: [`Repository::check`] fails when either
//! moved on without the other.

mod guests;
mod manifest;
mod sources;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use self::guests::{CONTRACT, Guest, MODULE_WORLD, SETS, Set};
use self::manifest::{Component, Manifest};
use super::compiler::{Compiler, TARGET};
use super::component;
use super::tool::{self, Missing};

/// Where the guests' build artefacts go, relative to the repository: apart from those of native builds, which another
/// compiler may make.
const TARGET_DIR: &str = "plugins/target/guests";

/// A checkout of Tidegate's repository.
#[derive(Clone, Debug)]
pub struct Repository(PathBuf);

/// The guests can't be bundled.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// This is no checkout.
    #[error(
        "`{}` is not in a checkout of Tidegate's repository, whose bundled policies this builds; a policy of your own is \
         built by `tidegate policy build`",
        .0.display()
    )]
    NoRepository(PathBuf),
    /// There is no compiler.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// A guest does not compile.
    #[error("the guests of `{0}` do not compile; what the compiler says stands above")]
    Compile(&'static str),
    /// Manifests, components and sources disagree.
    #[error(
        "components, manifests and sources disagree:\n  {}\nbuild them again by `tidegate policy bundle`, and commit what \
         it writes",
        .0.join("\n  ")
    )]
    Disagree(Vec<String>),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// A component that was written.
#[derive(Debug)]
pub struct Bundled {
    /// Its place, relative to where all are written.
    pub file: String,
    /// In bytes.
    pub size: u64,
    /// How it relates to the committed one.
    pub relation: Relation,
}

/// How a component relates to the committed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The same bytes.
    Same,
    /// Others.
    Different,
    /// None is committed.
    New,
}

impl Repository {
    /// The checkout that a directory is in.
    ///
    /// # Errors
    ///
    /// When it is in none.
    pub fn around(dir: &Path) -> Result<Self, BundleError> {
        let is_root = |dir: &&Path| {
            dir.join(CONTRACT).is_dir() && SETS.iter().all(|set| dir.join(set.dir).is_dir())
        };
        dir.canonicalize()
            .ok()
            .and_then(|dir| dir.ancestors().find(is_root).map(Path::to_owned))
            .map(Self)
            .ok_or_else(|| BundleError::NoRepository(dir.to_owned()))
    }

    /// Compares manifests, sources and committed components; builds nothing.
    ///
    /// # Errors
    ///
    /// When they disagree, or can't be read.
    pub fn check(&self) -> Result<(), BundleError> {
        let mut problems = Vec::new();
        for set in SETS {
            problems.extend(manifest::check(&self.0, set)?);
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(BundleError::Disagree(problems)),
        }
    }

    /// Builds every guest and writes components and manifests: below `out`, or where they are committed. Says by `tell`
    /// what it does.
    ///
    /// # Errors
    ///
    /// When there is no compiler, a guest does not compile or makes no component, or nothing can be written.
    pub fn build(
        &self,
        out: Option<&Path>,
        mut tell: impl FnMut(&str),
    ) -> Result<Vec<Bundled>, BundleError> {
        let compiler = Compiler::find(&self.0)?;
        tell(&format!("building with {compiler}"));
        let mut bundled = Vec::new();
        for set in SETS {
            let modules = self.compile(&compiler, set)?;
            bundled.extend(self.write(out.unwrap_or(&self.0), set, &modules, &compiler)?);
        }
        Ok(bundled)
    }

    /// Compiles a set's crates, and answers with the directory that holds the core modules.
    fn compile(&self, compiler: &Compiler, set: &Set) -> Result<PathBuf, BundleError> {
        let target_dir = self.0.join(TARGET_DIR);
        let workspace = self.0.join(set.workspace);
        let mut command = compiler.build(&workspace, &[(&self.0, "/tidegate")]);
        command.arg("--locked").arg("--target-dir").arg(&target_dir);
        for guest in set.guests.iter().filter(|guest| !guest.is_module()) {
            command.args(["--package", guest.name]);
        }
        let status = tool::run(&mut command).context("can't run cargo")?;
        match status.success() {
            true => Ok(target_dir.join(TARGET).join("release")),
            false => Err(BundleError::Compile(set.workspace)),
        }
    }

    /// Writes a set's components and its manifest below `base`.
    fn write(
        &self,
        base: &Path,
        set: &Set,
        modules: &Path,
        compiler: &Compiler,
    ) -> Result<Vec<Bundled>> {
        let dir = base.join(set.dir);
        std::fs::create_dir_all(&dir)
            .with_context(|| format!("can't create `{}`", dir.display()))?;
        let mut components = Vec::new();
        let mut bundled = Vec::new();
        for guest in set.guests {
            let bytes = self.component(guest, modules)?;
            let component = Component::describe(&self.0, set, guest, &bytes)?;
            let relation = relation(&self.0.join(set.dir).join(&component.file), &bytes);
            let file = dir.join(&component.file);
            std::fs::write(&file, &bytes)
                .with_context(|| format!("can't write `{}`", file.display()))?;
            bundled.push(Bundled {
                file: format!("{}/{}", set.dir, component.file),
                size: component.size,
                relation,
            });
            components.push(component);
        }
        Manifest::new(compiler.to_string(), components).write(&dir)?;
        Ok(bundled)
    }

    fn component(&self, guest: &Guest, modules: &Path) -> Result<Vec<u8>> {
        let module = if guest.is_module() {
            let module = wat::parse_file(self.0.join(guest.source))?;
            component::with_world(module, &self.0.join(CONTRACT), MODULE_WORLD)?
        } else {
            let path = modules.join(format!("{}.wasm", guest.name.replace('-', "_")));
            std::fs::read(&path)
                .with_context(|| format!("the build left no module at `{}`", path.display()))?
        };
        component::encode(&module)
            .with_context(|| format!("can't make a component of `{}`", guest.source))
    }
}

fn relation(committed: &Path, bytes: &[u8]) -> Relation {
    match std::fs::read(committed) {
        Ok(committed) if committed == bytes => Relation::Same,
        Ok(_) => Relation::Different,
        Err(_) => Relation::New,
    }
}
