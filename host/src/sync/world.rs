//! What a policy's imports reach: the node's real store, staging and ledger.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::Path;
use tokio::sync::oneshot;

use super::core::Core;
use super::journal::Journal;
use super::policy_writes::{LateWrite, LateWrites, PolicyWriter, not_written};
use super::publishers::MAX_LISTED;
use crate::contract::ObjectInfo;
use crate::ledger;
use crate::policy::{
    Entry, Page, ReadFailure, StagedFile, StagingFailure, StateScope, World, WriteFailure,
    WriteMode,
};
use crate::staging::{FileError, ListError, Staging};
use crate::storage::{Fetched, Store};
use crate::stream::{NodeId, StreamId};
use crate::tasks::Tasks;

/// The most files of a stream's staging directory that a policy is shown.
const MAX_FILES: usize = 10_000;

/// One policy's world, for one decision about one stream.
#[derive(Debug)]
pub(super) struct PolicyWorld {
    store: Store,
    staging: Arc<dyn Staging>,
    journal: Arc<dyn Journal>,
    tasks: Arc<dyn Tasks>,
    node: NodeId,
    stream: StreamId,
    policy: Arc<str>,
    writer: Option<PolicyWriter>,
    late: Arc<LateWrites>,
}

impl PolicyWorld {
    pub(super) fn new(
        core: &Core,
        stream: &StreamId,
        policy: Arc<str>,
        late: Arc<LateWrites>,
    ) -> Self {
        Self {
            store: core.store.clone(),
            staging: Arc::clone(&core.staging),
            journal: Arc::clone(&core.journal),
            tasks: Arc::clone(&core.tasks),
            node: core.node.clone(),
            stream: stream.clone(),
            writer: PolicyWriter::new(core, stream, Arc::clone(&policy)),
            policy,
            late,
        }
    }

