//! One repository of one registry over HTTP: bounded answers, redirects that are looked at, credentials where they belong.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use http::{Method, StatusCode};
use reqwest::{Certificate, Response, redirect};
use tokio::sync::Mutex;
use url::Url;

use super::answers::refused;
use super::auth;
use super::error::RegistryError;
use super::reference::Reference;
use super::settings::{RegistrySettings, authority, is_loopback};
use crate::transport::{CaError, Cause, Leg, Proxies, Proxy, Remedies, explain, read_ca_file};

/// Redirects that are followed for one answer.
pub(super) const MAX_REDIRECTS: usize = 5;
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

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

/// A server that a registry leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// The registry itself, or a host that it redirects to.
    Registry,
    /// The service that issues tokens for the registry.
    Token,
}

/// A repository that is being worked in.
pub(super) struct Session<'s> {
    pub(super) http: reqwest::Client,
    pub(super) base: Url,
    pub(super) reference: &'s Reference,
    pub(super) settings: &'s RegistrySettings,
    pub(super) actions: Actions,
    /// What answered the registry's last challenge.
    login: Mutex<Option<auth::Answer>>,
    /// `None` for this machine, which is reached directly.
    proxies: Option<Proxies>,
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
        let proxies = match is_loopback(&base) {
            true => {
                builder = builder.no_proxy();
                None
            }
            false => Some(Proxies::of_environment()),
        };
        if let Some(path) = &settings.ca_file {
            let pem = read_ca_file(path).map_err(RegistryError::Ca)?;
            let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| {
                RegistryError::Ca(CaError::Invalid {
                    path: path.clone(),
                    source: error.into(),
                })
            })?;
            builder = builder.tls_certs_merge(certificates);
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
            login: Mutex::default(),
            proxies,
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
        let (method, what) = (ask.method.clone(), ask.what.clone());
        let response = self.send(ask).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let name = self.named(Service::Registry, response.url());
        Err(refused(self, response, name, &method, what).await)
    }

    /// A server, for messages after "the registry".
    pub(super) fn named(&self, service: Service, url: &Url) -> String {
        let (own, host) = (self.host(), authority(url));
        match service {
            Service::Token => format!("{own}'s token service {host}"),
            Service::Registry if is_same_place(url, &self.base) => own,
            Service::Registry => format!("{own}'s blob host {host}"),
        }
    }

    /// Whether a login was made from credentials. `None` if the registry did not ask for any.
    pub(super) async fn had_credentials(&self) -> Option<bool> {
        let login = self.login.lock().await;
        login.as_ref().map(|login| login.had_credentials)
    }

    /// The proxy that requests to this address go through.
    pub(super) fn proxy(&self, url: &Url) -> Option<Proxy> {
        self.proxies.as_ref()?.of(&url.as_str().parse().ok()?)
    }

    /// Returns the error for a request that got no answer.
    pub(super) fn unreachable(
        &self,
        service: Service,
        url: &Url,
        error: reqwest::Error,
    ) -> RegistryError {
        let host = authority(url);
        let proxy = self.proxy(url);
        let own = format!("`plain_http = [\"{host}\"]` in [registry], or give `--plain-http`");
        let remedies = Remedies {
            address: match service {
                Service::Token => "the registry, which names this host for tokens",
                Service::Registry => "the host in the reference",
            },
            without_tls: &format!("write {own}"),
            with_tls: match is_loopback(url) {
                true => {
                    "name this machine by its host name, since it is spoken to without TLS by this one"
                }
                false => "take the host out of `registry.plain_http`",
            },
            ca_file: "`registry.ca_file`, or by `--ca-file`",
            proxy: proxy.as_ref(),
            is_plain: url.scheme() == "http",
        };
        let leg = match &proxy {
            Some(proxy) => Leg::of(&error, proxy),
            None => Leg::ToHost,
        };
        let why = match error.is_timeout() {
            true => "no answer in time: try again later, or raise `registry.timeout`".to_owned(),
            false => explain(&Cause::of(&error), leg, &host, &remedies),
        };
        RegistryError::Unreachable {
            host: self.named(service, url),
            why,
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
                true => {
                    let login = self.login.lock().await;
                    login.as_ref().map(|login| login.authorization.clone())
                }
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
                .map_err(|error| self.unreachable(Service::Registry, &url, error))?;
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
                *self.login.lock().await = Some(answer);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a registry may send us, from its own address.
    fn goes(registry: &str, settings: &RegistrySettings, to: &str) -> Result<(), String> {
        let reference = format!("oci://{registry}/acme/x:1").parse().unwrap();
        let session = Session::open(&reference, settings, Actions::Pull).unwrap();
        let gone = session.may_go(&session.base, to.parse().unwrap());
        gone.map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn only_this_machine_and_hosts_that_are_named_are_spoken_to_without_tls() {
        let settings = RegistrySettings {
            plain_http: vec!["plain.example.com:5000".to_owned()],
            ..RegistrySettings::default()
        };
        for (host, base) in [
            ("registry.example.com", "https://registry.example.com/"),
            (
                "registry.example.com:80",
                "https://registry.example.com:80/",
            ),
            ("plain.example.com", "https://plain.example.com/"),
            ("plain.example.com:5000", "http://plain.example.com:5000/"),
            ("localhost.example.com", "https://localhost.example.com/"),
            ("localhost:5000", "http://localhost:5000/"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000/"),
            ("[::1]:5000", "http://[::1]:5000/"),
            ("docker.io", "https://registry-1.docker.io/"),
        ] {
            let reference = format!("oci://{host}/acme/x:1").parse().unwrap();
            let session = Session::open(&reference, &settings, Actions::Pull).unwrap();
            assert_eq!(session.base.as_str(), base);
        }
    }

    #[test]
    fn a_registry_sends_to_itself_and_to_hosts_that_are_named() {
        let settings = RegistrySettings {
            redirects: vec![
                "blobs.example.com".to_owned(),
                "b.example.com:444".to_owned(),
            ],
            plain_http: vec!["blobs.example.com".to_owned()],
            ..RegistrySettings::default()
        };
        let goes = |to: &str| goes("registry.example.com", &settings, to);
        for to in [
            "https://registry.example.com/elsewhere",
            "https://blobs.example.com/x",
            "https://b.example.com:444/x",
        ] {
            goes(to).unwrap();
        }
        for (to, named) in [
            ("https://other.example.com/x", "other.example.com"),
            (
                "https://blobs.example.com.evil.com/x",
                "blobs.example.com.evil.com",
            ),
            ("https://blobs.example.com:8443/x", "blobs.example.com:8443"),
            (
                "https://registry.example.com:8443/x",
                "registry.example.com:8443",
            ),
        ] {
            let refused = goes(to).unwrap_err();
            assert!(
                refused.contains(&format!("--allow-redirect {named}")),
                "{refused}"
            );
        }
        // Not even to a host that is spoken to without TLS otherwise, nor to this machine.
        for to in [
            "http://blobs.example.com/x",
            "http://127.0.0.1/x",
            "http://registry.example.com/x",
        ] {
            let refused = goes(to).unwrap_err();
            assert!(refused.contains("without TLS"), "{refused}");
        }
    }
}
