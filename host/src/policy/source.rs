//! From where a component comes to its compiled form.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime::Engine;
use wasmtime::component::Component;

use super::builtin;
use super::cache::Cache;
use super::load_error::LoadProblem;
use crate::digest::Digest;

/// The largest component that is loaded, in bytes. Python's interpreter makes one of 18 MiB.
pub const MAX_COMPONENT: u64 = 64 << 20;

/// Where a policy's component comes from. Always a `.wasm`: compiled code is taken from no one.
#[derive(Clone, PartialEq, Eq)]
pub enum ComponentSource {
    /// A bundled policy of this name.
    Builtin(String),
    /// A file.
    File(PathBuf),
    /// The component itself, for embedders.
    Bytes(Arc<[u8]>),
}

impl ComponentSource {
    /// The component as it is, whatever it is; see [`Runtime::inspect`](super::Runtime::inspect) for what.
    ///
    /// # Errors
    ///
    /// When it can't be read, no bundled policy has that name, or it is over [`MAX_COMPONENT`].
    pub fn read(&self) -> Result<Arc<[u8]>, LoadProblem> {
        let bytes: Arc<[u8]> = match self {
            ComponentSource::Builtin(name) => builtin::component(name)
                .ok_or_else(|| LoadProblem::UnknownBuiltin(name.clone()))?
                .into(),
            ComponentSource::Bytes(bytes) => Arc::clone(bytes),
            ComponentSource::File(path) => read_file(path)
                .map_err(|source| LoadProblem::Read {
                    path: path.clone(),
                    source,
                })?
                .into(),
        };
        if bytes.len() as u64 > MAX_COMPONENT {
            return Err(LoadProblem::TooLarge);
        }
        Ok(bytes)
    }
}

impl fmt::Display for ComponentSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ComponentSource::Builtin(name) => write!(f, "builtin:{name}"),
            ComponentSource::File(path) => write!(f, "{}", path.display()),
            ComponentSource::Bytes(bytes) => write!(f, "a component of {} bytes", bytes.len()),
        }
    }
}

impl fmt::Debug for ComponentSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ComponentSource({self})")
    }
}

/// A component that was read, pinned and compiled.
pub(super) struct Compiled {
    pub(super) digest: Digest,
    pub(super) component: Component,
}

/// Components that a runtime has compiled, so that policies of the same component share its code.
#[derive(Default)]
pub(super) struct Known(Mutex<BTreeMap<Digest, Component>>);

/// Components that are kept for further policies; more than these are compiled for each.
const MAX_KNOWN: usize = 64;

impl Known {
    fn get(&self, digest: &Digest) -> Option<Component> {
        self.all().get(digest).cloned()
    }

    fn add(&self, digest: Digest, component: &Component) {
        let mut all = self.all();
        if all.len() < MAX_KNOWN {
            all.insert(digest, component.clone());
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Digest, Component>> {
        // An entry is added as a whole or not at all.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a component, compares it with its pin, and compiles it or takes it from what is known or the cache. Blocks for
/// as long as the compiler takes.
pub(super) fn compile(
    engine: &Engine,
    known: &Known,
    cache: Option<&Cache>,
    source: &ComponentSource,
    pin: Option<Digest>,
) -> Result<Compiled, LoadProblem> {
    let bytes = source.read()?;
    let digest = Digest::of(&bytes);
    if let Some(expected) = pin.filter(|pin| *pin != digest) {
        return Err(LoadProblem::DigestMismatch {
            expected,
            found: digest,
        });
    }
    check_header(&bytes)?;
    if let Some(component) = known.get(&digest) {
        return Ok(Compiled { digest, component });
    }
    if let Some(component) = cache.and_then(|cache| cache.load(engine, &digest)) {
        known.add(digest, &component);
        return Ok(Compiled { digest, component });
    }
    let component = Component::from_binary(engine, &bytes)
        .map_err(|error| LoadProblem::Compile(error.into()))?;
    known.add(digest, &component);
    if let Some(cache) = cache
        && let Err(error) = cache.store(engine, &digest, &component)
    {
        tracing::warn!(%error, "can't keep a compiled policy in the cache: the next start compiles it again");
    }
    Ok(Compiled { digest, component })
}

/// The file's bytes, one over [`MAX_COMPONENT`] at most.
fn read_file(path: &PathBuf) -> io::Result<Vec<u8>> {
    // Looked at before it is opened: opening a named pipe would wait for ever.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_COMPONENT + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A WebAssembly binary begins with a magic number, a version and a layer: 0 for core modules, 1 for components.
fn check_header(bytes: &[u8]) -> Result<(), LoadProblem> {
    match bytes {
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', _, _, 0, 0, ..] => Err(LoadProblem::CoreModule),
        _ => Err(LoadProblem::NotWasm),
    }
}
