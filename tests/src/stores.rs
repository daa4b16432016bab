//! The stores that suites run against: those in this process, and real servers where there are any.
//!
//! The environment variable `TIDEGATE_TEST_STORES` names a TOML file of real ones; each is used under a prefix of its own,
//! and nothing is deleted:
//!
//! ```toml
//! [[store]]
//! name = "ministack"            # for messages
//! url = "s3://bkt"
//! honest = true                 # whether it honours conditional writes; suites that rely on them skip the others
//! [store.options]               # object_store's option keys
//! endpoint = "http://127.0.0.1:9122"
//! access_key_id = "test"
//! secret_access_key = "test"
//! region = "us-east-1"
//! allow_http = "true"
//! metadata_endpoint = "http://127.0.0.1:9"
//! ```

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::{Context, Result};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::prefix::PrefixStore;
use serde::Deserialize;
use tempfile::TempDir;
use tidegate::storage::{Store, StoreId, StoreSettings};
use tidegate::time::{Entropy, SystemClock, SystemEntropy};

use crate::s3::Endpoint;

/// The variable that names the file of real stores.
pub const VARIABLE: &str = "TIDEGATE_TEST_STORES";

/// A store to run a suite against; empty, and gone when dropped.
#[derive(Debug)]
pub struct TestStore {
    /// For messages.
    pub name: String,
    /// Whether it honours conditional writes.
    pub honest: bool,
    /// How it was opened.
    pub settings: StoreSettings,
    /// The store.
    pub store: Store,
    /// The same objects without our own layer, for looking and for meddling.
    pub objects: Arc<dyn ObjectStore>,
    _kept: Option<Kept>,
}

#[derive(Debug)]
#[allow(
    dead_code,
    reason = "held, so that the store lives as long as the test"
)]
enum Kept {
    Directory(TempDir),
    Endpoint(Endpoint),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    store: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    url: String,
    honest: bool,
    #[serde(default)]
    options: BTreeMap<String, String>,
}

/// Fresh stores of every kind: `memory://`, `file://`, the in-process S3 endpoint, and the real ones.
pub async fn stores() -> Result<Vec<TestStore>> {
    let mut stores = vec![memory(), file()?, s3().await?];
    let Some(path) = std::env::var_os(VARIABLE) else {
        return Ok(stores);
    };
    let text = std::fs::read_to_string(&path).with_context(|| format!("can't read {path:?}"))?;
    let file: File = toml::from_str(&text).with_context(|| format!("in {path:?}"))?;
    for entry in file.store {
        let url = format!(
            "{}/test-{:016x}",
            entry.url.trim_end_matches('/'),
            SystemEntropy.word()
        );
        let settings = StoreSettings {
            options: entry.options,
            ..StoreSettings::new(url)
        };
        stores.push(real(&entry.name, entry.honest, settings)?);
    }
    Ok(stores)
}

/// Those that honour conditional writes.
pub async fn honest_stores() -> Result<Vec<TestStore>> {
    let mut stores = stores().await?;
    stores.retain(|store| store.honest);
    Ok(stores)
}

/// A store in memory.
pub fn memory() -> TestStore {
    let settings = unlimited(StoreSettings::new("memory:///"));
    let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let store = Store::with_object_store(
        Arc::clone(&objects),
        StoreId::new("memory://"),
        &settings,
        Arc::new(SystemClock::new()),
    );
    TestStore {
        name: "memory".to_owned(),
        honest: true,
        settings,
        store,
        objects,
        _kept: None,
    }
}

/// A directory.
pub fn file() -> Result<TestStore> {
    let directory = tempfile::tempdir()?;
    let root = directory.path().join("store");
    std::fs::create_dir(&root)?;
    let objects = Arc::new(LocalFileSystem::new_with_prefix(&root)?);
    let settings = StoreSettings::new(format!("file://{}", root.display()));
    opened(
        "file",
        true,
        settings,
        objects,
        Some(Kept::Directory(directory)),
    )
}

/// The in-process S3 endpoint, which behaves.
pub async fn s3() -> Result<TestStore> {
    let endpoint = Endpoint::start().await?;
    let objects = Arc::clone(endpoint.objects());
    let settings = endpoint.settings();
    opened(
        "s3",
        true,
        settings,
        objects,
        Some(Kept::Endpoint(endpoint)),
    )
}

/// An endpoint of the caller's, who steers it.
pub fn over(endpoint: &Endpoint) -> Result<TestStore> {
    let objects = Arc::clone(endpoint.objects());
    opened("s3", true, endpoint.settings(), objects, None)
}

/// The same store, through objects of the caller's.
pub fn through(store: &TestStore, objects: Arc<dyn ObjectStore>) -> Store {
    Store::with_object_store(
        objects,
        store.store.id().clone(),
        &store.settings,
        Arc::new(SystemClock::new()),
    )
}

fn real(name: &str, honest: bool, settings: StoreSettings) -> Result<TestStore> {
    let url = settings.url.parse()?;
    let (objects, prefix) = object_store::parse_url_opts(&url, &settings.options)?;
    let objects = Arc::new(PrefixStore::new(objects, prefix));
    opened(name, honest, settings, objects, None)
}

fn opened(
    name: &str,
    honest: bool,
    settings: StoreSettings,
    objects: Arc<dyn ObjectStore>,
    kept: Option<Kept>,
) -> Result<TestStore> {
    let settings = unlimited(settings);
    let store = Store::open(&settings, Arc::new(SystemClock::new()))
        .with_context(|| format!("can't open the store {name}"))?;
    Ok(TestStore {
        name: name.to_owned(),
        honest,
        settings,
        store,
        objects,
        _kept: kept,
    })
}

fn unlimited(settings: StoreSettings) -> StoreSettings {
    StoreSettings {
        requests_per_second: NonZeroU32::MAX,
        ..settings
    }
}
