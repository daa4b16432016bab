//! Watches the HTTP exchange beneath one operation. object_store keeps neither the status nor `Retry-After` for callers,
//! and both decide what a failure means.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use http::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use http::{StatusCode, Uri};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};
use object_store::{Certificate, ClientOptions};
use tower_http::follow_redirect::RequestUri;

use super::body;
use super::metadata::{is_of_metadata, usable};
use super::stranger::{self, Asked, Stranger};
use crate::time::Timestamp;
use crate::transport::http_date;

/// The longest advice that is passed on; a store that asks for more is asked again after this.
pub(super) const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Azure's error code, which it sends with HEAD too, where no body can carry it.
const AZURE_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");

/// The bucket's region, which S3 also sends in answers to HEAD.
const REGION: HeaderName = HeaderName::from_static("x-amz-bucket-region");

tokio::task_local! {
    static WATCHED: Arc<Mutex<Exchange>>;
}

/// Who a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Store,
    /// The service that gives this machine's own credentials.
    Metadata,
    /// A service that gives credentials for others.
    TokenService,
}

/// What was seen of an operation's latest HTTP exchange.
#[derive(Clone, Debug, Default)]
pub(super) struct Exchange {
    /// Requests sent so far.
    pub(super) requests: u64,
    /// Who the latest one is for.
    pub(super) role: Option<Role>,
    /// Its address.
    pub(super) uri: Option<Uri>,
    /// Host and port of the latest one.
    pub(super) host: Option<String>,
    /// The status of its answer.
    pub(super) status: Option<StatusCode>,
    /// How it broke, where no answer came.
    pub(super) broken: Option<HttpErrorKind>,
    /// The store's own error code, where a header carries it.
    pub(super) code: Option<String>,
    /// The `Retry-After` header as it came.
    pub(super) retry_after: Option<String>,
    /// The `Date` header as it came.
    pub(super) date: Option<String>,
    /// The region of the bucket, if a header names it.
    pub(super) region: Option<String>,
    /// The content type of the answer.
    pub(super) content_type: Option<String>,
    /// What the store was asked for.
    pub(super) asked: Asked,
    /// Why the answer, a success by its status, is not a store's.
    pub(super) stranger: Option<Stranger>,
    /// The endpoint of the bucket, if the body of a redirect names it.
    pub(super) endpoint: Option<String>,
    /// The host that the answer redirects to.
    pub(super) location: Option<String>,
    /// The host that gave the final answer, if redirects led to another one.
    pub(super) redirected: Option<String>,
}

impl Exchange {
    /// The store's advice: seconds, or a date (RFC 9110, 10.2.3) less the answer's own date, so that a host's wrong clock
    /// does no harm; at most [`MAX_RETRY_AFTER`].
    pub(super) fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let advice = self.retry_after.as_deref()?.trim();
        let length = match advice.parse::<u64>() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => {
                let until = http_date(advice)?;
                let from = self.date.as_deref().and_then(http_date).unwrap_or(now);
                until.since(from)
            }
        };
        Some(length.min(MAX_RETRY_AFTER))
    }

    /// Whether the request went out without TLS.
    pub(super) fn is_plain(&self) -> bool {
        let scheme = self.uri.as_ref().and_then(Uri::scheme_str);
        scheme == Some("http")
    }

    fn sent(&mut self, uri: &Uri, asked: Asked, is_store: bool) {
        let role = match is_store || uri.query() == Some("session") {
            true => Role::Store,
            false if is_of_metadata(uri) => Role::Metadata,
            false => Role::TokenService,
        };
        *self = Self {
            requests: self.requests.saturating_add(1),
            role: Some(role),
            host: host(uri),
            uri: Some(uri.clone()),
            asked: if is_store { asked } else { Asked::Other },
            ..Self::default()
        };
    }

    fn answered(&mut self, answer: &Result<HttpResponse, HttpError>) {
        match answer {
            Ok(response) => {
                let text = |name: HeaderName| header(response.headers(), &name);
                self.status = Some(response.status());
                self.code = text(AZURE_CODE);
                self.retry_after = text(RETRY_AFTER);
                self.date = text(DATE);
                self.region = text(REGION);
                self.content_type = text(CONTENT_TYPE);
                self.location = text(LOCATION).and_then(|to| host(&to.parse().ok()?));
                let last = response.extensions().get::<RequestUri>();
                self.redirected = last.and_then(|last| host(&last.0)).filter(|last| {
                    let first = self.host.as_deref();
                    first.is_some_and(|first| !first.eq_ignore_ascii_case(last))
                });
            }
            Err(error) => self.broken = Some(error.kind()),
        }
    }
}

