use std::io;
use std::path::{Path, PathBuf};

use super::build::{BuildError, write_bindings};
use super::contract;
use super::language::Language;
use super::name::PolicyName;
use super::sdk;
use super::templates;
use crate::contract::Role;

/// Why there is no new project. Nothing of it was left behind.
#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// Something stands where it would go.
    #[error("`{}` exists: name the policy otherwise, or another place by `--dir`", .0.display())]
    Exists(PathBuf),
    /// There is no place for it.
    #[error("there is no directory `{}` to make the project in", .0.display())]
    NoParent(PathBuf),
    /// It can't be written.
    #[error("can't write a project into `{}`", parent.display())]
    Write {
        /// The directory.
        parent: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its bindings can't be made.
    #[error("can't make the project's bindings")]
    Bindings(#[source] Box<BuildError>),
}

/// Makes a project for a policy with these roles in a directory of its own below `parent`, and answers with its place.
///
/// # Errors
///
/// When something stands there already, or nothing can be written there.
pub fn scaffold(
    parent: &Path,
    name: &PolicyName,
    language: Language,
    roles: &[Role],
) -> Result<PathBuf, ScaffoldError> {
    let target = match parent == Path::new(".") {
        true => PathBuf::from(name.as_str()),
        false => parent.join(name.as_str()),
    };
    if target.symlink_metadata().is_ok() {
        return Err(ScaffoldError::Exists(target));
    }
    if !parent.is_dir() {
        return Err(ScaffoldError::NoParent(parent.to_owned()));
    }
    let failed = |source| ScaffoldError::Write {
        parent: parent.to_owned(),
        source,
    };
    // Beside the place where it goes, so that it gets there as a whole.
    let beside = tempfile::Builder::new()
        .prefix(".tidegate-new-")
        .tempdir_in(parent)
        .map_err(failed)?;
    let project = beside.path().join(name.as_str());
    for template in templates::of(language, roles) {
        let text = template.render(name, language, roles);
        write(&project.join(template.path), &text).map_err(failed)?;
    }
    let (place, brought): (PathBuf, &[(&str, &str)]) = match language {
        Language::Rust => (PathBuf::from(sdk::VENDOR), sdk::FILES),
        _ => (
            Path::new(contract::WIT).join(contract::DEPENDENCY),
            &contract::FILES,
        ),
    };
    for (file, text) in brought {
        write(&project.join(&place).join(file), text).map_err(failed)?;
    }
    if language == Language::C {
        write_bindings(&project).map_err(|error| ScaffoldError::Bindings(error.into()))?;
    }
    std::fs::rename(&project, &target).map_err(failed)?;
    Ok(target)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, text)
}
