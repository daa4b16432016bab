//! The shape of the configuration file: what may be written, each key as it is written, nothing filled in.
//!
//! `example.toml` tells what each key means and what holds where it is left out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::{Length, Size};

/// Declares tables of the file: unknown keys are refused, and tests can list the keys.
macro_rules! tables {
    ($($(#[$meta:meta])* pub struct $name:ident { $($field:tt)* })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        #[cfg_attr(test, derive(serde::Serialize))]
        #[serde(deny_unknown_fields)]
        #[allow(missing_docs, reason = "`example.toml` documents each key")]
        pub(super) struct $name { $($field)* }
    )*};
}

/// Declares the words that a key may hold.
macro_rules! words {
    ($($(#[$meta:meta])* pub enum $name:ident { $($word:ident),* })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
        #[cfg_attr(test, derive(serde::Serialize))]
        #[serde(rename_all = "kebab-case")]
        #[allow(missing_docs, reason = "`example.toml` documents each word")]
        pub(super) enum $name { $($word),* }
    )*};
}

tables! {
    /// The whole file.
    pub struct File {
        pub node: Option<Node>,
        pub staging: Staging,
        #[serde(default)]
        pub layouts: BTreeMap<String, Layout>,
        pub store: Store,
        pub ledger: Option<Ledger>,
        pub runtime: Option<Runtime>,
        pub registry: Option<Registry>,
        pub trust: Option<Trust>,
        #[serde(default)]
        pub policies: BTreeMap<String, Policy>,
        pub sync: Option<Sync>,
        #[serde(default)]
        pub schemas: BTreeMap<String, Schema>,
        #[serde(default)]
        pub rules: Vec<Rule>,
        pub verify: Option<Verify>,
        pub log: Option<Log>,
    }

    /// `[node]`
    pub struct Node {
        pub id: Option<String>,
    }

    /// `[staging]`
    pub struct Staging {
        pub dir: PathBuf,
        pub layout: Option<String>,
        pub mode: Option<Mode>,
        pub tenants: Option<bool>,
        pub watch: Option<bool>,
        pub scan_interval: Option<Length>,
        pub rescan_interval: Option<Length>,
        pub max_schema_size: Option<Size>,
        pub max_streams: Option<u32>,
        pub max_watches: Option<u32>,
    }

    /// `[layouts.NAME]`
    pub struct Layout {
        pub staged: String,
        pub stored: String,
        pub base: Option<String>,
    }

    /// `[store]`
    pub struct Store {
        pub url: Option<String>,
        pub from: Option<StoreOrigin>,
        pub ca_file: Option<PathBuf>,
        pub conditional_writes: Option<ConditionalWrites>,
        pub max_in_flight: Option<u32>,
        pub requests_per_second: Option<u32>,
        pub burst: Option<u32>,
        #[serde(default)]
        pub options: BTreeMap<String, OptionValue>,
        #[serde(default)]
        pub option_files: BTreeMap<String, PathBuf>,
    }

    /// `[ledger]`
    pub struct Ledger {
        pub path: Option<PathBuf>,
        pub durability: Option<Durability>,
        pub attempts_kept: Option<u32>,
        pub history_max: Option<Size>,
        pub keep_gone: Option<Length>,
        pub heartbeat_interval: Option<Length>,
    }

    /// `[runtime]`
    pub struct Runtime {
        pub slots: Option<u16>,
        pub idle: Option<u16>,
        pub cache: Option<PathBuf>,
        pub cache_max: Option<Size>,
    }

    /// `[registry]`
    pub struct Registry {
        pub allow_tags: Option<bool>,
        pub redirects: Option<Vec<String>>,
        pub plain_http: Option<Vec<String>>,
        pub ca_file: Option<PathBuf>,
        pub cache: Option<PathBuf>,
        pub cache_max: Option<Size>,
        pub timeout: Option<Length>,
    }

    /// `[trust]`
    pub struct Trust {
        pub keys: Option<Vec<String>>,
        pub require_signature: Option<bool>,
    }

    /// `[policies.NAME]`
    pub struct Policy {
        pub component: String,
        pub sha256: Option<String>,
        pub instances: Option<Instances>,
        #[serde(default)]
        pub settings: serde_json::Map<String, serde_json::Value>,
        pub limits: Option<Limits>,
        pub grants: Option<Grants>,
    }

    /// `limits` of a policy
    pub struct Limits {
        pub fuel: Option<u64>,
        pub memory: Option<Size>,
        pub deadline: Option<Length>,
        pub host_calls: Option<u32>,
        pub bytes_returned: Option<Size>,
        pub bytes_accepted: Option<Size>,
        pub log_bytes: Option<Size>,
        pub instances: Option<u32>,
        pub memories: Option<u32>,
        pub tables: Option<u32>,
        pub table_elements: Option<u32>,
    }

    /// `grants` of a policy
    pub struct Grants {
        #[serde(default)]
        pub read: Vec<String>,
        #[serde(default)]
        pub write: Vec<String>,
    }

    /// `[sync]`
    pub struct Sync {
        pub existence: Option<Vec<String>>,
        pub fallback: Option<Vec<String>>,
        pub retry: Option<Vec<String>>,
        pub write: Option<bool>,
        pub check_peers: Option<bool>,
        pub check_peers_interval: Option<Length>,
        pub ignore_peers: Option<Vec<String>>,
        pub allow_new_fields: Option<bool>,
        pub attempt_timeout: Option<Length>,
        pub start_jitter: Option<Length>,
        pub recheck_interval: Option<Length>,
        pub clock_tolerance: Option<Length>,
        pub quarantine_after: Option<u32>,
        pub quarantine_for: Option<Length>,
        pub bounds: Option<Bounds>,
    }

    /// `bounds` of delays
    pub struct Bounds {
        pub min_delay: Option<Length>,
        pub max_delay: Option<Length>,
    }

    /// `[schemas.NAME]`
    pub struct Schema {
        pub inline: Option<String>,
        pub file: Option<PathBuf>,
    }

    /// `[[rules]]`
    pub struct Rule {
        pub streams: Option<Vec<String>>,
        pub tenants: Option<Vec<String>>,
        pub ignore: Option<bool>,
        pub existence: Option<Vec<String>>,
        pub fallback: Option<Vec<String>>,
        pub retry: Option<Vec<String>>,
        pub schemas: Option<Vec<String>>,
        pub allow_new_fields: Option<bool>,
        pub check_peers: Option<bool>,
        pub bounds: Option<Bounds>,
    }

    /// `[verify]`
    pub struct Verify {
        pub enabled: Option<bool>,
        pub interval: Option<Length>,
        pub peers_interval: Option<Length>,
        pub repair: Option<Repair>,
    }

    /// `[log]`
    pub struct Log {
        pub level: Option<String>,
        pub format: Option<LogFormat>,
    }
}

words! {
    /// Which kind of Parseable node owns the staging directory.
    pub enum Mode { Ingest, Standalone }

    /// Where the store's address and credentials may come from besides this file.
    pub enum StoreOrigin { Parseable }

    /// Whether a store must honour conditional writes.
    pub enum ConditionalWrites { Required, BestEffort }

    /// Which stored objects the agent restores.
    pub enum Repair { Off, Missing, All }

    /// What an acknowledged request to the ledger survives.
    pub enum Durability { PowerLoss, Kill }

    /// Whether a policy's instances are reused.
    pub enum Instances { Fresh, Reuse }

    /// How log lines are written.
    pub enum LogFormat { Text, Json }
}

/// A value of `[store.options]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(untagged, expecting = "a string, a whole number, or true or false")]
pub(super) enum OptionValue {
    /// As object_store takes it.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A switch.
    Switch(bool),
}

impl std::fmt::Display for OptionValue {
    /// The value as object_store takes it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            OptionValue::Text(text) => f.write_str(text),
            OptionValue::Number(number) => write!(f, "{number}"),
            OptionValue::Switch(switch) => write!(f, "{switch}"),
        }
    }
}
