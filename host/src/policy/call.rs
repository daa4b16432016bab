//! Asking a policy once: a slot, an instance, the budgets, the verdict, the report.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::cause::{CallFailure, Cause};
use super::grants::{GrantValues, LayoutKeys};
use super::host::Subject;
use super::instance::Seat;
use super::load::{Instances, Loaded, Policy};
use super::report::{CallReport, Question, Usage, Verdict};
use super::verdict::judge;
use super::world::World;
use crate::contract::{Facts, MAX_FACTS, facts_size};

/// Idle instances that one policy keeps.
const MAX_IDLE: usize = 4;

/// An instance that waits for its next decision. Its slot is another one than those of running decisions, so that idle
/// instances never keep a decision from being made.
pub(super) struct Idle {
    seat: Seat,
    _slot: OwnedSemaphorePermit,
}

impl Policy {
    /// Asks the policy, whatever its [`guard`](Policy::guard) says: chains ask the guard first.
    ///
    /// `world` is what the policy's imports reach, `values` what its grants stand for. Dropping the future discards the
    /// instance; what the world has begun to write goes on.
    pub async fn ask(
        &self,
        question: Question<'_>,
        facts: &Facts,
        world: Arc<dyn World>,
        values: GrantValues,
    ) -> CallReport {
        let loaded = &*self.loaded;
        let role = question.role();
        let unasked = |failure| CallReport::unasked(Arc::clone(&loaded.name), role, failure);
        if let Some(failure) = loaded.unanswerable(question, facts) {
            return unasked(failure);
        }
        let _slot = match self.own.slots.take(loaded.plan.limits.deadline).await {
            Ok(slot) => slot,
            Err(failure) => return unasked(failure),
        };
        // Declared after the slot, and so dropped before it.
        let mut seat = match self.take_seat() {
            Ok(seat) => seat,
            Err(failure) => return unasked(failure),
        };
        let layout = !loaded.plan.grants.write.is_empty();
        seat.data().set_subject(Subject {
            world,
            values,
            layout: layout.then(|| LayoutKeys::of(facts)),
        });
        let timed = loaded
            .plan
            .timed(self.clock(), loaded.decide(&mut seat, question, facts))
            .await;
        let (elapsed, running) = (timed.elapsed, timed.running);
        let verdict = match timed.output {
            Some(output) => output,
            None => Err(loaded.plan.late(&timed)),
        };
        let verdict = verdict.and_then(|verdict| judge(verdict, facts, seat.data().granted()));
        let report = loaded.report(&mut seat, question, verdict, elapsed, running);
        if report.verdict.is_ok() {
            self.keep(seat);
        }
        report
    }

    /// An idle instance, or the store for a fresh one, with a full budget.
    fn take_seat(&self) -> Result<Seat, CallFailure> {
        let plan = &self.loaded.plan;
        let idle = self.idle().pop().map(|idle| idle.seat);
        let mut seat = idle.unwrap_or_else(|| plan.seat(self.own.slots.clock()));
        seat.data().renew(&plan.limits);
        seat.begin(&plan.limits, plan.shared.yields())?;
        Ok(seat)
    }

    /// Keeps an instance for its next decision, as far as there is room.
    fn keep(&self, seat: Seat) {
        if self.own.instances == Instances::Fresh {
            return;
        }
        let mut idle = self.idle();
        if idle.len() >= MAX_IDLE {
            return;
        }
        if let Some(slot) = self.own.slots.keep_idle() {
            idle.push(Idle { seat, _slot: slot });
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        // A list of idle instances is never half-changed, so a panic elsewhere does not spoil it.
        self.own.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loaded {
    /// Why the policy can't even be asked.
    fn unanswerable(&self, question: Question<'_>, facts: &Facts) -> Option<CallFailure> {
        let role = question.role();
        let message = if !self.roles.contains(&role) {
            format!("the policy does not fill the role {role}")
        } else if facts_size(facts) > MAX_FACTS {
            format!("the facts are over {} KiB", MAX_FACTS >> 10)
        } else {
            return None;
        };
        Some(CallFailure::new(Cause::Unavailable, message))
    }

    /// Makes the instance where there is none yet, and asks it.
    async fn decide(
        &self,
        seat: &mut Seat,
        question: Question<'_>,
        facts: &Facts,
    ) -> Result<Verdict, CallFailure> {
        let stopped = |error: wasmtime::Error| CallFailure::from_wasmtime(&error);
        let plan = &self.plan;
        if !seat.is_instantiated() {
            seat.instantiate(&plan.pre, &plan.exports)
                .await
                .map_err(stopped)?;
            seat.configure(&plan.settings)
                .await
                .map_err(stopped)?
                .map_err(|_| {
                    CallFailure::guest_error("it refused settings that it took when it was loaded")
                })?;
        }
        seat.decide(question, facts)
            .await
            .map_err(stopped)?
            .map_err(|words| CallFailure::guest_error(&words))
    }

    fn report(
        &self,
        seat: &mut Seat,
        question: Question<'_>,
        verdict: Result<Verdict, CallFailure>,
        elapsed: Duration,
        running: Duration,
    ) -> CallReport {
        let fuel = self.plan.limits.fuel.saturating_sub(seat.fuel_left());
        let left = seat.data().finish();
        CallReport {
            policy: Arc::clone(&self.name),
            role: question.role(),
            // Without a verdict there is nothing to commit the state with.
            state: if verdict.is_ok() {
                left.state
            } else {
                Vec::new()
            },
            verdict: verdict.map_err(|failure| failure.with_said(left.said)),
            usage: Usage {
                fuel,
                elapsed,
                running,
                ..left.usage
            },
            host_calls: left.host_calls,
            logs: left.logs,
        }
    }
}
