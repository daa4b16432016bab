//! How a policy's instances are made: linked once, then each in microseconds.

use std::sync::Arc;

use wasmtime::component::InstancePre;

use super::cause::{CallFailure, Cause};
use super::deadline::{self, Timed};
use super::grants::GrantSet;
use super::host::Call;
use super::instance::{Exports, Seat};
use super::limits::Limits;
use super::load::Description;
use super::load_error::LoadProblem;
use super::runtime::Shared;
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
    pub(super) async fn rehearse(&self) -> Result<Description, LoadProblem> {
        let failed = |during, source| LoadProblem::Failed { during, source };
        let starting = |failure| failed("starting", failure);
        let slots = &self.shared.slots;
        let _slot = slots.take(self.limits.deadline).await.map_err(starting)?;
        let mut seat = self.seat(slots.clock());
        seat.begin(&self.limits, self.shared.yields())
            .map_err(starting)?;
        let timed = self
            .timed(&**slots.clock(), async {
                let stopped = |during| {
                    move |error: wasmtime::Error| failed(during, CallFailure::from_wasmtime(&error))
                };
                seat.instantiate(&self.pre)
                    .await
                    .map_err(stopped("making an instance"))?;
                seat.probe(&self.exports)
                    .map_err(|error| LoadProblem::Shape(error.into()))?;
                let description = seat
                    .describe(&self.exports)
                    .await
                    .map_err(stopped("`describe`"))?;
                let description = Description::within_bounds(description)?;
                seat.configure(&self.exports, &self.settings)
                    .await
                    .map_err(stopped("`configure`"))?
                    .map_err(LoadProblem::Settings)?;
                Ok(description)
            })
            .await;
        match timed.output {
            Some(output) => output,
            None => Err(failed("`describe` or `configure`", self.late(&timed))),
        }
    }
}
