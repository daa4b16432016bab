//! How a component comes in.

use std::sync::Arc;

use http::Method;

use super::answers::read;
use super::cache::Found;
use super::client::{Actions, Ask, Session};
use super::error::RegistryError;
use super::manifest::{
    Descriptor, MANIFEST, MAX_COMPONENT, MAX_CONFIG, MAX_MANIFEST, Manifest, SIGNATURE,
};
use super::reference::Reference;
use super::settings::RegistrySettings;
use super::shelf::Shelf;
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
                let origin = shelf.name(reference, manifest.0, manifest.1).await;
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

fn fetched(reference: &Reference, kept: super::cache::Kept, origin: Origin) -> Fetched {
    Fetched {
        component: kept.component.into(),
        pinned: reference.pinned(kept.digest),
        signature: kept.manifest.annotations.get(SIGNATURE).cloned(),
        origin,
    }
}

/// A manifest with the bytes that its digest is of.
pub(super) type Read = (Digest, Vec<u8>, Manifest);

/// A manifest by tag or digest.
pub(super) async fn manifest(
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
