//! A node's staging directory in the plain layout, and an agent over a store of the benchmark's.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::throttle::{ThrottleConfig, ThrottledStore};
use tempfile::TempDir;
use tidegate::agent::{Agent, Opening, open_parts};
use tidegate::config::Settings;
use tidegate::storage::{Store, StoreId};
use tidegate::time::SystemClock;

/// Requests in flight, on both sides of every comparison.
pub(crate) const IN_FLIGHT: usize = 32;

pub(crate) struct Node {
    dir: TempDir,
    streams: usize,
    generation: usize,
}

impl Node {
    pub(crate) fn new(streams: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let node = Self {
            dir,
            streams,
            generation: 0,
        };
        for stream in 0..streams {
            fs::create_dir_all(node.staging().join(format!("stream-{stream:06}"))).unwrap();
        }
        node
    }

    pub(crate) fn staging(&self) -> PathBuf {
        self.dir.path().join("staging")
    }

    /// Stages every stream's schema, with one field more than the last time.
    pub(crate) fn stage(&mut self) {
        self.generation += 1;
        let schema = self.schema();
        for stream in 0..self.streams {
            let dir = self.staging().join(format!("stream-{stream:06}"));
            // As nodes do: aside first, so that nobody reads half a file.
            fs::write(dir.join("aside"), &schema).unwrap();
            fs::rename(dir.join("aside"), dir.join("schema.json")).unwrap();
        }
    }

    /// What is staged now: twenty fields, and one for each time.
    pub(crate) fn schema(&self) -> String {
        let fields = (0..20 + self.generation).map(|field| {
            format!(
                r#"{{"name":"field-{field:04}","data_type":"Utf8","nullable":true,"dict_id":0,"dict_is_ordered":false,"metadata":{{}}}}"#
            )
        });
        format!(
            r#"{{"fields":[{}],"metadata":{{}}}}"#,
            fields.collect::<Vec<_>>().join(",")
        )
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = object_store::path::Path> + use<> {
        (0..self.streams).map(|stream| format!("stream-{stream:06}/n1.schema.json").into())
    }

    pub(crate) async fn agent(&self, objects: Arc<dyn ObjectStore>, rehearse: bool) -> Agent {
        let path = self.dir.path().join("tidegate.toml");
        let configuration = format!(
            r#"
[node]
id = "n1"
[staging]
dir = "staging"
layout = "plain"
[store]
url = "memory:///"
max_in_flight = {IN_FLIGHT}
requests_per_second = 1_000_000_000
burst = 1_000_000_000
[ledger]
path = "ledger.db"
[sync]
start_jitter = "0ms"
[policies.presence]
component = "builtin:presence"
settings = {{ settle = "0s", grace = "0s" }}
"#
        );
        fs::write(&path, configuration).unwrap();
        let (_, settings) = Settings::read(&path, &|_| None).unwrap();
        let clock = Arc::new(SystemClock::new());
        let store = Store::with_object_store(
            objects,
            StoreId::new("memory"),
            &settings.store,
            clock.clone(),
        );
        let opening = Opening {
            rehearse,
            store: Some(store),
            clock,
            ..Opening::default()
        };
        open_parts(&settings, opening).await.unwrap()
    }
}

/// A store whose every request takes so long.
pub(crate) fn distant(latency: Duration) -> Arc<dyn ObjectStore> {
    let config = ThrottleConfig {
        wait_get_per_call: latency,
        wait_put_per_call: latency,
        wait_list_per_call: latency,
        wait_delete_per_call: latency,
        ..ThrottleConfig::default()
    };
    match latency.is_zero() {
        true => Arc::new(InMemory::new()),
        false => Arc::new(ThrottledStore::new(InMemory::new(), config)),
    }
}

/// Attends to everything that is due.
pub(crate) async fn settle(agent: &mut Agent) {
    loop {
        agent.scheduler().start_due();
        if agent.scheduler().is_quiet(Duration::ZERO) {
            return;
        }
        agent.scheduler().next().await;
    }
}
