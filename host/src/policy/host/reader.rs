use bytes::Bytes;
use object_store::path::Path;

use super::{Call, Entered, ROW_COST};
use crate::contract::{Answered, ObjectInfo, ObjectReader, Page, ReadError};
use crate::policy::cause::shown;
use crate::policy::grants::{Granted, parse_key};
use crate::policy::report::HostCallOutcome;
use crate::policy::world::ReadFailure;

/// The most rows of one page of a listing.
const MAX_PAGE: u32 = 1000;

impl ObjectReader for Call {
    async fn head(&mut self, key: String) -> Answered<ObjectInfo, ReadError> {
        let Some(entered) = self.enter("object-reader.head", &key, key.len())? else {
            return Ok(Err(ReadError::BudgetExhausted));
        };
        let result = self.head_object(&entered, &key).await;
        self.leave(&entered, outcome(&result, described));
        Ok(result)
    }

    async fn get(
        &mut self,
        key: String,
        offset: u64,
        length: u32,
    ) -> Answered<(ObjectInfo, Bytes), ReadError> {
        let Some(entered) = self.enter("object-reader.get", &key, key.len())? else {
            return Ok(Err(ReadError::BudgetExhausted));
        };
        let result = self.get_object(&entered, &key, offset, length).await;
        self.leave(&entered, outcome(&result, |(_, bytes)| bytes.len() as u64));
        Ok(result)
    }

    async fn list_objects(
        &mut self,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> Answered<Page, ReadError> {
        let accepted = prefix.len() + after.as_ref().map_or(0, String::len);
        let Some(entered) = self.enter("object-reader.list-objects", &prefix, accepted)? else {
            return Ok(Err(ReadError::BudgetExhausted));
        };
        let result = self
            .list_page(&entered, &prefix, after.as_deref(), limit)
            .await;
        self.leave(&entered, outcome(&result, page_cost));
        Ok(result)
    }
}

impl Call {
    async fn head_object(&mut self, entered: &Entered, key: &str) -> Result<ObjectInfo, ReadError> {
        let key = self.readable_key(key)?;
        let object = entered.world.head(&key).await.map_err(read_error)?;
        self.give_or_tell(described(&object))?;
        Ok(object)
    }

    async fn get_object(
        &mut self,
        entered: &Entered,
        key: &str,
        offset: u64,
        length: u32,
    ) -> Result<(ObjectInfo, Bytes), ReadError> {
        let key = self.readable_key(key)?;
        let left = self.budget.returned_left();
        if u64::from(length) > left {
            return Err(ReadError::TooLarge(left));
        }
        let (object, bytes) = entered
            .world
            .get(&key, offset, length)
            .await
            .map_err(read_error)?;
        self.give_or_tell(bytes.len() as u64)?;
        Ok((object, bytes))
    }

    async fn list_page(
        &mut self,
        entered: &Entered,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page, ReadError> {
        let path = prefix
            .strip_suffix('/')
            .and_then(parse_key)
            .filter(|path| self.granted().is_some_and(|read| read.covers_prefix(path)))
            .ok_or_else(|| not_granted(prefix))?;
        let page = entered
            .world
            .list(&path, after, limit.clamp(1, MAX_PAGE))
            .await
            .map_err(read_error)?;
        self.give_or_tell(page_cost(&page))?;
        Ok(page)
    }

    fn readable_key(&mut self, key: &str) -> Result<Path, ReadError> {
        parse_key(key)
            .filter(|path| self.granted().is_some_and(|read| read.covers_key(path)))
            .ok_or_else(|| not_granted(key))
    }

    /// The read grants for this stream, expanded when the decision first reads.
    pub(in crate::policy) fn granted(&mut self) -> Option<&Granted> {
        if self.readable.is_none() {
            let subject = self.subject.as_ref()?;
            self.readable = Some(Granted::expand(&self.grants.read, &subject.values));
        }
        self.readable.as_ref()
    }

    fn give_or_tell(&mut self, bytes: u64) -> Result<(), ReadError> {
        match self.budget.give(bytes) {
            true => Ok(()),
            false => Err(ReadError::BudgetExhausted),
        }
    }
}

fn not_granted(key: &str) -> ReadError {
    ReadError::NotGranted(shown(key))
}

fn read_error(failure: ReadFailure) -> ReadError {
    match failure {
        ReadFailure::NotFound => ReadError::NotFound,
        ReadFailure::TooLarge(cap) => ReadError::TooLarge(cap),
        ReadFailure::Store(failure) => ReadError::Failed(failure),
    }
}

fn described(object: &ObjectInfo) -> u64 {
    ROW_COST
        + object
            .version
            .as_ref()
            .map_or(0, |version| version.as_str().len()) as u64
}

fn page_cost(page: &Page) -> u64 {
    let rows: u64 = page
        .entries
        .iter()
        .map(|entry| ROW_COST + entry.key.len() as u64)
        .sum();
    rows + page.next.as_ref().map_or(0, String::len) as u64
}

fn outcome<T>(result: &Result<T, ReadError>, size: impl Fn(&T) -> u64) -> HostCallOutcome {
    match result {
        Ok(value) => HostCallOutcome::Done(size(value)),
        Err(ReadError::NotGranted(_)) => HostCallOutcome::Refused("not-granted"),
        Err(ReadError::NotFound) => HostCallOutcome::Refused("not-found"),
        Err(ReadError::TooLarge(_)) => HostCallOutcome::Refused("too-large"),
        Err(ReadError::BudgetExhausted) => HostCallOutcome::Refused("budget-exhausted"),
        Err(ReadError::Failed(failure)) => HostCallOutcome::Failed(shown(&failure.message)),
    }
}
