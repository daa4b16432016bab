//! What an attempt reads from and leaves in the ledger. The seam exists so that a dry run, or the sandbox, can keep
//! everything to itself.

use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::machine::{Document, Marker, Stream};
use super::story::Story;
use crate::contract::{Failure, LocalState};
use crate::digest::Digest;
use crate::ledger::{
    self, AttemptRecord, LastFailure, Ledger, LedgerError, LedgerReader, PolicyWrite, Save,
    StateScope, StreamRecord, Swap, WriteId,
};
use crate::schema::Schema;
use crate::stream::{NodeId, StreamId};
use crate::time::Timestamp;

/// Why the journal can't say, or did not keep, what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger's record of a stream makes no sense.
    #[error(
        "the ledger's record of stream {stream} is not readable: {problem}; `tidegate ledger recover` salvages it"
    )]
    Record {
        /// The stream.
        stream: StreamId,
        /// What is wrong with it.
        problem: String,
    },
}

/// The durable memory of a node's streams.
#[async_trait]
pub trait Journal: Debug + Send + Sync {
    /// What is known of a stream; `None` for one that was never seen.
    async fn load(&self, stream: &StreamId) -> Result<Option<Stream>, JournalError>;

    /// Keeps a stream as it is now, with the attempt that led there. Durable when this returns.
    async fn save(
        &self,
        id: &StreamId,
        stream: &Stream,
        story: Option<&Story>,
        now: Timestamp,
    ) -> Result<(), JournalError>;

    /// Keeps content that an operator replaces, in the archive.
    async fn archive(
        &self,
        id: &StreamId,
        incarnation: Option<&Marker>,
        replaced: &Document,
        now: Timestamp,
    ) -> Result<(), JournalError>;

    /// The value that a policy keeps under the key.
    async fn load_state(
        &self,
        policy: &str,
        scope: &StateScope,
        key: &str,
    ) -> Result<Option<Vec<u8>>, JournalError>;

    /// How many keys the policy keeps in the scope.
    async fn count_state(&self, policy: &str, scope: &StateScope) -> Result<u64, JournalError>;

    /// Sets all keys if each holds what is expected; else none, and false.
    async fn commit_state(&self, swaps: Vec<Swap>) -> Result<bool, JournalError>;

    /// Puts on record that a policy is about to write. Durable when this returns; `None` where nothing may be written.
    async fn begin_write(&self, write: &PolicyWrite) -> Result<Option<WriteId>, JournalError>;

    /// Takes a write off the record, since its outcome is known.
    async fn end_write(&self, id: WriteId) -> Result<(), JournalError>;
}

/// The journal of a running agent: its ledger.
#[derive(Debug)]
pub struct LedgerJournal {
    ledger: Ledger,
    node: NodeId,
}

impl LedgerJournal {
    /// The journal of a node in this ledger.
    pub fn new(ledger: Ledger, node: NodeId) -> Self {
        Self { ledger, node }
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(super) fn node(&self) -> &NodeId {
        &self.node
    }
}

#[async_trait]
impl Journal for LedgerJournal {
    async fn load(&self, stream: &StreamId) -> Result<Option<Stream>, JournalError> {
        match self.ledger.recall(&self.node, stream).await? {
            Some((record, documents)) => restore(&record, documents).map(Some),
            None => Ok(None),
        }
    }

    async fn save(
        &self,
        id: &StreamId,
        stream: &Stream,
        story: Option<&Story>,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let record = record(&self.node, id, stream, now)?;
        let mut save = Save::new(record);
        for document in stream.documents() {
            save = save.document(ledger::Document::new(document.bytes()));
        }
        if let Some(story) = story {
            save = save.attempt(AttemptRecord {
                at: story.at,
                summary: story.summary(),
                detail: story.to_json(),
            });
        }
        Ok(self.ledger.save(save).await?)
    }

    async fn archive(
        &self,
        id: &StreamId,
        incarnation: Option<&Marker>,
        replaced: &Document,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let incarnation = incarnation.map(|marker| marker.created_at.to_string());
        let document = ledger::Document::new(replaced.bytes());
        let archived = self
            .ledger
            .archive_replaced(&self.node, id, incarnation, document, now);
        Ok(archived.await?)
    }

    async fn load_state(
        &self,
        policy: &str,
        scope: &StateScope,
        key: &str,
    ) -> Result<Option<Vec<u8>>, JournalError> {
        Ok(self.ledger.load_state(policy, scope, key).await?)
    }

    async fn count_state(&self, policy: &str, scope: &StateScope) -> Result<u64, JournalError> {
        Ok(self.ledger.count_state(policy, scope).await?)
    }

    async fn commit_state(&self, swaps: Vec<Swap>) -> Result<bool, JournalError> {
        Ok(self.ledger.commit_state(swaps).await?)
    }

    async fn begin_write(&self, write: &PolicyWrite) -> Result<Option<WriteId>, JournalError> {
        Ok(Some(
            self.ledger.begin_write(&self.node, write.clone()).await?,
        ))
    }

