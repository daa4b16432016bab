//! Verification over a store that behaves as S3 does, a real staging directory and a real ledger.

mod bucket;
mod looking;
mod peers;
mod repairing;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bucket::Bucket;
use futures::future::BoxFuture;

use super::*;
use crate::contract::{Role, Trigger};
use crate::ledger::{Ledger, LedgerOptions, LedgerReader};
use crate::policy::Chain;
use crate::schema::Schema;
use crate::staging::{ParseableMode, StagingDir, StagingSettings, TemplateLayout};
use crate::storage::{StoreId, StoreSettings};
use crate::sync::machine::{Repair, Rules, Sighting};
use crate::sync::{
    Gate, Health, LedgerJournal, Occasion, Plan, Rehearsal, Seen, StreamPlan, Writes,
};
use crate::tasks::TokioTasks;
use crate::time::{SystemEntropy, Timestamp};

/// After the staged files' own times, which are the system's.
const NOW: u64 = 4_000_000_000_000;

const OLD: &str = "2020-01-01T00:00:00Z";

/// Later than `NOW`.
const NEW: &str = "2100-01-01T00:00:00Z";

/// A clock that stands still, and on which no timeout ever comes.
#[derive(Debug)]
struct Still(AtomicU64);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// The node `n1` with all that its agent works with, and without any policy.
struct Rig {
    dir: tempfile::TempDir,
    bucket: Arc<Bucket>,
    clock: Arc<Still>,
    core: Core,
}

fn repairs(repair: Repair) -> Rules {
    Rules {
        repair,
        ..Rules::default()
    }
}

impl Rig {
    fn new() -> Self {
        Self::with(
            Layout::parseable(ParseableMode::Ingest),
            repairs(Repair::Off),
        )
    }

    fn repairing() -> Self {
        Self::with(
            Layout::parseable(ParseableMode::Ingest),
            repairs(Repair::All),
        )
    }

    fn with(layout: Layout, rules: Rules) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("staging")).unwrap();
        let clock = Arc::new(Still(AtomicU64::new(NOW)));
        let bucket = Arc::new(Bucket::default());
        let mut settings = StoreSettings::new("memory:///");
        settings.burst = NonZeroU32::new(1_000_000).unwrap();
        let objects: Arc<dyn object_store::ObjectStore> = Arc::clone(&bucket) as _;
        let id = StoreId::new("memory:///");
        let store = Store::with_object_store(objects, id, &settings, Arc::clone(&clock) as _);
        let ledger = Ledger::open(
            &dir.path().join("ledger.db"),
            LedgerOptions::new("memory:///"),
            clock.now(),
        );
        let staging = StagingSettings::new(dir.path().join("staging"), layout.clone());
        let node = NodeId::new("n1");
        let chain = |role| Chain::new(role, Vec::new()).unwrap();
        let plan = StreamPlan {
            existence: chain(Role::Existence),
            fallback: chain(Role::Fallback),
            retry: chain(Role::Retry),
            rules,
            defaults: BTreeMap::new(),
            ignore_peers: BTreeSet::from(["dead".to_owned()]),
        };
        let core = Core {
            node_seen: Seen::new(clock.now()),
            store,
            staging: Arc::new(StagingDir::open_beside(staging).unwrap()),
            layout,
            journal: Arc::new(LedgerJournal::new(ledger.unwrap(), node.clone())),
            plan: Arc::new(Plan {
                rules: vec![],
                otherwise: Arc::new(plan),
            }),
            tasks: Arc::new(TokioTasks),
            clock: Arc::clone(&clock) as _,
            entropy: Arc::new(SystemEntropy),
            health: Health::default(),
            causes: Default::default(),
            gate: Gate::new(Writes::Conditional),
            recorder: None,
            policy_writes: Arc::default(),
            max_schema_size: 1 << 20,
            node,
        };
        Self {
            dir,
            bucket,
            clock,
            core,
        }
    }

    fn stage(&self, stream: &str, fields: &str) {
        let dir = self.dir.path().join("staging").join(stream);
        std::fs::create_dir_all(&dir).unwrap();
        let name = self.core.layout.staged_name(&self.core.node);
        std::fs::write(dir.join(name), json(fields)).unwrap();
    }

    async fn look(&self, stream: &str, signature: u64) -> Phase {
        let sighting = Sighting {
            signature,
            ..Sighting::default()
        };
        let occasion = Occasion::Looked(Trigger::Requested, sighting);
        let outcome = self.core.attempt(&id(stream), occasion).await;
        outcome.unwrap().phase
    }

    /// A stream of this node that is staged and published, and whose staged file is gone again.
    async fn publish(&self, stream: &str, fields: &str) {
        self.mark(stream, OLD);
        self.stage(stream, fields);
        assert_eq!(self.look(stream, 1).await, Phase::Synced);
        std::fs::remove_dir_all(self.dir.path().join("staging").join(stream)).unwrap();
    }

    fn mark(&self, stream: &str, created_at: &str) {
        let marker = format!(r#"{{"created-at":"{created_at}"}}"#);
        self.bucket.put(&marker_key(stream), marker);
    }

    /// What `node` publishes of the stream.
    fn peer(&self, stream: &str, node: &str, fields: &str) {
        self.bucket.put(&key_of(stream, node), json(fields));
    }

    fn stored(&self, stream: &str) -> Option<Schema> {
        let bytes = self.bucket.get(&key(stream))?;
        Schema::parse(&bytes).ok()
    }

    async fn known(&self, stream: &str) -> Stream {
        self.core.journal.load(&id(stream)).await.unwrap().unwrap()
    }

    async fn verify(&self, streams: &[&str], scope: Scope) -> Report {
        let ids = streams.iter().map(|name| id(name)).collect();
        let context = VerifyContext::of(&self.core);
        verify(&context, ids, scope, &mut |_, _| {}).await.unwrap()
    }

    async fn verify_and_repair(&self, streams: &[&str]) -> Report {
        let mut report = self.verify(streams, Scope::Own).await;
        repair(&self.core, &mut report, &mut |_, _| {}).await;
        report
    }

    fn ledger(&self) -> PathBuf {
        self.dir.path().join("ledger.db")
    }
}

fn id(name: &str) -> StreamId {
    StreamId::new(name)
}

fn key(stream: &str) -> String {
    key_of(stream, "n1")
}

fn key_of(stream: &str, node: &str) -> String {
    format!("{stream}/.stream/.ingestor.{node}.schema")
}

fn marker_key(stream: &str) -> String {
    format!("{stream}/.stream/.ingestor.n1.stream.json")
}

/// `a:Utf8 b:Int64`, say.
fn json(fields: &str) -> String {
    let field = |text: &str| {
        let (name, kind) = text.split_once(':').unwrap();
        format!(
            r#"{{"name":"{name}","data_type":"{kind}","nullable":true,"dict_id":0,"dict_is_ordered":false,"metadata":{{}}}}"#
        )
    };
    let fields: Vec<_> = fields.split_whitespace().map(field).collect();
    format!(r#"{{"fields":[{}],"metadata":{{}}}}"#, fields.join(","))
}

fn schema(fields: &str) -> Schema {
    Schema::parse(json(fields).as_bytes()).unwrap()
}

fn note(field: &str, data_type: &str) -> FieldNote {
    FieldNote {
        field: field.to_owned(),
        data_type: data_type.to_owned(),
        nullable: true,
    }
}

fn kinds(report: &Report) -> Vec<(&str, &str)> {
    let findings = report.findings.iter();
    findings
        .map(|finding| (&*finding.stream.name, finding.kind.name()))
        .collect()
}

fn lines(findings: &[Finding]) -> String {
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
