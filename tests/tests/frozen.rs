//! Components of every contract version and language that are in use keep loading and deciding.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use flate2::read::GzDecoder;
use object_store::path::Path as Key;
use tidegate::contract::{
    ContractVersion, Facts, Failure, LocalState, ObjectInfo, Phase, RemoteState, Role, StoreHealth,
    Trigger,
};
use tidegate::policy::{
    ComponentSource, GrantValues, Grants, Limits, Page, PolicySettings, Question, ReadFailure,
    Runtime, RuntimeSettings, StagedFile, StagingFailure, StateScope, World, WriteFailure,
    WriteMode,
};
use tidegate::stream::{NodeId, StreamId};
use tidegate::time::Timestamp;

const FROZEN: &str = "frozen";

/// A world with nothing in it.
struct Nowhere;

#[async_trait]
impl World for Nowhere {
    async fn head(&self, _: &Key) -> Result<ObjectInfo, ReadFailure> {
        Err(ReadFailure::NotFound)
    }

    async fn get(&self, _: &Key, _: u64, _: u32) -> Result<(ObjectInfo, Bytes), ReadFailure> {
        Err(ReadFailure::NotFound)
    }

    async fn list(&self, _: &Key, _: Option<&str>, _: u32) -> Result<Page, ReadFailure> {
        Ok(Page::default())
    }

    async fn put(&self, _: &Key, _: Bytes, _: WriteMode) -> Result<ObjectInfo, WriteFailure> {
        Err(WriteFailure::Stale(None))
    }

    async fn staged_files(&self) -> Result<Vec<StagedFile>, StagingFailure> {
        Ok(Vec::new())
    }

    async fn read_staged(&self, _: &str, _: u64, _: u32) -> Result<Bytes, StagingFailure> {
        Err(StagingFailure::NotFound)
    }

    async fn load_state(&self, _: StateScope, _: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }

    async fn count_state(&self, _: StateScope) -> Result<u32, String> {
        Ok(0)
    }
}

/// A stream whose schema is missing although data waits, on a node that has been there for an hour.
fn facts() -> Facts {
    Facts {
        stream: StreamId::new("app"),
        node: NodeId::new("n1"),
        now: Timestamp::from_millis(3_600_000),
        node_seen: Timestamp::from_millis(0),
        phase: Phase::Unseen,
        trigger: Trigger::FirstSeen,
        attempts: 1,
        failing_since: None,
        absent_since: None,
        absences: 0,
        last_success: None,
        previous_delay: None,
        local: LocalState::Missing,
        remote: RemoteState::Unknown,
        staged_data_files: 1,
        oldest_data_file: Some(Timestamp::from_millis(1)),
        schema_key: "app/.stream/.ingestor.n1.schema".to_owned(),
        peers_prefix: "app/.stream/".to_owned(),
        base_key: Some("app/.stream/.schema".to_owned()),
        defaults: vec!["empty".to_owned()],
        store: StoreHealth::default(),
        attributes: Vec::new(),
        entropy: 7,
    }
}

/// The entries of a directory, by name.
fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let read = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    let mut paths = read
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// The component of a `.wasm` or a `.wasm.gz`.
fn component(path: &Path) -> Result<Vec<u8>> {
    let content = fs::read(path)?;
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut component = Vec::new();
        GzDecoder::new(&*content).read_to_end(&mut component)?;
        return Ok(component);
    }
    Ok(content)
}

/// Loads the component and asks it everything that it answers to.
async fn keeps_its_word(runtime: &Runtime, path: &Path, version: &str) -> Result<()> {
    let source = ComponentSource::Bytes(component(path)?.into());
    let settings = PolicySettings {
        limits: Limits {
            fuel: 5_000_000_000,
            memory: 512 << 20,
            deadline: Duration::from_secs(600),
            instances: 64,
            ..Limits::default()
        },
        grants: Grants {
            read: vec!["{root}/".to_owned()],
            ..Grants::default()
        },
        ..PolicySettings::new("frozen", source)
    };
    let policy = runtime.load(&settings).await?;
    ensure!(policy.contract_version() == version);
    ensure!(!policy.description().name.is_empty(), "it has no name");
    let failure = Failure::SchemaAbsent("it is missing".to_owned());
    for role in policy.roles() {
        let question = match role {
            Role::Existence => Question::Existence,
            Role::Fallback => Question::Fallback {
                reason: "it is missing",
            },
            Role::Retry => Question::Retry { failure: &failure },
        };
        let values = GrantValues::new("app", &facts());
        let report = policy
            .ask(question, &facts(), Arc::new(Nowhere), values)
            .await;
        report
            .verdict
            .with_context(|| format!("asked for {role}"))?;
    }
    Ok(())
}

#[tokio::test]
async fn every_frozen_policy_loads_and_decides() -> Result<()> {
    let runtime = Runtime::new(RuntimeSettings::default())?;
    let mut versions = Vec::new();
    for version in entries(Path::new(FROZEN))? {
        if !version.is_dir() {
            continue;
        }
        let number = version.file_name().unwrap_or_default().to_string_lossy();
        let mut asked = 0;
        for language in entries(&version)? {
            for path in entries(&language)? {
                let name = path.display().to_string();
                ensure!(
                    name.ends_with(".wasm") || name.ends_with(".wasm.gz"),
                    "{name} is no component"
                );
                keeps_its_word(&runtime, &path, &number)
                    .await
                    .with_context(|| name)?;
                asked += 1;
            }
        }
        ensure!(asked > 0, "nothing is frozen in {number}");
        versions.push(number.into_owned());
    }
    let spoken = ContractVersion::SPOKEN.iter();
    let spoken: Vec<&str> = spoken.map(|version| version.number()).collect();
    ensure!(
        versions == spoken,
        "frozen are policies of {versions:?}, and this host speaks {spoken:?}"
    );
    Ok(())
}
