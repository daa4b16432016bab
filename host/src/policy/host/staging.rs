use bytes::Bytes;

use super::{Call, Entered, ROW_COST};
use crate::contract::{Answered, StagedFile, Staging, StagingError};
use crate::policy::cause::shown;
use crate::policy::report::HostCallOutcome;
use crate::policy::world::StagingFailure;

impl Staging for Call {
    async fn list_files(&mut self) -> Answered<Vec<StagedFile>, StagingError> {
        let Some(entered) = self.enter("staging.list-files", "", 0)? else {
            return Ok(Err(StagingError::BudgetExhausted));
        };
        let result = self.staged_files(&entered).await;
        self.leave(&entered, outcome(&result, |files| listing_cost(files)));
        Ok(result)
    }

    async fn read_file(
        &mut self,
        name: String,
        offset: u64,
        length: u32,
    ) -> Answered<Bytes, StagingError> {
        let Some(entered) = self.enter("staging.read-file", &name, name.len())? else {
            return Ok(Err(StagingError::BudgetExhausted));
        };
        let result = self.read_staged(&entered, &name, offset, length).await;
        self.leave(&entered, outcome(&result, |bytes| bytes.len() as u64));
        Ok(result)
    }
}

impl Call {
    async fn staged_files(&mut self, entered: &Entered) -> Result<Vec<StagedFile>, StagingError> {
        let files = entered.world.staged_files().await.map_err(staging_error)?;
        if !self.budget.give(listing_cost(&files)) {
            return Err(StagingError::BudgetExhausted);
        }
        Ok(files)
    }

    async fn read_staged(
        &mut self,
        entered: &Entered,
        name: &str,
        offset: u64,
        length: u32,
    ) -> Result<Bytes, StagingError> {
        if name.is_empty() || name.contains(['/', '\0']) || matches!(name, "." | "..") {
            return Err(StagingError::NotFound);
        }
        let left = self.budget.returned_left();
        if u64::from(length) > left {
            return Err(StagingError::TooLarge(left));
        }
        let bytes = entered
            .world
            .read_staged(name, offset, length)
            .await
            .map_err(staging_error)?;
        if !self.budget.give(bytes.len() as u64) {
            return Err(StagingError::BudgetExhausted);
        }
        Ok(bytes)
    }
}

fn staging_error(failure: StagingFailure) -> StagingError {
    match failure {
        StagingFailure::NotFound => StagingError::NotFound,
        StagingFailure::TooLarge(cap) => StagingError::TooLarge(cap),
        StagingFailure::Failed(cause) => StagingError::Failed(cause),
    }
}

fn listing_cost(files: &[StagedFile]) -> u64 {
    files
        .iter()
        .map(|file| ROW_COST + file.name.len() as u64)
        .sum()
}

fn outcome<T>(result: &Result<T, StagingError>, size: impl Fn(&T) -> u64) -> HostCallOutcome {
    match result {
        Ok(value) => HostCallOutcome::Done(size(value)),
        Err(StagingError::NotFound) => HostCallOutcome::Refused("not-found"),
        Err(StagingError::TooLarge(_)) => HostCallOutcome::Refused("too-large"),
        Err(StagingError::BudgetExhausted) => HostCallOutcome::Refused("budget-exhausted"),
        Err(StagingError::Failed(cause)) => HostCallOutcome::Failed(shown(cause)),
    }
}
