use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension};

use super::error::{Fault, LedgerError};
use super::heartbeat::{self, Heartbeat};
use super::lookups::Lookups;
use super::policy::{StateScope, Swap};
use super::record::{
    ArchivedCopy, AttemptRecord, Document, PolicyStatus, ProbeRecord, StreamRecord, Summary,
};
use super::writer::{Work, Writer};
use super::writes::{PolicyWrite, WriteId};
use super::{LedgerOptions, archive, belongs, open, policy, sql, streams, volume, writes};
use crate::digest::Digest;
use crate::stream::{NodeId, StreamId};
use crate::time::Timestamp;

/// What one step of a stream leaves behind, stored as a whole or not at all.
#[derive(Clone, Debug)]
pub struct Save {
    record: StreamRecord,
    documents: Vec<Document>,
    attempt: Option<AttemptRecord>,
}

impl Save {
    /// Stores this record in place of the stream's former one.
    ///
    /// When it shows that an incarnation ended (another `created-at`, the phase `gone`, or `idle` with nothing captured
    /// any more), the former record's last good copy goes into the archive, and what policies kept about the stream is
    /// dropped.
    pub fn new(record: StreamRecord) -> Self {
        Self {
            record,
            documents: Vec::new(),
            attempt: None,
        }
    }

    /// Brings a document that the record names and the ledger may not have yet. One that the record does not name is
    /// not stored.
    pub fn document(mut self, document: Document) -> Self {
        self.documents.push(document);
        self
    }

    /// Adds the attempt that led to the record to the stream's history.
    pub fn attempt(mut self, attempt: AttemptRecord) -> Self {
        self.attempt = Some(attempt);
        self
    }
}

/// The ledger in the hands of its one writing agent. Clones share it; it closes with the last one.
#[derive(Clone, Debug)]
pub struct Ledger {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    options: LedgerOptions,
    warnings: Vec<String>,
    adopted: bool,
    // Before the writer, so that it is dropped before: the last connection folds the `-wal` file in.
    lookups: Lookups,
    writer: Writer,
}

impl Ledger {
    /// Opens the ledger at `path`, makes it when there is none (its directory must exist), and brings an older one up
    /// to date after a copy was put beside it as `<path>.v<version>.bak`.
    ///
    /// # Errors
    ///
    /// Refuses what another agent holds, what can't be written, what a newer program wrote, what is damaged or no
    /// ledger, and what belongs to another store; nothing is changed then.
    pub fn open(path: &Path, options: LedgerOptions, now: Timestamp) -> Result<Self, LedgerError> {
        let (path, lock, connection) = open::open_writer(path, &options, now)?;
        let warnings = volume::warning(open::parent(&path)).into_iter().collect();
        let adopted = belongs::take_adopted(&connection)
            .map_err(|source| LedgerError::sqlite(&path, source))?;
        Ok(Self {
            shared: Arc::new(Shared {
                lookups: Lookups::start(&path, open::open_reader(&path)?.1)?,
                writer: Writer::start(path.clone(), connection, lock)?,
                path,
                options,
                warnings,
                adopted,
            }),
        })
    }

    /// Where the ledger is, without links.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// What an operator should know about where the ledger lies.
    pub fn warnings(&self) -> &[String] {
        &self.shared.warnings
    }

    /// Whether the ledger was adopted for another store since it was last opened. If so, every stream must be compared
    /// with that store.
    pub fn was_adopted(&self) -> bool {
        self.shared.adopted
    }

    /// Finishes what was asked before and lets go of the file. Later requests fail with [`LedgerError::Closed`].
    pub async fn close(&self) -> Result<(), LedgerError> {
        self.shared.lookups.close().await?;
        self.shared.writer.close().await
    }

    /// When this agent first worked for the node: `now` the first time, and what was recorded then ever after. Notes
    /// the node as the current one.
    pub async fn node_first_seen(
        &self,
        node: &NodeId,
        now: Timestamp,
    ) -> Result<Timestamp, LedgerError> {
        let node = node.clone();
        self.write(move |connection| {
            connection.execute(
                "INSERT INTO meta VALUES ('node', ?1) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                [node.as_str()],
            )?;
            connection.execute(
                "INSERT INTO nodes VALUES (?1, ?2) ON CONFLICT (node) DO NOTHING",
                (node.as_str(), sql::time(now)),
            )?;
            Ok(connection.query_row("SELECT first_seen FROM nodes WHERE node = ?1", [node.as_str()], |row| {
                sql::read_time(row, 0)
            })?)
        })
        .await
    }

