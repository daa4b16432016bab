use std::path::{Path, PathBuf};

use bytes::Bytes;
use rusqlite::Connection;

use super::error::LedgerError;
use super::handle::load_probe;
use super::heartbeat::Heartbeat;
use super::policy::StateScope;
use super::record::{ArchivedCopy, PolicyStatus, ProbeRecord, RecordedAttempt, StreamRecord};
use super::{archive, heartbeat, history, open, policy, streams};
use crate::contract::Phase;
use crate::digest::Digest;
use crate::stream::{NodeId, StreamId};

/// The ledger in the hands of `status` and `explain`: beside a running agent, or after it, however it ended.
///
/// Each question is answered from one moment; two questions may see two. It never waits for the agent, nor the agent
/// for it. Calls block for file access.
#[derive(Debug)]
pub struct LedgerReader {
    path: PathBuf,
    connection: Connection,
}

/// What the ledger knows about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Whose objects it is about.
    pub store: Option<String>,
    /// The node that the agent last worked for; `None` before it knew one.
    pub node: Option<NodeId>,
    /// When it was made, as RFC 3339.
    pub created_at: Option<String>,
    /// The version of the program that made it.
    pub created_by: Option<String>,
}

/// Which streams are asked for; the default is all of all nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamFilter {
    /// Those of this node.
    pub node: Option<NodeId>,
    /// Those among these; all when empty.
    pub streams: Vec<StreamId>,
    /// Those in one of these phases; all when empty.
    pub phases: Vec<Phase>,
}

impl StreamFilter {
    fn takes(&self, record: &StreamRecord) -> bool {
        self.node.as_ref().is_none_or(|node| *node == record.node)
            && (self.streams.is_empty() || self.streams.contains(&record.stream))
            && (self.phases.is_empty() || self.phases.contains(&record.phase))
    }
}

impl LedgerReader {
    /// Opens the ledger for reading; changes nothing about it.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Missing`] when no agent has made it yet, [`LedgerError::Older`] and [`LedgerError::Newer`] for
    /// another program's version.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let (path, connection) = open::open_reader(path)?;
        Ok(Self { path, connection })
    }

    /// What the ledger knows about itself.
    pub fn meta(&self) -> Result<Meta, LedgerError> {
        self.ask(|connection| {
            let mut meta = Meta::default();
            let mut statement = connection.prepare("SELECT key, value FROM meta")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let value: String = row.get(1)?;
                match row.get_ref(0)?.as_str()? {
                    "store" => meta.store = Some(value),
                    "node" => meta.node = Some(NodeId::new(value)),
                    "created-at" => meta.created_at = Some(value),
                    "created-by" => meta.created_by = Some(value),
                    _ => {}
                }
            }
            Ok(meta)
        })
    }

    /// The streams that the filter takes, by node, tenant and name.
    pub fn streams(&self, filter: &StreamFilter) -> Result<Vec<StreamRecord>, LedgerError> {
        self.ask(|connection| {
            let sql = format!(
                "SELECT {} FROM streams ORDER BY node, tenant, name",
                streams::COLUMNS
            );
            let mut statement = connection.prepare(&sql)?;
            let records = statement.query_map([], streams::read_record)?;
            records
                .filter(|record| record.as_ref().map_or(true, |record| filter.takes(record)))
                .collect()
        })
    }

    /// All that is known about a stream.
    pub fn stream(
        &self,
        node: &NodeId,
        stream: &StreamId,
    ) -> Result<Option<StreamRecord>, LedgerError> {
        self.ask(|connection| streams::load(connection, node, stream))
    }

    /// All that is known about a stream, with the documents that its record names, in no order and all from one moment.
    pub fn recall(
        &self,
        node: &NodeId,
        stream: &StreamId,
    ) -> Result<Option<(StreamRecord, Vec<Bytes>)>, LedgerError> {
        self.ask(|connection| {
            let moment = connection.unchecked_transaction()?;
            let recalled = streams::recall(&moment, node, stream)?;
            moment.finish()?;
            Ok(recalled)
        })
    }

    /// The latest attempts of a stream, at most `limit`, newest first.
    pub fn attempts(
        &self,
        node: &NodeId,
        stream: &StreamId,
        limit: u32,
    ) -> Result<Vec<RecordedAttempt>, LedgerError> {
        self.ask(|connection| history::of_stream(connection, node, stream, limit))
    }

    /// The body of a document.
    pub fn document(&self, digest: Digest) -> Result<Option<Bytes>, LedgerError> {
        self.ask(|connection| streams::document(connection, digest))
    }

    /// The last good copies of a stream's ended incarnations, latest first.
    pub fn archive(
        &self,
        node: &NodeId,
        stream: &StreamId,
    ) -> Result<Vec<ArchivedCopy>, LedgerError> {
        self.ask(|connection| archive::of_stream(connection, node, stream))
    }

    /// The value that a policy keeps under the key.
    pub fn load_state(
        &self,
        policy: &str,
        scope: &StateScope,
        key: &str,
    ) -> Result<Option<Vec<u8>>, LedgerError> {
        self.ask(|connection| policy::load_state(connection, policy, scope, key))
    }

    /// How the policies are doing, by name.
    pub fn policies(&self) -> Result<Vec<PolicyStatus>, LedgerError> {
        self.ask(policy::policies)
    }

    /// The agent's last report about itself; `None` before any agent made one.
    pub fn heartbeat(&self) -> Result<Option<Heartbeat>, LedgerError> {
        self.ask(|connection| {
            let moment = connection.unchecked_transaction()?;
            let beat = heartbeat::load(&moment)?;
            moment.finish()?;
            Ok(beat)
        })
    }

    /// What a store was last found to be able to do.
    pub fn probe(&self, store: &str) -> Result<Option<ProbeRecord>, LedgerError> {
        self.ask(|connection| load_probe(connection, store))
    }

    pub(super) fn ask<T>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        question(&self.connection).map_err(|source| LedgerError::sqlite(&self.path, source))
    }
}
