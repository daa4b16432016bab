//! Failed attempts, and what the retry policies make of them.

use std::time::Duration;

use super::stream::Activity;
use super::{Effect, Level, Step};
use crate::contract::{Failure, Phase, RetryDecision, StoreFailure};
use crate::planted::{self, Defect};
use crate::time::millis;

impl Step<'_, '_> {
    /// Counts a failed attempt and asks the retry policies.
    pub(super) fn fail(&mut self, failure: Failure) -> Option<()> {
        self.stream.attempts = self.stream.attempts.saturating_add(1);
        self.stream.failing_since.get_or_insert(self.moment.now);
        self.stream.last_failure = Some(failure.clone());
        self.perform(
            Activity::AskingRetry(failure.clone()),
            Effect::AskRetry(failure),
        )
    }

    /// Failures and absences are over.
    pub(super) fn succeed(&mut self) {
        self.stream.attempts = 0;
        self.stream.failing_since = None;
        self.stream.last_failure = None;
        self.stream.absent_since = None;
        self.stream.absences = 0;
        self.stream.previous_delay = None;
        self.stream.last_decision = None;
        self.stream.lost_races = 0;
        self.stream.phantom_refusals = 0;
    }

    pub(super) fn decided(&mut self, decision: RetryDecision) -> Option<()> {
        let Activity::AskingRetry(failure) = std::mem::take(&mut self.stream.activity) else {
            return None;
        };
        if self.stream.phase == Phase::Gone {
            return None;
        }
        let decision = match decision {
            RetryDecision::Abstain => RetryDecision::After(self.default_delay()),
            RetryDecision::Abandon(_) if !self.may_abandon(&failure) => RetryDecision::OnChange,
            decision => decision,
        };
        let rules = self.moment.rules;
        match &decision {
            RetryDecision::After(delay) => {
                let delay = match planted::is(Defect::ForgetsClamp) {
                    true => *delay,
                    false => rules.clamp(*delay),
                };
                self.stream.previous_delay = Some(delay);
                self.stream.wake = Some(self.now().plus(delay));
                if planted::is(Defect::DropsRetry) {
                    self.stream.wake = None;
                }
            }
            RetryDecision::OnChange => self.stream.wake = Some(self.now().plus(rules.recheck)),
            RetryDecision::Abandon(reason) => {
                self.stream.phase = Phase::Abandoned;
                self.stream.wake = None;
                self.stream.look = None;
                self.note(Level::Alert, format!("abandoned: {reason}"));
            }
            RetryDecision::Abstain => return None,
        }
        self.stream.last_decision = Some(decision);
        self.rest()
    }

    /// No policy can give up while nothing failed, while the stream's nodes disagree, or because of a bad staged file
    /// whose stream has its schema in the store.
    fn may_abandon(&self, failure: &Failure) -> bool {
        let failed = self.stream.attempts > 0 || !matches!(failure, Failure::SchemaAbsent(_));
        failed
            && self.stream.peers.conflict.is_none()
            && matches!(
                self.stream.phase,
                Phase::Pending | Phase::Awaiting | Phase::Conflicted
            )
    }

    /// Full jitter, from `min_delay` up to a ceiling that doubles with each failed attempt or absence until it reaches
    /// `max_delay`.
    fn default_delay(&self) -> Duration {
        let rules = self.moment.rules;
        let doublings = self.stream.attempts.max(self.stream.absences);
        let factor = 2_u32.saturating_pow(doublings);
        let ceiling = rules.min_delay.saturating_mul(factor).min(rules.max_delay);
        let span = millis(ceiling.saturating_sub(rules.min_delay));
        rules.min_delay + Duration::from_millis(self.moment.entropy % span.saturating_add(1))
    }

    /// A check of the stored object failed: that is no failed attempt, and the object is looked at again later.
    pub(super) fn look_later(&mut self, failure: &StoreFailure) -> Option<()> {
        self.note(
            Level::Info,
            format!("the stored object could not be checked: {failure}"),
        );
        self.stream.look = Some(self.now().plus(self.moment.rules.max_delay));
        self.rest()
    }
}
