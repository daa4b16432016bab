//! An ingest node for a test: its staging directory, a ledger, and an agent without delays over a store of the test's
//! choice.

use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use anyhow::{Context, Result, bail};
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate::agent::{Agent, AgentError, Opening, open_parts};
use tidegate::config::{Settings, Source};
use tidegate::contract::{Phase, Trigger};
use tidegate::staging::StreamKeys;
use tidegate::storage::Store;
use tidegate::stream::{NodeId, StreamId};
use tidegate::sync::{Event, Outcome, Tally};

use crate::stores::TestStore;

/// Which layout a node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Without markers.
    Plain,
    /// Parseable's ingest node, whose streams exist while their markers do.
    Parseable,
    /// Parseable's standalone node, whose objects carry no node's name.
    Standalone,
    /// A layout of the operator's own templates, without markers.
    Templates,
}

/// Policies that decide at once, so that no test waits.
const POLICIES: &str = r#"
[policies.presence]
component = "builtin:presence"
settings = { settle = "0s", grace = "0s", watch = "0s" }
"#;

/// An ingest node beside a store; gone when dropped.
#[derive(Debug)]
pub struct Node {
    dir: TempDir,
    /// Its configuration, to be changed before the agent is opened.
    pub settings: Settings,
    /// The store that agents are opened with; none opens the one of the settings.
    pub store: Option<Store>,
    id: NodeId,
    objects: Arc<dyn ObjectStore>,
}

/// An agent at work, and what became of its attempts.
#[derive(Debug)]
pub struct Running {
    /// The agent.
    pub agent: Agent,
    outcomes: mpsc::Receiver<(StreamId, Outcome)>,
}

impl Node {
    /// The node `n1` over this store.
    pub fn new(store: &TestStore, kind: Kind) -> Result<Self> {
        Self::with(store, kind, "n1", "")
    }

    /// A node of this identity, with more tables of configuration.
    pub fn with(store: &TestStore, kind: Kind, id: &str, tables: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let staging = dir.path().join("staging");
        std::fs::create_dir(&staging)?;
        let url = &store.settings.url;
        let head = match kind {
            Kind::Plain => format!("[node]\nid = \"{id}\"\n[staging]\nlayout = \"plain\"\n"),
            Kind::Parseable => {
                let file = staging.join(format!("ingestor.{id}.json"));
                std::fs::write(file, identity(id).to_string())?;
                "[staging]\n".to_owned()
            }
            Kind::Standalone => "[staging]\nmode = \"standalone\"\n".to_owned(),
            Kind::Templates => format!(
                "[node]\nid = \"{id}\"\n[layouts.own]\nstaged = \"{{tenant}}/{{stream}}/of-{{node}}.json\"\n\
                 stored = \"schemas/{{tenant}}/{{stream}}/of-{{node}}.json\"\n[staging]\nlayout = \"own\"\n"
            ),
        };
        let policies = if tables.contains("[policies.presence]") {
            ""
        } else {
            POLICIES
        };
        let text = format!(
            "{head}dir = \"staging\"\nwatch = false\n[store]\nurl = \"{url}\"\n{policies}\n{tables}"
        );
        let mut settings = Settings::from_source(
            &Source::new(dir.path().join("tidegate.toml"), text),
            &|_| None,
        )?;
        settings.store = store.settings.clone();
        settings.ledger.durability = tidegate::ledger::Durability::Kill;
        settings.runtime.slots = 4;
        settings.runtime.cache = Some(policy_cache()?);
        Ok(Self {
            dir,
            settings,
            store: Some(store.store.counted()),
            id: NodeId::new(id),
            objects: Arc::clone(&store.objects),
        })
    }

    /// Where its files are.
    pub fn staged_path(&self, stream: &StreamId) -> PathBuf {
        let mut path = self.dir.path().join("staging");
        path.extend(stream.tenant.as_deref());
        path.push(&*stream.name);
        path.join(self.settings.staging.layout.staged_name(&self.id))
    }

    /// Stages a schema as nodes do: written aside, then renamed.
    pub fn stage(&self, stream: &StreamId, text: impl AsRef<[u8]>) -> Result<()> {
        let path = self.staged_path(stream);
        let folder = path.parent().context("no folder")?;
        std::fs::create_dir_all(folder)?;
        let aside = self.dir.path().join("aside");
        std::fs::write(&aside, text)?;
        Ok(std::fs::rename(aside, path)?)
    }

    /// Leaves data that waits for its schema.
    pub fn stage_data(&self, stream: &StreamId) -> Result<()> {
        let path = self.staged_path(stream);
        let folder = path.parent().context("no folder")?;
        std::fs::create_dir_all(folder)?;
        Ok(std::fs::write(folder.join("x.data.arrows"), "")?)
    }

    /// The keys of a stream.
    pub fn keys(&self, stream: &StreamId) -> Result<StreamKeys> {
        Ok(self.settings.staging.layout.keys(&self.id, stream)?)
    }

    /// The key of another node's schema.
    pub fn peer_key(&self, peer: &str, stream: &StreamId) -> Result<object_store::path::Path> {
        let keys = self
            .settings
            .staging
            .layout
            .keys(&NodeId::new(peer), stream)?;
        Ok(keys.schema)
    }

    /// Marks a stream as created at this time.
    pub async fn mark(&self, stream: &StreamId, created_at: &str) -> Result<()> {
        let marker = self
            .keys(stream)?
            .marker
            .context("the layout has no markers")?;
        let text = json!({"created-at": created_at, "stream_type": "UserDefined"}).to_string();
        self.objects.put(&marker, text.into()).await?;
        Ok(())
    }

