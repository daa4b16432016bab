//! What a repository holds.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::Method;
use http::header::LINK;
use reqwest::Response;
use serde::Deserialize;

use super::answers::read;
use super::client::{Actions, Ask, Session};
use super::error::RegistryError;
use super::manifest::{MANIFEST, shown};
use super::reference::Reference;
use super::settings::RegistrySettings;
use crate::digest::Digest;

/// The most tags of a repository that are told; what lies behind is left out.
pub const MAX_TAGS: usize = 1_000;
/// The most pages of tags that are read.
const MAX_PAGES: usize = 20;
/// Tags that a page is asked for.
const PAGE: usize = 100;
/// The largest page that is read, in bytes.
const MAX_PAGE: u64 = 1 << 20;
/// Tags whose digests are asked for at once.
const AT_ONCE: usize = 8;

/// What a repository holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tags {
    /// Its tags, by name.
    pub tags: Vec<Tag>,
    /// Whether there are more than are told.
    pub more: bool,
}

/// A tag, and what it means now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The reference by this tag.
    pub reference: Reference,
    /// The digest of its manifest; none where the registry does not say.
    pub digest: Option<Digest>,
}

/// The tags of the reference's repository; the reference's own alone where it has one.
///
/// # Errors
///
/// When the registry does not tell them.
pub async fn tags(
    reference: &Reference,
    settings: &RegistrySettings,
) -> Result<Tags, RegistryError> {
    let session = Session::open(reference, settings, Actions::Pull)?;
    let (mut names, more) = match reference.tag() {
        Some(tag) => (vec![tag.to_owned()], false),
        None => names(&session).await?,
    };
    names.sort();
    let asked = names.iter().filter_map(|name| {
        // What is no tag can't be asked for, whatever the registry says.
        let reference = reference.tagged(name).ok()?;
        let session = &session;
        Some(async move {
            let digest = digest(session, name).await?;
            Ok::<_, RegistryError>(Tag { reference, digest })
        })
    });
    let tags = stream::iter(asked.collect::<Vec<_>>())
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    Ok(Tags { tags, more })
}

/// The names of all tags, and whether there are more than are told.
async fn names(session: &Session<'_>) -> Result<(Vec<String>, bool), RegistryError> {
    #[derive(Deserialize)]
    struct Page {
        // A repository without tags is told as `null` by some.
        tags: Option<Vec<String>>,
    }
    let what = format!("the tags of {}", session.reference);
    let mut url = session.url("tags/list");
    url.query_pairs_mut().append_pair("n", &PAGE.to_string());
    let mut names = Vec::new();
    for _ in 0..MAX_PAGES {
        let response = session
            .ask(Ask::new(Method::GET, url.clone(), &what))
            .await
            .map_err(|error| match error {
                RegistryError::NotFound { host, hidden, .. } => RegistryError::NoRepository {
                    host,
                    name: session.reference.name().to_owned(),
                    hidden,
                },
                error => error,
            })?;
        let next = next_page(&response);
        let body = read(response, &what, MAX_PAGE).await?;
        let page: Page = serde_json::from_slice(&body).map_err(|error| RegistryError::Odd {
            host: session.host(),
            what: what.clone(),
            found: format!("no list of tags ({error})"),
        })?;
        names.extend(page.tags.unwrap_or_default());
        if names.len() > MAX_TAGS {
            names.truncate(MAX_TAGS);
            return Ok((names, true));
        }
        let Some(next) = next.and_then(|next| url.join(&next).ok()) else {
            return Ok((names, false));
        };
        url = session.may_go(&url, next)?;
    }
    Ok((names, true))
}

/// The address of the next page (RFC 8288), `<…>; rel="next"`.
fn next_page(response: &Response) -> Option<String> {
    let link = response.headers().get(LINK)?.to_str().ok()?;
    let (address, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    rest.contains("next").then(|| address.to_owned())
}

async fn digest(session: &Session<'_>, tag: &str) -> Result<Option<Digest>, RegistryError> {
    let ask = Ask {
        accept: Some(MANIFEST),
        ..Ask::new(
            Method::HEAD,
            session.url(&format!("manifests/{tag}")),
            format!("the tag {}", shown(tag)),
        )
    };
    match session.ask(ask).await {
        Ok(response) => Ok(digest_of(&response)),
        // Deleted meanwhile, or of a type that is no component's.
        Err(RegistryError::NotFound { .. }) if session.reference.tag().is_none() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The digest that an answer says its manifest has.
pub(super) fn digest_of(response: &Response) -> Option<Digest> {
    let told = response.headers().get("docker-content-digest")?;
    let digits = told.to_str().ok()?.strip_prefix("sha256:")?;
    digits.parse().ok()
}
