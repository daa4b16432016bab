//! An agent that waits for its node. It holds the ledger and reports meanwhile, so that `status` knows what it does.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;

use super::conditions::REMIND_EVERY;
use super::open::{identify, open_staging};
use super::place::check_ledger_place;
use super::vitals::{Vitals, in_one_line};
use super::{AgentError, Opening};
use crate::config::Settings;
use crate::ledger::{Condition, ConditionKind, Heartbeat, Ledger, LedgerError};
use crate::staging::{IdentityError, StagingError};
use crate::storage::Store;
use crate::time::{Clock, Timestamp, in_short};

impl AgentError {
    /// Whether the agent only came before its node: the staging directory, or the identity in it, is missing or being
    /// written.
    pub fn is_early(&self) -> bool {
        match self {
            AgentError::NoIdentity { .. } | AgentError::Identity(IdentityError::CutOff { .. }) => {
                true
            }
            AgentError::Staging(StagingError::Open { source, .. }) => {
                source.kind() == std::io::ErrorKind::NotFound
            }
            _ => false,
        }
    }
}

/// Waits until the node has written its identity; false if `stop` ends the wait. `cause` is what kept the agent from
/// being opened. It is logged, and reported to the ledger as a condition.
///
/// # Errors
///
/// The ledger or the store's configuration can't be used, or the node's identity can't be read.
pub async fn wait_for_node(
    settings: &Settings,
    opening: &Opening,
    cause: &AgentError,
    stop: impl Future<Output = ()>,
) -> Result<bool, AgentError> {
    check_ledger_place(settings)?;
    let mut stop = pin!(stop.fuse());
    let clock = &*opening.clock;
    let ledger = open_ledger(settings, opening)?;
    let mut wait = Wait {
        settings,
        vitals: Vitals::new(clock.now(), true),
        since: clock.now(),
        kind: kind_of(cause),
        cause: cause.to_string(),
        logged: clock.monotonic(),
        reported: None,
    };
    tracing::info!("waiting for the node: {}", wait.cause);
    let arrived = loop {
        wait.report(ledger.as_ref(), clock).await;
        tokio::select! {
            biased;
            () = &mut stop => break Ok(false),
            () = clock.sleep(settings.scan_interval.min(settings.ledger.heartbeat_interval)) => {}
        }
        let staging = open_staging(settings, false, &*opening.tasks).await;
        match staging.and_then(|staging| identify(&*staging, settings)) {
            Ok(_) => break Ok(true),
            Err(error) if error.is_early() => wait.goes_on(&error, clock),
            Err(error) => break Err(error),
        }
    };
    if let Some(ledger) = ledger {
        let beat = Heartbeat {
            stopped: true,
            ..wait.vitals.heartbeat(settings, clock.now())
        };
        ledger.set_heartbeat(beat).await?;
        ledger.close().await?;
    }
    if matches!(arrived, Ok(true)) {
        let lasted = in_short(clock.now().since(wait.since));
        tracing::info!("the node is there, after {lasted}");
    }
    arrived
}

/// The ledger; `None` if it is about a store of another name, which is judged when the agent is opened.
fn open_ledger(settings: &Settings, opening: &Opening) -> Result<Option<Ledger>, AgentError> {
    let store = Store::open(&settings.store, Arc::clone(&opening.clock))?;
    let options = settings.ledger.options(store.id().as_str());
    match Ledger::open(&settings.ledger.path, options, opening.clock.now()) {
        Ok(ledger) => Ok(Some(ledger)),
        Err(LedgerError::OtherStore { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Reports a clean stop of an agent that was stopped while it was opened: its ledger may hold a report of its start.
/// Nothing is done if the ledger can't be used.
pub async fn report_stop(settings: &Settings, opening: &Opening) {
    if !settings.ledger.path.exists() {
        return;
    }
    let Ok(Some(ledger)) = open_ledger(settings, opening) else {
        return;
    };
    let clock = &*opening.clock;
    let beat = Heartbeat {
        stopped: true,
        ..Vitals::new(clock.now(), true).heartbeat(settings, clock.now())
    };
    if let Err(error) = ledger.set_heartbeat(beat).await {
        tracing::warn!("the stop could not be reported: {}", in_one_line(&error));
    }
    // What was reported is kept.
    let _ = ledger.close().await;
}

fn kind_of(cause: &AgentError) -> ConditionKind {
    match cause {
        AgentError::Identity(_) => ConditionKind::IdentityUnclear,
        _ => ConditionKind::StagingMissing,
    }
}

/// A wait that goes on.
struct Wait<'a> {
    settings: &'a Settings,
    vitals: Vitals,
    since: Timestamp,
    kind: ConditionKind,
    cause: String,
    /// When it was last logged, on the monotonic clock.
    logged: Duration,
    /// When it was last reported, on the monotonic clock.
    reported: Option<Duration>,
}

impl Wait<'_> {
    /// The node is still missing, for this reason. It is logged if it changed, and again at a bounded rate.
    fn goes_on(&mut self, cause: &AgentError, clock: &dyn Clock) {
        self.kind = kind_of(cause);
        let (cause, now) = (cause.to_string(), clock.monotonic());
        if cause != self.cause {
            tracing::info!("waiting for the node: {cause}");
            self.reported = None;
        } else if now.saturating_sub(self.logged) >= REMIND_EVERY {
            let lasted = in_short(clock.now().since(self.since));
            tracing::warn!("still waiting for the node, for {lasted} now: {cause}");
        } else {
            return;
        }
        self.cause = cause;
        self.logged = now;
    }

    async fn report(&mut self, ledger: Option<&Ledger>, clock: &dyn Clock) {
        let now = clock.monotonic();
        let interval = self.settings.ledger.heartbeat_interval;
        let is_due = self
            .reported
            .is_none_or(|at| now.saturating_sub(at) >= interval);
        let (Some(ledger), true) = (ledger, is_due) else {
            return;
        };
        self.reported = Some(now);
        if let Err(error) = ledger.set_heartbeat(self.heartbeat(clock.now())).await {
            tracing::error!("the ledger takes no report: {}", in_one_line(&error));
        }
    }

    fn heartbeat(&self, now: Timestamp) -> Heartbeat {
        Heartbeat {
            conditions: vec![Condition {
                kind: self.kind,
                since: self.since,
                detail: self.cause.clone(),
            }],
            ..self.vitals.heartbeat(self.settings, now)
        }
    }
}
