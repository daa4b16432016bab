//! What surrounds the agent: an ingest node that stages, publishes carelessly, and whose streams come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use bytes::Bytes;
use serde_json::json;
use tidegate::ledger::{LedgerReader, StreamFilter};
use tidegate_tests::s3::Endpoint;

/// The node's identity, as it stands in keys.
pub(crate) const NODE: &str = "kill1";

/// A schema's fields, by name.
pub(crate) type Fields = BTreeSet<String>;

/// Random words from a seed (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.word() % bound.max(1) as u64) as usize
    }
}

/// A stream as the node knows it.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// Counts up when it is created again; its fields' names begin with it.
    pub(crate) incarnation: u32,
    /// Whether its marker stands in the store.
    pub(crate) alive: bool,
    /// All that was ever staged in this incarnation.
    pub(crate) staged: Fields,
    /// What another node publishes.
    pub(crate) peers: Fields,
    /// What the node itself took from the store in this incarnation, by overwriting it with less.
    pub(crate) overwritten: Fields,
}

/// The node, and the state of the world that it brought about.
pub(crate) struct Node {
    pub(crate) dice: Dice,
    pub(crate) streams: BTreeMap<String, Stream>,
    staging: PathBuf,
    scratch: PathBuf,
    /// Every file that must be in staging, and its content.
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// Milliseconds; every event has one of its own, so that what is older than what is never in doubt.
    time: u64,
    fields: u32,
}

impl Node {
    pub(crate) async fn start(
        dir: &Path,
        seed: u64,
        streams: usize,
        endpoint: &Endpoint,
    ) -> Result<Self> {
        let (staging, scratch) = (dir.join("staging"), dir.join("scratch"));
        fs::create_dir(&staging)?;
        fs::create_dir(&scratch)?;
        let mut node = Self {
            dice: Dice(seed),
            streams: BTreeMap::new(),
            staging,
            scratch,
            files: BTreeMap::new(),
            time: 0,
            fields: 0,
        };
        let identity = json!({ "version": "v4", "node_id": NODE, "node_type": "ingestor" });
        let identity = identity.to_string().into_bytes();
        node.write(&format!("ingestor.{NODE}.json"), identity)?;
        for number in 0..streams {
            let name = format!("s{number:02}");
            node.streams.insert(name.clone(), Stream::default());
            node.create(&name, endpoint).await?;
        }
        Ok(node)
    }

    /// Does one thing to one stream.
    pub(crate) async fn act(&mut self, endpoint: &Endpoint) -> Result<()> {
        let at = self.dice.below(self.streams.len());
        let name = self.streams.keys().nth(at).cloned().unwrap_or_default();
        let alive = self.streams[&name].alive;
        match self.dice.below(100) {
            0..55 => self.stage(&name),
            55..65 => self.break_staged(&name),
            65..75 => self.collect_data(&name),
            75..85 if alive => self.publish(&name, endpoint).await,
            85..90 if alive => self.overwrite(&name, endpoint).await,
            90..93 => self.forget_staging(&name),
            93..100 if alive => self.delete(&name, endpoint).await,
            _ if !alive => self.create(&name, endpoint).await,
            _ => self.stage(&name),
        }
    }

    /// Every stream that stands stages a schema with a new field: the last word before all must settle.
    pub(crate) fn stage_all(&mut self) -> Result<()> {
        let alive = self.streams.iter().filter(|(_, stream)| stream.alive);
        let names: Vec<_> = alive.map(|(name, _)| name.clone()).collect();
        names.iter().try_for_each(|name| self.stage(name))
    }

