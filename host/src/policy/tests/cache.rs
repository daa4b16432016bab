//! Compiled components on disk.

use crate::digest::Digest;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

use super::*;
use crate::policy::cache::Cache;

struct Kept {
    directory: tempfile::TempDir,
    engine: Engine,
    cache: Cache,
    digest: Digest,
}

impl Kept {
    /// A cache that holds one compiled component.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (engine, _) = crate::policy::engine::build(1).unwrap();
        let cache = Cache::open(&directory.path().join("policies")).unwrap();
        let source = Guest::default().component();
        let digest = Digest::of(&source);
        let component = Component::from_binary(&engine, &source).unwrap();
        cache.store(&engine, &digest, &component).unwrap();
        Self {
            directory,
            engine,
            cache,
            digest,
        }
    }

    fn hit(&self) -> bool {
        self.cache.load(&self.engine, &self.digest).is_some()
    }

    fn file(&self) -> PathBuf {
        let directory = self.directory.path().join("policies");
        let [file] = files(&directory).try_into().unwrap();
        file
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_kept_is_found_and_private() {
    let kept = Kept::new();
    assert!(kept.hit());
    assert_eq!(mode(&kept.file()), 0o600);
    assert_eq!(mode(kept.file().parent().unwrap()), 0o700);
    let other = Digest::of(b"another component");
    assert!(kept.cache.load(&kept.engine, &other).is_none());
}

#[test]
fn a_damaged_file_is_ignored() {
    let kept = Kept::new();
    let good = fs::read(kept.file()).unwrap();
    for position in [0, 20, 100, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[position] ^= 1;
        fs::write(kept.file(), &bad).unwrap();
        assert!(!kept.hit(), "byte {position}");
    }
    for length in [0, 8, 39, good.len() - 1] {
        fs::write(kept.file(), &good[..length]).unwrap();
        assert!(!kept.hit(), "{length} bytes");
    }
    fs::write(kept.file(), &good).unwrap();
    assert!(kept.hit());
}

#[test]
fn a_file_under_another_components_name_is_ignored() {
    let mut kept = Kept::new();
    let name = kept
        .file()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let other = Digest::of(b"another component");
    let forged = name.replace(&kept.digest.to_string(), &other.to_string());
    fs::rename(kept.file(), kept.file().with_file_name(forged)).unwrap();
    kept.digest = other;
    assert!(!kept.hit());
}

#[test]
fn a_file_that_others_may_read_or_that_is_a_link_is_ignored() {
    let kept = Kept::new();
    fs::set_permissions(kept.file(), Permissions::from_mode(0o644)).unwrap();
    assert!(!kept.hit());
    fs::set_permissions(kept.file(), Permissions::from_mode(0o600)).unwrap();
    assert!(kept.hit());
    let elsewhere = kept.directory.path().join("elsewhere");
    let file = kept.file();
    fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    assert!(!kept.hit());
}

#[test]
fn a_directory_that_others_may_enter_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let open = directory.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o755)).unwrap();
    let error = Cache::open(&open).unwrap_err();
    assert!(
        error.to_string().contains("no one else can enter"),
        "{error}"
    );
    let link = directory.path().join("link");
    fs::set_permissions(&open, Permissions::from_mode(0o700)).unwrap();
    symlink(&open, &link).unwrap();
    assert!(Cache::open(&link).is_err());
}

#[test]
fn the_cache_does_not_grow_for_ever() {
    let kept = Kept::new();
    let source = Guest::default().component();
    let component = Component::from_binary(&kept.engine, &source).unwrap();
    for index in 0..70u8 {
        let digest = Digest::of(&[index]);
        kept.cache.store(&kept.engine, &digest, &component).unwrap();
    }
    assert_eq!(files(&kept.directory.path().join("policies")).len(), 64);
}

#[tokio::test]
async fn a_runtime_loads_with_a_cache_that_is_warm_tampered_or_unusable() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("policies");
    let load = async || {
        let runtime = Runtime::new(RuntimeSettings {
            slots: 1,
            cache: Some(cache.clone()),
            ..RuntimeSettings::default()
        })
        .unwrap();
        let policy = runtime.load(&settings(&Guest::default())).await.unwrap();
        assert!(ask(&policy).await.verdict.is_ok());
    };
    load().await;
    let [file] = files(&cache).try_into().unwrap();
    let good = fs::read(&file).unwrap();
    load().await;
    fs::write(&file, b"forged").unwrap();
    load().await;
    assert_eq!(fs::read(&file).unwrap(), good, "compiled anew and kept");
    fs::set_permissions(&cache, Permissions::from_mode(0o777)).unwrap();
    load().await;
}
