//! Policies as they are loaded for measuring, and what loading them costs.

use std::sync::Arc;

use tempfile::TempDir;

use super::error::BenchError;
use super::report::Loading;
use crate::contract::Role;
use crate::policy::{
    CompileCache, ComponentSource, Grants, Limits, LoadError, MAX_INSTANCES, MAX_MEMORY,
    PolicySettings, Runtime, RuntimeSettings,
};
use crate::time::Clock;

/// How much more than the defaults a policy may use while it is measured: what it really needs is to be seen.
const ROOM: u64 = 100;

/// Decisions that may be under way at once: of all nodes of a scenario's world.
const SLOTS: u16 = 512;

/// Idle instances: one for each decision that is measured with reused ones, and those of a scenario's world.
const IDLE: u16 = 256;

/// The bundled policy that a role is mostly filled by.
pub(super) fn bundled(role: Role) -> &'static str {
    match role {
        Role::Existence => "presence",
        Role::Fallback => "ladder",
        Role::Retry => "backoff",
    }
}

/// What runs policies, to their end and without interruptions: fuel bounds them.
fn runtime(
    clock: &Arc<dyn Clock>,
    cache: &CompileCache,
    (slots, idle): (u16, u16),
) -> Result<Runtime, BenchError> {
    Ok(Runtime::new(RuntimeSettings {
        slots,
        idle,
        yield_every: None,
        cache: Some(cache.clone()),
        clock: Arc::clone(clock),
    })?)
}

/// What everything is measured in, side by side.
pub(super) fn roomy_runtime(
    clock: &Arc<dyn Clock>,
    cache: &CompileCache,
) -> Result<Runtime, BenchError> {
    runtime(clock, cache, (SLOTS, IDLE))
}

/// A policy without bounds that it could notice. It may read where the stream's schemas are, as bundled policies may.
pub(super) fn roomy(
    name: &str,
    component: ComponentSource,
    settings: serde_json::Value,
) -> PolicySettings {
    let defaults = Limits::default();
    PolicySettings {
        settings,
        limits: Limits {
            fuel: defaults.fuel.saturating_mul(ROOM),
            memory: MAX_MEMORY,
            deadline: defaults.deadline.saturating_mul(ROOM as u32),
            instances: MAX_INSTANCES,
            ..defaults
        },
        grants: Grants {
            read: vec!["{root}/".to_owned()],
            write: Vec::new(),
        },
        quarantine_after: 0,
        ..PolicySettings::new(name, component)
    }
}

/// The compile cache if it can be used, else an empty one in a temporary directory, which is returned with it. The
/// cache creates a directory of its own in there, since no other user may enter it.
pub(super) fn kept_or_empty(
    cache: Option<CompileCache>,
    clock: &Arc<dyn Clock>,
) -> Result<(Option<TempDir>, CompileCache), BenchError> {
    if let Some(cache) = cache
        && runtime(clock, &cache, (1, 0))?.keeps_compiled()
    {
        return Ok((None, cache));
    }
    let dir = tempfile::tempdir().map_err(BenchError::Cache)?;
    let cache = CompileCache::new(dir.path().join("compiled"));
    Ok((Some(dir), cache))
}

/// Loads the policy, so that its compiled form is in the cache, and again from there, as two processes in a row would.
/// It is not compiled twice: how long compiling took is kept with the compiled form.
pub(super) async fn loading(
    settings: &PolicySettings,
    clock: &Arc<dyn Clock>,
    cache: &CompileCache,
) -> Result<Loading, BenchError> {
    runtime(clock, cache, (1, 0))?.load(settings).await?;
    let runtime = runtime(clock, cache, (1, 0))?;
    let start = clock.monotonic();
    let policy = runtime.load(settings).await?;
    let load = clock.monotonic().saturating_sub(start);
    Ok(Loading {
        compile: policy.compile_time().saturating_add(load),
        load,
    })
}

/// Why the policy can't be used under the limits that operators begin with, in words.
pub(super) async fn beyond_defaults(
    settings: &PolicySettings,
    runtime: &Runtime,
) -> Option<LoadError> {
    let settings = PolicySettings {
        limits: Limits::default(),
        ..settings.clone()
    };
    runtime.load(&settings).await.err()
}
