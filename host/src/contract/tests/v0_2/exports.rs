use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use super::bindings::exports::tidegate::policy as wit;
use super::bindings::exports::tidegate::policy::existence::{Presence as Claimed, StreamFacts};
use crate::contract::{
    Choice, Description, Facts, Failure, Presence, RetryDecision, Role, SettingsProblem,
};

/// Roles are found when they are asked, which is enough for tests.
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

pub(crate) struct Guest {
    exports: Arc<Exports>,
    instance: Instance,
}

impl Guest {
    pub(crate) fn new(exports: Arc<Exports>, instance: Instance) -> Self {
        Self { exports, instance }
    }

    pub(crate) fn probe<T: Send>(&mut self, store: &mut Store<T>) -> wasmtime::Result<()> {
        if let Some(indices) = &self.exports.existence {
            indices.load(&mut *store, &self.instance)?;
        }
        Ok(())
    }

    pub(crate) async fn describe<T: Send>(
        &mut self,
        store: &mut Store<T>,
    ) -> wasmtime::Result<Description> {
        let guest = self.exports.lifecycle.load(&mut *store, &self.instance)?;
        let told = guest.call_describe(store).await?;
        Ok(Description {
            name: told.name,
            version: told.version,
            ..Description::default()
        })
    }

    pub(crate) async fn configure<T: Send>(
        &mut self,
        store: &mut Store<T>,
        settings: &str,
    ) -> wasmtime::Result<Result<(), Vec<SettingsProblem>>> {
        let guest = self.exports.lifecycle.load(&mut *store, &self.instance)?;
        let answer = guest.call_configure(store, settings).await?;
        Ok(answer.map_err(|message| {
            vec![SettingsProblem {
                pointer: String::new(),
                message,
            }]
        }))
    }

    pub(crate) async fn check<T: Send>(
        &mut self,
        store: &mut Store<T>,
        facts: &Facts,
    ) -> wasmtime::Result<Result<Presence, String>> {
        let indices = self.exports.existence.as_ref().unwrap();
        let guest = indices.load(&mut *store, &self.instance)?;
        let answer = guest.call_check(store, &stream_facts(facts)).await?;
        Ok(answer.map(|claimed| match claimed {
            Claimed::Present => Presence::Present,
            Claimed::Absent(why) => Presence::Absent(why),
            Claimed::NotExpected(why) | Claimed::Unsure(why) => Presence::NotExpected(why),
            Claimed::Unsettled(millis) => Presence::Unsettled(Duration::from_millis(millis.into())),
            Claimed::Abstain => Presence::Abstain,
        }))
    }

    pub(crate) async fn choose<T: Send>(
        &mut self,
        store: &mut Store<T>,
        facts: &Facts,
        reason: &str,
    ) -> wasmtime::Result<Result<Choice, String>> {
        let indices = self.exports.fallback.as_ref().unwrap();
        let guest = indices.load(&mut *store, &self.instance)?;
        let chosen = guest
            .call_choose(store, &stream_facts(facts), reason)
            .await?;
        Ok(Ok(chosen.map_or(Choice::Abstain, Choice::Document)))
    }

    pub(crate) async fn decide<T: Send>(
        &mut self,
        store: &mut Store<T>,
        facts: &Facts,
        failure: &Failure,
    ) -> wasmtime::Result<Result<RetryDecision, String>> {
        let indices = self.exports.retry.as_ref().unwrap();
        let guest = indices.load(&mut *store, &self.instance)?;
        let failure = format!("{failure:?}");
        let millis = guest
            .call_decide(store, &stream_facts(facts), &failure)
            .await?;
        let delay = Duration::from_millis(millis.into());
        Ok(Ok(RetryDecision::After(delay)))
    }
}

fn stream_facts(facts: &Facts) -> StreamFacts {
    let age = facts.now.since(facts.node_seen);
    StreamFacts {
        name: facts.stream.name.to_string(),
        node: facts.node.as_str().to_owned(),
        now: facts.now.as_millis(),
        node_age: crate::time::millis(age),
        attempts: facts.attempts,
        dice: facts.entropy,
    }
}
