//! What to do about an error answer.

use http::StatusCode;

use super::advice::Advisor;
use super::body;
use super::keys::Keys;
use super::observe::Exchange;
use super::stranger::Asked;
use crate::time::Timestamp;
use crate::transport::{Cause, Skew};

/// Codes of refusals that a wrong clock can cause.
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

/// What S3 calls the header whose lack it reports for a bucket with Object Lock.
const CHECKSUM: &str = "x-amz-checksum-";

/// Codes by which S3 says that a bucket is elsewhere.
const OF_REGIONS: [&str; 4] = [
    "PermanentRedirect",
    "TemporaryRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
];

impl Advisor {
    /// What to do about an answer.
    pub(super) fn hint(
        &self,
        text: &str,
        exchange: &Exchange,
        status: StatusCode,
        code: Option<&str>,
        now: Timestamp,
    ) -> Option<String> {
        if status == StatusCode::NOT_MODIFIED {
            return Some(
                "nothing was said to be known, so a cache in between gave this answer: exclude the store from it"
                    .to_owned(),
            );
        }
        if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            let cause = Cause::ProxyLogin;
            return Some(self.explain(&cause, None, exchange, &self.keys.address));
        }
        self.of_clock(exchange, status, code, now)
            .or_else(|| self.of_place(text, exchange, status, code))
            .or_else(|| code.and_then(|code| self.of_code(code, text, exchange)))
            .or_else(|| self.of_stranger(text, exchange, code))
            .or_else(|| self.of_status(status, exchange))
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

    /// What to do if the bucket, or the whole store, is elsewhere.
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
            if let Some(own) = own.map(|own| self.redactor.strike(&own)) {
                return Some(format!(
                    "{place} is in the region {own}: set {region} to {own:?}, and {address} to an endpoint of that \
                     region if it names another"
                ));
            }
        }
        let endpoint = exchange.endpoint.clone();
        if let Some(endpoint) = endpoint.or_else(|| body::element(text, "Endpoint")) {
            let endpoint = self.redactor.strike(&endpoint);
            return Some(format!(
                "{place} is at the endpoint {endpoint}: write it in {address}, and its region in {region}"
            ));
        }
        match (&exchange.location, &exchange.redirected) {
            (Some(to), _) | (None, Some(to)) => Some(format!(
                "credentials don't go along with a redirect: write the address of {} in {address}",
                self.redactor.strike(to)
            )),
            (None, None) if status.is_redirection() || of_regions => Some(format!(
                "{place} is in another region or endpoint: check {region} and {address}"
            )),
            (None, None) => None,
        }
    }

    fn of_code(&self, code: &str, text: &str, exchange: &Exchange) -> Option<String> {
        let Keys {
            container,
            identity,
            secret,
            token,
            with_checksums,
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
                "allow these credentials to {} in {place}", rights(exchange)
            ),
            "NoSuchBucket" | "ContainerNotFound" => {
                format!("{place} does not exist: create it, or correct {container}")
            }
            "ContainerBeingDeleted" => format!("{place} is being deleted: create it again, or correct {container}"),
            "BlobImmutableDueToPolicy" => {
                format!("a policy forbids changes in {place}: exclude Tidegate's objects from it, or use another one")
            }
            "LeaseIdMissing" => {
                "another program holds a lease on the object: break it, or wait until it ends".to_owned()
            }
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
            "InvalidRequest" | "InvalidDigest" if text.to_ascii_lowercase().contains(CHECKSUM) => {
                format!("{place} takes writes with a checksum only, as one with Object Lock does: {with_checksums}")
            }
            "InvalidRequest" | "InvalidArgument" if speaks_of_authorization(text) => {
                "the store does not take signature version 4, and Tidegate signs with no other".to_owned()
            }
            _ => return None,
        })
    }

    /// What to do if something other than the store answered.
    fn of_stranger(&self, text: &str, exchange: &Exchange, code: Option<&str>) -> Option<String> {
        let Keys {
            address, with_tls, ..
        } = &self.keys;
        if code.is_some() {
            return None;
        }
        // The wording of Go's server, and of nginx.
        if text.contains("to an HTTPS server") || text.contains("sent to HTTPS port") {
            return Some(format!("the server speaks TLS: {with_tls}"));
        }
        let is_page = exchange
            .content_type
            .as_deref()
            .is_some_and(|kind| kind.starts_with("text/html"));
        match (self.by_proxy(exchange), is_page) {
            (Some(hint), _) => Some(hint),
            // A gateway or load balancer says that what is behind it does not answer.
            (None, true) if exchange.status.is_some_and(is_of_gateways) => Some(format!(
                "the answer is the page of a gateway in front of the store: check that the store runs behind it, and \
                 {address}"
            )),
            (None, true) => Some(format!(
                "the answer is a web page, not a store's: check host and port in {address}"
            )),
            (None, false) => None,
        }
    }

    /// What to do if the proxy may have answered. Tunnels are opaque: their answers are the store's own.
    fn by_proxy(&self, exchange: &Exchange) -> Option<String> {
        let proxy = self.proxy(exchange).filter(|_| exchange.is_plain())?;
        Some(format!(
            "the request went through {proxy}, which may have answered: allow the host there, or list it in {}",
            proxy.excludes
        ))
    }

    /// What to do about a success that is not a store's answer.
    pub(super) fn of_success(&self, exchange: &Exchange) -> String {
        self.by_proxy(exchange).unwrap_or_else(|| {
            format!(
                "check host and port in {}, and whether a proxy or a login page is in between",
                self.keys.address
            )
        })
    }

    fn of_status(&self, status: StatusCode, exchange: &Exchange) -> Option<String> {
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(format!(
                "check {}, and that these credentials may {} in {}",
                self.keys.credentials,
                rights(exchange),
                self.place()
            )),
            StatusCode::NOT_FOUND if exchange.asked == Asked::Write => Some(format!(
                "{} can be read, but the server, or a proxy in between, does not take writes: check {}",
                self.place(),
                self.keys.address
            )),
            _ => None,
        }
    }
}

/// What credentials must be allowed to do.
fn rights(exchange: &Exchange) -> &'static str {
    match exchange.asked {
        Asked::Deletion => "read, write, list and delete",
        _ => "read, write and list",
    }
}

fn is_of_gateways(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    )
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