/// Host and port of an address.
fn host(uri: &Uri) -> Option<String> {
    let text = uri.authority()?.as_str();
    let host = text.rsplit_once('@').map_or(text, |(_, host)| host);
    Some(host.to_owned())
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Runs `work` and shows what its HTTP exchanges looked like, even when it is dropped half-way.
#[derive(Debug, Default)]
pub(super) struct Watch(Arc<Mutex<Exchange>>);

impl Watch {
    pub(super) async fn over<T>(&self, work: impl Future<Output = T>) -> T {
        WATCHED.scope(Arc::clone(&self.0), work).await
    }

    pub(super) fn seen(&self) -> Exchange {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Connects as object_store does by itself, trusts further authorities, and lets the operation's [`Watch`] see each
/// exchange.
#[derive(Debug, Default)]
pub(super) struct WatchedConnector {
    authorities: Vec<Certificate>,
    connected: Arc<AtomicUsize>,
}

impl WatchedConnector {
    pub(super) fn new(authorities: Vec<Certificate>) -> Self {
        Self {
            authorities,
            ..Self::default()
        }
    }
}

impl HttpConnector for WatchedConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let authorities = self.authorities.iter().cloned();
        let options = authorities.fold(options.clone(), ClientOptions::with_root_certificate);
        Ok(HttpClient::new(WatchedService {
            client: ReqwestConnector::default().connect(&options)?,
            number: self.connected.fetch_add(1, Ordering::Relaxed),
            connected: Arc::clone(&self.connected),
        }))
    }
}

#[derive(Debug)]
struct WatchedService {
    client: HttpClient,
    /// How many clients of this store were made before this one.
    number: usize,
    /// How many clients of this store were made in all.
    connected: Arc<AtomicUsize>,
}

#[async_trait]
impl HttpService for WatchedService {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // object_store's builders make the clients for credentials first and the store's own last.
        let is_store = self.number + 1 == self.connected.load(Ordering::Relaxed);
        let asked = Asked::by(&request);
        note(|exchange| exchange.sent(request.uri(), asked, is_store));
        let path = request.uri().path().to_owned();
        let answer = self.client.execute(request).await;
        note(|exchange| exchange.answered(&answer));
        match is_store {
            true => of_store(asked, answer?).await,
            false => usable(&path, answer?).await,
        }
    }
}

/// The store's answer, unless it is not a store's.
async fn of_store(asked: Asked, response: HttpResponse) -> Result<HttpResponse, HttpError> {
    if response.status().is_redirection() && !response.headers().contains_key(LOCATION) {
        // object_store drops the body.
        let (response, start) = stranger::look_at(response, note_break).await?;
        let endpoint = body::element(&start, "Endpoint");
        note(|exchange| exchange.endpoint = endpoint);
        return Ok(response);
    }
    let (response, stranger) = stranger::examine(asked, response, note_break).await?;
    match stranger {
        None => Ok(response),
        Some(stranger) => {
            note(|exchange| exchange.stranger = Some(stranger.clone()));
            Err(HttpError::new(HttpErrorKind::Decode, stranger))
        }
    }
}

/// Notes that an answer broke off.
fn note_break(error: &HttpError) {
    note(|exchange| exchange.broken = Some(error.kind()));
}

fn note(what: impl FnOnce(&mut Exchange)) {
    // Outside an operation nobody watches, and that is fine.
    let _ = WATCHED.try_with(|watched| {
        what(&mut watched.lock().unwrap_or_else(PoisonError::into_inner));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(retry_after: &str, date: Option<&str>) -> Option<Duration> {
        let exchange = Exchange {
            retry_after: Some(retry_after.to_owned()),
            date: date.map(str::to_owned),
            ..Exchange::default()
        };
        exchange.retry_after(Timestamp::from_millis(1_445_412_420_000))
    }

    #[test]
    fn retry_after_reads_seconds_and_dates() {
        let date = "Wed, 21 Oct 2015 07:28:00 GMT";
        assert_eq!(advice("7", None), Some(Duration::from_secs(7)));
        assert_eq!(advice(date, None), Some(Duration::from_secs(60)));
        assert_eq!(
            advice(date, Some("Wed, 21 Oct 2015 07:27:50 GMT")),
            Some(Duration::from_secs(10))
        );
        assert_eq!(advice("99999999", None), Some(MAX_RETRY_AFTER));
        assert_eq!(advice("soon", None), None);
    }
}
