//! The agent's report about itself: what it contains, and when it is made.

use std::time::Duration;

use super::Agent;
use super::conditions::Conditions;
use super::probe::Checked;
use crate::config::Settings;
use crate::contract::Phase;
use crate::ledger::{CheckResult, Condition, ConditionKind, Heartbeat, StoreCheck};
use crate::staging::bucket_name;
use crate::sync::{Tally, describe_unknown};
use crate::text::counted;
use crate::time::{Clock, Timestamp};

/// Shortest time between two reports. A report that a change causes waits for it.
pub const REPORT_GAP: Duration = Duration::from_secs(1);

/// How long the store may answer no request before that is a condition of the node.
const STORE_PATIENCE: Duration = Duration::from_secs(30);

/// What the agent knows about itself.
#[derive(Debug)]
pub(super) struct Vitals {
    /// Whether reports are kept in the ledger.
    pub(super) are_kept: bool,
    pub(super) conditions: Conditions,
    pub(super) started: Timestamp,
    /// The end of the last scan that succeeded.
    pub(super) scanned: Option<Timestamp>,
    /// When the next scan is due, on the monotonic clock.
    pub(super) next_scan: Option<Duration>,
    pub(super) store_check: StoreCheck,
    /// When the last report was made, on the monotonic clock, and whether streams were being judged then.
    reported: Option<(Duration, bool)>,
    /// Why the last report could not be kept.
    unreported: Option<String>,
}

impl Vitals {
    pub(super) fn new(now: Timestamp, are_kept: bool) -> Self {
        Self {
            are_kept,
            conditions: Conditions::default(),
            started: now,
            scanned: None,
            next_scan: None,
            store_check: StoreCheck {
                result: CheckResult::Pending,
                detail: String::new(),
                at: None,
            },
            reported: None,
            unreported: None,
        }
    }

    /// A report of this moment, without streams.
    pub(super) fn heartbeat(&self, settings: &Settings, now: Timestamp) -> Heartbeat {
        Heartbeat {
            pid: std::process::id(),
            started: self.started,
            at: now,
            interval: settings.ledger.heartbeat_interval,
            stopped: false,
            scanned: self.scanned,
            next_scan: None,
            store_answered: None,
            streams: 0,
            unjudged: 0,
            queued: 0,
            configuration: settings.digest,
            store_check: self.store_check.clone(),
            conditions: self.conditions.all(),
        }
    }

    /// Records that the check of the store passed, and what the store can do.
    pub(super) fn store_passed(&mut self, found: Checked, clock: &dyn Clock) {
        self.conditions.end(ConditionKind::StoreCheckFailing, clock);
        self.store_check = StoreCheck {
            result: CheckResult::Passed,
            detail: found.support.to_string(),
            at: Some(found.at),
        };
    }

    /// Records that the check of the store failed, and what that means for the node.
    pub(super) fn store_failed(&mut self, failure: String, meaning: String, clock: &dyn Clock) {
        self.conditions
            .hold(ConditionKind::StoreCheckFailing, meaning, clock);
        self.store_check = StoreCheck {
            result: CheckResult::Failed,
            detail: failure,
            at: Some(clock.now()),
        };
    }
}

impl Agent {
    /// Returns the conditions that hold now.
    pub fn conditions(&self) -> Vec<Condition> {
        self.vitals.conditions.all()
    }

    /// Updates the conditions for attempts that ended in a ledger failure or an internal error.
    pub(super) fn note_faults(&mut self) {
        let faults = self.scheduler.faults();
        let streams = |count: u32| counted(count, "stream");
        let ledger = match (faults.ledger, &self.vitals.unreported) {
            (0, None) => None,
            (0, Some(cause)) => Some(cause.clone()),
            (count, _) => Some(format!(
                "{}; nothing can be recorded for {}",
                faults.ledger_cause,
                streams(count)
            )),
        };
        let internal = (faults.internal > 0).then(|| {
            format!(
                "attempts at {} ended in internal errors; the last one: {}",
                streams(faults.internal),
                faults.internal_cause
            )
        });
        let clock = &*self.core.clock;
        let conditions = &mut self.vitals.conditions;
        conditions.set(ConditionKind::LedgerFailing, ledger, clock);
        conditions.set(ConditionKind::AttemptsFailing, internal, clock);
    }

    /// Updates the condition for a store that answers no request of any stream.
    fn note_store(&mut self) {
        let failing = self.core.health.failing(STORE_PATIENCE);
        self.set_store_failing(failing.as_ref().map(ToString::to_string));
    }

    /// As [`Agent::note_store`], when the agent ends and no stream is tried again: settled streams that the store did
    /// not answer about are only what the ledger says.
    pub(super) fn note_unanswered(&mut self, tally: &Tally) {
        let failing = self.core.health.failing(Duration::ZERO);
        let failing = failing.as_ref().map(ToString::to_string);
        let detail = failing.or_else(|| {
            (tally.unanswered > 0).then(|| {
                format!(
                    "the store did not answer about {}, of which only the ledger knows: run `tidegate check --online`",
                    counted(tally.unanswered, "stream")
                )
            })
        });
        self.set_store_failing(detail);
    }

