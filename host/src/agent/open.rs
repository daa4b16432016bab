//! Opens the parts of an agent.

use std::sync::Arc;

use super::compile_cache::with_compile_cache;
use super::place::check_ledger_place;
use super::policies::{Loaded, load_policies, runtime_settings};
use super::probe::{check_store, unprobed, verdict};
use super::recognize::{Finding, Recognition, recognize};
use super::vitals::Vitals;
use super::{Agent, AgentError};
use crate::config::Settings;
use crate::ledger::{CheckResult, Heartbeat, Ledger, LedgerReader, StoreCheck, adopt};
use crate::policy::{Recorder, Runtime};
use crate::staging::{Identity, Staging, StagingDir, StagingError};
use crate::storage::Store;
use crate::stream::NodeId;
use crate::sync::{
    Causes, Core, DEFAULT_ATTEMPTS_AT_ONCE, Gate, Health, Journal, LedgerJournal, Memory,
    PolicyWrites, Rehearsal, Scheduler, Seen, Writes,
};
use crate::tasks::{Tasks, TokioTasks};
use crate::time::{Clock, Entropy, SystemClock, SystemEntropy};

/// How an agent is opened. What is left out comes from the settings and the system.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Nothing is written, neither to the store nor to the ledger; it works beside a running agent.
    pub rehearse: bool,
    /// Whether this is the node's agent, whose reports `tidegate status` shows, and not a command beside it.
    pub reports: bool,
    /// The store.
    pub store: Option<Store>,
    /// The staging directory.
    pub staging: Option<Arc<dyn Staging>>,
    /// The node's memory, in place of a ledger.
    pub memory: Option<Arc<dyn Memory>>,
    /// The policies, on this node.
    pub policies: Option<Loaded>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random words.
    pub entropy: Arc<dyn Entropy>,
    /// Where work runs.
    pub tasks: Arc<dyn Tasks>,
    /// What keeps every decision.
    pub recorder: Option<Arc<dyn Recorder>>,
}

impl Default for Opening {
    fn default() -> Self {
        Self {
            rehearse: false,
            reports: true,
            store: None,
            staging: None,
            memory: None,
            policies: None,
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(SystemEntropy),
            tasks: Arc::new(TokioTasks),
            recorder: None,
        }
    }
}

/// Which node's staging directory this is.
///
/// # Errors
///
/// It can't be told, or not yet.
pub fn identify(staging: &dyn Staging, settings: &Settings) -> Result<NodeId, AgentError> {
    match staging.identify()? {
        Identity::Known(node) => Ok(node),
        Identity::NotYet => Err(AgentError::NoIdentity {
            dir: settings.staging.dir.display().to_string(),
        }),
    }
}

impl Agent {
    /// Opens the agent that a configuration describes, on the system's clock.
    ///
    /// A store that does not answer is no error: nothing is written until it was probed.
    ///
    /// # Errors
    ///
    /// See [`AgentError`].
    pub async fn open(settings: &Settings) -> Result<Self, AgentError> {
        open_parts(settings, Opening::default()).await
    }
}