    /// The little that the agent keeps in memory, for all streams of the node.
    pub async fn summaries(&self, node: &NodeId) -> Result<Vec<Summary>, LedgerError> {
        let node = node.clone();
        self.write(move |connection| Ok(streams::summaries(connection, &node)?))
            .await
    }

    /// All that is known about a stream.
    pub async fn load(
        &self,
        node: &NodeId,
        stream: &StreamId,
    ) -> Result<Option<StreamRecord>, LedgerError> {
        let (node, stream) = (node.clone(), stream.clone());
        self.write(move |connection| Ok(streams::load(connection, &node, &stream)?))
            .await
    }

    /// All that is known about a stream, with the documents that its record names, in no order.
    pub async fn recall(
        &self,
        node: &NodeId,
        stream: &StreamId,
    ) -> Result<Option<(StreamRecord, Vec<Bytes>)>, LedgerError> {
        let (node, stream) = (node.clone(), stream.clone());
        self.look_up(move |connection| Ok(streams::recall(connection, &node, &stream)?))
            .await
    }

    /// The body of a document.
    pub async fn document(&self, digest: Digest) -> Result<Option<Bytes>, LedgerError> {
        self.write(move |connection| Ok(streams::document(connection, digest)?))
            .await
    }

    /// The last good copies of a stream's ended incarnations, latest first.
    pub async fn archive(
        &self,
        node: &NodeId,
        stream: &StreamId,
    ) -> Result<Vec<ArchivedCopy>, LedgerError> {
        let (node, stream) = (node.clone(), stream.clone());
        self.write(move |connection| Ok(archive::of_stream(connection, &node, &stream)?))
            .await
    }

    /// Stores a record with its documents and the attempt that led to it, as a whole or not at all; answered when it
    /// is durable.
    ///
    /// # Errors
    ///
    /// [`LedgerError::NoDocument`] when the record names a document that neither came with it nor is stored.
    pub async fn save(&self, save: Save) -> Result<(), LedgerError> {
        let (kept, history_max) = (
            self.shared.options.attempts_kept,
            self.shared.options.history_max,
        );
        self.write(move |connection| {
            let attempt = save.attempt.as_ref();
            streams::save(
                connection,
                &save.record,
                &save.documents,
                attempt,
                kept,
                history_max,
            )
        })
        .await
    }

    /// The value that a policy keeps under the key.
    pub async fn load_state(
        &self,
        policy: &str,
        scope: &StateScope,
        key: &str,
    ) -> Result<Option<Vec<u8>>, LedgerError> {
        let (policy, scope, key) = (policy.to_owned(), scope.clone(), key.to_owned());
        self.look_up(move |connection| Ok(policy::load_state(connection, &policy, &scope, &key)?))
            .await
    }

    /// How many keys a policy keeps in the scope.
    pub async fn count_state(&self, policy: &str, scope: &StateScope) -> Result<u64, LedgerError> {
        let (policy, scope) = (policy.to_owned(), scope.clone());
        self.look_up(move |connection| Ok(policy::count_state(connection, &policy, &scope)?))
            .await
    }

    /// Sets all keys, one after another, if each holds what is expected when its turn comes; else changes nothing and
    /// returns false.
    ///
    /// # Errors
    ///
    /// [`LedgerError::TooLarge`] with the bound when a key, a value or the number of keys is over it.
    pub async fn commit_state(&self, swaps: Vec<Swap>) -> Result<bool, LedgerError> {
        self.shared
            .writer
            .submit(move |connection| {
                Ok(match policy::swap_all(connection, &swaps)? {
                    true => Work::Keep(true),
                    false => Work::Undo(false),
                })
            })
            .await
    }

