//! The one engine configuration for production and sandbox, and the thread that ticks its epochs.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OperatorCost, PoolingAllocationConfig,
};

use super::limits::{MAX_INSTANCES, MAX_MEMORIES, MAX_TABLE_ELEMENTS, MAX_TABLES};

/// A guest's stack. How deep a recursion it holds depends on the architecture.
const GUEST_STACK: usize = 512 << 10;
/// The stack that a call runs on: the guest's and what the host's functions need above it.
const CALL_STACK: usize = 2 << 20;
/// Memory of an unused slot that stays mapped and is zeroed by hand: it saves the page faults that would cost more than
/// the decision itself.
const RESIDENT_MEMORY: usize = 2 << 20;
/// The same for the calls' stacks.
const RESIDENT_STACK: usize = 64 << 10;
/// The same for tables.
const RESIDENT_TABLE: usize = 64 << 10;
/// Unused slots that keep what they hold resident; a node rarely decides about more streams at once.
const WARM_SLOTS: u32 = 16;
/// Metadata of one component's instances. Python's takes more than Wasmtime's default of 1 MiB.
const INSTANCE_METADATA: usize = 4 << 20;

/// Where instances come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocation {
    /// Slots reserved at start: a fresh instance takes some 12 µs.
    Pooled,
    /// Made by the system each time, some 60 µs, where the address space for a pool could not be reserved.
    OnDemand,
}

/// An engine with as many slots, pooled where the system allows it.
pub(super) fn build(slots: u32) -> wasmtime::Result<(Engine, Allocation)> {
    let mut config = configuration()?;
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(slots)));
    match Engine::new(&config) {
        Ok(engine) => Ok((engine, Allocation::Pooled)),
        Err(error) => {
            tracing::warn!(
                %error,
                "no address space for a pool of {slots} policy instances: each is made on demand, which is slower"
            );
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            Ok((Engine::new(&config)?, Allocation::OnDemand))
        }
    }
}

/// What makes two engines' code and fuel comparable: Wasmtime's version and every setting that changes either.
pub(super) fn compatibility(engine: &Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

/// Everything that could make two runs or two machines differ is stated, also where it is Wasmtime's default today:
/// defaults change with versions and with features that other crates turn on. Threads, GC and exceptions have no switch
/// here: they are off as long as nobody turns on Wasmtime's features of these names, and a test watches that.
fn configuration() -> wasmtime::Result<Config> {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .gc_support(false)
        .shared_memory(false)
        .wasm_memory64(false)
        .wasm_custom_page_sizes(false)
        .wasm_multi_memory(true)
        .wasm_simd(true)
        .wasm_relaxed_simd(true)
        .relaxed_simd_deterministic(true)
        .cranelift_nan_canonicalization(true)
        .consume_fuel(true)
        .operator_cost(OperatorCost::new())
        .epoch_interruption(true)
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(CALL_STACK)
        .async_stack_zeroing(true);
    Ok(config)
}

fn pool(slots: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(MAX_INSTANCES))
        .total_memories(slots.saturating_mul(MAX_MEMORIES))
        .total_tables(slots.saturating_mul(MAX_TABLES))
        .total_stacks(slots)
        .max_component_instance_size(INSTANCE_METADATA)
        .max_core_instance_size(INSTANCE_METADATA)
        .max_core_instances_per_component(MAX_INSTANCES)
        .max_memories_per_component(MAX_MEMORIES)
        .max_tables_per_component(MAX_TABLES)
        .max_memories_per_module(MAX_MEMORIES)
        .max_tables_per_module(MAX_TABLES)
        .table_elements(MAX_TABLE_ELEMENTS as usize)
        .max_unused_warm_slots(WARM_SLOTS)
        .linear_memory_keep_resident(RESIDENT_MEMORY)
        .table_keep_resident(RESIDENT_TABLE)
        .async_stack_keep_resident(RESIDENT_STACK)
        // `Yes` would fail on kernels before 6.7.
        .pagemap_scan(Enabled::Auto);
    pool
}

/// A thread that ticks an engine's epoch, so that a long computation yields to the other streams and its deadline is
/// seen. It ends with this value.
#[derive(Debug)]
pub(super) struct Ticker {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(super) fn start(engine: Engine, tick: Duration) -> std::io::Result<Self> {
        let (stop, stopped) = sync_channel(0);
        let thread = std::thread::Builder::new()
            .name("tidegate-epoch".to_owned())
            .spawn(move || {
                while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(tick) {
                    engine.increment_epoch();
                }
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It only fails when the thread panicked, and then there is nothing left to stop.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooled_and_on_demand_engines_share_compiled_code() {
        let (pooled, allocation) = build(2).unwrap();
        assert_eq!(allocation, Allocation::Pooled);
        let on_demand = Engine::new(&configuration().unwrap()).unwrap();
        assert_eq!(compatibility(&pooled), compatibility(&on_demand));
    }

    #[test]
    fn what_would_make_machines_differ_is_off() {
        let (engine, _) = build(1).unwrap();
        for module in [
            "(module (memory 1 1 shared))",
            "(module (memory i64 1))",
            "(module (func (param i32) (drop (i32.atomic.load (local.get 0)))) (memory 1))",
            "(module (type (struct)))",
            "(module (tag))",
            "(module (memory 1 (pagesize 1)))",
        ] {
            let binary = wat::parse_str(module).unwrap();
            assert!(
                wasmtime::Module::from_binary(&engine, &binary).is_err(),
                "{module}"
            );
        }
    }

    #[test]
    fn a_pool_that_does_not_fit_falls_back_to_on_demand() {
        let (_, allocation) = build(10_000_000).unwrap();
        assert_eq!(allocation, Allocation::OnDemand);
    }

    #[test]
    fn the_ticker_stops_with_its_owner() {
        let (engine, _) = build(1).unwrap();
        let weak = engine.weak();
        drop(Ticker::start(engine, Duration::from_secs(3600)).unwrap());
        assert!(weak.upgrade().is_none());
    }
}
