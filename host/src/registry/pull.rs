//! How a component comes in.

use std::path::PathBuf;
use std::sync::Arc;

use http::Method;

use super::cache::{Cache, Found};
use super::client::{Actions, Ask, Session, read};
use super::error::RegistryError;
use super::manifest::{
    Descriptor, MANIFEST, MAX_COMPONENT, MAX_CONFIG, MAX_MANIFEST, Manifest, SIGNATURE, TITLE,
    VERSION, shown,
};
use super::reference::Reference;
use super::settings::RegistrySettings;
use crate::digest::Digest;

/// A component that was asked for by reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The component.
    pub component: Arc<[u8]>,
    /// The reference with its digest: what means this component for ever.
    pub pinned: Reference,
    /// What `policy sign` wrote, where it was pushed with one.
    pub signature: Option<String>,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a component came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The registry. What was pulled is in the cache now.
    Registry,
    /// The registry; the cache can't be used, as was warned about.
    Unkept,
    /// The cache.
    Cache,
    /// The cache, in place of a registry that gave no answer; its tag may mean something else by now.
    Fallback,
}

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

/// The component that the reference means: from the cache where it has a digest and was pulled before, else from the
/// registry. A registry that is down is stood in for by what the cache has for the tag.
///
/// # Errors
///
/// When there is neither; when a tag has no digest and tags are not allowed; when what the registry serves is not what it
/// should be. The cache is then as it was.
pub async fn fetch(
    reference: &Reference,
    settings: &RegistrySettings,
) -> Result<Fetched, RegistryError> {
    let session = Session::open(reference, settings, Actions::Pull)?;
    let shelf = Shelf::open(settings);
    let Some(digest) = reference.digest() else {
        return of_tag(&session, &shelf, reference, settings).await;
    };
    let damaged = match shelf.get(digest).await {
        Found::Whole(kept) => return Ok(fetched(reference, *kept, Origin::Cache)),
        Found::Damaged => true,
        Found::Nothing => false,
    };
    let pulled = async {
        let manifest = manifest(&session, &format!("sha256:{digest}"), Some(digest)).await?;
        all(&session, &shelf, manifest).await
    };
    pulled.await.map_err(|source| match damaged {
        true => RegistryError::Damaged {
            reference: Box::new(reference.clone()),
            source: Box::new(source),
        },
        false => source,
    })
}

