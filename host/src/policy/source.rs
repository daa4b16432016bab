//! From where a component comes to its compiled form.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime::Engine;
use wasmtime::component::Component;

use super::cache::{Built, Cache};
use super::load_error::LoadProblem;
use crate::digest::Digest;
use crate::registry::{Reference, RegistrySettings};
use crate::text::counted;
use crate::time::{Clock as _, SystemClock};

pub use crate::registry::MAX_COMPONENT;

/// Where a policy's component comes from. Always a `.wasm`: compiled code is taken from no one.
#[derive(Clone, PartialEq, Eq)]
pub enum ComponentSource {
    /// A bundled policy of this name.
    Builtin(String),
    /// A file.
    File(PathBuf),
    /// A registry, or what was pulled from it before.
    Registry(Reference, Arc<RegistrySettings>),
    /// The component itself, for embedders.
    Bytes(Arc<[u8]>),
}

impl fmt::Display for ComponentSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ComponentSource::Builtin(name) => write!(f, "builtin:{name}"),
            ComponentSource::File(path) => write!(f, "{}", path.display()),
            ComponentSource::Registry(reference, _) => reference.fmt(f),
            ComponentSource::Bytes(bytes) => {
                write!(f, "a component of {}", counted(bytes.len(), "byte"))
            }
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
    pub(super) built: Built,
}

/// Components that a runtime has compiled, so that policies of the same component share its code.
#[derive(Default)]
pub(super) struct Known(Mutex<BTreeMap<Digest, Built>>);

/// Components that are kept for further policies; more than these are compiled for each.
const MAX_KNOWN: usize = 64;

impl Known {
    fn get(&self, digest: &Digest) -> Option<Built> {
        self.all().get(digest).cloned()
    }

    fn add(&self, digest: Digest, built: &Built) {
        let mut all = self.all();
        if all.len() < MAX_KNOWN {
            all.insert(digest, built.clone());
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Digest, Built>> {
        // An entry is added as a whole or not at all.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compares a component with its pin, and compiles it or takes it from what is known or the cache. Blocks for
/// as long as the compiler takes.
pub(super) fn compile(
    engine: &Engine,
    known: &Known,
    cache: Option<&Cache>,
    bytes: &[u8],
    pin: Option<Digest>,
) -> Result<Compiled, LoadProblem> {
    let digest = Digest::of(bytes);
    if let Some(expected) = pin.filter(|pin| *pin != digest) {
        return Err(LoadProblem::DigestMismatch {
            expected,
            found: digest,
        });
    }
    check_header(bytes)?;
    if let Some(built) = known.get(&digest) {
        return Ok(Compiled { digest, built });
    }
    let built = match cache.and_then(|cache| cache.load(engine, &digest)) {
        Some(built) => built,
        None => {
            // The machine's own time, also for policies of a simulated world: compiling is not part of that.
            let clock = SystemClock::new();
            let component = Component::from_binary(engine, bytes)
                .map_err(|error| LoadProblem::Compile(error.into()))?;
            let took = clock.monotonic();
            let built = Built { component, took };
            match cache {
                Some(cache) => cache.keep(engine, &digest, built),
                None => built,
            }
        }
    };
    known.add(digest, &built);
    Ok(Compiled { digest, built })
}

/// A WebAssembly binary begins with a magic number, a version and a layer: 0 for core modules, 1 for components.
fn check_header(bytes: &[u8]) -> Result<(), LoadProblem> {
    match bytes {
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', _, _, 0, 0, ..] => Err(LoadProblem::CoreModule),
        _ => Err(LoadProblem::NotWasm),
    }
}
