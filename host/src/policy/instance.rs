//! One instance of a policy, from its store to its verdict.

use wasmtime::component::InstancePre;
use wasmtime::{Engine, Store};

use super::cause::{CallFailure, Cause, shown};
use super::host::{Call, Stage};
use super::limits::Limits;
use super::report::{Question, Verdict};
use super::verdict::MAX_DOCUMENT;
use crate::contract::{Description, Exports, Facts, Guest, SettingsProblem};

/// What one piece may be larger than the largest one that is allowed, so that the guest is told and not stopped.
const PIECE_SLACK: usize = 64 << 10;
/// The most settings problems that are reported.
const MAX_PROBLEMS: usize = 64;
/// An epoch that never comes. `u64::MAX` itself overflows, since it is added to the present one.
const NEVER: u64 = u64::MAX / 2;

/// A store, and the instance in it once there is one. It is dropped after any failure: a store that trapped, or whose
/// call was dropped, is never entered again.
pub(super) struct Seat {
    store: Store<Call>,
    guest: Option<Guest>,
}

impl Seat {
    /// An empty store with its limits.
    pub(super) fn new(engine: &Engine, call: Call, limits: &Limits, yields: bool) -> Self {
        let mut store = Store::new(engine, call);
        store.limiter(|call| &mut call.meter);
        let piece = usize::try_from(limits.bytes_accepted).unwrap_or(usize::MAX);
        store.set_hostcall_fuel(piece.max(MAX_DOCUMENT).saturating_add(PIECE_SLACK));
        if yields {
            store.epoch_deadline_async_yield_and_update(1);
        }
        Self { store, guest: None }
    }

    /// Gives the store the fuel of one decision.
    pub(super) fn begin(&mut self, limits: &Limits, yields: bool) -> Result<(), CallFailure> {
        self.store
            .set_epoch_deadline(if yields { 1 } else { NEVER });
        self.store
            .set_fuel(limits.fuel)
            .map_err(|error| CallFailure::new(Cause::Unavailable, error.to_string()))
    }

    pub(super) fn data(&mut self) -> &mut Call {
        self.store.data_mut()
    }

    /// What is left of the fuel.
    pub(super) fn fuel_left(&self) -> u64 {
        self.store.get_fuel().unwrap_or_default()
    }

    pub(super) fn is_instantiated(&self) -> bool {
        self.guest.is_some()
    }

    /// Makes the instance.
    pub(super) async fn instantiate(
        &mut self,
        pre: &InstancePre<Call>,
        exports: &Exports,
    ) -> wasmtime::Result<()> {
        let instance = pre.instantiate_async(&mut self.store).await?;
        self.guest = Some(exports.of(instance));
        Ok(())
    }

    /// Asks the policy who it is.
    pub(super) async fn describe(&mut self) -> wasmtime::Result<Description> {
        self.store.data_mut().enter_stage(Stage::Describe);
        let (guest, store) = self.entered()?;
        guest.describe(store).await
    }

    /// Gives the instance its settings.
    pub(super) async fn configure(
        &mut self,
        settings: &str,
    ) -> wasmtime::Result<Result<(), Vec<SettingsProblem>>> {
        self.store.data_mut().enter_stage(Stage::Configure);
        let (guest, store) = self.entered()?;
        let answer = guest.configure(store, settings).await?;
        Ok(answer.map_err(first_of))
    }

    /// Finds the roles' functions in the instance, which compares every type with the contract's.
    pub(super) fn probe(&mut self) -> wasmtime::Result<()> {
        let (guest, store) = self.entered()?;
        guest.probe(store)
    }

    /// Asks for a verdict. The inner error is the guest's own.
    pub(super) async fn decide(
        &mut self,
        question: Question<'_>,
        facts: &Facts,
    ) -> wasmtime::Result<Result<Verdict, String>> {
        self.store.data_mut().begin_decision(facts);
        let (guest, store) = self.entered()?;
        Ok(match question {
            Question::Existence => guest.check(store, facts).await?.map(Verdict::Existence),
            Question::Fallback { reason } => guest
                .choose(store, facts, reason)
                .await?
                .map(Verdict::Fallback),
            Question::Retry { failure } => guest
                .decide(store, facts, failure)
                .await?
                .map(Verdict::Retry),
        })
    }

    fn entered(&mut self) -> wasmtime::Result<(&mut Guest, &mut Store<Call>)> {
        match &mut self.guest {
            Some(guest) => Ok((guest, &mut self.store)),
            None => Err(CallFailure::new(Cause::Unavailable, "there is no instance").into()),
        }
    }
}

/// The first problems, and how many more there are.
fn first_of(problems: Vec<SettingsProblem>) -> Vec<SettingsProblem> {
    let rest = problems.len().saturating_sub(MAX_PROBLEMS);
    let mut first: Vec<_> = problems
        .into_iter()
        .take(MAX_PROBLEMS)
        .map(|problem| SettingsProblem {
            pointer: shown(&problem.pointer),
            message: shown(&problem.message),
        })
        .collect();
    if rest > 0 {
        first.push(SettingsProblem {
            pointer: String::new(),
            message: format!("{rest} further problems are not shown"),
        });
    }
    first
}
