//! How a policy's instances are made: linked once, then each in microseconds.

use std::sync::Arc;

use wasmtime::component::{Component, InstancePre};

use super::cause::{CallFailure, Cause};
use super::deadline::{self, Timed};
use super::grants::GrantSet;
use super::host::Call;
use super::inspect::Fit;
use super::instance::Seat;
use super::limits::Limits;
use super::load::within_bounds;
use super::load_error::LoadProblem;
use super::report::Usage;
use super::runtime::Shared;
use crate::contract::{Description, Exports};
use crate::time::Clock;

/// Everything that one instance after another is made from.
pub(super) struct Plan {
    pub(super) shared: Arc<Shared>,
    pub(super) pre: InstancePre<Call>,
    pub(super) exports: Exports,
    /// The policy's own settings, as JSON.
    pub(super) settings: String,
    pub(super) limits: Limits,
    pub(super) grants: Arc<GrantSet>,
}

impl Plan {
    /// Links a component that [`Names::check`](super::inspect::Names::check) lets pass.
    pub(super) fn link(
        shared: Arc<Shared>,
        component: &Component,
        fit: &Fit,
        settings: &serde_json::Value,
        limits: &Limits,
        grants: GrantSet,
    ) -> Result<Self, LoadProblem> {
        let linker = match grants.write.is_empty() {
            true => &shared.linker,
            false => &shared.writing_linker,
        };
        let shape = |error| LoadProblem::shape(fit.version, error);
        let pre = linker.instantiate_pre(component).map_err(shape)?;
        Ok(Self {
            exports: fit.version.find_exports(&pre, &fit.roles).map_err(shape)?,
            pre,
            settings: settings.to_string(),
            limits: limits.clone(),
            grants: Arc::new(grants),
            shared,
        })
    }

    /// A store for one more instance. The caller holds a slot for it, and drops the store first.
    pub(super) fn seat(&self, clock: &Arc<dyn Clock>) -> Seat {
        let call = Call::new(&self.limits, Arc::clone(&self.grants), Arc::clone(clock));
        Seat::new(
            &self.shared.engine,
            call,
            &self.limits,
            self.shared.yields(),
        )
    }

    /// Runs a part of a policy's life against the deadline.
    pub(super) async fn timed<F: Future>(&self, clock: &dyn Clock, future: F) -> Timed<F::Output> {
        deadline::run(clock, self.limits.deadline, future).await
    }

    /// The failure of what did not end in time.
    pub(super) fn late<T>(&self, timed: &Timed<T>) -> CallFailure {
        // Whatever kept it from running, the store or a busy machine, is not the policy's.
        let waiting = timed.running.saturating_mul(2) < timed.elapsed;
        let message = format!(
            "it was not done within {:?} and ran for {:?} of them",
            self.limits.deadline, timed.running
        );
        CallFailure::new(Cause::Deadline { waiting }, message)
    }

    /// Makes an instance as a decision would, under the same limits, and asks it for everything but a verdict.
    pub(super) async fn rehearse(&self) -> Rehearsal {
        let failed = |during, source| LoadProblem::Failed { during, source };
        let mut rehearsal = Rehearsal {
            description: None,
            usage: Usage::default(),
            outcome: Ok(()),
        };
        let slots = &self.shared.slots;
        let _slot = match slots.take(self.limits.deadline).await {
            Ok(slot) => slot,
            Err(failure) => {
                rehearsal.outcome = Err(failed("starting", failure));
                return rehearsal;
            }
        };
        let mut seat = self.seat(slots.clock());
        let timed = self
            .timed(
                &**slots.clock(),
                self.perform(&mut seat, &mut rehearsal.description),
            )
            .await;
        let left = seat.data().finish();
        rehearsal.usage = Usage {
            fuel: self.limits.fuel.saturating_sub(seat.fuel_left()),
            elapsed: timed.elapsed,
            running: timed.running,
            ..left.usage
        };
        let outcome = match timed.output {
            Some(output) => output,
            None => Err(failed("`describe` or `configure`", self.late(&timed))),
        };
        rehearsal.outcome = outcome.map_err(|problem| match problem {
            LoadProblem::Failed { during, source } => failed(during, source.with_said(left.said)),
            problem => problem,
        });
        rehearsal
    }

    /// What [`rehearse`](Self::rehearse) does against the deadline.
    async fn perform(
        &self,
        seat: &mut Seat,
        description: &mut Option<Description>,
    ) -> Result<(), LoadProblem> {
        let failed = |during, source| LoadProblem::Failed { during, source };
        let stopped = |during| {
            move |error: wasmtime::Error| failed(during, CallFailure::from_wasmtime(&error))
        };
        seat.begin(&self.limits, self.shared.yields())
            .map_err(|failure| failed("starting", failure))?;
        seat.instantiate(&self.pre, &self.exports)
            .await
            .map_err(stopped("making an instance"))?;
        seat.probe()
            .map_err(|error| LoadProblem::shape(self.exports.version(), error))?;
        let told = seat.describe().await.map_err(stopped("`describe`"))?;
        *description = Some(within_bounds(told)?);
        seat.configure(&self.settings)
            .await
            .map_err(stopped("`configure`"))?
            .map_err(LoadProblem::Settings)
    }
}

/// What came of [`Plan::rehearse`].
pub(super) struct Rehearsal {
    /// What the policy says about itself, where it came so far.
    pub(super) description: Option<Description>,
    /// What it used.
    pub(super) usage: Usage,
    /// Whether it may be asked for verdicts.
    pub(super) outcome: Result<(), LoadProblem>,
}
