//! What all policies of a process share: the engine, the linkers, the slots, the compile cache.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::Engine;
use wasmtime::component::Linker;

use super::cache::{Cache, CompileCache};
use super::engine::{self, Allocation, Ticker};
use super::host::{self, Call};
use super::slots::Slots;
use super::source::Known;
use crate::contract::ContractVersion;
use crate::time::{Clock, SystemClock};

/// How a runtime is set up.
#[derive(Clone, Debug)]
pub struct RuntimeSettings {
    /// Decisions that run at once; further ones wait for a slot.
    pub slots: u16,
    /// Instances that wait for their next decision besides, of all policies with `instances = "reuse"` together.
    pub idle: u16,
    /// How often a long computation yields, and its deadline is looked at. `None` never interrupts: for the sandbox,
    /// where fuel alone bounds computation and virtual time does not pass during it.
    pub yield_every: Option<Duration>,
    /// Where compiled components are kept. `None` compiles at each start.
    pub cache: Option<CompileCache>,
    /// What deadlines and quarantines are measured by.
    pub clock: Arc<dyn Clock>,
}

impl Default for RuntimeSettings {
    fn default() -> Self {
        Self {
            slots: 64,
            idle: 16,
            yield_every: Some(Duration::from_millis(10)),
            cache: None,
            clock: Arc::new(SystemClock::new()),
        }
    }
}

/// Loads policies and runs them. Cheap to clone; the epoch thread ends with the last clone and policy.
#[derive(Clone)]
pub struct Runtime(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) engine: Engine,
    /// The versions of the contract that policies may be built for.
    pub(super) spoken: &'static [ContractVersion],
    pub(super) linker: Linker<Call>,
    pub(super) writing_linker: Linker<Call>,
    /// Those of the process's own node.
    pub(super) slots: Slots,
    pub(super) cache: Option<Cache>,
    pub(super) known: Known,
    allocation: Allocation,
    ticker: Option<Ticker>,
}

impl Shared {
    /// Whether computations are interrupted from time to time.
    pub(super) fn yields(&self) -> bool {
        self.ticker.is_some()
    }
}

/// The machine does not allow policies to run.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Wasmtime can't be set up.
    #[error("can't set up WebAssembly on this machine")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No thread for the epochs.
    #[error("can't start the thread that bounds policies' time")]
    Ticker(#[source] std::io::Error),
    /// No slots.
    #[error("a runtime needs at least one slot for policies")]
    NoSlots,
}

impl Runtime {
    /// Sets up the engine. A compile cache that can't be used is warned about and left out.
    ///
    /// # Errors
    ///
    /// When the machine allows no native code to be made, or no thread.
    pub fn new(settings: RuntimeSettings) -> Result<Self, RuntimeError> {
        Self::speaking(settings, ContractVersion::SPOKEN)
    }

    /// As [`new`](Self::new), for these versions of the contract.
    pub(super) fn speaking(
        settings: RuntimeSettings,
        spoken: &'static [ContractVersion],
    ) -> Result<Self, RuntimeError> {
        if settings.slots == 0 {
            return Err(RuntimeError::NoSlots);
        }
        let failed = |error: wasmtime::Error| RuntimeError::Engine(error.into());
        let instances = u32::from(settings.slots) + u32::from(settings.idle);
        let (engine, allocation) = engine::build(instances).map_err(failed)?;
        let ticker = settings
            .yield_every
            .map(|tick| Ticker::start(engine.clone(), tick))
            .transpose()
            .map_err(RuntimeError::Ticker)?;
        let cache = settings.cache.as_ref().and_then(Cache::open_or_warn);
        Ok(Self(Arc::new(Shared {
            linker: host::linker(&engine, spoken, false).map_err(failed)?,
            writing_linker: host::linker(&engine, spoken, true).map_err(failed)?,
            engine,
            spoken,
            slots: Slots::new(settings.slots, settings.idle, settings.clock),
            cache,
            known: Known::default(),
            allocation,
            ticker,
        })))
    }

    /// Checks whether a compile cache in this directory could be used, without creating anything.
    ///
    /// # Errors
    ///
    /// The directory can't be created or written, belongs to another user, or is open to others.
    pub fn examine_cache(directory: &Path) -> std::io::Result<()> {
        Cache::examine(directory)
    }

    /// What makes fuel and compiled code comparable: the same in every process with the same build of Tidegate on the
    /// same kind of processor.
    pub fn engine_hash(&self) -> u64 {
        engine::compatibility(&self.0.engine)
    }

    /// The versions of the contract that policies may be built for, the oldest first.
    pub fn contracts(&self) -> &'static [ContractVersion] {
        self.0.spoken
    }

    /// Whether compiled components are kept.
    pub fn keeps_compiled(&self) -> bool {
        self.0.cache.is_some()
    }

    /// Where instances come from.
    pub fn allocation(&self) -> Allocation {
        self.0.allocation
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("allocation", &self.0.allocation)
            .field("free_slots", &self.0.slots.free())
            .finish_non_exhaustive()
    }
}
