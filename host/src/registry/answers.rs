//! What comes back: bodies up to a bound, and what errors mean.

use http::header::{CONTENT_TYPE, DATE, HeaderMap};
use http::{Method, StatusCode};
use reqwest::Response;
use serde::Deserialize;

use super::client::Session;
use super::error::{Denial, RegistryError, Rejection};
use super::manifest::shown;
use super::settings::authority;
use crate::time::{Clock as _, SystemClock};
use crate::transport::{Skew, innermost};

/// What is read of an error's body, in bytes.
const MAX_ERROR: u64 = 16 << 10;

/// The body, if it has no more than `max` bytes; a longer one is left where it is.
pub(super) async fn read(
    mut response: Response,
    what: &str,
    max: u64,
) -> Result<Vec<u8>, RegistryError> {
    let too_large = || RegistryError::TooLarge {
        what: what.to_owned(),
        max,
    };
    if response.content_length().is_some_and(|length| length > max) {
        return Err(too_large());
    }
    let host = authority(response.url());
    let status = response.status();
    let is_page = status.is_success() && is_html(response.headers());
    let mut body = Vec::new();
    loop {
        let chunk = response
            .chunk()
            .await
            .map_err(|error| RegistryError::BrokeOff {
                host: host.clone(),
                what: what.to_owned(),
                // The outer causes may hold the address, and with it a signature that grants access.
                why: innermost(&error),
            })?;
        let Some(chunk) = chunk else {
            break;
        };
        if (body.len() + chunk.len()) as u64 > max {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    // Neither documents nor components begin like that, whatever type they are marked as.
    if is_page && body.trim_ascii_start().starts_with(b"<") {
        return Err(RegistryError::Odd {
            host,
            what: what.to_owned(),
            found: format!("{status} and a web page"),
        });
    }
    Ok(body)
}

/// Whether the content type is HTML's.
fn is_html(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/html"))
}

/// What an error answer of the server of this name means.
pub(super) async fn refused(
    session: &Session<'_>,
    response: Response,
    host: String,
    method: &Method,
    what: String,
) -> RegistryError {
    let status = response.status();
    let header = |name| {
        let value = response.headers().get(name)?;
        Some(value.to_str().ok()?.to_owned())
    };
    let is_page = is_html(response.headers());
    let skew = Skew::of(header(DATE).as_deref(), SystemClock::new().now());
    let is_own = host == session.host();
    let had_credentials = session.had_credentials().await;
    // Answers over TLS can't be a proxy's.
    let proxy = match response.url().scheme() {
        "http" => session.proxy(response.url()),
        _ => None,
    };
    let body = read(response, "an error", MAX_ERROR)
        .await
        .unwrap_or_default();
    let said = in_words(&body);
    let writes = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
    if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED
        || (said.is_empty() && proxy.is_some() && status != StatusCode::NOT_FOUND)
    {
        let proxy = proxy.map_or_else(|| "a proxy".to_owned(), |proxy| proxy.to_string());
        return RegistryError::Proxy {
            host,
            proxy,
            status: status.as_u16(),
        };
    }
    match status {
        StatusCode::UNAUTHORIZED if is_own => RegistryError::Unauthorized { host, had: true },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RegistryError::Denied {
            host,
            what,
            said: format!("{}{said}", status.as_u16()),
            because: match (skew, is_own, had_credentials) {
                (Some(skew), ..) => Denial::Clock(skew.to_string()),
                (None, false, _) => Denial::SignedAddress,
                (None, true, Some(true)) => Denial::Right,
                (None, true, _) => Denial::NoLogin,
            },
        },
        // A web page is not an answer of a registry.
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED if writes && !is_page => {
            RegistryError::NoPush {
                host,
                name: session.reference.name().to_owned(),
                said: format!("{}{said}", status.as_u16()),
            }
        }
        StatusCode::NOT_FOUND if !is_page || *method == Method::HEAD => RegistryError::NotFound {
            host,
            what,
            hidden: is_own && had_credentials == Some(false),
        },
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            RegistryError::Failing {
                host,
                status: status.as_u16(),
                said,
            }
        }
        // The wording of Go's server, and of nginx.
        StatusCode::BAD_REQUEST
            if [&b"to an HTTPS server"[..], b"sent to HTTPS port"]
                .iter()
                .any(|words| body.windows(words.len()).any(|window| window == *words)) =>
        {
            RegistryError::SpeaksTls { host }
        }
        StatusCode::PAYLOAD_TOO_LARGE if writes => RegistryError::Rejected {
            host,
            what,
            said: format!("{}{said}", status.as_u16()),
            because: Rejection::Size,
        },
        // A registry gives its reason as a document.
        status if writes && status.is_client_error() && !said.is_empty() => {
            RegistryError::Rejected {
                host,
                what,
                said: format!("{}{said}", status.as_u16()),
                because: Rejection::Content,
            }
        }
        status => RegistryError::Odd {
            host,
            what,
            found: match is_page {
                true => format!("{status} and a web page"),
                false => format!("{status}{said}"),
            },
        },
    }
}

/// The first error that a registry's document tells of (distribution-spec 1.1, error codes), behind a colon.
fn in_words(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Document {
        errors: Vec<One>,
    }
    #[derive(Deserialize)]
    struct One {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let document: Option<Document> = serde_json::from_slice(body).ok();
    let first = document.and_then(|document| document.errors.into_iter().next());
    match first {
        Some(One { code, message }) => {
            let words = [code, message].map(|word| shown(word.trim()));
            let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
            match words.is_empty() {
                true => String::new(),
                false => format!(": {}", words.join(", ")),
            }
        }
        None => String::new(),
    }
}
