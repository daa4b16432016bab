//! How a component goes out.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, LOCATION};
use http::{Method, StatusCode};
use reqwest::Response;

use super::answers::refused;
use super::client::{Actions, Ask, Service, Session};
use super::error::RegistryError;
use super::manifest::{MANIFEST, MAX_COMPONENT, Manifest, config_of};
use super::pull::manifest as read_manifest;
use super::reference::Reference;
use super::settings::RegistrySettings;
use super::tags::digest_of;
use crate::digest::Digest;

/// What was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The reference with its digest.
    pub pinned: Reference,
    /// Whether anything had to be sent: the same component makes the same manifest.
    pub sent: bool,
}

/// Pushes a component under a tag. Blobs go first and the manifest last, so that the tag never means half of it.
///
/// # Errors
///
/// When the bytes are no component, or the registry does not take it.
pub async fn push(
    reference: &Reference,
    component: Bytes,
    annotations: BTreeMap<String, String>,
    settings: &RegistrySettings,
) -> Result<Pushed, RegistryError> {
    let tag = match (reference.tag(), reference.digest()) {
        (_, Some(_)) => return Err(RegistryError::PushedDigest(reference.clone())),
        (None, None) => return Err(RegistryError::NoVersion(reference.clone())),
        (Some(tag), None) => tag,
    };
    if component.len() as u64 > MAX_COMPONENT {
        return Err(RegistryError::TooLarge {
            what: "the component".to_owned(),
            max: MAX_COMPONENT,
        });
    }
    let config = Bytes::from(config_of(&component, "what is pushed")?);
    let manifest = Bytes::from(Manifest::new(&config, &component, annotations).bytes());
    let digest = Digest::of(&manifest);
    let session = Session::open(reference, settings, Actions::Push)?;
    let mut sent = false;
    for (blob, what) in [(component, "the component"), (config, "the configuration")] {
        sent |= upload(&session, blob, &format!("{what} of {reference}")).await?;
    }
    let what = format!("the manifest of {reference}");
    let url = session.url(&format!("manifests/{tag}"));
    let ask = Ask {
        body: Some((MANIFEST, manifest)),
        ..Ask::new(Method::PUT, url, &what)
    };
    let response = session.ask(ask).await?;
    if let Some(found) = digest_of(&response).filter(|found| *found != digest) {
        return Err(RegistryError::Tampered {
            host: session.host(),
            what,
            expected: digest,
            found,
        });
    }
    // Any web server may answer 200 to all that was sent. What is there is what can be read.
    let read = read_manifest(&session, &format!("sha256:{digest}"), Some(digest)).await;
    if let Err(source) = read {
        return Err(match source {
            RegistryError::NotFound { .. }
            | RegistryError::Odd { .. }
            | RegistryError::Tampered { .. }
            | RegistryError::NoComponent { .. } => RegistryError::NotKept {
                host: session.host(),
                what,
                source: Box::new(source),
            },
            source => source,
        });
    }
    Ok(Pushed {
        pinned: reference.pinned(digest),
        sent,
    })
}

/// Whether an answer to HEAD is about this blob.
fn is_of(found: &Response, digest: Digest, size: usize) -> bool {
    let length = found.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    match digest_of(found) {
        Some(told) => told == digest,
        None => length == Some(size),
    }
}

/// Sends a blob unless the repository has it; whether it was sent.
async fn upload(session: &Session<'_>, blob: Bytes, what: &str) -> Result<bool, RegistryError> {
    let digest = Digest::of(&blob);
    let url = session.url(&format!("blobs/sha256:{digest}"));
    match session.ask(Ask::new(Method::HEAD, url, what)).await {
        Ok(found) if is_of(&found, digest, blob.len()) => return Ok(false),
        // It may be a server that answers 200 to everything. Sending the blob again does no harm.
        Ok(_) => {}
        // An answer to HEAD has no body that could give a reason. The one to POST does.
        Err(RegistryError::NotFound { .. } | RegistryError::Odd { .. }) => {}
        Err(error) => return Err(error),
    }
    let begun = session
        .ask(Ask::new(Method::POST, session.url("blobs/uploads/"), what))
        .await?;
    if begun.status() != StatusCode::ACCEPTED || !begun.headers().contains_key(LOCATION) {
        let name = session.named(Service::Registry, begun.url());
        return Err(refused(session, begun, name, &Method::POST, what.to_owned()).await);
    }
    let mut to = session.location(&session.base, &begun, what)?;
    to.query_pairs_mut()
        .append_pair("digest", &format!("sha256:{digest}"));
    let ask = Ask {
        body: Some(("application/octet-stream", blob)),
        ..Ask::new(Method::PUT, to, what)
    };
    session.ask(ask).await?;
    Ok(true)
}
