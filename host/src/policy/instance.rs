//! One instance of a policy, from its store to its verdict.

use wasmtime::component::{Instance, InstancePre};
use wasmtime::{Engine, Store};

use super::cause::{CallFailure, Cause, shown};
use super::host::{Call, Stage};
use super::limits::Limits;
use super::load_error::SettingsProblem;
use super::report::{Question, Verdict};
use super::verdict::MAX_DOCUMENT;
use crate::contract::v0_1::bindings::exports::tidegate::policy as wit;
use crate::contract::v0_1::{self, Lists};
use crate::contract::{Facts, Role};

/// What one piece may be larger than the largest one that is allowed, so that the guest is told and not stopped.
const PIECE_SLACK: usize = 64 << 10;
/// The most settings problems that are reported.
const MAX_PROBLEMS: usize = 64;
/// An epoch that never comes. `u64::MAX` itself overflows, since it is added to the present one.
const NEVER: u64 = u64::MAX / 2;

/// Where a component's exports are, found once when it is loaded.
pub(super) struct Exports {
    lifecycle: wit::lifecycle::GuestIndices,
    existence: Option<wit::existence::GuestIndices>,
    fallback: Option<wit::fallback::GuestIndices>,
    retry: Option<wit::retry::GuestIndices>,
}

impl Exports {
    pub(super) fn find(pre: &InstancePre<Call>, roles: &[Role]) -> wasmtime::Result<Self> {
        let fills = |role| roles.contains(&role).then_some(pre);
        Ok(Self {
            lifecycle: wit::lifecycle::GuestIndices::new(pre)?,
            existence: fills(Role::Existence)
                .map(wit::existence::GuestIndices::new)
                .transpose()?,
            fallback: fills(Role::Fallback)
                .map(wit::fallback::GuestIndices::new)
                .transpose()?,
            retry: fills(Role::Retry)
                .map(wit::retry::GuestIndices::new)
                .transpose()?,
        })
    }
}

/// A store, and the instance in it once there is one. It is dropped after any failure: a store that trapped, or whose
/// call was dropped, is never entered again.
pub(super) struct Seat {
    store: Store<Call>,
    instance: Option<Instance>,
    existence: Option<wit::existence::Guest>,
    fallback: Option<wit::fallback::Guest>,
    retry: Option<wit::retry::Guest>,
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
        Self {
            store,
            instance: None,
            existence: None,
            fallback: None,
            retry: None,
        }
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
        self.instance.is_some()
    }

    /// Makes the instance.
    pub(super) async fn instantiate(&mut self, pre: &InstancePre<Call>) -> wasmtime::Result<()> {
        self.instance = Some(pre.instantiate_async(&mut self.store).await?);
        Ok(())
    }

    /// Asks the policy who it is.
    pub(super) async fn describe(
        &mut self,
        exports: &Exports,
    ) -> wasmtime::Result<wit::lifecycle::Description> {
        self.store.data_mut().enter_stage(Stage::Describe);
        let instance = self.instance()?;
        let guest = exports.lifecycle.load(&mut self.store, &instance)?;
        guest.call_describe(&mut self.store).await
    }

    /// Gives the instance its settings.
    pub(super) async fn configure(
        &mut self,
        exports: &Exports,
        settings: &str,
    ) -> wasmtime::Result<Result<(), Vec<SettingsProblem>>> {
        self.store.data_mut().enter_stage(Stage::Configure);
        let instance = self.instance()?;
        let guest = exports.lifecycle.load(&mut self.store, &instance)?;
        let answer = guest.call_configure(&mut self.store, settings).await?;
        Ok(answer.map_err(|problems| first_of(&problems)))
    }

    /// Finds the roles' functions in the instance, which compares every type with the contract's.
    pub(super) fn probe(&mut self, exports: &Exports) -> wasmtime::Result<()> {
        let instance = self.instance()?;
        if let Some(indices) = &exports.existence {
            indices.load(&mut self.store, &instance)?;
        }
        if let Some(indices) = &exports.fallback {
            indices.load(&mut self.store, &instance)?;
        }
        if let Some(indices) = &exports.retry {
            indices.load(&mut self.store, &instance)?;
        }
        Ok(())
    }

    /// Asks for a verdict. The inner error is the guest's own.
    pub(super) async fn decide(
        &mut self,
        exports: &Exports,
        question: Question<'_>,
        facts: &Facts,
    ) -> wasmtime::Result<Result<Verdict, String>> {
        self.store.data_mut().begin_decision(facts);
        let instance = self.instance()?;
        let lists = Lists::of(facts);
        let stream = v0_1::stream_facts(facts, &lists);
        let store = &mut self.store;
        match question {
            Question::Existence => {
                let guest = loaded(&mut self.existence, &exports.existence, |indices| {
                    indices.load(&mut *store, &instance)
                })?;
                let answer = guest.call_check(store, stream).await?;
                Ok(answer.map(|verdict| Verdict::Existence(verdict.into())))
            }
            Question::Fallback { reason } => {
                let guest = loaded(&mut self.fallback, &exports.fallback, |indices| {
                    indices.load(&mut *store, &instance)
                })?;
                let answer = guest.call_choose(store, stream, reason).await?;
                Ok(answer.map(|verdict| Verdict::Fallback(verdict.into())))
            }
            Question::Retry { failure } => {
                let guest = loaded(&mut self.retry, &exports.retry, |indices| {
                    indices.load(&mut *store, &instance)
                })?;
                let failure = v0_1::failure(failure);
                let answer = guest.call_decide(store, stream, failure).await?;
                Ok(answer.map(|verdict| Verdict::Retry(verdict.into())))
            }
        }
    }

    fn instance(&self) -> wasmtime::Result<Instance> {
        self.instance
            .ok_or_else(|| CallFailure::new(Cause::Unavailable, "there is no instance").into())
    }
}

/// The first problems, and how many more there are.
fn first_of(problems: &[wit::lifecycle::SettingsProblem]) -> Vec<SettingsProblem> {
    let mut first: Vec<_> = problems
        .iter()
        .take(MAX_PROBLEMS)
        .map(|problem| SettingsProblem {
            pointer: shown(&problem.pointer),
            message: shown(&problem.message),
        })
        .collect();
    let rest = problems.len() - first.len();
    if rest > 0 {
        first.push(SettingsProblem {
            pointer: String::new(),
            message: format!("{rest} further problems are not shown"),
        });
    }
    first
}

/// The role's functions, found in this instance once.
fn loaded<'a, I, G>(
    guest: &'a mut Option<G>,
    indices: &Option<I>,
    load: impl FnOnce(&I) -> wasmtime::Result<G>,
) -> wasmtime::Result<&'a G> {
    let found = match (guest.take(), indices) {
        (Some(found), _) => found,
        (None, Some(indices)) => load(indices)?,
        (None, None) => {
            let message = "the policy does not fill this role";
            return Err(CallFailure::new(Cause::Unavailable, message).into());
        }
    };
    Ok(guest.insert(found))
}