    fn scope(&self, scope: StateScope) -> ledger::StateScope {
        let stream = match scope {
            StateScope::Stream => Some(self.stream.clone()),
            StateScope::Node => None,
        };
        ledger::StateScope {
            node: self.node.clone(),
            stream,
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StagingFailure> {
        self.tasks
            .block(work)
            .await
            .map_err(|error| StagingFailure::Failed(error.to_string()))
    }
}

#[async_trait]
impl World for PolicyWorld {
    async fn head(&self, key: &Path) -> Result<ObjectInfo, ReadFailure> {
        self.store
            .head(key)
            .await
            .map_err(ReadFailure::Store)?
            .ok_or(ReadFailure::NotFound)
    }

    async fn get(
        &self,
        key: &Path,
        offset: u64,
        length: u32,
    ) -> Result<(ObjectInfo, Bytes), ReadFailure> {
        match self
            .store
            .get_range(key, offset, u64::from(length))
            .await
            .map_err(ReadFailure::Store)?
        {
            Fetched::Found(object) => Ok((object.info, object.bytes)),
            Fetched::TooLarge(info) => Err(ReadFailure::TooLarge(info.size)),
            Fetched::Missing => Err(ReadFailure::NotFound),
        }
    }

    async fn list(
        &self,
        prefix: &Path,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page, ReadFailure> {
        let listing = self
            .store
            .list(prefix, MAX_LISTED)
            .await
            .map_err(ReadFailure::Store)?;
        if listing.truncated {
            return Err(ReadFailure::TooLarge(MAX_LISTED as u64));
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut rest = listing.objects.into_iter().skip_while(|object| {
            after.is_some_and(|after| object.key.as_ref().as_bytes() <= after.as_bytes())
        });
        let entries: Vec<_> = rest
            .by_ref()
            .take(limit)
            .map(|object| Entry {
                key: object.key.into(),
                size: object.size,
                modified: object.modified,
            })
            .collect();
        let next = rest
            .next()
            .and_then(|_| entries.last().map(|last| last.key.clone()));
        Ok(Page { entries, next })
    }

    async fn put(
        &self,
        key: &Path,
        bytes: Bytes,
        mode: WriteMode,
    ) -> Result<ObjectInfo, WriteFailure> {
        let Some(writer) = self.writer.clone() else {
            return Err(not_written("nothing is written now"));
        };
        let (tell, told) = oneshot::channel();
        let (policy, key) = (Arc::clone(&self.policy), key.clone());
        // A task of its own: the decision's deadline drops this future, and the write must end all the same.
        self.late.add(self.tasks.spawn(async move {
            let written = writer.write(key.clone(), bytes, mode).await;
            tell.send(written).err().map(|written| LateWrite {
                policy,
                key,
                written,
            })
        }));
        told.await
            .unwrap_or_else(|_| Err(not_written("the write was interrupted")))
    }

    async fn staged_files(&self) -> Result<Vec<StagedFile>, StagingFailure> {
        let (staging, stream) = (Arc::clone(&self.staging), self.stream.clone());
        let listed = self
            .blocking(move || staging.list_files(&stream, MAX_FILES))
            .await?;
        match listed {
            Ok(files) => Ok(files
                .into_iter()
                .map(|file| StagedFile {
                    name: file.name,
                    size: file.size,
                    modified: file.modified,
                })
                .collect()),
            Err(ListError::TooMany(cap)) => Err(StagingFailure::TooLarge(cap as u64)),
            Err(ListError::Failed(cause)) => Err(StagingFailure::Failed(cause)),
        }
    }

    async fn read_staged(
        &self,
        name: &str,
        offset: u64,
        length: u32,
    ) -> Result<Bytes, StagingFailure> {
        let (staging, stream, name) = (
            Arc::clone(&self.staging),
            self.stream.clone(),
            name.to_owned(),
        );
        let read = self
            .blocking(move || staging.read_file(&stream, &name, offset, length))
            .await?;
        read.map_err(|error| match error {
            FileError::NotFound => StagingFailure::NotFound,
            FileError::Failed(cause) => StagingFailure::Failed(cause),
        })
    }

    async fn load_state(&self, scope: StateScope, key: &str) -> Result<Option<Vec<u8>>, String> {
        let scope = self.scope(scope);
        self.journal
            .load_state(&self.policy, &scope, key)
            .await
            .map_err(|error| error.to_string())
    }

    async fn count_state(&self, scope: StateScope) -> Result<u32, String> {
        let scope = self.scope(scope);
        let count = self
            .journal
            .count_state(&self.policy, &scope)
            .await
            .map_err(|error| error.to_string())?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use object_store::memory::InMemory;

    use super::*;
    use crate::ledger::{Ledger, LedgerOptions, Swap};
    use crate::staging::{Layout, StagingDir, StagingSettings};
    use crate::storage::{Put, StoreId, StoreSettings};
    use crate::sync::LedgerJournal;
    use crate::tasks::TokioTasks;
    use crate::time::{Clock, SystemClock};

    /// The worlds of one policy for a stream, in a directory of its own.
    fn world(dir: &std::path::Path, ledger: &Ledger, stream: &str) -> PolicyWorld {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let (id, mut settings) = (StoreId::new("memory:///"), StoreSettings::new("memory:///"));
        settings.burst = NonZeroU32::MAX;
        let staging = StagingSettings::new(dir, Layout::plain());
        let node = NodeId::new("n1");
        PolicyWorld {
            store: Store::with_object_store(Arc::new(InMemory::new()), id, &settings, clock),
            staging: Arc::new(StagingDir::open_beside(staging).unwrap()),
            journal: Arc::new(LedgerJournal::new(ledger.clone(), node.clone())),
            tasks: Arc::new(TokioTasks),
            node,
            stream: StreamId::new(stream),
            policy: "p".into(),
            writer: None,
            late: Arc::default(),
        }
    }

    fn ledger(dir: &std::path::Path) -> Ledger {
        let options = LedgerOptions::new("memory:///");
        Ledger::open(&dir.join("ledger.db"), options, Default::default()).unwrap()
    }

    #[tokio::test]
    async fn what_a_policy_keeps_for_one_stream_is_not_seen_for_another() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = ledger(dir.path());
        let one = world(dir.path(), &ledger, "one");
        let other = world(dir.path(), &ledger, "other");
        for (scope, seen) in [
            (StateScope::Stream, None),
            (StateScope::Node, Some(vec![1])),
        ] {
            let swap = Swap {
                policy: "p".to_owned(),
                scope: one.scope(scope),
                key: "k".to_owned(),
                expected: None,
                value: Some(vec![1]),
            };
            assert!(one.journal.commit_state(vec![swap]).await.unwrap());
            assert_eq!(one.load_state(scope, "k").await, Ok(Some(vec![1])));
            assert_eq!(other.load_state(scope, "k").await, Ok(seen));
        }
    }

    #[tokio::test]
    async fn a_listing_over_the_cap_is_refused_and_one_of_its_size_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let world = world(dir.path(), &ledger(dir.path()), "app");
        let object = |n: usize| Path::from(format!("many/{n:05}"));
        let create = async |n| {
            let put = world.store.create(&object(n), "x".into()).await;
            assert!(matches!(put, Put::Done(_)));
        };
        for n in 0..MAX_LISTED {
            create(n).await;
        }
        let many = Path::from("many");
        let page = world.list(&many, None, 10).await.unwrap();
        assert_eq!(page.entries.len(), 10);
        assert_eq!(page.next, Some("many/00009".to_owned()));
        let last = world.list(&many, Some("many/09998"), 10).await.unwrap();
        assert_eq!((last.entries.len(), last.next), (1, None));
        create(MAX_LISTED).await;
        let refused = world.list(&many, None, 10).await.unwrap_err();
        assert_eq!(refused, ReadFailure::TooLarge(MAX_LISTED as u64));
    }
}
