//! Builds a project into a component that every host loads.

mod c;
mod javascript;
mod python;
mod rust;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;

use super::contract::ContractError;
use super::language::Language;
use super::name::{BadName, PolicyName};
use super::tool::Missing;
use crate::policy::{Inspection, LoadProblem, MAX_COMPONENT, Runtime};

pub(super) use c::write_bindings;

/// A component that was built, checked and written.
#[derive(Debug)]
pub struct Built {
    /// What the project is written in.
    pub language: Language,
    /// What built it, such as `clang 14`.
    pub by: String,
    /// Where the component stands: in the project, by the name that the policy gives itself.
    pub file: PathBuf,
    /// What it is.
    pub inspection: Inspection,
}

/// Why a project gives no component. What was built before is untouched.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No language is recognized.
    #[error(
        "there is no policy in `{}`: a project has a {marks}; `tidegate policy new` makes one",
        .0.display(),
        marks = Language::ALL.map(Language::mark).join(", ")
    )]
    NoProject(PathBuf),
    /// Several languages are.
    #[error("`{}` may be a project in {}: say which by `--lang`", .0.display(), words(.1))]
    Ambiguous(PathBuf, Vec<Language>),
    /// A tool is not installed.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The project's WIT.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// The sources do not compile.
    #[error("the project does not compile ({tool}: {status}); what it says stands above")]
    Compile {
        /// What compiles them.
        tool: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// The sources make nothing that could become a component.
    #[error("{0}")]
    Shape(String),
    /// What was compiled makes no component.
    #[error("what was compiled makes no component of the contract")]
    Component(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The component is over [`MAX_COMPONENT`].
    #[error(
        "the component has {0} bytes, and no host loads one of over {MAX_COMPONENT} ({mib} MiB): leave out what it does not \
         need",
        mib = MAX_COMPONENT >> 20
    )]
    TooLarge(u64),
    /// No host would load it.
    #[error("no host would load what was built")]
    Refused(#[source] LoadProblem),
    /// It gives itself no name that a file can have.
    #[error("`describe` gives the policy a wrong name")]
    Name(#[source] BadName),
    /// Something on this machine.
    #[error("can't {doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why not.
        source: io::Error,
    },
}

fn words(languages: &[Language]) -> String {
    let names: Vec<_> = languages.iter().map(|language| language.name()).collect();
    names.join(" or ")
}

/// What a language's own tools made of a project.
struct Made {
    component: Vec<u8>,
    by: String,
}

/// Builds the project in a directory, in this language or in the one that its files tell, and writes the component into
/// the directory. The tools' own messages go to stderr.
///
/// # Errors
///
/// When a tool is missing, the project does not compile, or no host would load what it compiles to.
pub async fn build(
    project: &Path,
    language: Option<Language>,
    runtime: &Runtime,
) -> Result<Built, BuildError> {
    let dir = project
        .canonicalize()
        .ok()
        .filter(|dir| dir.is_dir())
        .ok_or_else(|| BuildError::NoProject(project.to_owned()))?;
    let language = match language {
        Some(language) => language,
        None => recognize(project, &dir)?,
    };
    let made = tokio::task::spawn_blocking(move || make(&dir, language))
        .await
        .map_err(|error| BuildError::Io {
            doing: "run the build".to_owned(),
            source: error.into(),
        })??;
    let component: Arc<[u8]> = made.component.into();
    if component.len() as u64 > MAX_COMPONENT {
        return Err(BuildError::TooLarge(component.len() as u64));
    }
    let mut inspection = runtime.inspect(Arc::clone(&component)).await;
    if let Some(problem) = inspection.problem.take() {
        return Err(BuildError::Refused(problem));
    }
    let name = inspection
        .description
        .as_ref()
        .map_or("", |description| description.name.as_str());
    let name: PolicyName = name.parse().map_err(BuildError::Name)?;
    let file = project.join(format!("{name}.wasm"));
    write(project, &file, &component).map_err(|source| BuildError::Io {
        doing: format!("write `{}`", file.display()),
        source,
    })?;
    Ok(Built {
        language,
        by: made.by,
        file,
        inspection,
    })
}

fn recognize(project: &Path, dir: &Path) -> Result<Language, BuildError> {
    match Language::of_project(dir).as_slice() {
        [] => Err(BuildError::NoProject(project.to_owned())),
        [language] => Ok(*language),
        several => Err(BuildError::Ambiguous(
            project.to_owned(),
            several.to_owned(),
        )),
    }
}

fn make(project: &Path, language: Language) -> Result<Made, BuildError> {
    match language {
        Language::Rust => rust::make(project),
        Language::JavaScript => javascript::make(project),
        Language::Python => python::make(project),
        Language::C => c::make(project),
    }
}

/// Writes the component as a whole: whoever reads the file meanwhile sees the one or the other.
fn write(project: &Path, file: &Path, component: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let whole = tempfile::Builder::new()
        .prefix(".component-")
        // Like any file: it holds no secret. The process's mask still counts.
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(project)?;
    std::fs::write(whole.path(), component)?;
    whole.persist(file)?;
    Ok(())
}

/// What a step that touches the machine was for, beside its error.
fn io_error(doing: impl Into<String>) -> impl FnOnce(io::Error) -> BuildError {
    let doing = doing.into();
    |source| BuildError::Io { doing, source }
}
