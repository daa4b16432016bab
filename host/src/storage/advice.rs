//! What to say about a failure: its cause, and what to do about it, by keys that the configuration has.

use http::StatusCode;
use object_store::Error;
use object_store::client::HttpErrorKind;

use super::body;
use super::keys::{Keys, Provider};
use super::observe::{Exchange, Role};
use super::redact::Redactor;
use super::stranger::{Asked, Stranger};
use crate::time::Timestamp;
use crate::transport::{Cause, Leg, Proxies, Proxy, Remedies, Skew, causes, explain, innermost};

/// What messages about one store need to know.
#[derive(Clone, Debug, Default)]
pub(super) struct Advisor {
    pub(super) provider: Provider,
    pub(super) redactor: Redactor,
    /// The bucket or container, where the URL says it.
    pub(super) container: Option<String>,
    pub(super) keys: Keys,
    /// `None` for stores without HTTP.
    pub(super) proxies: Option<Proxies>,
}

impl Advisor {
    /// What happened, in the store's words where they are known to be harmless: its code and message, never its whole
    /// answer, which on S3 repeats the access key and the signature. Secrets are struck from what servers and libraries
    /// say, and not from our own words, which a short secret may happen to be part of.
    pub(super) fn describe(
        &self,
        error: &Error,
        text: &str,
        exchange: &Exchange,
        code: Option<&str>,
        now: Timestamp,
    ) -> String {
        match exchange.role {
            Some(Role::Store) => self.of_store(error, text, exchange, code, now),
            Some(role) => self.of_service(role, error, text, exchange, code, now),
            None if self.lacks_credentials(error, exchange) => {
                format!(
                    "no credentials: {}: check {}",
                    self.innermost(error),
                    self.keys.service
                )
            }
            None => self.redactor.strike(text),
        }
    }

    /// The text of the innermost cause, which a library or a server wrote.
    fn innermost(&self, error: &Error) -> String {
        self.redactor.strike(&innermost(error))
    }

    /// Whether credentials could not be made, from a file or by a command, so that no request was sent at all.
    pub(super) fn lacks_credentials(&self, error: &Error, exchange: &Exchange) -> bool {
        // object_store gives these errors no type of their own; others without a request are about the request.
        const WORDS: [&str; 3] = ["token file", "az account get-access-token", "azure cli"];
        let speaks_http = self.proxies.is_some();
        speaks_http && exchange.requests == 0 && matches!(error, Error::Generic { .. }) && {
            let cause = innermost(error);
            WORDS.iter().any(|words| cause.contains(words))
        }
    }

    /// What to say about an operation that took too long.
    pub(super) fn describe_timeout(&self, exchange: &Exchange, after: &str) -> String {
        let host = host(exchange);
        match exchange.role {
            Some(Role::Metadata | Role::TokenService) => {
                format!(
                    "no credentials: {host}, which was asked for them, did not answer within {after}"
                )
            }
            Some(Role::Store) => format!("{host} did not answer within {after}"),
            None => format!("no answer within {after}"),
        }
    }

    fn of_store(
        &self,
        error: &Error,
        text: &str,
        exchange: &Exchange,
        code: Option<&str>,
        now: Timestamp,
    ) -> String {
        if let (Some(status), Some(stranger)) = (exchange.status, &exchange.stranger) {
            let answered = self.answered(exchange, status, None, "");
            let stranger = match stranger {
                Stranger::NotAListing(found) => Stranger::NotAListing(self.redactor.strike(found)),
                other => other.clone(),
            };
            return format!("{answered} with {stranger}: {}", self.of_success(exchange));
        }
        match (exchange.status, exchange.broken) {
            (Some(status), _) if !status.is_success() => {
                let answered = self.answered(exchange, status, code, text);
                match self.hint(text, exchange, status, code, now) {
                    Some(hint) => format!("{answered}: {hint}"),
                    None => answered,
                }
            }
            (_, Some(HttpErrorKind::Timeout)) => {
                let (host, why) = (host(exchange), self.innermost(error));
                match self.proxy(exchange) {
                    Some(proxy) => format!(
                        "{host} did not answer in time through {proxy} ({why}): see whether the proxy answers, or list \
                         the host in {}",
                        proxy.excludes
                    ),
                    None => format!(
                        "{host} did not answer in time ({why}): check {} and what is in between, or raise \
                         `sync.attempt_timeout` for a slow store",
                        self.keys.address
                    ),
                }
            }
            (Some(status), Some(_)) => format!(
                "{} and broke off ({}): see whether a proxy or the store cuts connections",
                self.answered(exchange, status, None, ""),
                self.innermost(error)
            ),
            (Some(status), None) if matches!(error, Error::Generic { .. }) => {
                let (what, why) = match exchange.asked == Asked::Listing {
                    true => ("a listing that can't be read", self.innermost(error)),
                    // The innermost cause alone does not name the header.
                    false => (
                        "something that can't be read",
                        self.redactor.strike(&outer(error)),
                    ),
                };
                format!(
                    "{} with {what} ({why}): {}",
                    self.answered(exchange, status, None, ""),
                    self.of_success(exchange)
                )
            }
            (_, Some(kind)) => self.of_break(error, kind, exchange),
            _ => self.redactor.strike(text),
        }
    }

