//! The agent's loop: scans, hints, timers, verification, until it is told to stop.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;

use super::peers::compare_all;
use super::probe::{check_store, unprobed, verdict};
use super::scans::Scans;
use super::{Agent, AgentError, FirstLook};
use crate::contract::{Phase, Trigger};
use crate::ledger::{ConditionKind, PolicyHealth, PolicyStatus};
use crate::policy::{GuardStatus, Policy, Standing};
use crate::stream::{NodeId, StreamId};
use crate::sync::{Tally, Writes};
use crate::tasks::Task;

/// How long a pass waits for streams that are too early to tell.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long attempts get to come to their ends when the agent stops. What they had begun to write is in the ledger.
const GRACE: Duration = Duration::from_secs(10);

/// How long the agent waits before it probes a store again that did not answer; doubled each time, up to a minute.
const PROBE_AGAIN: Duration = Duration::from_secs(1);
const PROBE_AGAIN_MAX: Duration = Duration::from_secs(60);

/// How often streams that are gone are looked up again while the store knows none of the node's streams: only a wrong
/// store, or one that was lost, has lost them all. And how many of them are.
const RECHECK_INTERVAL: Duration = Duration::from_secs(60);
const RECHECKED: usize = 8;

/// How often streams that are gone are looked through for those that can be forgotten.
const PRUNE_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// When the agent stops by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Never.
    Told,
    /// When every stream is settled.
    Settled,
}

/// When the agent's own duties are due, on the monotonic clock.
struct Duties {
    scan: Duration,
    /// When the agent next confirms that the staging directory is still the node's.
    confirm: Duration,
    verify: Option<Duration>,
    peers: Option<Duration>,
    probe: Option<(Duration, Duration)>,
    /// When streams that are gone are looked up again, while the store knows none of the node's streams.
    recheck: Duration,
    prune: Duration,
}

impl Agent {
    /// Runs until it is told to stop, or until `until` holds. Attempts under way come to their ends, or are cut off
    /// where their intent is in the ledger.
    ///
    /// # Errors
    ///
    /// The store turns out to ignore conditions. A staging directory or a ledger that fails is told to the log, and
    /// tried again.
    pub async fn run(
        &mut self,
        until: Until,
        stop: impl Future<Output = ()>,
    ) -> Result<Tally, AgentError> {
        let ran = self.run_until(until, stop).await;
        if ran.is_err() {
            self.report_now(true).await;
        }
        ran
    }

