//! One repository of one registry over HTTP: bounded answers, redirects that are looked at, credentials where they belong.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use http::{Method, StatusCode};
use reqwest::{Response, redirect};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::auth;
use super::error::RegistryError;
use super::manifest::shown;
use super::reference::Reference;
use super::settings::{RegistrySettings, authority, is_loopback};

/// Redirects that are followed for one answer.
pub(super) const MAX_REDIRECTS: usize = 5;
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// What is read of an error's body, in bytes.
const MAX_ERROR: u64 = 16 << 10;

/// The host that Docker's own registry answers at.
const DOCKER_HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// What is done in a repository, as tokens name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Actions {
    /// Read.
    Pull,
    /// Read and write.
    Push,
}

impl Actions {
    pub(super) fn name(self) -> &'static str {
        match self {
            Actions::Pull => "pull",
            Actions::Push => "pull,push",
        }
    }
}

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: Url,
    /// What it is about, for messages.
    pub(super) what: String,
    pub(super) accept: Option<&'static str>,
    pub(super) body: Option<(&'static str, Bytes)>,
}

impl Ask {
    pub(super) fn new(method: Method, url: Url, what: impl Into<String>) -> Self {
        Self {
            method,
            url,
            what: what.into(),
            accept: None,
            body: None,
        }
    }
}

/// A repository that is being worked in.
pub(super) struct Session<'s> {
    pub(super) http: reqwest::Client,
    pub(super) base: Url,
    pub(super) reference: &'s Reference,
    pub(super) settings: &'s RegistrySettings,
    pub(super) actions: Actions,
    authorization: Mutex<Option<HeaderValue>>,
}

impl<'s> Session<'s> {
    pub(super) fn open(
        reference: &'s Reference,
        settings: &'s RegistrySettings,
        actions: Actions,
    ) -> Result<Self, RegistryError> {
        let host = match reference.host() {
            host if host == DOCKER_HUB.0 => DOCKER_HUB.1,
            host => host,
        };
        let odd = |error: url::ParseError| RegistryError::Setup(error.into());
        let mut base = Url::parse(&format!("https://{host}/")).map_err(odd)?;
        let bare = Url::parse(&format!("http://{host}/")).map_err(odd)?;
        if settings.is_plain(&bare) {
            base = bare;
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(settings.timeout);
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let http = builder
            .build()
            .map_err(|error| RegistryError::Setup(error.into()))?;
        Ok(Self {
            http,
            base,
            reference,
            settings,
            actions,
            authorization: Mutex::default(),
        })
    }

    /// The registry, for messages.
    pub(super) fn host(&self) -> String {
        authority(&self.base)
    }

    /// An address below the repository.
    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("/v2/{}/{path}", self.reference.name()));
        url
    }

    /// Asks, and gives an answer that says that it is one.
    ///
    /// # Errors
    ///
    /// When the registry can't be reached, refuses or fails, or sends us where we don't go.
    pub(super) async fn ask(&self, ask: Ask) -> Result<Response, RegistryError> {
        let what = ask.what.clone();
        let response = self.send(ask).await?;
        match response.status() {
            status if status.is_success() => Ok(response),
            status => Err(refused(response, status, what).await),
        }
    }

    async fn send(&self, ask: Ask) -> Result<Response, RegistryError> {
        let mut url = ask.url.clone();
        let mut hops = 0;
        let mut logged_in = None;
        loop {
            // Credentials are for the registry itself, whatever it redirects to.
            let own = is_same_place(&url, &self.base);
            let authorization = match own {
                true => self.authorization.lock().await.clone(),
                false => None,
            };
            let mut request = self.http.request(ask.method.clone(), url.clone());
            if let Some(authorization) = authorization {
                request = request.header(AUTHORIZATION, authorization);
            }
            if let Some(accept) = ask.accept {
                request = request.header(ACCEPT, accept);
            }
            if let Some((kind, body)) = &ask.body {
                request = request.header(CONTENT_TYPE, *kind).body(body.clone());
            }
            let response = request
                .send()
                .await
                .map_err(|error| unreachable(&url, error))?;
            let status = response.status();
            if status == StatusCode::UNAUTHORIZED && own {
                if let Some(had) = logged_in {
                    let host = self.host();
                    return Err(RegistryError::Unauthorized { host, had });
                }
                let challenges: Vec<_> = response
                    .headers()
                    .get_all(WWW_AUTHENTICATE)
                    .iter()
                    .filter_map(|value| value.to_str().ok())
                    .map(str::to_owned)
                    .collect();
                let answer = auth::answer(self, &challenges).await?;
                logged_in = Some(answer.had_credentials);
                *self.authorization.lock().await = Some(answer.authorization);
                continue;
            }
            let reads = ask.method == Method::GET || ask.method == Method::HEAD;
            if !(status.is_redirection() && reads) {
                return Ok(response);
            }
            hops += 1;
            if hops > MAX_REDIRECTS {
                return Err(RegistryError::Redirects { host: self.host() });
            }
            url = self.location(&url, &response, &ask.what)?;
        }
    }

    /// Where the registry sends us, if we go there.
    ///
    /// # Errors
    ///
    /// To another host that is not allowed, or to one without TLS.
    pub(super) fn location(
        &self,
        from: &Url,
        response: &Response,
        what: &str,
    ) -> Result<Url, RegistryError> {
        let odd = |found: &str| RegistryError::Odd {
            host: authority(from),
            what: what.to_owned(),
            found: format!("{}, {found}", response.status()),
        };
        let location = response
            .headers()
            .get(LOCATION)
            .ok_or_else(|| odd("which says not where to"))?;
        let to = location
            .to_str()
            .ok()
            .and_then(|text| from.join(text).ok())
            .filter(|to| matches!(to.scheme(), "http" | "https") && to.has_host())
            .ok_or_else(|| odd("and no address"))?;
        self.may_go(from, to)
    }

    /// The address, if we may go there.
    pub(super) fn may_go(&self, from: &Url, to: Url) -> Result<Url, RegistryError> {
        let names = || (authority(&self.base), authority(&to));
        let plain = to.scheme() == "http";
        if plain && (from.scheme() == "https" || !self.settings.is_plain(&to)) {
            let (from, to) = names();
            return Err(RegistryError::Downgrade { from, to });
        }
        if !is_same_place(&to, &self.base) && !self.settings.is_allowed(&to) {
            let (from, to) = names();
            return Err(RegistryError::Redirect { from, to });
        }
        Ok(to)
    }
}

/// Whether two addresses are of one server.
fn is_same_place(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme() && authority(one) == authority(other)
}

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