    /// Makes a stream exist, where that takes a marker.
    pub async fn create(&self, stream: &StreamId) -> Result<()> {
        match self.keys(stream)?.marker {
            Some(_) => self.mark(stream, "2026-01-01T00:00:00Z").await,
            None => Ok(()),
        }
    }

    /// What stands in the store as this node's schema.
    pub async fn stored(&self, stream: &StreamId) -> Result<Option<Value>> {
        match self.objects.get(&self.keys(stream)?.schema).await {
            Ok(found) => Ok(Some(serde_json::from_slice(&found.bytes().await?)?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The names of the fields that stand in the store, in order; none where nothing stands.
    pub async fn stored_fields(&self, stream: &StreamId) -> Result<Option<Vec<String>>> {
        Ok(self.stored(stream).await?.map(|schema| {
            let fields = schema["fields"].as_array().cloned().unwrap_or_default();
            let names = fields.iter().filter_map(|field| field["name"].as_str());
            let mut names: Vec<_> = names.map(str::to_owned).collect();
            names.sort();
            names
        }))
    }

    /// Writes this node's object behind the agent's back.
    pub async fn store(&self, stream: &StreamId, text: impl Into<String>) -> Result<()> {
        let key = self.keys(stream)?.schema;
        self.objects.put(&key, text.into().into()).await?;
        Ok(())
    }

    /// The objects of the store.
    pub fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.objects
    }

    /// Opens its agent.
    ///
    /// # Errors
    ///
    /// As the agent has it.
    pub async fn try_open(&self, opening: Opening) -> Result<Running, AgentError> {
        let mut agent = open_parts(
            &self.settings,
            Opening {
                store: self.store.clone(),
                ..opening
            },
        )
        .await?;
        let (sender, outcomes) = mpsc::channel();
        agent.scheduler().observe(Box::new(move |id, outcome| {
            if let Ok(outcome) = outcome {
                // Tests that look at nothing have dropped the receiver.
                let _ = sender.send((id.clone(), outcome));
            }
        }));
        Ok(Running { agent, outcomes })
    }

    /// Opens its agent on the system's clock.
    pub async fn open(&self) -> Result<Running> {
        Ok(self.try_open(Opening::default()).await?)
    }
}

impl Running {
    /// One pass over all streams, as `tidegate sync` makes it.
    pub async fn pass(&mut self) -> Result<Tally> {
        Ok(self.agent.pass(|_| true, std::future::pending()).await?)
    }

    /// Scans, and attends to what is new.
    pub async fn scan(&mut self) -> Result<()> {
        self.agent.scheduler().scan().await?;
        self.settle().await;
        Ok(())
    }

    /// Looks at every stream for this reason.
    pub async fn look(&mut self, trigger: Trigger) {
        self.agent.scheduler().look_at_all(trigger, |_, _| true);
        self.settle().await;
    }

    /// Lets all that is queued come to its end; timers that are not due stay.
    pub async fn settle(&mut self) {
        let scheduler = self.agent.scheduler();
        scheduler.start_due();
        while !scheduler.is_quiet(std::time::Duration::ZERO) {
            scheduler.next().await;
            scheduler.start_due();
        }
    }

    /// What became of the attempts since the last time this was asked.
    pub fn outcomes(&mut self) -> Vec<(StreamId, Outcome)> {
        self.outcomes.try_iter().collect()
    }

    /// The last outcome of a stream since outcomes were asked for.
    pub fn last(&mut self, stream: &StreamId) -> Result<Outcome> {
        let outcome = self
            .outcomes()
            .into_iter()
            .rev()
            .find(|(id, _)| id == stream);
        Ok(outcome
            .with_context(|| format!("no attempt at {stream}"))?
            .1)
    }

    /// Fails unless the stream's last attempt led to this phase; gives the attempt.
    pub fn expect(&mut self, stream: &StreamId, phase: Phase) -> Result<Outcome> {
        let outcome = self.last(stream)?;
        if outcome.phase != phase {
            bail!(
                "{stream} is {}, not {phase}: {:#?}",
                outcome.phase,
                outcome.story
            );
        }
        Ok(outcome)
    }

    /// The requests that were sent so far.
    pub fn requests(&self) -> tidegate::storage::RequestCounts {
        self.agent.core().store.requests()
    }

    /// Closes the agent as a clean stop does.
    pub async fn close(self) -> Result<()> {
        Ok(self.agent.close().await?)
    }
}

/// A directory where compiled policies outlive the tests, since compiling takes far longer than they do.
pub fn policy_cache() -> Result<PathBuf> {
    let executable = std::env::current_exe()?;
    let target = executable
        .ancestors()
        .nth(3)
        .context("not in a target directory")?;
    let cache = target.join("tmp").join("policy-cache");
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&cache)?;
    Ok(cache)
}

/// The policies that were asked in an attempt.
pub fn asked(outcome: &Outcome) -> Vec<String> {
    let calls = outcome.story.steps.iter().filter_map(|step| match step {
        Event::Asked { calls, .. } => Some(calls),
        _ => None,
    });
    calls.flatten().map(|call| call.policy.clone()).collect()
}

/// A schema of these fields, as Parseable stages it.
pub fn schema(fields: &[(&str, &str)]) -> String {
    let field = |(name, data_type): &(&str, &str)| {
        json!({"name": name, "data_type": data_type, "nullable": true, "dict_id": 0,
               "dict_is_ordered": false, "metadata": {}})
    };
    json!({"fields": fields.iter().map(field).collect::<Vec<_>>(), "metadata": {}}).to_string()
}

fn identity(id: &str) -> Value {
    json!({"version": "v4", "port": "8200", "domain_name": "http://127.0.0.1:8200/", "bucket_name": "bkt",
           "node_id": id, "flight_port": "8202", "node_type": "ingestor"})
}
