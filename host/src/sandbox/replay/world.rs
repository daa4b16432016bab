//! A world that answers from a record.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::pending;
use object_store::path::Path;

use crate::contract::ObjectInfo;
use crate::policy::{
    Answer, Ask, Content, Page, ReadFailure, StagedFile, StagingFailure, StateScope, World,
    WorldCall, WriteFailure, WriteMode,
};

/// The recorded calls of one decision.
///
/// The first of equal calls gets the first answer, and so on; reading the same again gets the last one once more, since
/// nothing else is known of that moment. A write is answered as often as it was made.
///
/// A call that is not there ends the decision: it is noted, and never answered.
pub(super) struct RecordedWorld {
    calls: Vec<WorldCall>,
    seen: Mutex<Seen>,
}

/// What was asked so far.
#[derive(Default)]
struct Seen {
    used: Vec<bool>,
    diverged: Option<Ask>,
}

impl RecordedWorld {
    pub(super) fn new(calls: Vec<WorldCall>) -> Self {
        let seen = Seen {
            used: vec![false; calls.len()],
            diverged: None,
        };
        Self {
            calls,
            seen: Mutex::new(seen),
        }
    }

    /// The first call that was not recorded.
    pub(super) fn diverged(&self) -> Option<Ask> {
        self.seen().diverged.clone()
    }

    /// A recorded write that was not made again.
    pub(super) fn missed_write(&self) -> Option<Ask> {
        let seen = self.seen();
        let missed = self
            .calls
            .iter()
            .zip(&seen.used)
            .find(|(call, used)| call.ask.is_write() && !**used);
        missed.map(|(call, _)| call.ask.clone())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Flags are set one by one, so a panic elsewhere does not spoil them.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The recorded answer; `None` where there is none, or where the call was not made.
    fn look_up(&self, ask: Ask) -> Option<&Answer> {
        let mut seen = self.seen();
        let is_equal = |at: &usize| self.calls.get(*at).is_some_and(|call| call.ask == ask);
        let unused = (0..self.calls.len())
            .filter(is_equal)
            .find(|at| seen.used.get(*at) == Some(&false));
        let again = || match ask.is_write() {
            true => None,
            false => (0..self.calls.len()).rfind(is_equal),
        };
        let Some(at) = unused.or_else(again) else {
            seen.diverged.get_or_insert(ask);
            return None;
        };
        if let Some(used) = seen.used.get_mut(at) {
            *used = true;
        }
        self.calls.get(at)?.answer.as_ref()
    }

    /// The recorded answer as the method's own result. Waits for ever for one that is not there.
    async fn answer<T>(&self, ask: Ask, result: impl FnOnce(&Answer) -> Option<T>) -> T {
        // The reader has made sure that every answer is one that its call can have.
        match self.look_up(ask).and_then(result) {
            Some(result) => result,
            None => pending().await,
        }
    }
}

#[async_trait]
impl World for RecordedWorld {
    async fn head(&self, key: &Path) -> Result<ObjectInfo, ReadFailure> {
        let ask = Ask::Head {
            key: key.to_string(),
        };
        self.answer(ask, |answer| match answer {
            Answer::Object(object) => Some(Ok(object.clone())),
            Answer::ReadFailed(failure) => Some(Err(failure.clone())),
            _ => None,
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
        self.answer(ask, |answer| match answer {
            Answer::Content { object, bytes } => Some(Ok((object.clone(), bytes.0.clone()))),
            Answer::ReadFailed(failure) => Some(Err(failure.clone())),
            _ => None,
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
        self.answer(ask, |answer| match answer {
            Answer::Page(page) => Some(Ok(page.clone())),
            Answer::ReadFailed(failure) => Some(Err(failure.clone())),
            _ => None,
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
            bytes: Content(bytes),
            mode,
        };
        self.answer(ask, |answer| match answer {
            Answer::Written(object) => Some(Ok(object.clone())),
            Answer::WriteFailed(failure) => Some(Err(failure.clone())),
            _ => None,
        })
        .await
    }

    async fn staged_files(&self) -> Result<Vec<StagedFile>, StagingFailure> {
        self.answer(Ask::StagedFiles, |answer| match answer {
            Answer::Files(files) => Some(Ok(files.clone())),
            Answer::StagingFailed(failure) => Some(Err(failure.clone())),
            _ => None,
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
        self.answer(ask, |answer| match answer {
            Answer::Bytes(bytes) => Some(Ok(bytes.0.clone())),
            Answer::StagingFailed(failure) => Some(Err(failure.clone())),
            _ => None,
        })
        .await
    }

    async fn load_state(&self, scope: StateScope, key: &str) -> Result<Option<Vec<u8>>, String> {
        let ask = Ask::LoadState {
            scope,
            key: key.to_owned(),
        };
        self.answer(ask, |answer| match answer {
            Answer::Value(value) => Some(Ok(value.as_ref().map(|bytes| bytes.0.to_vec()))),
            Answer::StateFailed(cause) => Some(Err(cause.clone())),
            _ => None,
        })
        .await
    }

    async fn count_state(&self, scope: StateScope) -> Result<u32, String> {
        self.answer(Ask::CountState { scope }, |answer| match answer {
            Answer::Count(count) => Some(Ok(*count)),
            Answer::StateFailed(cause) => Some(Err(cause.clone())),
            _ => None,
        })
        .await
    }
}
