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
use serde::Deserialize;
use tempfile::TempDir;
use tidegate::storage::{Store, StoreSettings};
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
    let directory = tempfile::tempdir()?;
    let root = directory.path().join("store");
    std::fs::create_dir(&root)?;
    let file = StoreSettings::new(format!("file://{}", root.display()));
    let endpoint = Endpoint::start().await?;
    let s3 = endpoint.settings();
    let mut stores = vec![
        opened("memory", true, StoreSettings::new("memory:///"), None)?,
        opened("file", true, file, Some(Kept::Directory(directory)))?,
        opened("s3", true, s3, Some(Kept::Endpoint(endpoint)))?,
    ];
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
        stores.push(opened(&entry.name, entry.honest, settings, None)?);
    }
    Ok(stores)
}

/// Those that honour conditional writes.
pub async fn honest_stores() -> Result<Vec<TestStore>> {
    let mut stores = stores().await?;
    stores.retain(|store| store.honest);
    Ok(stores)
}

fn opened(
    name: &str,
    honest: bool,
    settings: StoreSettings,
    kept: Option<Kept>,
) -> Result<TestStore> {
    let settings = StoreSettings {
        requests_per_second: NonZeroU32::MAX,
        ..settings
    };
    let store = Store::open(&settings, Arc::new(SystemClock::new()))
        .with_context(|| format!("can't open the store {name}"))?;
    Ok(TestStore {
        name: name.to_owned(),
        honest,
        settings,
        store,
        _kept: kept,
    })
}
