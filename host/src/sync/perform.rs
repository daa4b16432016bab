//! Performs the machine's effects against the real world.

use std::sync::Arc;

use super::attempt::{Attempt, AttemptError};
use super::gate::Writes;
use super::machine::{Effect, Event, HeadSeen, MarkerSeen, Mode, Peers, RemoteSeen, Staged};
use super::marker::Search;
use super::publishers::read_schema;
use super::story;
use crate::contract::{ObjectInfo, StoreFailure};
use crate::planted::{self, Defect};
use crate::schema::Schema;
use crate::staging::ReadError;
use crate::storage::Put;
use crate::text::counted;

impl Attempt<'_> {
    /// Performs an effect, and tells what came of it.
    pub(super) async fn perform(&mut self, effect: Effect) -> Result<Event, AttemptError> {
        Ok(match effect {
            Effect::ReadStaged => Event::Read(self.read_staged().await),
            Effect::AskExistence(trigger) => {
                self.trigger = trigger;
                Event::Judged(self.ask_existence().await)
            }
            Effect::AskFallback(reason) => Event::Chosen(self.ask_fallback(&reason).await),
            Effect::AskRetry(failure) => Event::Decided(self.ask_retry(&failure).await),
            Effect::CheckMarker(_) => Event::Marker(self.check_marker().await),
            Effect::Fetch => Event::Fetched(self.fetch().await),
            Effect::Head => Event::Headed(self.head().await),
            Effect::GatherPeers => Event::Peers(self.compare(false).await),
            Effect::GatherNodes => Event::Peers(self.compare(true).await),
            // Rare and large.
            Effect::Resolve(choice) => Event::Proposed(Box::pin(self.resolve(choice)).await),
            Effect::Write => Event::Written(self.write().await?),
            // Notes answer nothing and are told where they come up.
            Effect::Note(_) => return Err(AttemptError::Endless(self.id.clone())),
        })
    }

    async fn compare(&mut self, with_own: bool) -> Result<Peers, StoreFailure> {
        let peers = self.gather_peers(with_own).await;
        let failed = |failure: &StoreFailure| Err(failure.to_string());
        self.comparison = Some(peers.as_ref().err().map_or(Ok(()), failed));
        peers
    }

    async fn read_staged(&mut self) -> Staged {
        let (staging, node, id) = (
            self.core.staging.clone(),
            self.core.node.clone(),
            self.id.clone(),
        );
        let read = self.core.tasks.block(move || {
            staging.read_schema(&node, &id).map(|file| {
                let (size, modified) = (file.stat.size, file.stat.modified);
                match Schema::parse(&file.bytes) {
                    Ok(schema) => Staged::WellFormed {
                        size,
                        modified,
                        schema,
                    },
                    Err(error) => Staged::IllFormed {
                        size,
                        modified,
                        reason: error.to_string(),
                    },
                }
            })
        });
        let staged = match read.await {
            Ok(Ok(staged)) => staged,
            Ok(Err(ReadError::Missing)) => Staged::Missing,
            Ok(Err(ReadError::Unreadable(cause))) => Staged::Unreadable(cause),
            Ok(Err(ReadError::TooLarge { size, .. })) => Staged::TooLarge(size),
            Ok(Err(ReadError::Torn)) => Staged::Torn,
            Err(error) => Staged::Unreadable(error.to_string()),
        };
        let found = match &staged {
            Staged::Missing => "nothing".to_owned(),
            Staged::Unreadable(cause) => format!("unreadable: {cause}"),
            Staged::TooLarge(size) => format!("{}, over the limit", counted(*size, "byte")),
            Staged::Torn => "a file that changed while it was read".to_owned(),
            Staged::IllFormed { size, reason, .. } => {
                format!(
                    "{} that are not a valid schema: {reason}",
                    counted(*size, "byte")
                )
            }
            Staged::WellFormed { schema, .. } => in_words(schema),
        };
        self.story.tell(story::Event::Staged { found });
        staged
    }

    /// Whether the stream exists: by this node's marker, else by anybody's.
    pub(super) async fn check_marker(&mut self) -> Result<MarkerSeen, StoreFailure> {
        let (core, keys) = (self.core, Arc::clone(&self.keys));
        let known = self.stream.incarnation.clone();
        let search = Search {
            store: &core.store,
            layout: &core.layout,
            keys: &keys,
            clock: &*core.clock,
            known: known.as_ref(),
        };
        let mut hear = |method: &str, key: &str, outcome: Result<String, &StoreFailure>| {
            self.hear(method, key, outcome);
        };
        search.run(&mut hear).await
    }

    async fn fetch(&mut self) -> Result<RemoteSeen, StoreFailure> {
        let key = self.keys.schema.clone();
        let got = self
            .core
            .store
            .get(&key, self.core.max_schema_size)
            .await
            .map(read_schema);
        self.heard("GET", key.as_ref(), got, |remote| match remote {
            RemoteSeen::Missing => "missing".to_owned(),
            RemoteSeen::WellFormed { schema, .. } => in_words(schema),
            RemoteSeen::Corrupt { reason, .. } => format!("no schema: {reason}"),
        })
    }

    async fn head(&mut self) -> Result<HeadSeen, StoreFailure> {
        let key = self.keys.schema.clone();
        let seen = self.core.store.head(&key).await;
        let seen = self.heard("HEAD", key.as_ref(), seen, |found| match found {
            None => "missing".to_owned(),
            Some(info) => counted(info.size, "byte"),
        })?;
        Ok(seen.map_or(HeadSeen::Missing, HeadSeen::Found))
    }

    /// Writes the stored intent. It is durable before the request is made.
    async fn write(&mut self) -> Result<Put, AttemptError> {
        let writes = self.core.gate.get();
        if writes == Writes::Unprobed {
            return Ok(Put::Refused(self.core.gate.refusal()));
        }
        self.save(None).await?;
        let Some(intent) = self.stream.intent.clone() else {
            return Err(AttemptError::Endless(self.id.clone()));
        };
        let (key, mut bytes) = (self.keys.schema.clone(), intent.document.bytes());
        if planted::is(Defect::UploadsHalf) {
            bytes.truncate(bytes.len() / 2);
        }
        let (method, put) = match &intent.mode {
            Mode::Create => ("CREATE", self.core.store.create(&key, bytes).await),
            Mode::Update(version) => ("UPDATE", self.core.store.update(&key, bytes, version).await),
        };
        let outcome = match &put {
            Put::Done(_) => "written".to_owned(),
            Put::Exists => "something stands there".to_owned(),
            Put::Stale => "it changed since it was read".to_owned(),
            Put::Refused(failure) => format!("not written: {failure}"),
            Put::Ambiguous(failure) => format!("outcome unknown: {failure}"),
        };
        self.wrote |= matches!(&put, Put::Done(_) | Put::Ambiguous(_));
        match &put {
            Put::Refused(failure) | Put::Ambiguous(failure) => self.store_failed(failure),
            _ => self.store_answered(),
        }
        self.story.request(method, key.as_ref(), outcome);
        // Where conditions are ignored, only what stands there afterwards tells who won.
        Ok(match (writes, put) {
            (Writes::ReadBack, Put::Done(object)) => Put::Done(ObjectInfo {
                version: None,
                ..object
            }),
            (_, put) => put,
        })
    }

    /// Notes a request of the host's own, and how the store did.
    pub(super) fn heard<T>(
        &mut self,
        method: &str,
        key: &str,
        answer: Result<T, StoreFailure>,
        in_words: impl FnOnce(&T) -> String,
    ) -> Result<T, StoreFailure> {
        self.hear(method, key, answer.as_ref().map(in_words));
        answer
    }

    fn hear(&mut self, method: &str, key: &str, outcome: Result<String, &StoreFailure>) {
        match outcome {
            Ok(outcome) => {
                self.story.request(method, key, outcome);
                self.store_answered();
            }
            Err(failure) => {
                self.story.request(method, key, failure.to_string());
                self.store_failed(failure);
            }
        }
    }

    fn store_answered(&mut self) {
        self.store_asked = true;
    }

    pub(super) fn store_failed(&mut self, failure: &StoreFailure) {
        self.store_failed = true;
        self.last_store_failure = Some(failure.clone());
        tracing::debug!(stream = %self.id, "{failure}");
        let (now, monotonic) = (self.core.clock.now(), self.core.clock.monotonic());
        let health = &self.core.health;
        health.failed(self.id, failure, now, monotonic);
    }
}

fn in_words(schema: &Schema) -> String {
    format!("a schema of {}", counted(schema.fields().count(), "field"))
}