    /// Removes the staging of every deleted stream that the agent never saw in the store. While such a stream is
    /// staged it is `unknown`, which is unsettled: no evidence tells a deletion from a wrong store.
    pub(crate) fn drop_unknown(&mut self, ledger: &Path) -> Result<()> {
        let records = LedgerReader::open(ledger)?.streams(&StreamFilter::default())?;
        let seen: BTreeSet<_> = records
            .into_iter()
            .filter(|record| record.incarnation.is_some())
            .map(|record| record.stream.name.to_string())
            .collect();
        let dead = self.streams.iter().filter(|(_, stream)| !stream.alive);
        let unknown: Vec<_> = dead
            .map(|(name, _)| name.clone())
            .filter(|name| !seen.contains(name))
            .collect();
        unknown
            .iter()
            .try_for_each(|name| self.forget_staging(name))
    }

    /// Stages all fields there were, and some more. A node goes on doing so for a stream that was deleted: it is told
    /// later.
    fn stage(&mut self, name: &str) -> Result<()> {
        for _ in 0..=self.dice.below(2) {
            let field = self.new_field(name, 'f');
            self.stream(name).staged.insert(field);
        }
        let fields = self.streams[name].staged.clone();
        let schema = self.schema(&fields);
        self.write(&staged(name), schema)
    }

    fn break_staged(&mut self, name: &str) -> Result<()> {
        let fields = self.streams[name].staged.clone();
        let mut schema = self.schema(&fields);
        schema.truncate(self.dice.below(schema.len()));
        self.write(&staged(name), schema)
    }

    /// Data waits, so that a schema is owed.
    fn collect_data(&mut self, name: &str) -> Result<()> {
        self.write(&format!("{name}/minute.data.arrows"), b"data".to_vec())
    }

    /// As Parseable does: without any condition, and then the staged file goes.
    async fn publish(&mut self, name: &str, endpoint: &Endpoint) -> Result<()> {
        let fields = self.streams[name].staged.clone();
        let schema = self.schema(&fields);
        endpoint
            .meddle(&schema_key(name), Some(schema.into()))
            .await?;
        self.took_all_but(name, &fields);
        self.remove(&staged(name))
    }

    /// With a schema from memory that lacks what came since.
    async fn overwrite(&mut self, name: &str, endpoint: &Endpoint) -> Result<()> {
        let staged = &self.streams[name].staged;
        let fields: Fields = staged.iter().take(staged.len() / 2).cloned().collect();
        let schema = self.schema(&fields);
        endpoint
            .meddle(&schema_key(name), Some(schema.into()))
            .await?;
        self.took_all_but(name, &fields);
        Ok(())
    }

    fn took_all_but(&mut self, name: &str, kept: &Fields) {
        let stream = self.stream(name);
        let known = stream.staged.union(&stream.peers);
        let lost: Vec<_> = known
            .filter(|field| !kept.contains(*field))
            .cloned()
            .collect();
        stream.overwritten.extend(lost);
    }

    fn forget_staging(&mut self, name: &str) -> Result<()> {
        self.remove(&staged(name))?;
        self.remove(&format!("{name}/minute.data.arrows"))?;
        let dir = self.staging.join(name);
        if dir.exists() {
            fs::remove_dir(dir)?;
        }
        Ok(())
    }

    async fn delete(&mut self, name: &str, endpoint: &Endpoint) -> Result<()> {
        self.stream(name).alive = false;
        for key in [marker_key(name), schema_key(name), peer_key(name)] {
            endpoint.meddle(&key, None).await?;
        }
        Ok(())
    }

    /// Creates the stream, anew where there was one; what is staged of the old one may still lie there.
    async fn create(&mut self, name: &str, endpoint: &Endpoint) -> Result<()> {
        let incarnation = self.streams[name].incarnation + 1;
        *self.stream(name) = Stream {
            incarnation,
            ..Stream::default()
        };
        // What the race that the documentation tells of may have left.
        endpoint.meddle(&schema_key(name), None).await?;
        if self.dice.below(2) == 0 {
            let peers: Fields = (0..3).map(|_| self.new_field(name, 'p')).collect();
            let schema = self.schema(&peers);
            endpoint
                .meddle(&peer_key(name), Some(schema.into()))
                .await?;
            self.stream(name).peers = peers;
        }
        let created = chrono_text(self.tick());
        let marker = json!({ "created-at": created, "stream_type": "UserDefined", "incarnation": incarnation });
        let marker = marker.to_string().into();
        endpoint.meddle(&marker_key(name), Some(marker)).await?;
        self.stream(name).alive = true;
        match self.dice.below(3) {
            0 => self.collect_data(name),
            _ => self.stage(name),
        }
    }

