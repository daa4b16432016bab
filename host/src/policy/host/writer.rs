use super::{Call, Entered};
use crate::contract::{Answered, ObjectInfo, ObjectWriter, WriteError, WriteMode};
use crate::policy::cause::shown;
use crate::policy::grants::{Granted, parse_key};
use crate::policy::report::HostCallOutcome;
use crate::policy::world::WriteFailure;

impl ObjectWriter for Call {
    async fn put(
        &mut self,
        key: String,
        bytes: Vec<u8>,
        mode: WriteMode,
    ) -> Answered<ObjectInfo, WriteError> {
        let accepted = key.len()
            + match &mode {
                WriteMode::Create => 0,
                WriteMode::Update(version) => version.as_str().len(),
            };
        let Some(entered) = self.enter("object-writer.put", &key, accepted)? else {
            return Ok(Err(WriteError::BudgetExhausted));
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
        mode: WriteMode,
    ) -> Result<ObjectInfo, WriteError> {
        let refused = || WriteError::NotGranted(shown(key));
        let path = parse_key(key).ok_or_else(refused)?;
        let subject = self.subject.as_ref().ok_or_else(refused)?;
        if !Granted::expand(&self.grants.write, &subject.values).covers_key(&path) {
            return Err(refused());
        }
        // A decision that may write always comes with the layout's keys; without them nothing is safe to write.
        let reserved = |layout: &crate::policy::grants::LayoutKeys| layout.reserves(&path);
        if subject.layout.as_ref().is_none_or(reserved) {
            return Err(WriteError::Reserved(path.to_string()));
        }
        let left = self.budget.accepted_left();
        if self.budget.accept(bytes.len() as u64).is_err() {
            return Err(WriteError::TooLarge(left));
        }
        entered
            .world
            .put(&path, bytes.into(), mode)
            .await
            .map_err(write_error)
    }
}

fn write_error(failure: WriteFailure) -> WriteError {
    match failure {
        WriteFailure::Stale(object) => WriteError::Stale(object),
        WriteFailure::Store(failure) => WriteError::Failed(failure),
    }
}

fn outcome(result: &Result<ObjectInfo, WriteError>, size: u64) -> HostCallOutcome {
    match result {
        Ok(_) => HostCallOutcome::Done(size),
        Err(WriteError::NotGranted(_)) => HostCallOutcome::Refused("not-granted"),
        Err(WriteError::Reserved(_)) => HostCallOutcome::Refused("reserved"),
        Err(WriteError::Stale(_)) => HostCallOutcome::Refused("stale"),
        Err(WriteError::TooLarge(_)) => HostCallOutcome::Refused("too-large"),
        Err(WriteError::BudgetExhausted) => HostCallOutcome::Refused("budget-exhausted"),
        Err(WriteError::Failed(failure)) => HostCallOutcome::Failed(shown(&failure.message)),
    }
}