    async fn run_until(
        &mut self,
        until: Until,
        stop: impl Future<Output = ()>,
    ) -> Result<Tally, AgentError> {
        let mut stop = pin!(stop.fuse());
        let clock = Arc::clone(&self.core.clock);
        self.scheduler.spread(self.settings.start_jitter);
        if std::mem::take(&mut self.adopted) {
            let streams = self.scheduler.look_at_all(Trigger::Requested, |_, _| true);
            tracing::info!(streams, "all streams are compared with the new store");
        }
        let mut scans = Scans::new(self.settings.watch, clock.monotonic());
        let mut place = self.place();
        let mut duties = self.first_duties();
        let mut credentials = self.core.store.credentials_version();
        self.vitals.scanned = None;
        loop {
            let now = clock.monotonic();
            let mut whole = false;
            if duties.scan <= now {
                let is_first = self.vitals.scanned.is_none();
                whole = self.look_at_staging(&mut scans).await;
                if is_first && self.vitals.scanned.is_some() {
                    self.announce_first_look();
                }
                duties.scan = self.next_look(&scans);
            }
            if duties.confirm <= now || whole {
                duties.confirm = now.saturating_add(self.settings.scan_interval);
                let again = !whole && self.confirm().await;
                if again || self.place() != place {
                    // The directory or the node has changed, and nothing of it was scanned or watched yet.
                    place = self.place();
                    scans = Scans::new(self.settings.watch, now);
                    duties.scan = now;
                    continue;
                }
            }
            let current = self.core.store.credentials_version();
            if std::mem::replace(&mut credentials, current) != current {
                self.try_again_with_new_credentials(&mut duties);
            }
            self.attend_to(&mut duties).await?;
            self.scheduler.start_due();
            self.report_policies().await;
            self.core.causes.sum_up(clock.monotonic());
            self.vitals.next_scan = Some(duties.scan);
            self.report().await;
            if until == Until::Settled
                && self.vitals.scanned.is_some()
                && self.vitals.conditions.is_empty()
                && self.core.gate.get() != Writes::Unprobed
                && self.scheduler.is_quiet(Duration::ZERO)
                && self.tally().settled
            {
                if self.scheduler.look_at_unasked() || self.scheduler.compare_uncompared() {
                    continue;
                }
                // They are looked at again later.
                if self.tally().unanswered == 0 {
                    break;
                }
            }
            let due = [
                Some(duties.scan),
                duties.verify,
                duties.peers,
                duties.probe.map(|(at, _)| at),
                Some(duties.prune),
                (duties.recheck > clock.monotonic()).then_some(duties.recheck),
                self.confirms().then_some(duties.confirm),
                self.next_report(),
            ];
            let next = due.into_iter().flatten().min().unwrap_or(duties.scan);
            let sleep = clock.sleep(next.saturating_sub(clock.monotonic()));
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = self.scheduler.next() => {}
                () = sleep => {}
                streams = compared(&mut self.comparing) => self.scheduler.compare_nodes(streams),
                hints = scans.hints() => {
                    if let Some(at) = self.take_hints(hints, &mut scans).await {
                        duties.scan = duties.scan.min(at);
                    }
                }
            }
        }
        self.stop().await;
        self.note_faults();
        let tally = self.tally();
        self.note_known(&tally);
        if until == Until::Settled {
            self.note_unanswered(&tally);
        }
        self.note_not_compared(&tally, true);
        Ok(tally)
    }

    /// One pass over the streams that `wanted` takes: each is looked at once, and again while a policy says that it is
    /// a little too early to tell.
    ///
    /// # Errors
    ///
    /// The staging directory can't be scanned.
    pub async fn pass(
        &mut self,
        wanted: impl Fn(&StreamId) -> bool + Clone + Send + 'static,
        stop: impl Future<Output = ()>,
    ) -> Result<Tally, AgentError> {
        let mut stop = pin!(stop.fuse());
        let clock = Arc::clone(&self.core.clock);
        self.scheduler.only(Box::new(wanted.clone()));
        let summary = self.scheduler.scan().await?;
        self.scanned(&summary);
        self.announce_first_look();
        self.scheduler
            .look_at_all(Trigger::Requested, |id, _| wanted(id));
        let latest = clock.monotonic().saturating_add(PATIENCE);
        loop {
            self.scheduler.start_due();
            let left = latest.saturating_sub(clock.monotonic());
            if self.scheduler.is_quiet(left) {
                if self.scheduler.look_at_unasked() || self.scheduler.compare_uncompared() {
                    continue;
                }
                break;
            }
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = self.scheduler.next() => {}
            }
        }
        self.stop().await;
        self.note_faults();
        let all = self.tally();
        self.note_known(&all);
        self.note_unanswered(&all);
        self.note_not_compared(&all, true);
        self.report_policies().await;
        Ok(self.scheduler.tally(wanted))
    }

    /// How all streams stand.
    pub fn tally(&self) -> Tally {
        self.scheduler.tally(|_| true)
    }

    fn first_duties(&self) -> Duties {
        let now = self.core.clock.monotonic();
        // Agents that start together must not verify together.
        let spread = |interval: Duration| {
            let half = crate::time::millis(interval) / 2;
            Duration::from_millis(half + self.core.entropy.word() % half.max(1))
        };
        let unprobed = self.core.gate.get() == Writes::Unprobed;
        // What the ledger knows may have changed while no agent ran, and is checked as soon as a new schema is compared.
        let soon = self.settings.streams.rules.check_peers_interval;
        let is_known = !self.scheduler.is_empty();
        let first = |interval: Duration| {
            spread(if is_known {
                interval.min(soon)
            } else {
                interval
            })
        };
        Duties {
            scan: now,
            confirm: now,
            verify: self
                .settings
                .verify
                .interval
                .map(|interval| now.saturating_add(first(interval))),
            peers: self
                .settings
                .verify
                .interval
                .map(|_| now.saturating_add(spread(self.settings.verify.peers_interval))),
            probe: unprobed.then_some((now.saturating_add(PROBE_AGAIN), PROBE_AGAIN)),
            recheck: now,
            prune: now.saturating_add(spread(PRUNE_INTERVAL)),
        }
    }

    async fn attend_to(&mut self, duties: &mut Duties) -> Result<(), AgentError> {
        let now = self.core.clock.monotonic();
        if let Some((_, delay)) = duties.probe.filter(|(at, _)| *at <= now) {
            duties.probe = match self.probe().await? {
                true => {
                    self.try_failing_again();
                    None
                }
                false => {
                    let delay = delay.saturating_mul(2).min(PROBE_AGAIN_MAX);
                    Some((self.core.clock.monotonic().saturating_add(delay), delay))
                }
            };
        }
        if let (Some(interval), true) = (
            self.settings.verify.interval,
            duties.verify.is_some_and(|at| at <= now),
        ) {
            let stored = |phase| {
                matches!(
                    phase,
                    Phase::Idle
                        | Phase::Synced
                        | Phase::Provisional
                        | Phase::Conflicted
                        | Phase::Abandoned
                )
            };
            let streams = self
                .scheduler
                .look_at_all(Trigger::Verification, |_, phase| stored(phase));
            tracing::info!(streams, "verification begins");
            duties.verify = Some(now.saturating_add(interval));
        }
        if duties.peers.is_some_and(|at| at <= now) {
            let interval = self.settings.verify.peers_interval;
            duties.peers = Some(now.saturating_add(interval));
            let streams = self.scheduler.streams();
            // A round that is still going on when the next one begins gives way to it.
            let round = compare_all(Arc::clone(&self.core), streams, interval);
            self.comparing = Some(self.core.tasks.spawn(round));
        }
        if self.vitals.conditions.holds(ConditionKind::NoStreamKnown) {
            if duties.recheck <= now {
                duties.recheck = now.saturating_add(RECHECK_INTERVAL);
                self.scheduler.look_at_gone(RECHECKED);
            }
        } else if duties.recheck > now {
            // The store that was missing is back, or one of its streams is.
            duties.recheck = now;
            self.scheduler.look_at_gone(usize::MAX);
        }
        if duties.prune <= now {
            self.prune().await;
            duties.prune = now.saturating_add(PRUNE_INTERVAL);
        }
        Ok(())
    }

    /// Tries the streams again that wait since the store failed: the policies' delays were for that.
    fn try_failing_again(&mut self) {
        let failing = |phase| {
            matches!(
                phase,
                Phase::Unseen | Phase::Unknown | Phase::Awaiting | Phase::Pending
            )
        };
        self.scheduler
            .look_at_all(Trigger::Scheduled, |_, phase| failing(phase));
    }

    fn try_again_with_new_credentials(&mut self, duties: &mut Duties) {
        self.try_failing_again();
        let now = self.core.clock.monotonic();
        duties.probe = duties.probe.map(|_| (now, PROBE_AGAIN));
    }

    /// Asks the store again what it can do. True when it answered.
    async fn probe(&mut self) -> Result<bool, AgentError> {
        let core = &self.core;
        match check_store(
            &core.store,
            &core.node,
            &*self.memory,
            &*core.clock,
            &*core.entropy,
        )
        .await?
        {
            Ok(found) => {
                core.gate.set(verdict(
                    &core.store,
                    found.support,
                    self.settings.store.conditional_writes,
                )?);
                self.vitals.store_passed(found, &*self.core.clock);
                tracing::info!("the store answers: it {}", found.support);
                Ok(true)
            }
            Err(failure) => {
                let cause = unprobed(&self.core.store, &failure);
                self.vitals
                    .store_failed(failure.to_string(), cause, &*self.core.clock);
                self.core.gate.shut(failure);
                Ok(false)
            }
        }
    }

    /// Logs an estimate if the limit on requests makes the first look at new streams long.
    fn announce_first_look(&self) {
        let streams = self.tally().of(Phase::Unseen);
        if let Some(look) = FirstLook::at(u64::from(streams), &self.settings) {
            tracing::warn!("{look}");
        }
    }

    /// The node, and the generation of the staging directory.
    fn place(&self) -> (NodeId, u64) {
        (self.core.node.clone(), self.core.staging.generation())
    }

    pub(super) async fn stop(&mut self) {
        let grace = self.core.clock.sleep(GRACE);
        tokio::select! {
            biased;
            () = self.scheduler.drain() => {}
            () = grace => tracing::warn!("attempts were cut off; their writes are read back at the next start"),
        }
    }

    async fn prune(&mut self) {
        let now = self.core.clock.now();
        let kept = crate::time::millis(self.settings.ledger.keep_gone);
        let before = crate::time::Timestamp::from_millis(now.as_millis().saturating_sub(kept));
        match self.memory.prune(before, now).await {
            Ok(0) => {}
            Ok(streams) => tracing::info!(streams, "forgot streams that are long gone"),
            Err(error) => tracing::error!("{:#}", anyhow::Error::from(error)),
        }
    }

    /// Keeps in the ledger how the policies do, for `status`, when it changed.
    pub(super) async fn report_policies(&mut self) {
        let (now, monotonic) = (self.core.clock.now(), self.core.clock.monotonic());
        // The loop comes by here for every attempt, and policies rarely fail: nothing is put into words for nothing.
        if self.policies_are_as_reported(monotonic) {
            return;
        }
        let status = |policy: &Policy| {
            let guard = policy.guard().status(monotonic);
            let health = health(&guard);
            let known = self
                .reported
                .iter()
                .find(|known| known.name == **policy.name() && known.health == health);
            PolicyStatus {
                name: policy.name().to_string(),
                digest: policy.sha256(),
                version: policy.description().version.clone(),
                health,
                failures: guard.failures,
                since: known.map_or(now, |known| known.since),
                cause: guard.last.map(|cause| cause.name().to_owned()),
            }
        };
        let current: Vec<_> = self.policies.iter().map(status).collect();
        match self.memory.set_policies(current.clone()).await {
            Ok(()) => self.reported = current,
            Err(error) => tracing::error!("{:#}", anyhow::Error::from(error)),
        }
    }

    fn policies_are_as_reported(&self, monotonic: Duration) -> bool {
        let as_reported = |(policy, known): (&Policy, &PolicyStatus)| {
            let guard = policy.guard().status(monotonic);
            known.health == health(&guard)
                && known.failures == guard.failures
                && known.cause.as_deref() == guard.last.map(|cause| cause.name())
        };
        let mut pairs = self.policies.iter().zip(&self.reported);
        self.policies.len() == self.reported.len() && pairs.all(as_reported)
    }
}

fn health(guard: &GuardStatus) -> PolicyHealth {
    match guard.standing {
        Standing::Trusted => PolicyHealth::Healthy,
        Standing::Quarantined(_) => PolicyHealth::Quarantined,
        Standing::HalfOpen => PolicyHealth::HalfOpen,
    }
}

/// Waits for the comparison of all streams. Returns the streams whose nodes disagree.
async fn compared(comparing: &mut Option<Task<Vec<StreamId>>>) -> Vec<StreamId> {
    match comparing {
        Some(task) => {
            let streams = task.await;
            *comparing = None;
            // A comparison that panicked found nothing; the next round compares again.
            streams.unwrap_or_default()
        }
        None => std::future::pending().await,
    }
}