async fn of_tag(
    session: &Session<'_>,
    shelf: &Shelf,
    reference: &Reference,
    settings: &RegistrySettings,
) -> Result<Fetched, RegistryError> {
    let tag = reference
        .tag()
        .ok_or_else(|| RegistryError::NoVersion(reference.clone()))?;
    let found = manifest(session, tag, None).await;
    if !settings.allow_tags {
        return Err(RegistryError::Unpinned {
            reference: Box::new(reference.clone()),
            digest: found.ok().map(|(digest, ..)| digest),
        });
    }
    let pulled = match found {
        Ok(manifest) => match shelf.get(manifest.0).await {
            // Known already, if perhaps by another name.
            Found::Whole(kept) => {
                let origin = shelf.name(reference, manifest).await;
                return Ok(fetched(reference, *kept, origin));
            }
            _ => all(session, shelf, manifest).await,
        },
        Err(error) => Err(error),
    };
    match pulled {
        Err(error) if error.is_down() => match shelf.named(reference).await {
            Some(kept) => {
                let digest = kept.digest;
                tracing::warn!(
                    "{error}; until then {reference} is what the cache has for that tag, sha256:{digest}"
                );
                Ok(fetched(reference, kept, Origin::Fallback))
            }
            None => Err(error),
        },
        pulled => pulled,
    }
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

fn fetched(reference: &Reference, kept: super::cache::Kept, origin: Origin) -> Fetched {
    Fetched {
        component: kept.component.into(),
        pinned: reference.pinned(kept.digest),
        signature: kept.manifest.annotations.get(SIGNATURE).cloned(),
        origin,
    }
}

/// A manifest with the bytes that its digest is of.
type Read = (Digest, Vec<u8>, Manifest);

/// A manifest by tag or digest.
async fn manifest(
    session: &Session<'_>,
    version: &str,
    expected: Option<Digest>,
) -> Result<Read, RegistryError> {
    let what = format!("the manifest of {}", session.reference);
    let ask = Ask {
        accept: Some(MANIFEST),
        ..Ask::new(
            Method::GET,
            session.url(&format!("manifests/{version}")),
            &what,
        )
    };
    let response = session.ask(ask).await?;
    let told = super::tags::digest_of(&response);
    let bytes = read(response, &what, MAX_MANIFEST).await?;
    let found = Digest::of(&bytes);
    if let Some(expected) = expected.or(told).filter(|expected| *expected != found) {
        return Err(RegistryError::Tampered {
            host: session.host(),
            what,
            expected,
            found,
        });
    }
    let manifest = Manifest::read(&bytes, &session.reference.to_string())?;
    Ok((found, bytes, manifest))
}

/// The blobs of a manifest; all three are kept.
async fn all(
    session: &Session<'_>,
    shelf: &Shelf,
    (digest, bytes, manifest): Read,
) -> Result<Fetched, RegistryError> {
    let config = blob(session, &manifest.config, "configuration", MAX_CONFIG).await?;
    let component = blob(session, manifest.layer(), "component", MAX_COMPONENT).await?;
    let blobs = vec![
        (manifest.layer().digest, component.clone()),
        (manifest.config.digest, config),
        (digest, bytes),
    ];
    let origin = shelf.put(session.reference, digest, blobs).await;
    let kept = super::cache::Kept {
        digest,
        manifest,
        component,
    };
    Ok(fetched(session.reference, kept, origin))
}

async fn blob(
    session: &Session<'_>,
    blob: &Descriptor,
    kind: &str,
    max: u64,
) -> Result<Vec<u8>, RegistryError> {
    let what = format!("the {kind} of {}", session.reference);
    let url = session.url(&format!("blobs/sha256:{}", blob.digest));
    let response = session.ask(Ask::new(Method::GET, url, &what)).await?;
    // The manifest says how large it is; a body that has no end is left behind there.
    let bytes = read(response, &what, blob.size.min(max)).await?;
    let found = Digest::of(&bytes);
    match found == blob.digest {
        true => Ok(bytes),
        false => Err(RegistryError::Tampered {
            host: session.host(),
            what,
            expected: blob.digest,
            found,
        }),
    }
}

/// The cache, as far as it can be used: one that can't be costs a pull at each start, and a warning.
struct Shelf(Option<Cache>);

impl Shelf {
    fn open(settings: &RegistrySettings) -> Self {
        let directory = directory(settings);
        if directory.is_none() {
            warn(&RegistryError::NoCache);
        }
        Self(directory.map(|directory| Cache::new(directory, settings.cache_max)))
    }

    async fn get(&self, digest: Digest) -> Found {
        let found = self.with(move |cache| cache.get(&digest)).await;
        found.unwrap_or(Found::Nothing)
    }

    async fn named(&self, reference: &Reference) -> Option<super::cache::Kept> {
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
    async fn name(&self, reference: &Reference, (digest, bytes, _): Read) -> Origin {
        match self.put(reference, digest, vec![(digest, bytes)]).await {
            Origin::Registry => Origin::Cache,
            other => other,
        }
    }

    async fn put(
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

/// Where components are kept: as the settings say, else in the user's cache (XDG Base Directory Specification).
fn directory(settings: &RegistrySettings) -> Option<PathBuf> {
    let absolute = |name| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let user = || {
        absolute("XDG_CACHE_HOME")
            .or_else(|| Some(absolute("HOME")?.join(".cache")))
            .map(|cache| cache.join("tidegate/components"))
    };
    settings.cache.clone().or_else(user)
}
