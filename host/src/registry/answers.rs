//! What comes back: bodies up to a bound, and what errors mean.

use http::StatusCode;
use reqwest::Response;
use serde::Deserialize;
use url::Url;

use super::error::RegistryError;
use super::manifest::shown;
use super::settings::authority;

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
    let mut body = Vec::new();
    loop {
        let chunk = response
            .chunk()
            .await
            .map_err(|error| RegistryError::BrokeOff {
                host: host.clone(),
                what: what.to_owned(),
                source: error.without_url().into(),
            })?;
        let Some(chunk) = chunk else {
            return Ok(body);
        };
        if (body.len() + chunk.len()) as u64 > max {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
}

pub(super) fn unreachable(url: &Url, error: reqwest::Error) -> RegistryError {
    RegistryError::Unreachable {
        host: authority(url),
        tls: url.scheme() == "https",
        // The address may hold a signature that stands for credentials.
        source: error.without_url().into(),
    }
}

/// What an error answer means.
pub(super) async fn refused(response: Response, status: StatusCode, what: String) -> RegistryError {
    let host = authority(response.url());
    let said = match read(response, "an error", MAX_ERROR).await {
        Ok(body) => in_words(&body),
        Err(_) => String::new(),
    };
    match status {
        StatusCode::UNAUTHORIZED => RegistryError::Unauthorized { host, had: true },
        StatusCode::FORBIDDEN => RegistryError::Denied { host, what, said },
        StatusCode::NOT_FOUND => RegistryError::NotFound { host, what },
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            RegistryError::Failing {
                host,
                status: status.as_u16(),
                said,
            }
        }
        status => RegistryError::Odd {
            host,
            what,
            found: format!("{status}{said}"),
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
