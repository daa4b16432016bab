//! What to say about a failure: its cause, and what to do about it, by keys that the configuration has.

use http::StatusCode;
use object_store::Error;
use object_store::client::{HttpError, HttpErrorKind};

use super::body;
use super::names::SettingNames;
use super::observe::{Exchange, Role};
use super::redact::Redactor;
use crate::time::Timestamp;
use crate::transport::{Cause, Proxies, Proxy, Remedies, Skew, causes, explain, innermost};

/// Who runs a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Provider {
    #[default]
    S3,
    Gcs,
    Azure,
}

/// What messages about one store need to know.
#[derive(Clone, Debug, Default)]
pub(super) struct Advisor {
    pub(super) provider: Provider,
    pub(super) redactor: Redactor,
    /// The bucket or container, where the URL says it.
    pub(super) container: Option<String>,
    pub(super) keys: Keys,
    /// None for stores without HTTP.
    pub(super) proxies: Option<Proxies>,
}

/// The keys and variables that hints name.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    /// Of the host.
    address: String,
    region: String,
    container: &'static str,
    /// Who the client is.
    identity: String,
    /// How it proves that.
    secret: String,
    /// Both, as far as they are settings of their own.
    credentials: String,
    /// A credential that expires.
    token: String,
    /// The variables of the environment that credentials may come from; none where they would not be read.
    environment: Option<&'static str>,
    /// What leads to a token service.
    service: String,
    without_tls: String,
    allow_plain: String,
    with_tls: String,
}

impl Keys {
    /// The keys for a store. `name` gives the key or variable for an option, `is_set` whether the option has a value.
    pub(super) fn new(
        provider: Provider,
        names: &SettingNames,
        name: &dyn Fn(&str) -> String,
        is_set: &dyn Fn(&str) -> bool,
    ) -> Self {
        let endpoint = match provider {
            Provider::Gcs => "base_url",
            Provider::S3 | Provider::Azure => "endpoint",
        };
        // Without an endpoint the host is made from another setting.
        let address = match provider {
            Provider::S3 if !is_set(endpoint) => {
                format!("{} and {}", name("region"), name(endpoint))
            }
            Provider::Azure if !is_set(endpoint) => name("account_name"),
            _ => name(endpoint),
        };
        let first_set = |options: &[&str]| {
            let found = options.iter().find(|option| is_set(option));
            name(found.or(options.first()).copied().unwrap_or_default())
        };
        let (identity, secret, token, environment) = match provider {
            Provider::S3 => (
                name("access_key_id"),
                name("secret_access_key"),
                name("session_token"),
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            ),
            Provider::Gcs => {
                let options = [
                    "service_account",
                    "service_account_key",
                    "application_credentials",
                ];
                let key = first_set(&options);
                (key.clone(), key.clone(), key, "GOOGLE_SERVICE_ACCOUNT")
            }
            Provider::Azure => (
                name("account_name"),
                first_set(&["access_key", "sas_token", "bearer_token", "client_secret"]),
                first_set(&["sas_token", "bearer_token"]),
                "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
            ),
        };
        let credentials = match identity == secret {
            true => secret.clone(),
            false => format!("{identity} and {secret}"),
        };
        let leads_to_service: &[&str] = match provider {
            Provider::S3 => &[
                "web_identity_token_file",
                "role_arn",
                "container_credentials_relative_uri",
                "container_credentials_full_uri",
                "container_authorization_token_file",
            ],
            Provider::Gcs => &[
                "service_account",
                "service_account_key",
                "application_credentials",
            ],
            Provider::Azure => &[
                "client_id",
                "client_secret",
                "authority_id",
                "federated_token_file",
            ],
        };
        let service: Vec<_> = leads_to_service
            .iter()
            .filter(|option| is_set(option))
            .map(|option| name(option))
            .collect();
        let allow_plain = format!("set `{} = true`", name("allow_http").trim_matches('`'));
        Self {
            region: name("region"),
            container: names.container(),
            environment: (!names.is_parseable()).then_some(environment),
            service: match service.is_empty() {
                true => credentials.clone(),
                false => service.join(", "),
            },
            // Parseable has one setting for both.
            without_tls: match names.is_parseable() {
                true => format!("write `http://` in {address}"),
                false => format!("write `http://` in {address} and {allow_plain}"),
            },
            with_tls: format!("write `https://` in {address}"),
            address,
            identity,
            secret,
            credentials,
            token,
            allow_plain,
        }
    }
}