    /// A service that was asked for credentials did not give any.
    fn of_service(
        &self,
        role: Role,
        error: &Error,
        text: &str,
        exchange: &Exchange,
        code: Option<&str>,
        now: Timestamp,
    ) -> String {
        let (host, keys) = (host(exchange), &self.keys);
        let through = match self.proxy(exchange) {
            Some(proxy) => format!(", through {proxy},"),
            None => String::new(),
        };
        let outcome = match exchange.status {
            Some(status) if status.is_success() => {
                format!("answered {status} with something other than credentials")
            }
            Some(status) => format!("answered {}", self.said(status, code, text)),
            None => format!("does not answer ({})", self.innermost(error)),
        };
        if role == Role::Metadata {
            let environment = keys
                .environment
                .map(|names| format!(" (or {names} in the environment)"));
            let attach = match self.provider {
                Provider::S3 => "attach a role to this machine",
                Provider::Gcs => "attach a service account to this machine",
                Provider::Azure => "assign a managed identity to this machine",
            };
            return format!(
                "no credentials: none are configured, and the metadata service {host}{through} {outcome}: set {}{}, or \
                 {attach}",
                keys.credentials,
                environment.unwrap_or_default()
            );
        }
        let cause = match exchange.status {
            None => Some(self.cause(error)).filter(|cause| !matches!(cause, Cause::Other(_))),
            Some(_) => None,
        };
        if let Some(cause) = cause {
            return format!(
                "no credentials: {}",
                self.explain(&cause, Some(error), exchange, &keys.service)
            );
        }
        match Skew::of(exchange.date.as_deref(), now) {
            Some(skew) => {
                format!("no credentials: the token service {host}{through} {outcome}: {skew}")
            }
            None => format!(
                "no credentials: the token service {host}{through} {outcome}: check {}",
                keys.service
            ),
        }
    }

    /// Why no answer came, without secrets.
    fn cause(&self, error: &Error) -> Cause {
        Cause::of(error).map(|text| self.redactor.strike(text))
    }

    fn answered(
        &self,
        exchange: &Exchange,
        status: StatusCode,
        code: Option<&str>,
        text: &str,
    ) -> String {
        let (host, said) = (host(exchange), self.said(status, code, text));
        match &exchange.redirected {
            Some(to) => {
                let to = self.redactor.strike(to);
                format!("{host} redirects to {to}, which answered {said}")
            }
            None => format!("{host} answered {said}"),
        }
    }

    /// The status, with code and message where there are any.
    fn said(&self, status: StatusCode, code: Option<&str>, text: &str) -> String {
        let strike = |text: &str| self.redactor.strike(text);
        match (code, body::message(text)) {
            (Some(code), Some(message)) => format!(
                "{status} ({}: {})",
                strike(code),
                strike(message.trim_end_matches('.'))
            ),
            (Some(code), None) => format!("{status} ({})", strike(code)),
            (None, Some(message)) => {
                format!("{status} ({})", strike(message.trim_end_matches('.')))
            }
            (None, None) => status.to_string(),
        }
    }

    /// A request without an answer.
    fn of_break(&self, error: &Error, kind: HttpErrorKind, exchange: &Exchange) -> String {
        let address = &self.keys.address;
        let proxy = self.proxy(exchange);
        match self.cause(error) {
            Cause::Other(text) if kind != HttpErrorKind::Connect => {
                let host = host(exchange);
                match proxy {
                    Some(proxy) if !proxy.tunnels => format!(
                        "the connection to {proxy}, which requests to {host} go through, broke ({text}): check that it \
                         is an HTTP proxy, and {}, or list the host in {}",
                        proxy.setting, proxy.excludes
                    ),
                    _ if exchange.is_plain() => format!(
                        "the connection to {host} broke ({text}): check {address}; if the server speaks TLS, {}",
                        self.keys.with_tls
                    ),
                    _ => format!("the connection to {host} broke ({text}): check {address}"),
                }
            }
            cause => self.explain(&cause, Some(error), exchange, address),
        }
    }

    /// `error` is the one with the cause, if there is one.
    pub(super) fn explain(
        &self,
        cause: &Cause,
        error: Option<&Error>,
        exchange: &Exchange,
        address: &str,
    ) -> String {
        let keys = &self.keys;
        let proxy = self.proxy(exchange);
        let remedies = Remedies {
            address,
            without_tls: match cause {
                // The address says so already.
                Cause::PlainForbidden => &keys.allow_plain,
                _ => &keys.without_tls,
            },
            with_tls: &keys.with_tls,
            ca_file: "`store.ca_file`",
            proxy: proxy.as_ref(),
            is_plain: exchange.is_plain(),
        };
        let leg = match (error, &proxy) {
            (Some(error), Some(proxy)) => Leg::of(error, proxy),
            _ => Leg::ToHost,
        };
        explain(cause, leg, host(exchange), &remedies)
    }

    pub(super) fn proxy(&self, exchange: &Exchange) -> Option<Proxy> {
        self.proxies.as_ref()?.of(exchange.uri.as_ref()?)
    }

    /// Describes the bucket or container.
    pub(super) fn place(&self) -> String {
        let noun = match self.provider {
            Provider::S3 | Provider::Gcs => "the bucket",
            Provider::Azure => "the container",
        };
        match &self.container {
            Some(name) => format!("{noun} {name}"),
            None => noun.to_owned(),
        }
    }
}

/// The innermost cause, with what it is the cause of if that repeats it.
fn outer(error: &Error) -> String {
    let mut texts: Vec<String> = causes(error).map(ToString::to_string).collect();
    let inner = texts.pop().unwrap_or_default();
    match texts.pop() {
        Some(outer) if !texts.is_empty() && outer.contains(&inner) => outer,
        _ => inner,
    }
}

fn host(exchange: &Exchange) -> &str {
    exchange.host.as_deref().unwrap_or("the store")
}
