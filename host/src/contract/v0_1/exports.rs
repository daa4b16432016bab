use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use super::bindings::exports::tidegate::policy as wit;
use super::to_guest::{self, Lists};
use crate::contract::{
    Choice, Description, Facts, Failure, Presence, RetryDecision, Role, SettingsProblem,
};

/// Where a component's exports are.
pub(crate) struct Exports {
    lifecycle: wit::lifecycle::GuestIndices,
    existence: Option<wit::existence::GuestIndices>,
    fallback: Option<wit::fallback::GuestIndices>,
    retry: Option<wit::retry::GuestIndices>,
}

impl Exports {
    pub(crate) fn find<T: 'static>(pre: &InstancePre<T>, roles: &[Role]) -> wasmtime::Result<Self> {
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

/// One instance, and those of its functions that were called.
pub(crate) struct Guest {
    exports: Arc<Exports>,
    instance: Instance,
    existence: Option<wit::existence::Guest>,
    fallback: Option<wit::fallback::Guest>,
    retry: Option<wit::retry::Guest>,
}

impl Guest {
    pub(crate) fn new(exports: Arc<Exports>, instance: Instance) -> Self {
        Self {
            exports,
            instance,
            existence: None,
            fallback: None,
            retry: None,
        }
    }

    pub(crate) fn probe<T: Send>(&mut self, store: &mut Store<T>) -> wasmtime::Result<()> {
        if let Some(indices) = &self.exports.existence {
            indices.load(&mut *store, &self.instance)?;
        }
        if let Some(indices) = &self.exports.fallback {
            indices.load(&mut *store, &self.instance)?;
        }
        if let Some(indices) = &self.exports.retry {
            indices.load(&mut *store, &self.instance)?;
        }
        Ok(())
    }

    pub(crate) async fn describe<T: Send>(
        &mut self,
        store: &mut Store<T>,
    ) -> wasmtime::Result<Description> {
        let guest = self.exports.lifecycle.load(&mut *store, &self.instance)?;
        Ok(guest.call_describe(store).await?.into())
    }

    pub(crate) async fn configure<T: Send>(
        &mut self,
        store: &mut Store<T>,
        settings: &str,
    ) -> wasmtime::Result<Result<(), Vec<SettingsProblem>>> {
        let guest = self.exports.lifecycle.load(&mut *store, &self.instance)?;
        let answer = guest.call_configure(store, settings).await?;
        Ok(answer.map_err(|problems| problems.into_iter().map(Into::into).collect()))
    }

    pub(crate) async fn check<T: Send>(
        &mut self,
        store: &mut Store<T>,
        facts: &Facts,
    ) -> wasmtime::Result<Result<Presence, String>> {
        let guest = loaded(&mut self.existence, &self.exports.existence, |indices| {
            indices.load(&mut *store, &self.instance)
        })?;
        let lists = Lists::of(facts);
        let stream = to_guest::stream_facts(facts, &lists);
        let answer = guest.call_check(store, stream).await?;
        Ok(answer.map(Presence::from))
    }

    pub(crate) async fn choose<T: Send>(
        &mut self,
        store: &mut Store<T>,
        facts: &Facts,
        reason: &str,
    ) -> wasmtime::Result<Result<Choice, String>> {
        let guest = loaded(&mut self.fallback, &self.exports.fallback, |indices| {
            indices.load(&mut *store, &self.instance)
        })?;
        let lists = Lists::of(facts);
        let stream = to_guest::stream_facts(facts, &lists);
        let answer = guest.call_choose(store, stream, reason).await?;
        Ok(answer.map(Choice::from))
    }

    pub(crate) async fn decide<T: Send>(
        &mut self,
        store: &mut Store<T>,
        facts: &Facts,
        failure: &Failure,
    ) -> wasmtime::Result<Result<RetryDecision, String>> {
        let guest = loaded(&mut self.retry, &self.exports.retry, |indices| {
            indices.load(&mut *store, &self.instance)
        })?;
        let lists = Lists::of(facts);
        let stream = to_guest::stream_facts(facts, &lists);
        let failure = to_guest::failure(failure);
        let answer = guest.call_decide(store, stream, failure).await?;
        Ok(answer.map(RetryDecision::from))
    }
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
        (None, None) => return Err(wasmtime::Error::msg("the policy does not fill this role")),
    };
    Ok(guest.insert(found))
}
