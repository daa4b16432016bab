//! Policies as they are loaded for measuring, and what loading them costs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::error::BenchError;
use super::report::Loading;
use crate::contract::Role;
use crate::policy::{
    ComponentSource, Grants, Limits, LoadError, MAX_INSTANCES, MAX_MEMORY, PolicySettings, Runtime,
    RuntimeSettings,
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
    cache: Option<&Path>,
    (slots, idle): (u16, u16),
) -> Result<Runtime, BenchError> {
    Ok(Runtime::new(RuntimeSettings {
        slots,
        idle,
        yield_every: None,
        cache: cache.map(Path::to_owned),
        clock: Arc::clone(clock),
    })?)
}

/// What everything is measured in, side by side.
pub(super) fn roomy_runtime(
    clock: &Arc<dyn Clock>,
    cache: Option<&Path>,
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

/// A compile cache in a directory that goes with the first of the two. The cache makes its own: nobody else may enter it.
pub(super) fn empty_cache() -> Result<(TempDir, PathBuf), BenchError> {
    let dir = tempfile::tempdir().map_err(BenchError::Cache)?;
    let cache = dir.path().join("compiled");
    Ok((dir, cache))
}

/// Loads the policy with an empty compile cache in this directory, and again from it: what two processes one after the
/// other would wait for.
pub(super) async fn loading(
    settings: &PolicySettings,
    clock: &Arc<dyn Clock>,
    cache: &Path,
) -> Result<Loading, BenchError> {
    let timed = || async {
        let runtime = runtime(clock, Some(cache), (1, 0))?;
        let start = clock.monotonic();
        runtime.load(settings).await?;
        Ok::<_, BenchError>(clock.monotonic().saturating_sub(start))
    };
    let compile = timed().await?;
    // A cache that can't be used is left out silently, and the second time would tell the first one again.
    let kept = std::fs::read_dir(cache).map_err(BenchError::Cache)?.count();
    if kept == 0 {
        let error = std::io::Error::other("nothing was kept there");
        return Err(BenchError::Cache(error));
    }
    let load = timed().await?;
    Ok(Loading { compile, load })
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