/// Codes of refusals that a wrong clock explains.
const OF_CLOCKS: [&str; 8] = [
    "RequestTimeTooSkewed",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "AuthenticationFailed",
    "InvalidAuthenticationInfo",
    "InvalidSecurity",
    "invalid_grant",
];

/// Codes by which S3 says that a bucket is elsewhere.
const OF_REGIONS: [&str; 4] = [
    "PermanentRedirect",
    "TemporaryRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
];

impl Advisor {
    /// What happened, in the store's words where they are known to be harmless: its code and message, never its whole
    /// answer, which on S3 repeats the access key and the signature.
    pub(super) fn describe(
        &self,
        error: &Error,
        text: &str,
        exchange: &Exchange,
        code: Option<&str>,
        now: Timestamp,
    ) -> String {
        let said = match exchange.role {
            Some(Role::Store) => self.of_store(error, text, exchange, code, now),
            Some(role) => self.of_service(role, error, text, exchange, code, now),
            None if self.lacks_credentials(error, exchange) => {
                format!(
                    "no credentials: {}: check {}",
                    innermost(error),
                    self.keys.service
                )
            }
            None => text.to_owned(),
        };
        self.redactor.strike(&said)
    }

    /// Whether credentials could not be made, from a file or by a command, so that no request was sent at all.
    pub(super) fn lacks_credentials(&self, error: &Error, exchange: &Exchange) -> bool {
        let speaks_http = self.proxies.is_some();
        speaks_http
            && exchange.requests == 0
            && matches!(error, Error::Generic { .. })
            && !causes(error).any(|cause| cause.is::<HttpError>())
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
                let answered = answered(exchange, status, code, text);
                match self.hint(text, exchange, status, code, now) {
                    Some(hint) => format!("{answered}: {hint}"),
                    None => answered,
                }
            }
            (_, Some(HttpErrorKind::Timeout)) => {
                format!(
                    "{} did not answer in time ({})",
                    host(exchange),
                    innermost(error)
                )
            }
            (_, Some(kind)) => match Cause::of(error) {
                Cause::Other(text) if kind != HttpErrorKind::Connect => {
                    format!("the connection to {} broke: {text}", host(exchange))
                }
                cause => self.explain(&cause, exchange, &self.keys.address),
            },
            _ => text.to_owned(),
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
                format!("answered {status} with something else than credentials")
            }
            Some(status) => format!("answered {}", said(status, code, text)),
            None => format!("does not answer ({})", innermost(error)),
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
            None => Some(Cause::of(error)).filter(|cause| !matches!(cause, Cause::Other(_))),
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

    /// What to do about an answer.
    fn hint(
        &self,
        text: &str,
        exchange: &Exchange,
        status: StatusCode,
        code: Option<&str>,
        now: Timestamp,
    ) -> Option<String> {
        if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            let cause = Cause::ProxyLogin;
            return Some(self.explain(&cause, exchange, &self.keys.address));
        }
        self.of_clock(exchange, status, code, now)
            .or_else(|| self.of_place(text, exchange, status, code))
            .or_else(|| code.and_then(|code| self.of_code(code, text)))
            .or_else(|| self.of_stranger(text, exchange, code))
            .or_else(|| self.of_status(status))
    }

    fn of_clock(
        &self,
        exchange: &Exchange,
        status: StatusCode,
        code: Option<&str>,
        now: Timestamp,
    ) -> Option<String> {
        let refused = matches!(
            status,
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        );
        if !refused || code.is_some_and(|code| !OF_CLOCKS.contains(&code)) {
            return None;
        }
        match Skew::of(exchange.date.as_deref(), now) {
            Some(skew) => Some(skew.to_string()),
            None if code == Some("RequestTimeTooSkewed") => Some(
                "this machine's clock differs from the store's: set the clock, for example with NTP"
                    .to_owned(),
            ),
            None => None,
        }
    }

    /// The bucket, or the whole store, is elsewhere.
    fn of_place(
        &self,
        text: &str,
        exchange: &Exchange,
        status: StatusCode,
        code: Option<&str>,
    ) -> Option<String> {
        let Keys {
            address, region, ..
        } = &self.keys;
        let place = self.place();
        let of_regions = code.is_some_and(|code| OF_REGIONS.contains(&code));
        if status.is_redirection()
            || of_regions
            || (status == StatusCode::BAD_REQUEST && code.is_none())
        {
            let own = exchange
                .region
                .clone()
                .or_else(|| body::element(text, "Region"));
            if let Some(own) = own {
                return Some(format!(
                    "{place} is in the region {own}: set {region} to {own:?}, and {address} to an endpoint of that \
                     region if it names another"
                ));
            }
        }
        match (&exchange.location, &exchange.redirected) {
            (Some(to), _) | (None, Some(to)) => Some(format!(
                "credentials don't go along with a redirect: write the address of {to} in {address}"
            )),
            (None, None) if status.is_redirection() || of_regions => Some(format!(
                "{place} is in another region or endpoint: check {region} and {address}"
            )),
            (None, None) => None,
        }
    }

    fn of_code(&self, code: &str, text: &str) -> Option<String> {
        let Keys {
            container,
            identity,
            secret,
            token,
            ..
        } = &self.keys;
        let place = self.place();
        Some(match code {
            "InvalidAccessKeyId" => format!("the store does not know this access key: check {identity}"),
            "SignatureDoesNotMatch" => format!(
                "check {secret}; a proxy that rewrites requests breaks signatures too"
            ),
            "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => {
                format!("the credentials have expired or are not valid: renew {token}")
            }
            "AccessDenied" | "AllAccessDisabled" | "InsufficientAccountPermissions" => format!(
                "allow these credentials to read, write and list in {place}"
            ),
            "NoSuchBucket" | "ContainerNotFound" => {
                format!("{place} does not exist: create it, or correct {container}")
            }
            "ContainerBeingDeleted" => format!("{place} is being deleted: create it again, or correct {container}"),
            "InvalidBucketName" => format!("correct {container}"),
            "AuthenticationFailed" | "InvalidAuthenticationInfo" => format!("check {secret}"),
            "KeyBasedAuthenticationNotPermitted" => {
                "the account does not allow access keys: allow them there, or use a managed identity"
                    .to_owned()
            }
            "AuthorizationFailure" => {
                "the account's network rules may exclude this machine: allow it there".to_owned()
            }
            "AuthorizationPermissionMismatch" => {
                "assign the role Storage Blob Data Contributor to this identity".to_owned()
            }
            "InvalidRequest" | "InvalidArgument" if speaks_of_authorization(text) => {
                "the store does not take signature version 4, and Tidegate signs with no other".to_owned()
            }
            _ => return None,
        })
    }

    /// Something else than the store answered.
    fn of_stranger(&self, text: &str, exchange: &Exchange, code: Option<&str>) -> Option<String> {
        let Keys {
            address, with_tls, ..
        } = &self.keys;
        if code.is_some() {
            return None;
        }
        // The words of Go's server, and those of nginx.
        if text.contains("to an HTTPS server") || text.contains("sent to HTTPS port") {
            return Some(format!("the server speaks TLS: {with_tls}"));
        }
        let is_page = exchange
            .content_type
            .as_deref()
            .is_some_and(|kind| kind.starts_with("text/html"));
        match (self.proxy(exchange), is_page) {
            // Tunnels are opaque: their answers are the store's own.
            (Some(proxy), _) if exchange.is_plain() => Some(format!(
                "the request went through {proxy}, which may have answered: allow the host there, or list it in {}",
                proxy.excludes
            )),
            (_, true) => Some(format!(
                "the answer is a web page, not a store's: check host and port in {address}"
            )),
            _ => None,
        }
    }

    fn of_status(&self, status: StatusCode) -> Option<String> {
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(format!(
                "check {}, and that these credentials may read, write and list in {}",
                self.keys.credentials,
                self.place()
            )),
            _ => None,
        }
    }

    fn explain(&self, cause: &Cause, exchange: &Exchange, address: &str) -> String {
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

    fn proxy(&self, exchange: &Exchange) -> Option<Proxy> {
        self.proxies.as_ref()?.of(exchange.uri.as_ref()?)
    }

    /// The bucket or container, in words.
    fn place(&self) -> String {
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

fn answered(exchange: &Exchange, status: StatusCode, code: Option<&str>, text: &str) -> String {
    let (host, said) = (host(exchange), said(status, code, text));
    match &exchange.redirected {
        Some(to) => format!("{host} redirects to {to}, which answered {said}"),
        None => format!("{host} answered {said}"),
    }
}

/// The status, with code and message where there are any.
fn said(status: StatusCode, code: Option<&str>, text: &str) -> String {
    match (code, body::message(text)) {
        (Some(code), Some(message)) => {
            format!("{status} ({code}: {})", message.trim_end_matches('.'))
        }
        (Some(code), None) => format!("{status} ({code})"),
        _ => status.to_string(),
    }
}

fn speaks_of_authorization(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    [
        "authorization mechanism",
        "unsupported authorization type",
        "signature version",
    ]
    .iter()
    .any(|words| text.contains(words))
}
