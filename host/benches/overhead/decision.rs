//! A decision, beside the same component asked about the same record in a bare Wasmtime loop. The engine is configured
//! alike on both sides; the loop gives the guest fuel and epochs, since the compiled code asks for both.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::Path;
use tidegate::contract::{
    Facts, FailureKind, LocalFile, LocalState, ObjectInfo, Phase, Presence, RemoteState, Role,
    StoreFailure, StoreHealth, Trigger,
};
use tidegate::policy::{
    Chain, ComponentSource, GrantValues, Instances, Page, PolicySettings, Question, ReadFailure,
    Runtime, RuntimeSettings, StagedFile, StagingFailure, StateScope, Verdict, World, WriteFailure,
    WriteMode,
};
use tidegate::stream::{NodeId, StreamId};
use tidegate::time::Timestamp;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OperatorCost, PoolingAllocationConfig,
    Store,
};

use crate::{compare, each};

mod bindings {
    #![allow(missing_docs, unreachable_pub, reason = "generated")]
    wasmtime::component::bindgen!({
        path: "../wit/0.1",
        world: "writing-policy",
        imports: { default: async | trappable },
        exports: { default: async },
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

use bindings::exports::tidegate::policy::{existence, lifecycle};
use bindings::tidegate::policy::types as wit;

const SETTINGS: &str = "{}";
const FUEL: u64 = 50_000_000;
const COMPONENT: &[u8] = include_bytes!(concat!(env!("TIDEGATE_BUNDLED_DIR"), "/presence.wasm"));

pub(crate) async fn run() {
    let raw = Raw::new();
    let runtime = Runtime::new(RuntimeSettings::default()).unwrap();
    let facts = facts();
    for (name, instances) in [("fresh", Instances::Fresh), ("reused", Instances::Reuse)] {
        let settings = PolicySettings {
            instances,
            ..PolicySettings::new("presence", ComponentSource::Builtin("presence".to_owned()))
        };
        let policy = runtime.load(&settings).await.unwrap();
        let chain = Chain::new(Role::Existence, vec![policy]).unwrap();
        let mut store = raw.store();
        let instance = raw.instance(&mut store).await;
        let warm = std::sync::Arc::new(tokio::sync::Mutex::new((store, instance)));
        compare(
            &format!("a decision, {name} instance"),
            15,
            "1.3",
            || {
                let (raw, warm, facts) = (&raw, Arc::clone(&warm), &facts);
                async move {
                    match instances {
                        Instances::Fresh => each(2_000, || raw.decide_fresh(facts)).await,
                        Instances::Reuse => {
                            let mut warm = warm.lock().await;
                            let (store, instance) = &mut *warm;
                            let start = std::time::Instant::now();
                            for _ in 0..10_000 {
                                raw.decide(store, instance, facts).await;
                            }
                            start.elapsed() / 10_000
                        }
                    }
                }
            },
            || {
                let (chain, facts) = (&chain, &facts);
                let count = if instances == Instances::Fresh {
                    2_000
                } else {
                    10_000
                };
                each(count, move || async move {
                    let values = GrantValues::new("app", facts);
                    let asked = chain
                        .ask(
                            Question::Existence,
                            facts,
                            &|_| Arc::new(Nowhere),
                            &values,
                            None,
                        )
                        .await;
                    assert_eq!(asked.verdict, Some(Verdict::Existence(Presence::Present)));
                })
            },
        )
        .await;
    }
}

/// Wasmtime, and nothing else.
pub(crate) struct Raw {
    engine: Engine,
    policy: InstancePre<()>,
    lifecycle: lifecycle::GuestIndices,
    existence: existence::GuestIndices,
}

impl Raw {
    pub(crate) fn new() -> Self {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(80)
            .total_core_instances(80 * 32)
            .total_memories(80 * 4)
            .total_tables(80 * 16)
            .total_stacks(80)
            .max_unused_warm_slots(16)
            .linear_memory_keep_resident(1 << 20)
            .table_keep_resident(64 << 10)
            .async_stack_keep_resident(64 << 10)
            .pagemap_scan(Enabled::Auto);
        let mut config = Config::new();
        config
            .wasm_component_model(true)
            .concurrency_support(false)
            .gc_support(false)
            .shared_memory(false)
            .wasm_memory64(false)
            .wasm_multi_memory(true)
            .wasm_simd(true)
            .wasm_relaxed_simd(true)
            .relaxed_simd_deterministic(true)
            .cranelift_nan_canonicalization(true)
            .consume_fuel(true)
            .operator_cost(OperatorCost::new())
            .epoch_interruption(true)
            .max_wasm_stack(512 << 10)
            .async_stack_size(2 << 20)
            .async_stack_zeroing(true)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config).unwrap();
        let component = Component::from_binary(&engine, COMPONENT).unwrap();
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(&component).unwrap();
        let policy = linker.instantiate_pre(&component).unwrap();
        Self {
            lifecycle: lifecycle::GuestIndices::new(&policy).unwrap(),
            existence: existence::GuestIndices::new(&policy).unwrap(),
            engine,
            policy,
        }
    }

    fn store(&self) -> Store<()> {
        let mut store = Store::new(&self.engine, ());
        store.epoch_deadline_async_yield_and_update(1);
        store.set_epoch_deadline(1);
        store.set_fuel(FUEL).unwrap();
        store
    }

    async fn instance(&self, store: &mut Store<()>) -> existence::Guest {
        let instance = self.policy.instantiate_async(&mut *store).await.unwrap();
        let lifecycle = self.lifecycle.load(&mut *store, &instance).unwrap();
        let settled = lifecycle.call_configure(&mut *store, SETTINGS).await;
        settled.unwrap().unwrap();
        self.existence.load(&mut *store, &instance).unwrap()
    }

    async fn decide(&self, store: &mut Store<()>, instance: &existence::Guest, facts: &Facts) {
        store.set_fuel(FUEL).unwrap();
        store.set_epoch_deadline(1);
        let verdict = instance.call_check(store, record(facts)).await.unwrap();
        assert!(matches!(verdict, Ok(existence::Presence::Present)));
    }

    /// How long one of so many decisions takes, each by an instance of its own.
    pub(crate) async fn each_fresh(&self, count: u32) -> std::time::Duration {
        let facts = facts();
        each(count, || self.decide_fresh(&facts)).await
    }

    async fn decide_fresh(&self, facts: &Facts) {
        let mut store = self.store();
        let instance = self.instance(&mut store).await;
        self.decide(&mut store, &instance, facts).await;
    }
}

/// A staged schema that has stood for a minute, in the parseable layout.
pub(crate) fn facts() -> Facts {
    let now = Timestamp::from_millis(1_800_000_000_000);
    let before = Timestamp::from_millis(1_799_999_940_000);
    Facts {
        stream: StreamId::new("app"),
        node: NodeId::new("95659b0612138de"),
        now,
        node_seen: Timestamp::from_millis(1_799_000_000_000),
        phase: Phase::Synced,
        trigger: Trigger::Changed,
        attempts: 0,
        failing_since: None,
        absent_since: None,
        absences: 0,
        last_success: Some(before),
        previous_delay: None,
        local: LocalState::File(LocalFile {
            size: 2_000,
            modified: before,
            stable_since: before,
            fingerprint: 77,
            well_formed: true,
        }),
        remote: RemoteState::Missing { seen: before },
        staged_data_files: 1,
        oldest_data_file: Some(before),
        schema_key: "app/.stream/.ingestor.95659b0612138de.schema".to_owned(),
        peers_prefix: "app/.stream/".to_owned(),
        base_key: Some("app/.stream/.schema".to_owned()),
        defaults: Vec::new(),
        store: StoreHealth::default(),
        attributes: Vec::new(),
        entropy: 7,
    }
}

/// The same as the guest sees it.
fn record(facts: &Facts) -> wit::StreamFacts<'_> {
    let before = facts.oldest_data_file.map(Timestamp::as_millis);
    let time = before.unwrap_or_default();
    wit::StreamFacts {
        tenant: None,
        name: &facts.stream.name,
        node: facts.node.as_str(),
        now: facts.now.as_millis(),
        node_seen: facts.node_seen.as_millis(),
        phase: wit::Phase::Synced,
        trigger: wit::Trigger::Changed,
        attempts: 0,
        failing_since: None,
        absent_since: None,
        absences: 0,
        last_success: before,
        previous_delay: None,
        local: wit::LocalState::File(wit::LocalSchema {
            size: 2_000,
            modified: time,
            stable_since: time,
            fingerprint: 77,
            well_formed: true,
        }),
        remote: wit::RemoteState::Missing(time),
        staged_data_files: 1,
        oldest_data_file: before,
        schema_key: &facts.schema_key,
        peers_prefix: &facts.peers_prefix,
        base_key: facts.base_key.as_deref(),
        defaults: &[],
        store: wit::StoreHealth {
            last_success: None,
            failing_streams: 0,
            streams: 0,
        },
        attributes: &[],
        entropy: facts.entropy,
    }
}

/// Nothing is asked of it here.
pub(crate) struct Nowhere;

fn unreachable() -> StoreFailure {
    StoreFailure::new(FailureKind::Unavailable, "there is no world here")
}

#[async_trait]
impl World for Nowhere {
    async fn head(&self, _: &Path) -> Result<ObjectInfo, ReadFailure> {
        Err(ReadFailure::Store(unreachable()))
    }
    async fn get(&self, _: &Path, _: u64, _: u32) -> Result<(ObjectInfo, Bytes), ReadFailure> {
        Err(ReadFailure::Store(unreachable()))
    }
    async fn list(&self, _: &Path, _: Option<&str>, _: u32) -> Result<Page, ReadFailure> {
        Err(ReadFailure::Store(unreachable()))
    }
    async fn put(&self, _: &Path, _: Bytes, _: WriteMode) -> Result<ObjectInfo, WriteFailure> {
        Err(WriteFailure::Store(unreachable()))
    }
    async fn staged_files(&self) -> Result<Vec<StagedFile>, StagingFailure> {
        Ok(Vec::new())
    }
    async fn read_staged(&self, _: &str, _: u64, _: u32) -> Result<Bytes, StagingFailure> {
        Err(StagingFailure::NotFound)
    }
    async fn load_state(&self, _: StateScope, _: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }
    async fn count_state(&self, _: StateScope) -> Result<u32, String> {
        Ok(0)
    }
}
