//! The distribution protocol (distribution-spec 1.1), as far as components need it.

use std::io;
use std::sync::Mutex;

use anyhow::Result;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::header::{AUTHORIZATION, CONTENT_TYPE, LINK, LOCATION, WWW_AUTHENTICATE};
use http::response::Builder;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use tidegate::digest::Digest;

use super::{LOGIN, Seen, State, Trick, lock};

type Body = BoxBody<Bytes, io::Error>;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const TOKEN: &str = "a-token-that-must-never-show";
/// Tags on a page.
const PAGE: usize = 2;

/// Answers one request.
pub(super) async fn answer(
    request: Request<Incoming>,
    state: &Mutex<State>,
) -> Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let authorization = head.headers.get(AUTHORIZATION);
    let authorization = authorization.and_then(|value| value.to_str().ok());
    let path = head.uri.path();
    let query = head.uri.query().unwrap_or_default();
    let trick = {
        let mut state = lock(state);
        state.seen.push(Seen {
            line: format!("{} {}", head.method, head.uri),
            authorization: authorization.map(str::to_owned),
        });
        state.trick.clone()
    };
    if let Trick::Status(status) = trick {
        let text = r#"{"errors":[{"code":"TOLD","message":"told to fail"}]}"#;
        return Ok(respond(status).body(full(text))?);
    }
    if let Trick::WebPage(status) = trick {
        let page = respond(status).header(CONTENT_TYPE, "text/html; charset=utf-8");
        return Ok(page.body(full("<html>told to be a web page</html>"))?);
    }
    if let Trick::NoPush(status) = trick
        && (head.method == Method::POST || head.method == Method::PUT)
    {
        let text = r#"{"errors":[{"code":"NAME_UNKNOWN","message":"no such repository"}]}"#;
        return Ok(respond(status).body(full(text))?);
    }
    if path == "/token" {
        return token(&trick, authorization);
    }
    if trick == Trick::Hides && authorization.is_some() {
        return Ok(respond(404).body(full(""))?);
    }
    let host = head.headers.get("host").and_then(|host| host.to_str().ok());
    if let Some(challenge) = challenge(&trick, authorization, host.unwrap_or_default()) {
        let refused = respond(401).header(WWW_AUTHENTICATE, challenge);
        return Ok(refused.body(full(""))?);
    }
    let Some((name, rest)) = path.strip_prefix("/v2/").and_then(|path| {
        ["/manifests/", "/blobs/", "/tags/"]
            .into_iter()
            .find_map(|kind| path.find(kind).map(|at| path.split_at(at)))
    }) else {
        return Ok(respond(404).body(full(""))?);
    };
    let (kind, of) = rest[1..].split_once('/').unwrap_or((rest, ""));
    match (&head.method, kind, of) {
        (&Method::GET, "tags", _) => tags(&trick, &lock(state), name, query),
        (&Method::PUT, "manifests", tag) => {
            let digest = Digest::of(&body);
            let mut state = lock(state);
            state.manifests.insert(digest, body);
            state.tags.insert((name.to_owned(), tag.to_owned()), digest);
            Ok(with_digest(respond(201), digest).body(full(""))?)
        }
        (method, "manifests", version) => manifest(&trick, &lock(state), name, version, method),
        (&Method::POST, "blobs", _) => {
            let to = format!("/v2/{name}/blobs/uploads/1?state=x");
            Ok(respond(202).header(LOCATION, to).body(full(""))?)
        }
        (&Method::PUT, "blobs", _) => {
            let digest = Digest::of(&body);
            let promised = format!("digest=sha256%3A{digest}");
            if !query.split('&').any(|part| part == promised) {
                return Ok(respond(400).body(full(""))?);
            }
            lock(state).blobs.insert(digest, body);
            Ok(respond(201).body(full(""))?)
        }
        (method, "blobs", digest) => blob(&trick, &lock(state), digest, method, path),
        _ => Ok(respond(405).body(full(""))?),
    }
}

/// What a request without the right credentials is told.
fn challenge(trick: &Trick, authorization: Option<&str>, host: &str) -> Option<String> {
    let bearer = |realm: &str| format!("Bearer realm=\"{realm}\",service=\"tests\"");
    let own = format!("http://{host}/token");
    match trick {
        Trick::Basic | Trick::BasicAndRedirect(_) if authorization != Some(&basic()) => {
            Some("Basic realm=\"tests\"".to_owned())
        }
        Trick::Token if authorization != Some(&format!("Bearer {TOKEN}")) => Some(bearer(&own)),
        Trick::DeafToken | Trick::EndlessToken | Trick::Hides => Some(bearer(&own)),
        Trick::TokenAt(realm) => Some(bearer(realm)),
        _ => None,
    }
}

fn basic() -> String {
    // Base64 of `author:a-password-that-must-never-show`.
    assert_eq!(LOGIN, ("author", "a-password-that-must-never-show"));
    "Basic YXV0aG9yOmEtcGFzc3dvcmQtdGhhdC1tdXN0LW5ldmVyLXNob3c=".to_owned()
}

