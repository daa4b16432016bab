//! The bytes of a component, from wherever the configuration says, once somebody vouches for them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::builtin;
use super::load::PolicySettings;
use super::load_error::LoadProblem;
use super::source::{ComponentSource, MAX_COMPONENT};
use crate::files::read_regular;
use crate::registry::{Fetched, Reference, fetch};
use crate::trust::{MAX_SIGNATURE_FILE, Voucher};

/// What is behind the name of a component's file in that of its signatures.
const SIGNATURE_SUFFIX: &str = ".sig";

/// A component that may be loaded.
#[derive(Debug)]
pub(super) struct Obtained {
    pub(super) component: Arc<[u8]>,
    /// The reference that means it for ever, of one from a registry.
    pub(super) pinned: Option<Reference>,
    /// Who vouches for it.
    pub(super) voucher: Voucher,
}

/// A component with the text of its signatures.
struct Found {
    component: Arc<[u8]>,
    signatures: Option<String>,
    pinned: Option<Reference>,
}

/// Reads or pulls the component, and checks who vouches for it. The bundled ones are part of the program that would
/// check them, so nobody has to.
pub(super) async fn obtain(settings: &PolicySettings) -> Result<Obtained, LoadProblem> {
    let found = find(&settings.component, !settings.trust.keys.is_empty()).await?;
    let voucher = match settings.component {
        ComponentSource::Builtin(_) => None,
        _ => settings
            .trust
            .check(&found.component, found.signatures.as_deref())?,
    };
    Ok(Obtained {
        component: found.component,
        pinned: found.pinned,
        voucher,
    })
}

impl ComponentSource {
    /// The component as it is, whatever it is and whoever vouches for it; see
    /// [`Runtime::inspect`](super::Runtime::inspect) for what.
    ///
    /// # Errors
    ///
    /// When it can't be read or pulled, no bundled policy has that name, or it is over [`MAX_COMPONENT`].
    pub async fn read(&self) -> Result<Arc<[u8]>, LoadProblem> {
        Ok(find(self, false).await?.component)
    }
}

/// `signed` says whether anybody will look at its signatures.
async fn find(source: &ComponentSource, signed: bool) -> Result<Found, LoadProblem> {
    let alone = |component| Found {
        component,
        signatures: None,
        pinned: None,
    };
    let found = match source {
        ComponentSource::Builtin(name) => builtin::component(name)
            .map(|component| alone(component.into()))
            .ok_or_else(|| LoadProblem::UnknownBuiltin(name.clone()))?,
        ComponentSource::Bytes(bytes) => alone(Arc::clone(bytes)),
        ComponentSource::File(path) => {
            let path = path.clone();
            tokio::task::spawn_blocking(move || of_file(&path, signed))
                .await
                .map_err(|error| LoadProblem::Compile(error.into()))??
        }
        ComponentSource::Registry(reference, registry) => {
            let Fetched {
                component,
                pinned,
                signature,
                ..
            } = fetch(reference, registry).await?;
            Found {
                component,
                signatures: signature,
                pinned: Some(pinned),
            }
        }
    };
    match found.component.len() as u64 > MAX_COMPONENT {
        true => Err(LoadProblem::TooLarge),
        false => Ok(found),
    }
}

fn of_file(path: &Path, signed: bool) -> Result<Found, LoadProblem> {
    let failed = |path: &Path, source| LoadProblem::Read {
        path: path.to_owned(),
        source,
    };
    let component = read(path, MAX_COMPONENT).map_err(|error| failed(path, error))?;
    let signatures = match signed.then(|| read_signatures(path)).transpose() {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(&signature_file(path), error)),
    };
    Ok(Found {
        component: component.into(),
        signatures,
        pinned: None,
    })
}

/// Where the signatures of a component stand: beside it.
pub fn signature_file(component: &Path) -> PathBuf {
    let mut path = component.as_os_str().to_owned();
    path.push(SIGNATURE_SUFFIX);
    path.into()
}

/// The text of a component's signatures.
///
/// # Errors
///
/// When there is none, or it can't be read.
pub fn read_signatures(component: &Path) -> io::Result<String> {
    let bytes = read(&signature_file(component), MAX_SIGNATURE_FILE)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A component's bytes.
///
/// # Errors
///
/// When they can't be read, or are over [`MAX_COMPONENT`].
pub fn read_component(path: &Path) -> io::Result<Vec<u8>> {
    let bytes = read(path, MAX_COMPONENT)?;
    match bytes.len() as u64 > MAX_COMPONENT {
        true => Err(io::Error::other(LoadProblem::TooLarge)),
        false => Ok(bytes),
    }
}

/// The file's bytes, one over `max` at most.
fn read(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    read_regular(path, max)
}
