//! Compiled components on disk.

use crate::digest::Digest;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

use super::*;
use crate::policy::cache::{Built, Cache};

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
        let cache = Cache::open(&CompileCache::new(directory.path().join("policies"))).unwrap();
        let source = Guest::default().component();
        let digest = Digest::of(&source);
        cache.store(&engine, &digest, &built(&engine)).unwrap();
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

/// A component as if compiling it had taken 7 seconds.
fn built(engine: &Engine) -> Built {
    let source = Guest::default().component();
    Built {
        component: Component::from_binary(engine, &source).unwrap(),
        took: seconds(7),
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
fn how_long_compiling_took_is_kept() {
    let kept = Kept::new();
    let loaded = kept.cache.load(&kept.engine, &kept.digest).unwrap();
    assert_eq!(loaded.took, seconds(7));
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
    for length in [0, 8, 47, 48, good.len() - 1] {
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
    let error = Cache::open(&CompileCache::new(&open)).unwrap_err();
    assert!(
        error.to_string().contains("no one else can enter"),
        "{error}"
    );
    let link = directory.path().join("link");
    fs::set_permissions(&open, Permissions::from_mode(0o700)).unwrap();
    symlink(&open, &link).unwrap();
    assert!(Cache::open(&CompileCache::new(&link)).is_err());
}

/// A cache with room for `count` files of the guest's size, and the digests of what it holds.
fn filled(directory: &Path, engine: &Engine, count: u64, stored: u8) -> (Cache, Vec<Digest>) {
    let built = built(engine);
    let sample = Cache::open(&CompileCache::new(directory.join("sample"))).unwrap();
    sample
        .store(engine, &Digest::of(b"sample"), &built)
        .unwrap();
    let [file]: [PathBuf; 1] = files(&directory.join("sample")).try_into().unwrap();
    let size = fs::metadata(file).unwrap().len();
    let cache = Cache::open(&CompileCache {
        directory: directory.join("policies"),
        max_size: count * size,
    })
    .unwrap();
    let digests: Vec<_> = (0..stored).map(|index| Digest::of(&[index])).collect();
    for digest in &digests {
        cache.store(engine, digest, &built).unwrap();
    }
    (cache, digests)
}

#[test]
fn the_cache_keeps_no_more_bytes_than_its_bound() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, _) = crate::policy::engine::build(1).unwrap();
    let (cache, digests) = filled(directory.path(), &engine, 3, 10);
    assert_eq!(files(&directory.path().join("policies")).len(), 3);
    assert!(cache.load(&engine, &digests[9]).is_some());
    assert!(cache.load(&engine, &digests[0]).is_none());
}

#[test]
fn the_least_recently_used_files_go_first() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, _) = crate::policy::engine::build(1).unwrap();
    let (cache, digests) = filled(directory.path(), &engine, 3, 3);
    for file in files(&directory.path().join("policies")) {
        let long_ago = std::time::UNIX_EPOCH + seconds(1);
        fs::File::open(file)
            .unwrap()
            .set_modified(long_ago)
            .unwrap();
    }
    assert!(cache.load(&engine, &digests[0]).is_some());
    assert!(cache.load(&engine, &digests[2]).is_some());
    cache
        .store(&engine, &Digest::of(b"new"), &built(&engine))
        .unwrap();
    assert!(cache.load(&engine, &digests[0]).is_some());
    assert!(cache.load(&engine, &digests[1]).is_none());
}

#[test]
fn a_file_larger_than_the_bound_is_not_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, _) = crate::policy::engine::build(1).unwrap();
    let cache = CompileCache {
        directory: directory.path().join("policies"),
        max_size: 1000,
    };
    let cache = Cache::open(&cache).unwrap();
    let digest = Digest::of(b"large");
    let error = cache.store(&engine, &digest, &built(&engine)).unwrap_err();
    assert!(error.to_string().contains("runtime.cache_max"), "{error}");
    // The component is used anyway.
    cache.keep(&engine, &digest, built(&engine));
    assert!(files(&directory.path().join("policies")).is_empty());
}

#[tokio::test]
async fn a_runtime_loads_with_a_cache_that_is_warm_tampered_or_unusable() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("policies");
    let load = async || {
        let runtime = Runtime::new(RuntimeSettings {
            slots: 1,
            cache: Some(CompileCache::new(&cache)),
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
    let again = fs::read(&file).unwrap();
    let code = good.len() - 48;
    assert_eq!(again[..code], good[..code], "compiled again and kept");
    fs::set_permissions(&cache, Permissions::from_mode(0o777)).unwrap();
    load().await;
}
