//! What policies write: on record before the request, and read back where its outcome is unknown.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use object_store::path::Path;

use super::attempt::Attempt;
use super::core::Core;
use super::journal::Journal;
use super::machine::{Level, Note};
use crate::contract::{FailureKind, ObjectInfo, StoreFailure};
use crate::digest::Digest;
use crate::ledger::{PolicyWrite, WriteId};
use crate::policy::{WriteFailure, WriteMode};
use crate::storage::{Fetched, Put, Store};
use crate::stream::StreamId;
use crate::sync::gate::Writes;
use crate::tasks::Task;
use crate::text::counted;
use crate::time::Clock;

/// The writes by policies of which nobody knows whether they arrived, by stream. As many as the ledger has on record
/// at most, which bounds them for each stream.
#[derive(Debug, Default)]
pub struct PolicyWrites {
    unknown: Mutex<BTreeMap<StreamId, Vec<(WriteId, PolicyWrite)>>>,
}

impl PolicyWrites {
    /// What an agent that ended in the middle of them left on record.
    pub fn new(left: impl IntoIterator<Item = (WriteId, PolicyWrite)>) -> Self {
        let writes = Self::default();
        for (id, write) in left {
            writes.add(id, write);
        }
        writes
    }

    fn add(&self, id: WriteId, write: PolicyWrite) {
        let mut unknown = self.unknown();
        let of_stream = unknown.entry(write.stream.clone()).or_default();
        of_stream.push((id, write));
    }

    fn take(&self, stream: &StreamId) -> Vec<(WriteId, PolicyWrite)> {
        self.unknown().remove(stream).unwrap_or_default()
    }

    fn unknown(&self) -> MutexGuard<'_, BTreeMap<StreamId, Vec<(WriteId, PolicyWrite)>>> {
        // No entry is ever half-changed, so a panic elsewhere does not spoil the map.
        self.unknown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes for one policy, in one decision about one stream.
#[derive(Clone, Debug)]
pub(super) struct PolicyWriter {
    store: Store,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    writes: Arc<PolicyWrites>,
    stream: StreamId,
    policy: Arc<str>,
    /// Where the store ignores conditions, only what stands there afterwards tells who won.
    reads_back: bool,
}

impl PolicyWriter {
    /// A writer; none where nothing is written now.
    pub(super) fn new(core: &Core, stream: &StreamId, policy: Arc<str>) -> Option<Self> {
        let reads_back = match core.gate.get() {
            Writes::Conditional => false,
            Writes::ReadBack => true,
            Writes::Unprobed | Writes::Rehearsed => return None,
        };
        Some(Self {
            store: core.store.clone(),
            journal: Arc::clone(&core.journal),
            clock: Arc::clone(&core.clock),
            writes: Arc::clone(&core.policy_writes),
            stream: stream.clone(),
            policy,
            reads_back,
        })
    }

    /// Writes the object, and finds out what became of it as far as the store can tell.
    pub(super) async fn write(
        self,
        key: Path,
        bytes: Bytes,
        mode: WriteMode,
    ) -> Result<ObjectInfo, WriteFailure> {
        let write = PolicyWrite {
            stream: self.stream.clone(),
            policy: self.policy.to_string(),
            key: key.to_string(),
            digest: Digest::of(&bytes),
            size: bytes.len() as u64,
            at: self.clock.now(),
        };
        let id = match self.journal.begin_write(&write).await {
            Ok(Some(id)) => id,
            Ok(None) => return Err(not_written("nothing is written now")),
            Err(error) => return Err(not_written(&format!("not written: {error}"))),
        };
        let put = match &mode {
            WriteMode::Create => self.store.create(&key, bytes).await,
            WriteMode::Update(version) => self.store.update(&key, bytes, version).await,
        };
        let unknown = match put {
            Put::Done(_) if self.reads_back => None,
            Put::Ambiguous(failure) => Some(failure),
            Put::Done(object) => return self.known(id, Ok(object)).await,
            Put::Refused(failure) => {
                return self.known(id, Err(WriteFailure::Store(failure))).await;
            }
            Put::Exists | Put::Stale => {
                let standing = self.store.head(&key).await.ok().flatten();
                return self.known(id, Err(WriteFailure::Stale(standing))).await;
            }
        };
        match (read_back(&self.store, &write).await, unknown) {
            (Ok(Some(object)), _) => self.known(id, Ok(object)).await,
            (Ok(None), Some(failure)) => self.known(id, Err(WriteFailure::Store(failure))).await,
            (Ok(None), None) => self.known(id, Err(WriteFailure::Stale(None))).await,
            (Err(failure), _) => {
                self.writes.add(id, write);
                Err(WriteFailure::Store(failure))
            }
        }
    }

