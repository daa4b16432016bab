//! What to say about a failure: its cause, and what to do about it, by keys that the configuration has.

use http::StatusCode;
use object_store::Error;
use object_store::client::HttpErrorKind;

use super::body;
use super::keys::{Keys, Provider};
use super::observe::{Exchange, Role};
use super::redact::Redactor;
use crate::time::Timestamp;
use crate::transport::{Cause, Proxies, Proxy, Remedies, Skew, explain, innermost};

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
        match (exchange.status, exchange.broken) {
            (Some(status), _) if !status.is_success() => {
                let answered = self.answered(exchange, status, code, text);
                match self.hint(text, exchange, status, code, now) {
                    Some(hint) => format!("{answered}: {hint}"),
                    None => answered,
                }
            }
            (_, Some(HttpErrorKind::Timeout)) => {
                format!(
                    "{} did not answer in time ({})",
                    host(exchange),
                    self.innermost(error)
                )
            }
            (_, Some(kind)) => match self.cause(error) {
                Cause::Other(text) if kind != HttpErrorKind::Connect => {
                    format!("the connection to {} broke: {text}", host(exchange))
                }
                cause => self.explain(&cause, exchange, &self.keys.address),
            },
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
                self.explain(&cause, exchange, &keys.service)
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
            _ => status.to_string(),
        }
    }

    pub(super) fn explain(&self, cause: &Cause, exchange: &Exchange, address: &str) -> String {
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
        };
        explain(cause, host(exchange), &remedies)
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

fn host(exchange: &Exchange) -> &str {
    exchange.host.as_deref().unwrap_or("the store")
}