fn token(trick: &Trick, authorization: Option<&str>) -> Result<Response<Body>> {
    match trick {
        Trick::Token if authorization != Some(&basic()) => Ok(respond(401).body(full(""))?),
        Trick::EndlessToken => Ok(respond(200).body(endless(b"{\"token\":\"".as_slice().into()))?),
        _ => Ok(respond(200).body(full(format!("{{\"token\":\"{TOKEN}\"}}")))?),
    }
}

fn tags(trick: &Trick, state: &State, name: &str, query: &str) -> Result<Response<Body>> {
    let own = state.tags.keys().filter(|(of, _)| of == name);
    let all: Vec<&str> = own.map(|(_, tag)| tag.as_str()).collect();
    let last = query.split('&').find_map(|part| part.strip_prefix("last="));
    let from = last.map_or(0, |last| all.iter().take_while(|tag| **tag <= last).count());
    let page: Vec<&str> = all.iter().skip(from).take(PAGE).copied().collect();
    let next = format!("/v2/{name}/tags/list?last={}", page.last().unwrap_or(&""));
    let response = match trick {
        Trick::EndlessTags => respond(200).header(LINK, format!("<{}>; rel=\"next\"", "list?n=1")),
        Trick::TagsElsewhere(to) => {
            respond(200).header(LINK, format!("<{to}{next}>; rel=\"next\""))
        }
        _ if from + PAGE < all.len() => {
            respond(200).header(LINK, format!("<{next}>; rel=\"next\""))
        }
        _ => respond(200),
    };
    let text = serde_json::json!({ "name": name, "tags": page }).to_string();
    Ok(response.body(full(text))?)
}

fn manifest(
    trick: &Trick,
    state: &State,
    name: &str,
    version: &str,
    method: &Method,
) -> Result<Response<Body>> {
    let tag = (name.to_owned(), version.to_owned());
    let by_digest = || version.strip_prefix("sha256:")?.parse().ok();
    let digest = state.tags.get(&tag).copied().or_else(by_digest);
    let found = digest.and_then(|digest| Some((digest, state.manifests.get(&digest)?)));
    let Some((digest, found)) = found else {
        return Ok(respond(404).body(full(""))?);
    };
    let response = respond(200).header(CONTENT_TYPE, MANIFEST);
    match (trick, method) {
        (Trick::Manifest(bytes), _) => Ok(response.body(full(bytes.clone()))?),
        (Trick::EndlessManifests, _) => Ok(response.body(endless(found.clone()))?),
        (_, &Method::HEAD) => Ok(with_digest(response, digest).body(full(""))?),
        _ => Ok(with_digest(response, digest).body(full(found.clone()))?),
    }
}

fn blob(
    trick: &Trick,
    state: &State,
    digest: &str,
    method: &Method,
    path: &str,
) -> Result<Response<Body>> {
    let digest: Option<Digest> = digest
        .strip_prefix("sha256:")
        .and_then(|hex| hex.parse().ok());
    let Some(found) = digest.and_then(|digest| state.blobs.get(&digest)) else {
        return Ok(respond(404).body(full(""))?);
    };
    if method == Method::HEAD {
        return Ok(respond(200)
            .header("content-length", found.len())
            .body(full(""))?);
    }
    let half = || found.slice(..found.len() / 2);
    match trick {
        Trick::Blob(bytes) => Ok(respond(200).body(full(bytes.clone()))?),
        Trick::HalfBlobs => {
            // What is written goes out when there is nothing more for the moment.
            let cut = stream::once(async {
                tokio::task::yield_now().await;
                Err(io::Error::other("told to break off"))
            });
            Ok(respond(200)
                .header("content-length", found.len())
                .body(streamed(stream::iter([Ok(half())]).chain(cut)))?)
        }
        Trick::EndlessBlobs => Ok(respond(200).body(endless(found.clone()))?),
        Trick::HangingBlobs => {
            let rest = stream::pending();
            Ok(respond(200).body(streamed(stream::iter([Ok(half())]).chain(rest)))?)
        }
        Trick::Redirect(to) | Trick::BasicAndRedirect(to) => {
            let to = format!("{to}{path}");
            Ok(respond(307).header(LOCATION, to).body(full(""))?)
        }
        _ => Ok(respond(200).body(full(found.clone()))?),
    }
}

fn respond(status: u16) -> Builder {
    Response::builder().status(StatusCode::from_u16(status).unwrap_or_default())
}

fn with_digest(response: Builder, digest: Digest) -> Builder {
    response.header("docker-content-digest", format!("sha256:{digest}"))
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed()
}

fn endless(bytes: Bytes) -> Body {
    streamed(stream::repeat_with(move || Ok(bytes.clone())))
}

fn streamed(
    chunks: impl futures::Stream<Item = io::Result<Bytes>> + Send + Sync + 'static,
) -> Body {
    BoxBody::new(StreamBody::new(chunks.map(|chunk| chunk.map(Frame::data))))
}