    /// Puts on record that a policy is about to write; answered when it is durable.
    ///
    /// # Errors
    ///
    /// [`LedgerError::TooLarge`] where [`OPEN_WRITES_MAX`](super::OPEN_WRITES_MAX) of the stream's are open.
    pub async fn begin_write(
        &self,
        node: &NodeId,
        write: PolicyWrite,
    ) -> Result<WriteId, LedgerError> {
        let node = node.clone();
        self.write(move |connection| writes::begin(connection, &node, &write))
            .await
    }

    /// Takes a write off the record, since its outcome is known.
    pub async fn end_write(&self, id: WriteId) -> Result<(), LedgerError> {
        self.write(move |connection| Ok(writes::end(connection, id)?))
            .await
    }

    /// The writes by policies on record for the node, oldest first.
    pub async fn open_writes(
        &self,
        node: &NodeId,
    ) -> Result<Vec<(WriteId, PolicyWrite)>, LedgerError> {
        let node = node.clone();
        self.write(move |connection| Ok(writes::open(connection, &node)?))
            .await
    }

    /// Replaces what is known about all policies.
    pub async fn set_policies(&self, policies: Vec<PolicyStatus>) -> Result<(), LedgerError> {
        self.write(move |connection| Ok(policy::set_policies(connection, &policies)?))
            .await
    }

    /// Replaces the agent's last report about itself.
    pub async fn set_heartbeat(&self, beat: Heartbeat) -> Result<(), LedgerError> {
        self.write(move |connection| Ok(heartbeat::set(connection, &beat)?))
            .await
    }

    /// Archives a schema that an operator replaces.
    ///
    /// # Errors
    ///
    /// The ledger can't be written.
    pub async fn archive_replaced(
        &self,
        node: &NodeId,
        stream: &StreamId,
        incarnation: Option<String>,
        replaced: Document,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let (node, stream) = (node.clone(), stream.clone());
        self.write(move |connection| {
            let digest = replaced.digest();
            streams::keep(connection, digest, &[replaced])?;
            let (of, incarnation) = ((&node, &stream), incarnation.as_deref());
            archive::put(connection, of, now, incarnation, "replaced", digest)?;
            Ok(())
        })
        .await
    }

    /// Notes what a store was found to be able to do.
    pub async fn save_probe(&self, store: &str, probe: ProbeRecord) -> Result<(), LedgerError> {
        let store = store.to_owned();
        self.write(move |connection| {
            connection.execute(
                "INSERT INTO probes VALUES (?1, ?2, ?3) \
                 ON CONFLICT (store) DO UPDATE SET result = excluded.result, at = excluded.at",
                (store, probe.result, sql::time(probe.at)),
            )?;
            Ok(())
        })
        .await
    }

    /// What a store was last found to be able to do.
    pub async fn probe(&self, store: &str) -> Result<Option<ProbeRecord>, LedgerError> {
        let store = store.to_owned();
        self.write(move |connection| Ok(load_probe(connection, &store)?))
            .await
    }

    /// Removes what nobody will ask about again: streams that are `gone`, and streams of nodes other than `node`,
    /// when they were last updated before `before`; and the archived copies of such streams that ended before it. The
    /// last good copy of what is removed goes into the archive with the time `now`. Returns how many streams went.
    pub async fn prune(
        &self,
        node: &NodeId,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<u64, LedgerError> {
        let node = node.clone();
        self.write(move |connection| streams::prune(connection, &node, before, now))
            .await
    }

    /// Asks what is often asked, beside the writer: it sees what was durable when it was asked.
    async fn look_up<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.shared.lookups.ask(question).await
    }

    /// What is seldom read goes through the writer too, and sees what was asked before it.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.shared
            .writer
            .submit(move |connection| work(connection).map(Work::Keep))
            .await
    }
}

pub(super) fn load_probe(
    connection: &Connection,
    store: &str,
) -> rusqlite::Result<Option<ProbeRecord>> {
    connection
        .query_row(
            "SELECT result, at FROM probes WHERE store = ?1",
            [store],
            |row| {
                Ok(ProbeRecord {
                    result: row.get(0)?,
                    at: sql::read_time(row, 1)?,
                })
            },
        )
        .optional()
}
