//! The contract as a project has it: the WIT files that Tidegate brings along, and the project's own world.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use wit_parser::{Resolve, WorldId};

/// The contract's files.
pub(super) const FILES: [(&str, &str); 3] = [
    ("host.wit", include_str!("../../../wit/0.1/host.wit")),
    ("policy.wit", include_str!("../../../wit/0.1/policy.wit")),
    ("types.wit", include_str!("../../../wit/0.1/types.wit")),
];

/// Where a project has its world, relative to its directory.
pub(super) const WIT: &str = "wit";

/// Where a project has the contract, relative to [`WIT`].
pub(super) const DEPENDENCY: &str = "deps/tidegate-policy";

/// What a project is built against: its world, and the packages that it names.
pub(super) struct Contract {
    pub(super) resolve: Resolve,
    pub(super) world: WorldId,
    /// The directory that holds it.
    pub(super) dir: PathBuf,
    /// Removed when it is dropped: where the project lacks a copy of the contract.
    _staged: Option<TempDir>,
}

/// A project's WIT can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// There is none.
    #[error(
        "there is no `{}`, which says what the policy imports and exports: copy it from a project that `tidegate policy \
         new` makes",
        .0.display()
    )]
    None(PathBuf),
    /// It is wrong.
    #[error("can't use the WIT in `{}`: {problem}", dir.display())]
    Wrong {
        /// The directory.
        dir: PathBuf,
        /// What is wrong, with its place.
        problem: String,
    },
    /// It can't be copied.
    #[error("can't copy the WIT in `{}`", dir.display())]
    Copy {
        /// The directory.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Contract {
    /// Reads a project's world. Where the project has no copy of the contract, it is the one of this host.
    pub(super) fn of_project(project: &Path) -> Result<Self, ContractError> {
        let own = project.join(WIT);
        if !own.is_dir() {
            return Err(ContractError::None(own));
        }
        let staged = match own.join(DEPENDENCY).is_dir() {
            true => None,
            false => Some(stage(&own).map_err(|source| ContractError::Copy {
                dir: own.clone(),
                source,
            })?),
        };
        let dir = staged
            .as_ref()
            .map_or(own.as_path(), TempDir::path)
            .to_owned();
        let mut resolve = Resolve::default();
        let world = match resolve.push_dir(&dir) {
            Ok((package, _)) => resolve.select_world(&[package], None),
            Err(error) => Err(error),
        };
        let world = world.map_err(|error| ContractError::Wrong {
            dir: own,
            problem: resolve.render_error(&error),
        })?;
        Ok(Self {
            resolve,
            world,
            dir,
            _staged: staged,
        })
    }

    /// The name of the project's world.
    pub(super) fn world_name(&self) -> &str {
        self.resolve
            .worlds
            .get(self.world)
            .map_or("", |world| world.name.as_str())
    }
}

/// A copy of the WIT with the contract beside what it has.
fn stage(own: &Path) -> io::Result<TempDir> {
    let staged = tempfile::tempdir()?;
    copy(own, staged.path())?;
    let dependency = staged.path().join(DEPENDENCY);
    std::fs::create_dir_all(&dependency)?;
    for (file, text) in FILES {
        std::fs::write(dependency.join(file), text)?;
    }
    Ok(staged)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in from.read_dir()? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to)?,
            false => std::fs::copy(entry.path(), to).map(drop)?,
        }
    }
    Ok(())
}