    async fn known(
        &self,
        id: WriteId,
        result: Result<ObjectInfo, WriteFailure>,
    ) -> Result<ObjectInfo, WriteFailure> {
        end(&*self.journal, &self.stream, id).await;
        result
    }
}

/// The writes that policies asked for in one decision.
#[derive(Debug, Default)]
pub(super) struct LateWrites {
    tasks: Mutex<Vec<Task<Option<LateWrite>>>>,
}

/// A write that ended when the call that had asked for it was over.
#[derive(Debug)]
pub(super) struct LateWrite {
    pub(super) policy: Arc<str>,
    pub(super) key: Path,
    pub(super) written: Result<ObjectInfo, WriteFailure>,
}

impl LateWrites {
    pub(super) fn add(&self, task: Task<Option<LateWrite>>) {
        self.tasks().push(task);
    }

    fn tasks(&self) -> MutexGuard<'_, Vec<Task<Option<LateWrite>>>> {
        // A list of tasks is never half-changed.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// Waits for the writes of a decision that are still under way: the stream goes on when none is. Each is bounded
    /// by the store's own timeouts.
    pub(super) async fn await_writes(&mut self, writes: &LateWrites) {
        let tasks = std::mem::take(&mut *writes.tasks());
        for task in tasks {
            let Ok(Some(late)) = task.await else { continue };
            let outcome = match &late.written {
                Ok(object) => format!("{} stored", counted(object.size, "byte")),
                Err(WriteFailure::Stale(_)) => "something else stands there".to_owned(),
                Err(WriteFailure::Store(failure)) => failure.to_string(),
            };
            self.note(Note {
                level: Level::Warning,
                text: format!(
                    "policy `{}` was stopped while it wrote {}: {outcome}",
                    late.policy, late.key
                ),
            });
        }
    }

    /// Reads back what policies wrote for this stream with an unknown outcome. Where the store can't tell, the stream
    /// goes on and the next attempt asks again: an object of a policy's must not hold up the schema.
    pub(super) async fn read_back_policy_writes(&mut self) {
        for (id, write) in self.core.policy_writes.take(self.id) {
            let seen = read_back(&self.core.store, &write).await;
            let (level, found) = match &seen {
                Ok(Some(_)) => (Level::Info, "it stands there".to_owned()),
                Ok(None) => (Level::Warning, "it is not there".to_owned()),
                Err(failure) => (Level::Warning, failure.to_string()),
            };
            self.note(Note {
                level,
                text: format!(
                    "what policy `{}` wrote to {} had an unknown outcome; read back: {found}",
                    write.policy, write.key
                ),
            });
            match seen {
                Ok(_) => end(&*self.core.journal, self.id, id).await,
                Err(_) => self.core.policy_writes.add(id, write),
            }
        }
    }
}

/// What stands at the key, if it is what was written.
async fn read_back(store: &Store, write: &PolicyWrite) -> Result<Option<ObjectInfo>, StoreFailure> {
    let Ok(key) = Path::parse(&write.key) else {
        return Ok(None);
    };
    Ok(match store.get(&key, write.size).await? {
        Fetched::Found(object) if Digest::of(&object.bytes) == write.digest => Some(object.info),
        Fetched::Found(_) | Fetched::TooLarge(_) | Fetched::Missing => None,
    })
}

/// A write that stays on record is read back once more after a restart, which harms nobody.
async fn end(journal: &dyn Journal, stream: &StreamId, id: WriteId) {
    if let Err(error) = journal.end_write(id).await {
        tracing::error!(%stream, "a policy's write could not be taken off the record: {error}");
    }
}

pub(super) fn not_written(message: &str) -> WriteFailure {
    WriteFailure::Store(StoreFailure::new(FailureKind::Unavailable, message))
}
