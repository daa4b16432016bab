//! Watches the HTTP exchange beneath one operation. object_store keeps neither the status nor `Retry-After` for callers,
//! and both decide what a failure means.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::DateTime;
use http::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use http::{StatusCode, Uri};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};

use crate::time::Timestamp;

/// The longest advice that is passed on; a store that asks for more is asked again after this.
pub(super) const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Azure's error code, which it sends with HEAD too, where no body can carry it.
const AZURE_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");

tokio::task_local! {
    static WATCHED: Arc<Mutex<Exchange>>;
}

/// What was seen of an operation's latest HTTP exchange.
#[derive(Clone, Debug, Default)]
pub(super) struct Exchange {
    /// Requests sent so far.
    pub(super) requests: u64,
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

    fn sent(&mut self, uri: &Uri) {
        *self = Self {
            requests: self.requests.saturating_add(1),
            host: uri.authority().map(|authority| {
                let text = authority.as_str();
                text.rsplit_once('@')
                    .map_or(text, |(_, host)| host)
                    .to_owned()
            }),
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
            }
            Err(error) => self.broken = Some(error.kind()),
        }
    }
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn http_date(text: &str) -> Option<Timestamp> {
    let moment = DateTime::parse_from_rfc2822(text).ok()?;
    u64::try_from(moment.timestamp_millis())
        .ok()
        .map(Timestamp::from_millis)
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

/// Connects as object_store does by itself, and lets the operation's [`Watch`] see each exchange.
#[derive(Debug, Default)]
pub(super) struct WatchedConnector;

impl HttpConnector for WatchedConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(WatchedService(client)))
    }
}

#[derive(Debug)]
struct WatchedService(HttpClient);

#[async_trait]
impl HttpService for WatchedService {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        note(|exchange| exchange.sent(request.uri()));
        let answer = self.0.execute(request).await;
        note(|exchange| exchange.answered(&answer));
        answer
    }
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
