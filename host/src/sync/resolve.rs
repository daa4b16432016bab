//! Resolves a conflict between nodes: gives one field of this node's own stored schema another type.

use std::collections::BTreeMap;

use arrow_schema::DataType;
use object_store::path::Path;

use super::attempt::{AttemptError, Occasion, Outcome};
use super::core::Core;
use super::machine::{Document, RemoteSeen, Resolved};
use super::publishers::{MAX_LISTED, Publisher, Publishers, peers_path, read_schema};
use crate::contract::{Phase, StoreFailure, Version};
use crate::schema::{Conflict, RetypeError, Schema};
use crate::stream::StreamId;

/// Another type for a field, as it would be written.
#[derive(Clone, Debug)]
pub struct Resolution {
    /// The stream.
    pub stream: StreamId,
    /// The key of this node's object.
    pub key: String,
    /// The field.
    pub field: String,
    /// The type that the stored schema has.
    pub before: String,
    /// The type that it gets.
    pub after: String,
    /// The conflicts that would remain, by node. The base schema has no node.
    pub remaining: BTreeMap<Option<String>, Conflict>,
    /// How many other objects hold schemas of the stream.
    pub peers: usize,
    /// How the stored schema differs from what the ledger has of this node, if they can't be merged.
    pub remembered: Option<Conflict>,
    replaced: Schema,
    schema: Schema,
    version: Version,
    data_type: DataType,
}

/// What became of the write of a [`Resolution`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The store holds the schema.
    Yes,
    /// The store holds what it held.
    No,
    /// Somebody else changed the object after it was read.
    Overtaken,
    /// The store could not be asked afterwards.
    Unknown,
}

/// Why a type can't be changed.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The stream's name makes no key.
    #[error("the stream can't be resolved: {0}")]
    Key(String),
    /// The store has no schema of this node.
    #[error("the store has no schema of this node at {key}, so there is nothing to change")]
    Missing {
        /// The key.
        key: String,
    },
    /// The stored object can't be read as a schema.
    #[error(
        "the object at {key} is not a schema: {reason}; `tidegate verify --repair` restores it"
    )]
    Corrupt {
        /// The key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The field can't get the type.
    #[error("the type of `{field}` can't be changed")]
    Retype {
        /// The field.
        field: String,
        /// Why.
        source: RetypeError,
    },
    /// The store does not say which version it holds.
    #[error("the store gives the object at {key} no version, so it can't be replaced safely")]
    NoVersion {
        /// The key.
        key: String,
    },
    /// Not all schemas of the stream could be read.
    #[error("not all schemas of the stream could be read, so a conflict may remain unseen: {0}")]
    Incomplete(String),
    /// A request to the store failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
    /// The ledger failed, or the attempt ended in an internal error.
    #[error(transparent)]
    Attempt(#[from] AttemptError),
    /// A write of unknown outcome comes first.
    #[error(
        "a write to {key} is not confirmed yet: let the agent run, or run `tidegate sync`, first"
    )]
    Unconfirmed {
        /// The key.
        key: String,
    },
    /// The stream was deleted.
    #[error("the stream was deleted from the store")]
    Gone,
}