/// Opens an agent with parts of the caller's: a store, a clock, randomness.
///
/// # Errors
///
/// See [`AgentError`].
pub async fn open_parts(settings: &Settings, opening: Opening) -> Result<Agent, AgentError> {
    let Opening {
        rehearse,
        reports,
        store,
        staging,
        memory,
        policies,
        clock,
        entropy,
        tasks,
        recorder,
    } = opening;
    let staging = match staging {
        Some(staging) => staging,
        None => open_staging(settings, rehearse, &*tasks).await?,
    };
    let node = identify(&*staging, settings)?;
    if memory.is_none() {
        check_ledger_place(settings)?;
    }
    let store = match store {
        Some(store) => store,
        None => Store::open(&settings.store, Arc::clone(&clock))?,
    };
    let loaded = match policies {
        Some(loaded) => loaded,
        None => {
            let runtime = runtime_settings(settings, Arc::clone(&clock));
            let runtime = Runtime::new(with_compile_cache(runtime, settings))?;
            load_policies(runtime, settings).await?
        }
    };
    let (memory, adopted) = match memory {
        Some(memory) => (memory, false),
        None => open_memory(settings, rehearse, &node, &store, &*clock).await?,
    };
    let mut vitals = Vitals::new(clock.now(), reports && memory.keeps_heartbeats());
    let node_seen = Seen::new(memory.first_seen(clock.now()).await?);
    let beat = vitals.heartbeat(settings, clock.now());
    // Before the store is asked, since a start can take long.
    if vitals.are_kept {
        memory.set_heartbeat(beat).await?;
    }
    let gate = if rehearse || !settings.write {
        vitals.store_check.result = CheckResult::Off;
        Gate::new(Writes::Rehearsed)
    } else {
        let checked = check_store(&store, &node, &*memory, &*clock, &*entropy).await?;
        match checked {
            Ok(found) => match verdict(&store, found.support, settings.store.conditional_writes) {
                Ok(writes) => {
                    vitals.store_passed(found, &*clock);
                    Gate::new(writes)
                }
                Err(error) => {
                    vitals.store_check = StoreCheck {
                        result: CheckResult::Failed,
                        detail: error.to_string(),
                        at: Some(clock.now()),
                    };
                    let beat = Heartbeat {
                        stopped: true,
                        ..vitals.heartbeat(settings, clock.now())
                    };
                    // The refusal is what counts, not whether it can be recorded.
                    if vitals.are_kept {
                        let _ = memory.set_heartbeat(beat).await;
                    }
                    return Err(error);
                }
            },
            Err(failure) => {
                vitals.store_failed(failure.to_string(), unprobed(&store, &failure), &*clock);
                Gate::unchecked(failure)
            }
        }
    };
    let summaries = memory.summaries().await?;
    let open_writes = memory.open_writes().await?;
    let core = Arc::new(Core {
        node,
        node_seen,
        store,
        staging,
        layout: settings.staging.layout.clone(),
        journal: Arc::clone(&memory) as Arc<dyn Journal>,
        plan: loaded.plan,
        clock,
        entropy,
        tasks,
        health: Health::default(),
        causes: Causes::default(),
        gate,
        recorder,
        policy_writes: Arc::new(PolicyWrites::new(open_writes)),
        max_schema_size: settings.staging.max_schema_size,
    });
    Ok(Agent {
        scheduler: Scheduler::new(Arc::clone(&core), summaries, DEFAULT_ATTEMPTS_AT_ONCE),
        core,
        memory,
        policies: loaded.policies.into_values().collect(),
        reported: Vec::new(),
        vitals,
        comparing: None,
        settings: settings.clone(),
        adopted,
        _runtime: loaded.runtime,
    })
}

/// Opens the node's ledger, read-only for a rehearsal. Also returns whether it was adopted for this store since the
/// last start.
async fn open_memory(
    settings: &Settings,
    rehearse: bool,
    node: &NodeId,
    store: &Store,
    clock: &dyn Clock,
) -> Result<(Arc<dyn Memory>, bool), AgentError> {
    let path = &settings.ledger.path;
    if let Some(recognition) = recognize(settings, store, false).await? {
        if let Some(refusal) = recognition.refusal(settings) {
            return Err(refusal);
        }
        if !rehearse {
            adopt(path, &recognition.recorded, &recognition.configured)?;
            let Recognition {
                recorded,
                configured,
                compared,
                ..
            } = &recognition;
            let known = recognition.count(Finding::is_proof);
            tracing::info!(
                "the ledger was about the store {recorded} and is now about {configured}; compared streams that are \
                 the same there: {known} of {}",
                compared.len()
            );
        }
    }
    if rehearse {
        let reader = path
            .exists()
            .then(|| LedgerReader::open(path))
            .transpose()?;
        return Ok((Arc::new(Rehearsal::new(reader, node.clone())), false));
    }
    let options = settings.ledger.options(store.id().as_str());
    let ledger = Ledger::open(path, options, clock.now())?;
    for warning in ledger.warnings() {
        tracing::warn!("{warning}");
    }
    let adopted = ledger.was_adopted();
    Ok((Arc::new(LedgerJournal::new(ledger, node.clone())), adopted))
}

pub(super) async fn open_staging(
    settings: &Settings,
    rehearse: bool,
    tasks: &dyn Tasks,
) -> Result<Arc<dyn Staging>, AgentError> {
    let (dir, settings) = (settings.staging.dir.clone(), settings.staging.clone());
    let opened = tasks.block(move || match rehearse {
        true => StagingDir::open_beside(settings),
        false => StagingDir::open(settings),
    });
    match opened.await {
        Ok(opened) => Ok(Arc::new(opened?)),
        Err(interrupted) => Err(AgentError::Staging(StagingError::Open {
            dir,
            source: std::io::Error::other(interrupted),
        })),
    }
}
