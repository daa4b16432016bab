//! A world in memory, and clocks that do as they are told.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, pending};
use object_store::path::Path;

use crate::contract::{ObjectInfo, StoreFailure, Version};
use crate::policy::*;
use crate::time::{Clock, Timestamp};

/// Objects by key, a staged file named `file`, and state. A store that hangs never answers.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) objects: Mutex<BTreeMap<String, Vec<u8>>>,
    pub(crate) state: Mutex<BTreeMap<(StateScope, String), Vec<u8>>>,
    pub(crate) failing: Option<StoreFailure>,
    pub(crate) hangs: bool,
}

impl Memory {
    pub(crate) fn holding(objects: &[(&str, &[u8])]) -> Self {
        let objects = objects
            .iter()
            .map(|(key, bytes)| ((*key).to_owned(), bytes.to_vec()))
            .collect();
        Self {
            objects: Mutex::new(objects),
            ..Self::default()
        }
    }

    async fn object(&self, key: &Path) -> Result<(ObjectInfo, Vec<u8>), ReadFailure> {
        if self.hangs {
            pending::<()>().await;
        }
        if let Some(failure) = &self.failing {
            return Err(ReadFailure::Store(failure.clone()));
        }
        let objects = self.objects.lock().unwrap();
        let bytes = objects.get(key.as_ref()).ok_or(ReadFailure::NotFound)?;
        Ok((info(bytes), bytes.clone()))
    }
}

fn info(bytes: &[u8]) -> ObjectInfo {
    ObjectInfo {
        size: bytes.len() as u64,
        modified: Timestamp::from_millis(5),
        version: Some(Version::new(format!("v{}", bytes.len()))),
    }
}

fn part(bytes: &[u8], offset: u64, length: u32) -> Bytes {
    let from = usize::try_from(offset).unwrap().min(bytes.len());
    let to = (from + length as usize).min(bytes.len());
    Bytes::copy_from_slice(&bytes[from..to])
}

#[async_trait]
impl World for Memory {
    async fn head(&self, key: &Path) -> Result<ObjectInfo, ReadFailure> {
        Ok(self.object(key).await?.0)
    }

    async fn get(
        &self,
        key: &Path,
        offset: u64,
        length: u32,
    ) -> Result<(ObjectInfo, Bytes), ReadFailure> {
        let (object, bytes) = self.object(key).await?;
        Ok((object, part(&bytes, offset, length)))
    }

    async fn list(&self, prefix: &Path, _: Option<&str>, limit: u32) -> Result<Page, ReadFailure> {
        let objects = self.objects.lock().unwrap();
        let below = format!("{prefix}/");
        let entries = objects
            .iter()
            .filter(|(key, _)| key.starts_with(&below))
            .take(limit as usize)
            .map(|(key, bytes)| Entry {
                key: key.clone(),
                size: bytes.len() as u64,
                modified: Timestamp::from_millis(5),
            })
            .collect();
        Ok(Page {
            entries,
            next: None,
        })
    }

    async fn put(
        &self,
        key: &Path,
        bytes: Bytes,
        mode: WriteMode,
    ) -> Result<ObjectInfo, WriteFailure> {
        let mut objects = self.objects.lock().unwrap();
        match (objects.get(key.as_ref()), mode) {
            (Some(found), WriteMode::Create) => Err(WriteFailure::Stale(Some(info(found)))),
            (None, WriteMode::Update(_)) => Err(WriteFailure::Stale(None)),
            _ => {
                let object = info(&bytes);
                objects.insert(key.to_string(), bytes.to_vec());
                Ok(object)
            }
        }
    }

    async fn staged_files(&self) -> Result<Vec<StagedFile>, StagingFailure> {
        Ok(Vec::new())
    }

    async fn read_staged(
        &self,
        name: &str,
        offset: u64,
        length: u32,
    ) -> Result<Bytes, StagingFailure> {
        assert!(!name.contains('/') && name != "..", "{name} got through");
        match name {
            "file" => Ok(part(b"content", offset, length)),
            _ => Err(StagingFailure::NotFound),
        }
    }

    async fn load_state(&self, scope: StateScope, key: &str) -> Result<Option<Vec<u8>>, String> {
        let state = self.state.lock().unwrap();
        Ok(state.get(&(scope, key.to_owned())).cloned())
    }

    async fn count_state(&self, scope: StateScope) -> Result<u32, String> {
        let state = self.state.lock().unwrap();
        let keys = state.keys().filter(|(of, _)| *of == scope).count();
        Ok(u32::try_from(keys).unwrap())
    }
}

/// Stands still but for sleeps, which are over at once and move it; `step` moves it at each look besides.
#[derive(Debug, Default)]
pub(crate) struct StillClock {
    millis: AtomicU64,
    step: u64,
    never_wakes: bool,
}

impl StillClock {
    /// A machine on which every look at the clock finds a second gone, and no alarm ever rings.
    pub(crate) fn racing() -> Self {
        Self {
            step: 1000,
            never_wakes: true,
            ..Self::default()
        }
    }

    /// A clock that is so many milliseconds later at every look.
    pub(crate) fn stepping(step: u64) -> Self {
        Self {
            step,
            ..Self::default()
        }
    }

    pub(crate) fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap();
        self.millis.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.millis.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.millis.fetch_add(self.step, Ordering::SeqCst))
    }

    fn sleep(&self, length: Duration) -> BoxFuture<'static, ()> {
        if self.never_wakes {
            return pending().boxed();
        }
        self.advance(length);
        futures::future::ready(()).boxed()
    }
}