    fn set_store_failing(&mut self, detail: Option<String>) {
        let clock = &*self.core.clock;
        let conditions = &mut self.vitals.conditions;
        // It has the same cause, and says more.
        let is_unchecked = conditions.holds(ConditionKind::StoreCheckFailing);
        let detail = detail.filter(|_| !is_unchecked);
        conditions.set(ConditionKind::StoreFailing, detail, clock);
    }

    /// Updates the condition for streams that can't be compared with their other nodes. One failure may pass, unless the
    /// agent ends with it.
    pub(super) fn note_not_compared(&mut self, tally: &Tally, ends: bool) {
        let count = match ends {
            true => tally.not_compared,
            false => tally.not_compared_again,
        };
        let detail = (count > 0).then(|| {
            format!(
                "{} could not be compared with what other nodes store, so a conflict with them would not be seen: allow \
                 this node to list the store, and see whether it answers: {}",
                counted(count, "stream"),
                self.scheduler.faults().comparison_cause
            )
        });
        let clock = &*self.core.clock;
        let conditions = &mut self.vitals.conditions;
        conditions.set(ConditionKind::NodesNotCompared, detail, clock);
    }

    /// Updates the condition for a store that knows none of the node's streams.
    pub(super) fn note_known(&mut self, tally: &Tally) {
        let of = |phase| tally.of(phase);
        let (unknown, gone) = (of(Phase::Unknown), tally.gone_staged);
        let known = [
            Phase::Pending,
            Phase::Provisional,
            Phase::Synced,
            Phase::Conflicted,
        ];
        // Nothing is owed to idle streams, so those that were not asked about say nothing.
        let idle = tally.idle_without_marker;
        let all_idle = idle == of(Phase::Idle);
        // One stream that is gone was deleted; all streams at once are more likely to be another store, or an empty one.
        let missing = unknown > 0 || gone > 1 || idle > 0 && all_idle;
        let is_known = known.into_iter().any(|phase| of(phase) > 0) || tally.idle_with_marker > 0;
        let none_known = missing && !is_known;
        let kind = ConditionKind::NoStreamKnown;
        let is_being_judged = tally.busy > 0 || tally.unjudged > 0;
        if none_known && is_being_judged && !self.vitals.conditions.holds(kind) {
            return;
        }
        let detail = none_known.then(|| {
            let which = match unknown.saturating_add(gone).saturating_add(idle) {
                1 => "no marker of the one stream that is staged".to_owned(),
                count => format!("no marker of any of the {count} streams that are staged"),
            };
            let which = match gone {
                0 => which,
                gone if unknown.saturating_add(idle) == 0 && gone > 1 => {
                    format!("{which}, though it had them before")
                }
                gone => format!("{which}, though it had {gone} of them before"),
            };
            let named = bucket_name(&self.settings.staging);
            describe_unknown(&which, &self.settings.store.url, named.as_deref())
        });
        let clock = &*self.core.clock;
        let conditions = &mut self.vitals.conditions;
        conditions.set(kind, detail, clock);
    }

    /// When the next report is due, on the monotonic clock. `None` if reports are not kept.
    pub(super) fn next_report(&self) -> Option<Duration> {
        if !self.vitals.are_kept {
            return None;
        }
        let Some((last, waiting)) = self.vitals.reported else {
            return Some(Duration::ZERO);
        };
        let moves = waiting || self.scheduler.is_busy() || self.vitals.conditions.have_changed();
        let interval = self.settings.ledger.heartbeat_interval;
        Some(last.saturating_add(match moves {
            true => REPORT_GAP.min(interval),
            false => interval,
        }))
    }

    /// Reports if a report is due. It is due sooner while streams are attended to, and when a condition began or ended.
    pub(super) async fn report(&mut self) {
        self.note_faults();
        self.note_store();
        let now = self.core.clock.monotonic();
        if self.next_report().is_some_and(|due| due <= now) {
            self.report_now(false).await;
        }
    }

    /// Reports now, and records whether the ledger accepted it.
    pub(super) async fn report_now(&mut self, stopped: bool) {
        if !self.vitals.are_kept {
            return;
        }
        let tally = self.tally();
        self.note_known(&tally);
        self.note_not_compared(&tally, stopped);
        let clock = &self.core.clock;
        let (now, monotonic) = (clock.now(), clock.monotonic());
        let checked = &self.vitals.store_check;
        let passed = checked.result == CheckResult::Passed;
        let answered = self.core.health.facts().last_success;
        let beat = Heartbeat {
            stopped,
            next_scan: self
                .vitals
                .next_scan
                .map(|at| now.plus(at.saturating_sub(monotonic))),
            store_answered: answered.max(checked.at.filter(|_| passed)),
            streams: self.scheduler.len() as u64,
            unjudged: u64::from(tally.unjudged),
            queued: u64::from(tally.busy),
            ..self.vitals.heartbeat(&self.settings, now)
        };
        self.vitals.reported = Some((monotonic, tally.unjudged > 0 || tally.busy > 0));
        self.vitals.unreported = match self.memory.set_heartbeat(beat).await {
            Ok(()) => {
                self.vitals.conditions.reported();
                None
            }
            Err(error) => Some(in_one_line(&error)),
        };
        self.note_faults();
    }
}

/// An error with its causes, each once.
pub(super) fn in_one_line(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut words: Vec<String> = causes.map(ToString::to_string).collect();
    words.dedup();
    words.join(": ")
}