    async fn end_write(&self, id: WriteId) -> Result<(), JournalError> {
        Ok(self.ledger.end_write(id).await?)
    }
}

/// The journal of a dry run: it reads what an agent's ledger holds, if there is one, and keeps nothing.
#[derive(Debug)]
pub struct Rehearsal {
    reader: Option<Mutex<LedgerReader>>,
    node: NodeId,
}

impl Rehearsal {
    /// A dry run beside this ledger, or without one.
    pub fn new(reader: Option<LedgerReader>, node: NodeId) -> Self {
        Self {
            reader: reader.map(Mutex::new),
            node,
        }
    }

    fn reader(&self) -> Option<MutexGuard<'_, LedgerReader>> {
        // Nothing is left half-done by a reader that panics.
        self.reader
            .as_ref()
            .map(|reader| reader.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Journal for Rehearsal {
    async fn load(&self, stream: &StreamId) -> Result<Option<Stream>, JournalError> {
        let Some(reader) = self.reader() else {
            return Ok(None);
        };
        match reader.recall(&self.node, stream)? {
            Some((record, documents)) => restore(&record, documents).map(Some),
            None => Ok(None),
        }
    }

    async fn save(
        &self,
        _: &StreamId,
        _: &Stream,
        _: Option<&Story>,
        _: Timestamp,
    ) -> Result<(), JournalError> {
        Ok(())
    }

    async fn archive(
        &self,
        _: &StreamId,
        _: Option<&Marker>,
        _: &Document,
        _: Timestamp,
    ) -> Result<(), JournalError> {
        Ok(())
    }

    async fn load_state(
        &self,
        policy: &str,
        scope: &StateScope,
        key: &str,
    ) -> Result<Option<Vec<u8>>, JournalError> {
        match self.reader() {
            Some(reader) => Ok(reader.load_state(policy, scope, key)?),
            None => Ok(None),
        }
    }

    async fn count_state(&self, _: &str, _: &StateScope) -> Result<u64, JournalError> {
        Ok(0)
    }

    async fn commit_state(&self, _: Vec<Swap>) -> Result<bool, JournalError> {
        Ok(true)
    }

    async fn begin_write(&self, _: &PolicyWrite) -> Result<Option<WriteId>, JournalError> {
        Ok(None)
    }

    async fn end_write(&self, _: WriteId) -> Result<(), JournalError> {
        Ok(())
    }
}

/// The machine's state of a record, with the documents that it names.
pub(crate) fn restore(
    record: &StreamRecord,
    documents: Vec<bytes::Bytes>,
) -> Result<Stream, JournalError> {
    let problem = |problem: String| JournalError::Record {
        stream: record.stream.clone(),
        problem,
    };
    let stored: Stream<Digest> =
        serde_json::from_str(&record.state).map_err(|error| problem(error.to_string()))?;
    stored.try_map(|digest| {
        let body = documents.iter().find(|body| Digest::of(body) == digest);
        let body = body.ok_or_else(|| problem(format!("the document {digest} is missing")))?;
        let schema = Schema::parse(body)
            .map_err(|error| problem(format!("the document {digest}: {error}")))?;
        Ok(Document {
            digest,
            schema,
            bytes: body.clone(),
        })
    })
}

/// The row of a stream: the columns that operators read, and the machine's whole state.
pub(crate) fn record(
    node: &NodeId,
    id: &StreamId,
    stream: &Stream,
    now: Timestamp,
) -> Result<StreamRecord, JournalError> {
    let problem = |problem: String| JournalError::Record {
        stream: id.clone(),
        problem,
    };
    let digest = |document: &Document| document.digest;
    let local_fingerprint = match &stream.local {
        LocalState::File(file) if file.well_formed => Some(file.fingerprint),
        _ => None,
    };
    let Ok(stored) = stream
        .clone()
        .try_map(|document| Ok::<_, std::convert::Infallible>(document.digest));
    Ok(StreamRecord {
        incarnation: stream
            .incarnation
            .as_ref()
            .map(|marker| marker.created_at.to_string()),
        phase: stream.phase,
        attempts: stream.attempts,
        failing_since: stream.failing_since,
        next_attempt: stream.next_wake(),
        last_failure: stream.last_failure.as_ref().map(|failure| LastFailure {
            kind: kind(failure),
            message: failure.to_string(),
            at: now,
        }),
        last_success: stream.last_success,
        source: stream.source().map(ToString::to_string),
        local_fingerprint,
        signature: Some(stream.sighting.signature.to_string()),
        remote: stream.remote.clone(),
        captured: stream.captured.as_ref().map(digest),
        confirmed: stream
            .confirmed
            .as_ref()
            .map(|confirmed| confirmed.document.digest),
        intent: stream.intent.as_ref().map(|intent| intent.document.digest),
        settled: stream.is_settled(),
        state: serde_json::to_string(&stored).map_err(|error| problem(error.to_string()))?,
        ..StreamRecord::new(node.clone(), id.clone(), now)
    })
}

/// One word for a failure, as the ledger and `status --json` show it.
pub(crate) fn kind(failure: &Failure) -> String {
    match failure {
        Failure::SchemaAbsent(_) => "schema-absent".to_owned(),
        Failure::SchemaInvalid(_) => "schema-invalid".to_owned(),
        Failure::SchemaConflict(_) => "schema-conflict".to_owned(),
        Failure::Store(failure) => format!("store-{}", failure.kind.name()),
        Failure::Other(_) => "other".to_owned(),
    }
}