impl Core {
    /// Works out what another type for a field of this node's stored schema would mean. Writes nothing.
    ///
    /// # Errors
    ///
    /// See [`ResolveError`].
    pub async fn plan_resolution(
        &self,
        stream: &StreamId,
        field: &str,
        data_type: &DataType,
    ) -> Result<Resolution, ResolveError> {
        let keys = self
            .layout
            .keys(&self.node, stream)
            .map_err(|error| ResolveError::Key(error.to_string()))?;
        let key = keys.schema.to_string();
        let fetched = self.store.get(&keys.schema, self.max_schema_size).await?;
        let (object, replaced) = match read_schema(fetched) {
            RemoteSeen::Missing => return Err(ResolveError::Missing { key }),
            RemoteSeen::Corrupt { reason, .. } => {
                return Err(ResolveError::Corrupt { key, reason });
            }
            RemoteSeen::WellFormed { object, schema } => (object, schema),
        };
        let (schema, before) =
            replaced
                .retype(field, data_type)
                .map_err(|source| ResolveError::Retype {
                    field: field.escape_debug().to_string(),
                    source,
                })?;
        let listing = self.store.list(&peers_path(&keys), MAX_LISTED).await?;
        let ignored = self.plan.of(stream).map(|plan| &plan.ignore_peers);
        let publishers = Publishers::of(
            listing,
            &keys,
            &self.node,
            ignored.unwrap_or(&self.plan.otherwise.ignore_peers),
        );
        let published = publishers
            .without_own()
            .fetch(&self.store, self.max_schema_size, None)
            .await;
        if let Some((publisher, failure)) = published.failed.first() {
            let text = format!("{}: {failure}", publisher.key);
            return Err(ResolveError::Incomplete(text));
        }
        if let Some((publisher, reason)) = published.corrupt.first() {
            let text = format!("{} is not a schema: {reason}", publisher.key);
            return Err(ResolveError::Incomplete(text));
        }
        if !published.whole {
            let text = format!("more than {MAX_LISTED} objects are stored");
            return Err(ResolveError::Incomplete(text));
        }
        let peers = published.schemas.iter().map(|(_, group)| group.len()).sum();
        let mut remaining = BTreeMap::new();
        for (other, group) in published.schemas {
            if let Err(conflict) = schema.merge(&other) {
                let nodes = group.into_iter().map(|Publisher { node, .. }| node);
                remaining.extend(nodes.map(|node| (node, conflict.clone())));
            }
        }
        let known = self
            .journal
            .load(stream)
            .await
            .map_err(AttemptError::from)?;
        let captured = known.and_then(|known| known.captured);
        let remembered = captured.and_then(|captured| replaced.merge(&captured.schema).err());
        let version = object
            .version
            .ok_or_else(|| ResolveError::NoVersion { key: key.clone() })?;
        Ok(Resolution {
            stream: stream.clone(),
            key,
            field: field.to_owned(),
            before: before.to_string(),
            after: data_type.to_string(),
            remaining,
            peers,
            remembered,
            replaced,
            schema,
            version,
            data_type: data_type.clone(),
        })
    }

    /// Writes what was planned: by compare-and-swap, with the former content in the ledger's archive first.
    ///
    /// # Errors
    ///
    /// The ledger fails, the stream was deleted, or an earlier write comes first. A write that fails or loses a race is
    /// an outcome.
    pub async fn resolve(
        &self,
        resolution: &Resolution,
    ) -> Result<(Outcome, Written), ResolveError> {
        let id = &resolution.stream;
        let known = self.journal.load(id).await.map_err(AttemptError::from)?;
        let captured = known.as_ref().and_then(|stream| stream.captured.clone());
        match &known {
            Some(stream) if stream.phase == Phase::Gone => return Err(ResolveError::Gone),
            Some(stream) if stream.intent.is_some() => {
                let key = resolution.key.clone();
                return Err(ResolveError::Unconfirmed { key });
            }
            _ => {}
        }
        // What was staged and is not stored yet keeps its other fields.
        let wanted = captured
            .as_ref()
            .map(|document| {
                let retyped = document
                    .schema
                    .retype(&resolution.field, &resolution.data_type);
                retyped.map_or_else(|_| document.schema.clone(), |(retyped, _)| retyped)
            })
            .and_then(|schema| resolution.schema.merge(&schema).ok())
            .unwrap_or_else(|| resolution.schema.clone());
        let incarnation = known.and_then(|stream| stream.incarnation);
        let former = captured.map(|document| document.schema);
        let former = [Some(resolution.replaced.clone()), former];
        for lost in former.into_iter().flatten() {
            if wanted.covers(&lost) {
                continue;
            }
            self.journal
                .archive(
                    id,
                    incarnation.as_ref(),
                    &Document::new(lost),
                    self.clock.now(),
                )
                .await
                .map_err(AttemptError::from)?;
        }
        let resolved = Resolved {
            document: Document::new(resolution.schema.clone()),
            captured: Document::new(wanted),
            version: resolution.version.clone(),
        };
        let occasion = Occasion::Resolved(Box::new(resolved));
        let outcome = self.attempt(id, occasion).await?;
        let written = self.was_written(resolution).await;
        Ok((outcome, written))
    }

    /// What became of the write, as the store shows it.
    async fn was_written(&self, resolution: &Resolution) -> Written {
        let Ok(key) = Path::parse(&resolution.key) else {
            return Written::Unknown;
        };
        match self.store.get(&key, self.max_schema_size).await {
            Ok(fetched) => match read_schema(fetched) {
                RemoteSeen::WellFormed { schema, .. } if schema.covers(&resolution.schema) => {
                    Written::Yes
                }
                RemoteSeen::WellFormed { object, .. } | RemoteSeen::Corrupt { object, .. }
                    if object.version.as_ref() == Some(&resolution.version) =>
                {
                    Written::No
                }
                _ => Written::Overtaken,
            },
            Err(_) => Written::Unknown,
        }
    }
}
