//! The guarantees, checked against what the endpoint saw, what it holds, what the ledger says and what is staged.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use object_store::PutMode;
use tidegate::contract::Phase;
use tidegate::ledger::{LedgerReader, StreamFilter, StreamRecord};
use tidegate::schema::Schema;
use tidegate_tests::s3::{Endpoint, Seen};

use crate::node::{Fields, Node, incarnation_of, marker_key, schema_key};

/// The story of the bucket so far.
#[derive(Default)]
pub(crate) struct Checks {
    /// How much of it was looked at.
    seen: usize,
    /// What stands under each schema's key.
    standing: HashMap<String, Standing>,
    /// The incarnation of each stream's marker, and the markers' by ETag.
    markers: HashMap<String, u32>,
    marker_versions: HashMap<String, u32>,
    /// Which incarnation the agent last saw, since it was last started.
    told: HashMap<String, Option<u32>>,
    /// Fields that were staged before the agent wrote, by stream: no others may come from it.
    pub(crate) writes: u64,
    /// Writes that were decided by a marker that was deleted in between: documented, and counted.
    pub(crate) raced: u64,
}

#[derive(Clone)]
struct Standing {
    e_tag: Option<String>,
    fields: Fields,
    by_agent: bool,
}

impl Checks {
    /// The agent starts: what an earlier process was told is nothing that this one knows.
    pub(crate) fn agent_starts(&mut self) {
        self.told.clear();
        for standing in self.standing.values_mut() {
            standing.by_agent = false;
        }
    }

    /// All guarantees, after the agent is dead.
    pub(crate) async fn hold(
        &mut self,
        node: &Node,
        endpoint: &Endpoint,
        ledger: &Path,
    ) -> Result<()> {
        let seen = endpoint.witness().hold().await[self.seen..].to_vec();
        for seen in seen {
            self.follow(node, &seen)
                .with_context(|| format!("at {seen:?}"))?;
            self.seen += 1;
        }
        node.check_staging()?;
        // Killed before it made one.
        if ledger.exists()
            && let Ok(reader) = LedgerReader::open(ledger)
        {
            for record in reader.streams(&StreamFilter::default())? {
                self.remembered(node, &reader, &record)
                    .with_context(|| format!("stream {}: {record:#?}", record.stream))?;
            }
        }
        Ok(())
    }

    fn follow(&mut self, node: &Node, seen: &Seen) -> Result<()> {
        match seen {
            Seen::Got { key, e_tag } => {
                if let Some(name) = stream_of(key).filter(|name| *key == marker_key(name)) {
                    let incarnation = e_tag
                        .as_ref()
                        .and_then(|e_tag| self.marker_versions.get(e_tag));
                    self.told.insert(name.to_owned(), incarnation.copied());
                }
            }
            Seen::Meddled { key, written } => {
                let Some(name) = stream_of(key) else {
                    return Ok(());
                };
                if *key == schema_key(name) {
                    match written {
                        Some((bytes, e_tag)) => {
                            let fields = fields(bytes)?;
                            let standing = Standing {
                                e_tag: e_tag.clone(),
                                fields,
                                by_agent: false,
                            };
                            self.standing.insert(key.clone(), standing);
                        }
                        None => _ = self.standing.remove(key),
                    }
                } else if *key == marker_key(name) {
                    match written {
                        Some((bytes, e_tag)) => {
                            let incarnation = incarnation_of(bytes).context("a marker")?;
                            self.markers.insert(name.to_owned(), incarnation);
                            self.marker_versions
                                .extend(e_tag.clone().map(|e_tag| (e_tag, incarnation)));
                        }
                        None => _ = self.markers.remove(name),
                    }
                }
            }
            Seen::Put {
                key,
                mode,
                bytes,
                e_tag,
            } => {
                if key.starts_with(".tidegate/") {
                    return Ok(());
                }
                let name =
                    stream_of(key).context("the agent wrote something else than a schema")?;
                ensure!(
                    *key == schema_key(name),
                    "the agent wrote what is not its node's"
                );
                ensure!(*mode != PutMode::Overwrite, "written without a condition");
                let fields = fields(bytes).context("what was written does not parse")?;
                if let Some(e_tag) = e_tag {
                    self.wrote(node, name, mode, fields, e_tag)?;
                }
            }
        }
        Ok(())
    }

