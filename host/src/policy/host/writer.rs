use super::{Call, Entered};
use crate::contract::Version;
use crate::contract::v0_1::bindings::tidegate::policy::object_writer as wit;
use crate::contract::v0_1::{object_info, store_failure};
use crate::policy::cause::shown;
use crate::policy::grants::{Granted, parse_key};
use crate::policy::report::HostCallOutcome;
use crate::policy::world::{WriteFailure, WriteMode};

impl wit::Host for Call {
    async fn put(
        &mut self,
        key: String,
        bytes: Vec<u8>,
        mode: wit::WriteMode,
    ) -> wasmtime::Result<Result<wit::ObjectInfo, wit::WriteError>> {
        let accepted = key.len()
            + match &mode {
                wit::WriteMode::Create => 0,
                wit::WriteMode::Update(version) => version.len(),
            };
        let Some(entered) = self.enter("object-writer.put", &key, accepted)? else {
            return Ok(Err(wit::WriteError::BudgetExhausted));
        };
        let size = bytes.len() as u64;
        let result = self.put_object(&entered, &key, bytes, mode).await;
        self.leave(&entered, outcome(&result, size));
        Ok(result)
    }
}

impl Call {
    async fn put_object(
        &mut self,
        entered: &Entered,
        key: &str,
        bytes: Vec<u8>,
        mode: wit::WriteMode,
    ) -> Result<wit::ObjectInfo, wit::WriteError> {
        let refused = || wit::WriteError::NotGranted(shown(key));
        let path = parse_key(key).ok_or_else(refused)?;
        let subject = self.subject.as_ref().ok_or_else(refused)?;
        if !Granted::expand(&self.grants.write, &subject.values).covers_key(&path) {
            return Err(refused());
        }
        // A decision that may write always comes with the layout's keys; without them nothing is safe to write.
        let reserved = |layout: &crate::policy::grants::LayoutKeys| layout.reserves(&path);
        if subject.layout.as_ref().is_none_or(reserved) {
            return Err(wit::WriteError::Reserved(path.to_string()));
        }
        let left = self.budget.accepted_left();
        if self.budget.accept(bytes.len() as u64).is_err() {
            return Err(wit::WriteError::TooLarge(left));
        }
        let mode = match mode {
            wit::WriteMode::Create => WriteMode::Create,
            wit::WriteMode::Update(version) => WriteMode::Update(Version::new(version)),
        };
        entered
            .world
            .put(&path, bytes.into(), mode)
            .await
            .map(object_info)
            .map_err(write_error)
    }
}

fn write_error(failure: WriteFailure) -> wit::WriteError {
    match failure {
        WriteFailure::Stale(object) => wit::WriteError::Stale(object.map(object_info)),
        WriteFailure::Store(failure) => wit::WriteError::Failed(store_failure(failure)),
    }
}

fn outcome(result: &Result<wit::ObjectInfo, wit::WriteError>, size: u64) -> HostCallOutcome {
    match result {
        Ok(_) => HostCallOutcome::Done(size),
        Err(wit::WriteError::NotGranted(_)) => HostCallOutcome::Refused("not-granted"),
        Err(wit::WriteError::Reserved(_)) => HostCallOutcome::Refused("reserved"),
        Err(wit::WriteError::Stale(_)) => HostCallOutcome::Refused("stale"),
        Err(wit::WriteError::TooLarge(_)) => HostCallOutcome::Refused("too-large"),
        Err(wit::WriteError::BudgetExhausted) => HostCallOutcome::Refused("budget-exhausted"),
        Err(wit::WriteError::Failed(failure)) => HostCallOutcome::Failed(shown(&failure.message)),
    }
}
