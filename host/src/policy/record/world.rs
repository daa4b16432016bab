use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::Path;

use super::MAX_RECORDED_CALLS;
use super::call::{Answer, Ask, WorldCall};
use super::content::Content;
use crate::contract::ObjectInfo;
use crate::policy::world::{
    Page, ReadFailure, StagedFile, StagingFailure, StateScope, World, WriteFailure, WriteMode,
};

/// A world that keeps what was asked of another one, and what that answered.
pub(in crate::policy) struct RecordingWorld {
    inner: Arc<dyn World>,
    kept: Mutex<Kept>,
}

/// The calls so far, and their weight.
#[derive(Default)]
struct Kept {
    calls: Vec<WorldCall>,
    weight: usize,
    overflowed: bool,
}

impl RecordingWorld {
    pub(in crate::policy) fn new(inner: Arc<dyn World>) -> Self {
        Self {
            inner,
            kept: Mutex::default(),
        }
    }

    /// The calls, and whether these are all of them.
    pub(in crate::policy) fn take(&self) -> (Vec<WorldCall>, bool) {
        let kept = std::mem::take(&mut *self.kept());
        (kept.calls, !kept.overflowed)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Calls are added whole, so a panic elsewhere does not spoil them.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the call before it is made: the decision's deadline may drop it.
    async fn note<T>(
        &self,
        ask: Ask,
        call: impl Future<Output = T> + Send,
        answer: impl FnOnce(&T) -> Answer + Send,
    ) -> T {
        let at = self.kept().begin(ask);
        let result = call.await;
        if let Some(at) = at {
            self.kept().end(at, answer(&result));
        }
        result
    }
}

impl Kept {
    /// Where the call stands; `None` when calls are no longer kept.
    fn begin(&mut self, ask: Ask) -> Option<usize> {
        let call = WorldCall { ask, answer: None };
        if !self.fits(call.weight()) {
            return None;
        }
        self.calls.push(call);
        Some(self.calls.len() - 1)
    }

    fn end(&mut self, at: usize, answer: Answer) {
        if self.fits(answer.weight())
            && let Some(call) = self.calls.get_mut(at)
        {
            call.answer = Some(answer);
        }
    }

    /// Charges what is to be kept. Once something does not fit, nothing is kept: a part can't be replayed.
    fn fits(&mut self, weight: usize) -> bool {
        self.weight = self.weight.saturating_add(weight);
        self.overflowed = self.overflowed || self.weight > MAX_RECORDED_CALLS;
        if self.overflowed {
            self.calls = Vec::new();
        }
        !self.overflowed
    }
}

fn read<T>(result: &Result<T, ReadFailure>, answer: impl FnOnce(&T) -> Answer) -> Answer {
    match result {
        Ok(value) => answer(value),
        Err(failure) => Answer::ReadFailed(failure.clone()),
    }
}

fn staged<T>(result: &Result<T, StagingFailure>, answer: impl FnOnce(&T) -> Answer) -> Answer {
    match result {
        Ok(value) => answer(value),
        Err(failure) => Answer::StagingFailed(failure.clone()),
    }
}

#[async_trait]
impl World for RecordingWorld {
    async fn head(&self, key: &Path) -> Result<ObjectInfo, ReadFailure> {
        let ask = Ask::Head {
            key: key.to_string(),
        };
        self.note(ask, self.inner.head(key), |result| {
            read(result, |object| Answer::Object(object.clone()))
        })
        .await
    }

    async fn get(
        &self,
        key: &Path,
        offset: u64,
        length: u32,
    ) -> Result<(ObjectInfo, Bytes), ReadFailure> {
        let ask = Ask::Get {
            key: key.to_string(),
            offset,
            length,
        };
        self.note(ask, self.inner.get(key, offset, length), |result| {
            read(result, |(object, bytes)| Answer::Content {
                object: object.clone(),
                bytes: Content(bytes.clone()),
            })
        })
        .await
    }

    async fn list(
        &self,
        prefix: &Path,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page, ReadFailure> {
        let ask = Ask::List {
            prefix: prefix.to_string(),
            after: after.map(str::to_owned),
            limit,
        };
        self.note(ask, self.inner.list(prefix, after, limit), |result| {
            read(result, |page| Answer::Page(page.clone()))
        })
        .await
    }

    async fn put(
        &self,
        key: &Path,
        bytes: Bytes,
        mode: WriteMode,
    ) -> Result<ObjectInfo, WriteFailure> {
        let ask = Ask::Put {
            key: key.to_string(),
            bytes: Content(bytes.clone()),
            mode: mode.clone(),
        };
        self.note(
            ask,
            self.inner.put(key, bytes, mode),
            |result| match result {
                Ok(object) => Answer::Written(object.clone()),
                Err(failure) => Answer::WriteFailed(failure.clone()),
            },
        )
        .await
    }

    async fn staged_files(&self) -> Result<Vec<StagedFile>, StagingFailure> {
        self.note(Ask::StagedFiles, self.inner.staged_files(), |result| {
            staged(result, |files| Answer::Files(files.clone()))
        })
        .await
    }

    async fn read_staged(
        &self,
        name: &str,
        offset: u64,
        length: u32,
    ) -> Result<Bytes, StagingFailure> {
        let ask = Ask::ReadStaged {
            name: name.to_owned(),
            offset,
            length,
        };
        let call = self.inner.read_staged(name, offset, length);
        self.note(ask, call, |result| {
            staged(result, |bytes| Answer::Bytes(Content(bytes.clone())))
        })
        .await
    }

    async fn load_state(&self, scope: StateScope, key: &str) -> Result<Option<Vec<u8>>, String> {
        let ask = Ask::LoadState {
            scope,
            key: key.to_owned(),
        };
        self.note(
            ask,
            self.inner.load_state(scope, key),
            |result| match result {
                Ok(value) => Answer::Value(value.clone().map(|bytes| Content(bytes.into()))),
                Err(cause) => Answer::StateFailed(cause.clone()),
            },
        )
        .await
    }

    async fn count_state(&self, scope: StateScope) -> Result<u32, String> {
        let ask = Ask::CountState { scope };
        self.note(ask, self.inner.count_state(scope), |result| match result {
            Ok(count) => Answer::Count(*count),
            Err(cause) => Answer::StateFailed(cause.clone()),
        })
        .await
    }
}