    /// The agent wrote, and it took effect.
    fn wrote(
        &mut self,
        node: &Node,
        name: &str,
        mode: &PutMode,
        fields: Fields,
        e_tag: &str,
    ) -> Result<()> {
        let key = schema_key(name);
        let before = self.standing.get(&key);
        match (mode, before) {
            (PutMode::Create, Some(_)) => bail!("an object was replaced by a Create"),
            (PutMode::Update(_), None) => bail!("an Update of nothing took effect"),
            (PutMode::Update(version), Some(before)) => {
                ensure!(version.e_tag == before.e_tag, "the endpoint lost its head");
                let lost: Vec<_> = before.fields.difference(&fields).collect();
                ensure!(
                    lost.is_empty(),
                    "a write took fields from the store: {lost:?}"
                );
                let staged = |field: &String| !field.contains("_p");
                ensure!(fields.iter().any(staged), "a fallback replaced an object");
            }
            _ => {}
        }
        let told = self
            .told
            .get(name)
            .context("written without a look at the marker")?;
        let told = told.context("written after the marker was seen to be gone")?;
        // Deleted, or even created anew, between the look and the write: nothing but the look after it can tell.
        if self.markers.get(name) == Some(&told) {
            let own = format!("{name}_{told}_");
            // What an earlier write that raced with a deletion has left there is not taken away.
            let was_there =
                |field: &&String| before.is_some_and(|before| before.fields.contains(*field));
            let strangers: Vec<_> = fields
                .iter()
                .filter(|field| !field.starts_with(&own) && !was_there(field))
                .collect();
            ensure!(
                strangers.is_empty(),
                "fields of another incarnation: {strangers:?}"
            );
        } else {
            self.raced += 1;
        }
        if let Some(stream) = node
            .streams
            .get(name)
            .filter(|stream| stream.incarnation == told)
        {
            let known: BTreeSet<_> = stream.staged.union(&stream.peers).collect();
            let invented: Vec<_> = fields
                .iter()
                .filter(|field| !known.contains(field))
                .collect();
            ensure!(invented.is_empty(), "fields that nobody has: {invented:?}");
        }
        self.writes += 1;
        self.standing.insert(
            key,
            Standing {
                e_tag: Some(e_tag.to_owned()),
                fields,
                by_agent: true,
            },
        );
        Ok(())
    }

    /// What the ledger confirmed is in the store, and what the agent wrote is in the ledger.
    fn remembered(&self, node: &Node, reader: &LedgerReader, record: &StreamRecord) -> Result<()> {
        let name = &*record.stream.name;
        let stream = node.streams.get(name).context("a stream that never was")?;
        let document = |digest| -> Result<Option<Fields>> {
            let Some(digest) = digest else {
                return Ok(None);
            };
            let body = reader.document(digest)?.context("a document is missing")?;
            fields(&body).map(Some)
        };
        let (confirmed, intent) = (document(record.confirmed)?, document(record.intent)?);
        document(record.captured)?;
        if !stream.alive {
            return Ok(());
        }
        let own = format!("{name}_{}_", stream.incarnation);
        let standing = self.standing.get(&schema_key(name));
        if let Some(standing) = standing.filter(|standing| standing.by_agent) {
            let known = [&confirmed, &intent]
                .into_iter()
                .flatten()
                .any(|known| *known == standing.fields);
            ensure!(
                known,
                "the ledger does not know what was written last: {:?}",
                standing.fields
            );
        }
        let current = |fields: &Fields| {
            !fields.is_empty() && fields.iter().all(|field| field.starts_with(&own))
        };
        if let Some(confirmed) = confirmed.filter(current) {
            let standing = standing.context("the store does not hold what was confirmed")?;
            let lost = confirmed.difference(&standing.fields);
            let lost: Vec<_> = lost
                .filter(|field| !stream.overwritten.contains(*field))
                .collect();
            ensure!(lost.is_empty(), "confirmed and lost: {lost:?}");
        }
        Ok(())
    }

    /// Nothing is left to do, and every stream that stands has all that was staged for it.
    pub(crate) fn settled(&self, node: &Node, ledger: &Path) -> Result<()> {
        for (name, stream) in node.streams.iter().filter(|(_, stream)| stream.alive) {
            let standing = self.standing.get(&schema_key(name));
            let standing = standing.with_context(|| format!("{name} was never published"))?;
            let missing: Vec<_> = stream.staged.difference(&standing.fields).collect();
            ensure!(missing.is_empty(), "{name} lacks {missing:?}");
        }
        for record in LedgerReader::open(ledger)?.streams(&StreamFilter::default())? {
            let alive = node.streams[&*record.stream.name].alive;
            // Of a deleted stream nobody asks before its next look.
            let settled = record.phase == Phase::Synced || !alive && record.phase.is_settled();
            ensure!(
                settled && record.intent.is_none(),
                "{} is {}: {record:#?}",
                record.stream,
                record.phase
            );
        }
        Ok(())
    }
}

fn stream_of(key: &str) -> Option<&str> {
    Some(key.split_once("/.stream/")?.0)
}

fn fields(bytes: &Bytes) -> Result<Fields> {
    Ok(Schema::parse(bytes)?
        .fields()
        .map(|field| field.name)
        .collect())
}
