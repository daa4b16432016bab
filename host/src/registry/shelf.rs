//! What was pulled, where it is kept and whether it can be.

use std::path::PathBuf;

use super::cache::{Cache, Found};
use super::error::RegistryError;
use super::manifest::{SIGNATURE, TITLE, VERSION, shown};
use super::pull::Origin;
use super::reference::Reference;
use super::settings::RegistrySettings;
use crate::digest::Digest;

/// A component in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The reference that it was pulled by.
    pub reference: String,
    /// The manifest's digest.
    pub digest: Digest,
    /// The component's own.
    pub sha256: Digest,
    /// The component's size in bytes.
    pub size: u64,
    /// What it calls itself.
    pub name: Option<String>,
    /// Its own version.
    pub version: Option<String>,
    /// Whether it came with a signature, by whomever.
    pub signed: bool,
}

/// What the cache has, by reference.
///
/// # Errors
///
/// When it can't be read.
pub async fn kept(settings: &RegistrySettings) -> Result<Vec<Kept>, RegistryError> {
    let directory = directory(settings).ok_or(RegistryError::NoCache)?;
    let cache = Cache::new(directory, settings.cache_max);
    let entries = blocking(move || cache.entries()).await??;
    Ok(entries
        .into_iter()
        .map(|entry| {
            let said = |key| entry.manifest.annotations.get(key).map(|text| shown(text));
            Kept {
                digest: entry.digest,
                sha256: entry.manifest.layer().digest,
                size: entry.manifest.layer().size,
                name: said(TITLE),
                version: said(VERSION),
                signed: entry.manifest.annotations.contains_key(SIGNATURE),
                reference: entry.reference,
            }
        })
        .collect())
}

/// The cache, as far as it can be used: one that can't be costs a pull at each start, and a warning.
pub(super) struct Shelf(Option<Cache>);

impl Shelf {
    pub(super) fn open(settings: &RegistrySettings) -> Self {
        let directory = directory(settings);
        if directory.is_none() {
            warn(&RegistryError::NoCache);
        }
        Self(directory.map(|directory| Cache::new(directory, settings.cache_max)))
    }

    pub(super) async fn get(&self, digest: Digest) -> Found {
        let found = self.with(move |cache| cache.get(&digest)).await;
        found.unwrap_or(Found::Nothing)
    }

    pub(super) async fn named(&self, reference: &Reference) -> Option<super::cache::Kept> {
        let reference = reference.clone();
        let found = self.with(move |cache| match cache.named(&reference)? {
            Some(digest) => cache.get(&digest),
            None => Ok(Found::Nothing),
        });
        match found.await {
            Some(Found::Whole(kept)) => Some(*kept),
            _ => None,
        }
    }

    /// Notes that the tag means this manifest, whose blobs are there.
    pub(super) async fn name(
        &self,
        reference: &Reference,
        digest: Digest,
        manifest: Vec<u8>,
    ) -> Origin {
        let known = reference.clone();
        let known = self.with(move |cache| cache.named(&known)).await.flatten();
        if known == Some(digest) {
            return Origin::Cache;
        }
        match self.put(reference, digest, vec![(digest, manifest)]).await {
            Origin::Registry => Origin::Cache,
            other => other,
        }
    }

    pub(super) async fn put(
        &self,
        reference: &Reference,
        digest: Digest,
        blobs: Vec<(Digest, Vec<u8>)>,
    ) -> Origin {
        let reference = reference.clone();
        let put = self.with(move |cache| {
            let blobs: Vec<_> = blobs.iter().map(|(of, bytes)| (*of, &**bytes)).collect();
            cache.put(&reference, digest, &blobs)
        });
        match put.await {
            Some(()) => Origin::Registry,
            None => Origin::Unkept,
        }
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Cache) -> Result<T, RegistryError> + Send + 'static,
    ) -> Option<T> {
        let cache = self.0.clone()?;
        match blocking(move || work(&cache)).await {
            Ok(Ok(done)) => Some(done),
            Ok(Err(error)) | Err(error) => {
                warn(&error);
                None
            }
        }
    }
}

/// Runs what waits for the disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, RegistryError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| RegistryError::Setup(error.into()))
}

fn warn(error: &RegistryError) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let cause = cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
    tracing::warn!("{error}{cause}; what is pulled is not kept");
}

/// Where components are kept: as the settings say, else in the user's cache.
fn directory(settings: &RegistrySettings) -> Option<PathBuf> {
    settings.cache.clone().or_else(|| user_cache("components"))
}

/// A directory for Tidegate in the user's cache (XDG Base Directory Specification). `None` for a user without a home.
pub fn user_cache(name: &str) -> Option<PathBuf> {
    let absolute = |name| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    Some(cache?.join("tidegate").join(name))
}
