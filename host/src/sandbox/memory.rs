//! A node's memory in a simulated world: what a ledger would hold, without a disk.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::contract::{Phase, RemoteState};
use crate::ledger::{
    OPEN_WRITES_MAX, PolicyStatus, PolicyWrite, ProbeRecord, StateScope, Summary, Swap, WriteId,
};
use crate::stream::{NodeId, StreamId};
use crate::sync::machine::{Activity, Document, Marker, Stream};
use crate::sync::{Journal, JournalError, Memory, Story, record, restore};
use crate::time::Timestamp;

/// What outlives the agent of one simulated node.
pub struct SimulatedMemory {
    node: NodeId,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    first_seen: Option<Timestamp>,
    streams: BTreeMap<StreamId, (Stream, Timestamp)>,
    /// By policy, stream (none for the node's), key.
    state: BTreeMap<(String, Option<StreamId>, String), Vec<u8>>,
    writes: BTreeMap<i64, PolicyWrite>,
    writes_made: i64,
    probes: BTreeMap<String, ProbeRecord>,
    saves: u64,
}

impl SimulatedMemory {
    /// A memory that holds nothing.
    pub fn new(node: NodeId) -> Self {
        Self {
            node,
            kept: Mutex::default(),
        }
    }

    /// How often a stream was kept, which costs a real agent a write to its disk.
    pub fn saves(&self) -> u64 {
        self.kept().saves
    }

    /// What is known of a stream.
    pub fn stream(&self, id: &StreamId) -> Option<Stream> {
        self.kept()
            .streams
            .get(id)
            .map(|(stream, _)| stream.clone())
    }

    /// Puts everything into the form that a ledger has, and reads it again: what a restart would lose is lost.
    ///
    /// # Errors
    ///
    /// A defect of ours: what was written can't be read.
    pub fn restart(&self) -> Result<(), JournalError> {
        let mut kept = self.kept();
        for (id, (stream, updated)) in &mut kept.streams {
            let row = record(&self.node, id, stream, *updated)?;
            let documents = stream.documents().map(|document| document.bytes());
            *stream = restore(&row, documents.collect())?;
        }
        Ok(())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing here panics half-way.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SimulatedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedMemory")
            .field("node", &self.node)
            .field("streams", &self.kept().streams.len())
            .finish_non_exhaustive()
    }
}

impl Kept {
    /// What policies kept about a stream ends with its incarnation, as in a ledger.
    fn forget_ended(&mut self, id: &StreamId, stream: &Stream) {
        let Some((former, _)) = self.streams.get(id) else {
            return;
        };
        let created = |stream: &Stream| {
            let marker = stream.incarnation.as_ref();
            marker.map(|marker| marker.created_at)
        };
        let another = matches!(
            (created(former), created(stream)),
            (Some(before), Some(now)) if before != now
        );
        let deleted = stream.phase == Phase::Gone && former.phase != Phase::Gone;
        let dropped = stream.phase == Phase::Idle && former.phase == Phase::Unknown;
        if another || deleted || dropped {
            self.state.retain(|(_, of, _), _| of.as_ref() != Some(id));
        }
    }
}