    fn new_field(&mut self, name: &str, kind: char) -> String {
        self.fields += 1;
        let incarnation = self.streams[name].incarnation;
        format!("{name}_{incarnation}_{kind}{}", self.fields)
    }

    fn stream(&mut self, name: &str) -> &mut Stream {
        self.streams.entry(name.to_owned()).or_default()
    }

    /// A schema as Parseable writes it, its fields in any order.
    fn schema(&mut self, fields: &Fields) -> Vec<u8> {
        let mut fields: Vec<_> = fields.iter().collect();
        let turn = self.dice.below(fields.len());
        fields.rotate_left(turn);
        let fields: Vec<_> = fields
            .into_iter()
            .map(|name| {
                let types = ["Utf8", "Int64", "Boolean", "Float64"];
                let data_type = types[name.bytes().map(usize::from).sum::<usize>() % types.len()];
                json!({ "name": name, "data_type": data_type, "nullable": true, "dict_id": 0,
                    "dict_is_ordered": false, "metadata": {} })
            })
            .collect();
        json!({ "fields": fields, "metadata": {} })
            .to_string()
            .into_bytes()
    }

    fn tick(&mut self) -> u64 {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        self.time = (self.time + 1).max(u64::try_from(now.as_millis()).unwrap_or_default());
        self.time
    }

    fn write(&mut self, name: &str, bytes: Vec<u8>) -> Result<()> {
        let modified = UNIX_EPOCH + Duration::from_millis(self.tick());
        let (path, scratch) = (self.staging.join(name), self.scratch.join("file"));
        fs::create_dir_all(path.parent().context("staged files have a directory")?)?;
        fs::write(&scratch, &bytes)?;
        File::options()
            .write(true)
            .open(&scratch)?
            .set_modified(modified)?;
        fs::rename(&scratch, &path)?;
        self.files.insert(path, bytes);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<()> {
        let path = self.staging.join(name);
        if self.files.remove(&path).is_some() {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    /// Staging holds what the node put there, byte for byte, and nothing else.
    pub(crate) fn check_staging(&self) -> Result<()> {
        let mut found = BTreeMap::new();
        walk(&self.staging, &mut found)?;
        let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        anyhow::ensure!(
            found == self.files,
            "staging changed: {:?} became {:?}",
            names(&self.files),
            names(&found)
        );
        Ok(())
    }
}

fn walk(dir: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        match path.is_dir() {
            true => walk(&path, found)?,
            false => _ = found.insert(path.clone(), fs::read(&path)?),
        }
    }
    Ok(())
}

fn staged(name: &str) -> String {
    format!("{name}/.ingestor.{NODE}.schema")
}

pub(crate) fn schema_key(name: &str) -> String {
    format!("{name}/.stream/.ingestor.{NODE}.schema")
}

pub(crate) fn marker_key(name: &str) -> String {
    format!("{name}/.stream/.ingestor.{NODE}.stream.json")
}

fn peer_key(name: &str) -> String {
    format!("{name}/.stream/.ingestor.kill2.schema")
}

fn chrono_text(millis: u64) -> String {
    tidegate::time::Timestamp::from_millis(millis).to_string()
}

/// Which incarnation a marker is of.
pub(crate) fn incarnation_of(marker: &Bytes) -> Option<u32> {
    let marker: serde_json::Value = serde_json::from_slice(marker).ok()?;
    marker["incarnation"].as_u64()?.try_into().ok()
}
