//! Opens the parts of an agent.

use std::sync::Arc;

use super::place::check_ledger_place;
use super::policies::{Loaded, load_policies};
use super::probe::{check_store, verdict};
use super::{Agent, AgentError};
use crate::config::Settings;
use crate::ledger::{Ledger, LedgerReader};
use crate::policy::Recorder;
use crate::staging::{Identity, Staging, StagingDir};
use crate::storage::Store;
use crate::stream::NodeId;
use crate::sync::{
    Core, DEFAULT_ATTEMPTS_AT_ONCE, Gate, Health, Journal, LedgerJournal, PolicyWrites, Rehearsal,
    Scheduler, Writes,
};
use crate::time::{Clock, Entropy, SystemClock, SystemEntropy};

/// How an agent is opened.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Nothing is written, neither to the store nor to the ledger; it works beside a running agent.
    pub rehearse: bool,
    /// The store, for embedders who have opened one; else the one that the settings name is opened.
    pub store: Option<Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random words.
    pub entropy: Arc<dyn Entropy>,
    /// What keeps every decision.
    pub recorder: Option<Arc<dyn Recorder>>,
}

impl Default for Opening {
    fn default() -> Self {
        Self {
            rehearse: false,
            store: None,
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(SystemEntropy),
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
        store,
        clock,
        entropy,
        recorder,
    } = opening;
    let staging = open_staging(settings, rehearse).await?;
    let node = identify(&*staging, settings)?;
    check_ledger_place(settings)?;
    let store = match store {
        Some(store) => store,
        None => Store::open(&settings.store, Arc::clone(&clock))?,
    };
    let Loaded {
        runtime,
        policies,
        plan,
    } = load_policies(settings, Arc::clone(&clock)).await?;
    let now = clock.now();
    let path = &settings.ledger.path;
    let (ledger, journal, node_seen): (_, Arc<dyn Journal>, _) = if rehearse {
        let reader = if path.exists() {
            Some(LedgerReader::open(path)?)
        } else {
            None
        };
        (None, Arc::new(Rehearsal::new(reader, node.clone())), now)
    } else {
        let ledger = Ledger::open(path, settings.ledger.options(store.id().as_str()), now)?;
        for warning in ledger.warnings() {
            tracing::warn!("{warning}");
        }
        let node_seen = ledger.node_first_seen(&node, now).await?;
        (
            Some(ledger.clone()),
            Arc::new(LedgerJournal::new(ledger, node.clone())),
            node_seen,
        )
    };
    let writes = if rehearse || !settings.write {
        Writes::Rehearsed
    } else {
        match check_store(&store, &node, ledger.as_ref(), &*clock, &*entropy).await? {
            Ok(found) => verdict(&store, found, settings.store.conditional_writes)?,
            Err(failure) => {
                tracing::error!(
                    "the store could not be probed, and nothing is written until it is: {failure}"
                );
                Writes::Unprobed
            }
        }
    };
    let summaries = match &ledger {
        Some(ledger) => ledger.summaries(&node).await?,
        None => Vec::new(),
    };
    let open_writes = match &ledger {
        Some(ledger) => ledger.open_writes(&node).await?,
        None => Vec::new(),
    };
    let core = Arc::new(Core {
        node,
        node_seen,
        store,
        staging,
        layout: settings.staging.layout.clone(),
        journal,
        plan,
        clock,
        entropy,
        health: Health::default(),
        gate: Gate::new(writes),
        recorder,
        policy_writes: Arc::new(PolicyWrites::new(open_writes)),
        max_schema_size: settings.staging.max_schema_size,
    });
    Ok(Agent {
        scheduler: Scheduler::new(Arc::clone(&core), summaries, DEFAULT_ATTEMPTS_AT_ONCE),
        core,
        ledger,
        policies: policies.into_values().collect(),
        reported: Vec::new(),
        comparing: tokio::task::JoinSet::new(),
        settings: settings.clone(),
        _runtime: runtime,
    })
}

async fn open_staging(settings: &Settings, rehearse: bool) -> Result<Arc<dyn Staging>, AgentError> {
    let settings = settings.staging.clone();
    let opened = tokio::task::spawn_blocking(move || match rehearse {
        true => StagingDir::open_beside(settings),
        false => StagingDir::open(settings),
    });
    match opened.await {
        Ok(opened) => Ok(Arc::new(opened?)),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