/// Lets everything else run first, and a crash happen here.
async fn pause() {
    let mut over = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut over, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

#[async_trait]
impl Journal for SimulatedMemory {
    async fn archive(
        &self,
        _: &StreamId,
        _: Option<&Marker>,
        _: &Document,
        _: Timestamp,
    ) -> Result<(), JournalError> {
        Ok(())
    }

    async fn load(&self, stream: &StreamId) -> Result<Option<Stream>, JournalError> {
        Ok(self.stream(stream).map(|stream| Stream {
            activity: Activity::Resting,
            ..stream
        }))
    }

    async fn save(
        &self,
        id: &StreamId,
        stream: &Stream,
        _: Option<&Story>,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        pause().await;
        {
            let mut kept = self.kept();
            kept.forget_ended(id, stream);
            kept.saves += 1;
            kept.streams.insert(id.clone(), (stream.clone(), now));
        }
        pause().await;
        Ok(())
    }

    async fn load_state(
        &self,
        policy: &str,
        scope: &StateScope,
        key: &str,
    ) -> Result<Option<Vec<u8>>, JournalError> {
        let at = (policy.to_owned(), scope.stream.clone(), key.to_owned());
        Ok(self.kept().state.get(&at).cloned())
    }

    async fn count_state(&self, policy: &str, scope: &StateScope) -> Result<u64, JournalError> {
        let kept = self.kept();
        let of_scope = kept
            .state
            .keys()
            .filter(|(by, stream, _)| by == policy && *stream == scope.stream);
        Ok(of_scope.count() as u64)
    }

    async fn commit_state(&self, swaps: Vec<Swap>) -> Result<bool, JournalError> {
        pause().await;
        let mut kept = self.kept();
        let place = |swap: &Swap| {
            (
                swap.policy.clone(),
                swap.scope.stream.clone(),
                swap.key.clone(),
            )
        };
        if swaps
            .iter()
            .any(|swap| kept.state.get(&place(swap)) != swap.expected.as_ref())
        {
            return Ok(false);
        }
        for swap in swaps {
            match swap.value.clone() {
                Some(value) => kept.state.insert(place(&swap), value),
                None => kept.state.remove(&place(&swap)),
            };
        }
        Ok(true)
    }

    async fn begin_write(&self, write: &PolicyWrite) -> Result<Option<WriteId>, JournalError> {
        pause().await;
        let mut kept = self.kept();
        let open = kept.writes.values();
        if open.filter(|open| open.stream == write.stream).count() as u64 >= OPEN_WRITES_MAX {
            return Ok(None);
        }
        kept.writes_made += 1;
        let number = kept.writes_made;
        kept.writes.insert(number, write.clone());
        Ok(Some(WriteId::new(number)))
    }

    async fn end_write(&self, id: WriteId) -> Result<(), JournalError> {
        pause().await;
        self.kept()
            .writes
            .retain(|number, _| WriteId::new(*number) != id);
        Ok(())
    }
}

#[async_trait]
impl Memory for SimulatedMemory {
    async fn first_seen(&self, now: Timestamp) -> Result<Timestamp, JournalError> {
        Ok(*self.kept().first_seen.get_or_insert(now))
    }

    async fn summaries(&self) -> Result<Vec<Summary>, JournalError> {
        let kept = self.kept();
        let summary = |(id, (stream, _)): (&StreamId, &(Stream, Timestamp))| Summary {
            stream: id.clone(),
            phase: stream.phase,
            unresolved: stream.intent.is_some(),
            attempts: stream.attempts,
            failing_since: stream.failing_since,
            next_attempt: stream.next_wake(),
            settled: stream.is_settled(),
            signature: Some(stream.sighting.signature.to_string().into()),
            looked_up: stream.remote != RemoteState::Unknown,
        };
        Ok(kept.streams.iter().map(summary).collect())
    }

    async fn open_writes(&self) -> Result<Vec<(WriteId, PolicyWrite)>, JournalError> {
        let kept = self.kept();
        let open = kept
            .writes
            .iter()
            .map(|(number, write)| (WriteId::new(*number), write.clone()));
        Ok(open.collect())
    }

    async fn probe(&self, store: &str) -> Result<Option<ProbeRecord>, JournalError> {
        Ok(self.kept().probes.get(store).cloned())
    }

    async fn save_probe(&self, store: &str, probe: ProbeRecord) -> Result<(), JournalError> {
        self.kept().probes.insert(store.to_owned(), probe);
        Ok(())
    }

    async fn set_policies(&self, _: Vec<PolicyStatus>) -> Result<(), JournalError> {
        Ok(())
    }

    async fn prune(&self, before: Timestamp, _: Timestamp) -> Result<u64, JournalError> {
        let mut kept = self.kept();
        let known = kept.streams.len();
        kept.streams
            .retain(|_, (stream, updated)| stream.phase != Phase::Gone || *updated >= before);
        Ok((known - kept.streams.len()) as u64)
    }

    async fn close(&self) -> Result<(), JournalError> {
        Ok(())
    }
}
