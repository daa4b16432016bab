//! Answers that are a success by their status and that no store gives: the page of a console, of a captive portal or of
//! a proxy, the JSON of another service.
//!
//! Whatever answers 200 would otherwise count as stored data. The evidence must be safe, since any writer can store any
//! bytes with any content type:
//!
//! - A *page* has the content type of HTML **and** markup at its beginning. Schemas and markers are JSON, so that no
//!   object that Tidegate reads is both. An answer without a content type, which stores don't give, is a page if it
//!   begins as an HTML document.
//! - An answer to HEAD has no body. It is a page if its content type is HTML and it has none of the headers by which
//!   stores name their requests.
//! - A *listing* has the root element of one.
//! - An *object* comes with an ETag or the time of its last change.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::future::poll_fn;
use http::header::{CONTENT_TYPE, ETAG, HeaderMap, LAST_MODIFIED};
use http::{HeaderValue, Method, StatusCode};
use http_body::{Body, Frame, SizeHint};
use object_store::client::{HttpError, HttpRequest, HttpResponse, HttpResponseBody};

/// How much of a body is looked at, in bytes. Prologues and comments before a root element are shorter.
const LOOKED_AT: usize = 1 << 10;

/// Root elements of listings: S3 and GCS, Azure.
const LISTINGS: [&str; 2] = ["ListBucketResult", "EnumerationResults"];

/// What the names of the headers begin with by which stores name their requests: S3, Azure, GCS.
const OF_STORES: [&str; 3] = ["x-amz", "x-ms-", "x-goog-"];

/// The longest name of a root element that is shown, in characters.
const MAX_NAME: usize = 40;

/// What a request asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Asked {
    Listing,
    Object,
    /// An object without its content.
    Description,
    Write,
    Deletion,
    /// A session.
    #[default]
    Other,
}

impl Asked {
    pub(super) fn by(request: &HttpRequest) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let has = |wanted: &str| query.split('&').any(|part| part == wanted);
        match *request.method() {
            Method::GET if has("list-type=2") || has("comp=list") => Asked::Listing,
            Method::GET if has("session") => Asked::Other,
            Method::GET => Asked::Object,
            Method::HEAD => Asked::Description,
            Method::PUT => Asked::Write,
            Method::DELETE => Asked::Deletion,
            Method::POST if has("delete") => Asked::Deletion,
            _ => Asked::Other,
        }
    }
}

/// Why an answer is not a store's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stranger {
    #[error("a web page, not a store's answer")]
    Page,
    #[error("{0} instead of a listing")]
    NotAListing(String),
    #[error("neither ETag nor Last-Modified, which stores send with every object")]
    NotAnObject,
}

/// Looks at an answer. `broke` is called if the body breaks off, now or later.
pub(super) async fn examine(
    asked: Asked,
    response: HttpResponse,
    broke: fn(&HttpError),
) -> Result<(HttpResponse, Option<Stranger>), HttpError> {
    if !response.status().is_success() {
        return Ok((response, None));
    }
    let (mut head, body) = response.into_parts();
    let mut body = Peeked::new(body, broke);
    // A part of an object may begin with anything.
    let is_whole = head.status != StatusCode::PARTIAL_CONTENT;
    let start = match asked {
        Asked::Description => Bytes::new(),
        _ if !is_whole => Bytes::new(),
        _ => body.peek().await?,
    };
    let start = String::from_utf8_lossy(&start);
    let is_page = is_whole
        && match asked {
            Asked::Description => {
                is_html(&head.headers) == Some(true) && !is_of_store(&head.headers)
            }
            _ => is_page(is_html(&head.headers), &start),
        };
    let stranger = match asked {
        _ if is_page => Some(Stranger::Page),
        Asked::Listing => not_a_listing(&start).map(Stranger::NotAListing),
        Asked::Object | Asked::Description if !is_object(&head.headers) => {
            Some(Stranger::NotAnObject)
        }
        Asked::Object | Asked::Description => None,
        Asked::Write | Asked::Deletion | Asked::Other => {
            // object_store fails on a write whose answer has no ETag. The version is then read back.
            head.headers
                .entry(ETAG)
                .or_insert(HeaderValue::from_static(""));
            None
        }
    };
    let response = HttpResponse::from_parts(head, HttpResponseBody::new(body));
    Ok((response, stranger))
}

/// Looks at the beginning of an answer's body.
pub(super) async fn look_at(
    response: HttpResponse,
    broke: fn(&HttpError),
) -> Result<(HttpResponse, String), HttpError> {
    let (head, body) = response.into_parts();
    let mut body = Peeked::new(body, broke);
    let start = body.peek().await?;
    let response = HttpResponse::from_parts(head, HttpResponseBody::new(body));
    Ok((response, String::from_utf8_lossy(&start).into_owned()))
}

/// Whether the content type is HTML's. `None` if there is none.
fn is_html(headers: &HeaderMap) -> Option<bool> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    Some(kind.starts_with("text/html") || kind.starts_with("application/xhtml"))
}

fn is_of_store(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        OF_STORES
            .iter()
            .any(|start| name.as_str().starts_with(start))
    })
}

fn is_object(headers: &HeaderMap) -> bool {
    headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED)
}

/// Whether a body that begins so is a web page. Some stores mark XML as HTML.
fn is_page(is_html: Option<bool>, start: &str) -> bool {
    let text = without_mark(start).to_ascii_lowercase();
    let is_document = text.starts_with("<!doctype html") || text.starts_with("<html");
    match is_html {
        Some(true) => {
            let root = root(&text);
            is_document
                || root.as_deref() == Some("html")
                || (text.starts_with('<') && !text.starts_with("<?xml") && !is_listing(start))
        }
        Some(false) => false,
        None => is_document,
    }
}

fn is_listing(start: &str) -> bool {
    root(start).is_some_and(|name| LISTINGS.contains(&name.as_str()))
}

/// What came instead of a listing.
fn not_a_listing(start: &str) -> Option<String> {
    if is_listing(start) {
        return None;
    }
    Some(match root(start) {
        _ if start.trim().is_empty() => "an empty body".to_owned(),
        Some(name) => format!("<{}>", name.chars().take(MAX_NAME).collect::<String>()),
        None => "something other than XML".to_owned(),
    })
}

/// The name of an XML document's root element, without its namespace.
fn root(start: &str) -> Option<String> {
    let mut rest = without_mark(start);
    loop {
        let end = if rest.starts_with("<?") {
            "?>"
        } else if rest.starts_with("<!--") {
            "-->"
        } else if rest.starts_with("<!") {
            ">"
        } else {
            break;
        };
        rest = rest.split_once(end)?.1.trim_start();
    }
    let name = rest.strip_prefix('<')?;
    let name = name
        .split(|at: char| at.is_whitespace() || at == '>' || at == '/')
        .next()?;
    let name = name.rsplit_once(':').map_or(name, |(_, name)| name);
    (!name.is_empty()).then(|| name.to_owned())
}

/// The text without a byte order mark and white space before it.
fn without_mark(text: &str) -> &str {
    text.trim_start_matches('\u{feff}').trim_start()
}

/// A body whose beginning was looked at.
struct Peeked {
    front: Option<Bytes>,
    rest: HttpResponseBody,
    broke: fn(&HttpError),
}

impl Peeked {
    fn new(rest: HttpResponseBody, broke: fn(&HttpError)) -> Self {
        Self {
            front: None,
            rest,
            broke,
        }
    }

    /// The beginning of the body, which is still to be read.
    async fn peek(&mut self) -> Result<Bytes, HttpError> {
        let mut start = BytesMut::new();
        while start.len() < LOOKED_AT {
            let frame = poll_fn(|context| self.poll_rest(context)).await;
            match frame.transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => start.extend_from_slice(&data),
                // Trailers, which no store sends, or the end.
                Some(Err(_)) | None => break,
            }
        }
        let start = start.freeze();
        self.front = (!start.is_empty()).then(|| start.clone());
        Ok(start.slice(..start.len().min(LOOKED_AT)))
    }

    fn poll_rest(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let polled = Pin::new(&mut self.rest).poll_frame(context);
        if let Poll::Ready(Some(Err(error))) = &polled {
            (self.broke)(error);
        }
        polled
    }
}

impl Body for Peeked {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        match self.front.take() {
            Some(front) => Poll::Ready(Some(Ok(Frame::data(front)))),
            None => self.poll_rest(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.front.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let front = self.front.as_ref().map_or(0, Bytes::len) as u64;
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(front));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(front));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTML: Option<bool> = Some(true);
    const OTHER: Option<bool> = Some(false);

    #[test]
    fn a_page_is_html_by_its_type_and_by_its_content() {
        for (kind, start) in [
            (HTML, "<!DOCTYPE html><html>"),
            (HTML, " \n<!-- login --><div>"),
            (HTML, "\u{feff}<HTML lang='en'>"),
            (HTML, "<?xml version='1.0'?><!DOCTYPE html PUBLIC ''><html>"),
            (None, "<!doctype HTML>"),
        ] {
            assert!(is_page(kind, start), "{kind:?} {start}");
        }
        for (kind, start) in [
            (HTML, ""),
            (HTML, "{\"version\":\"v1\"}"),
            (HTML, "<?xml version='1.0'?><ListBucketResult>"),
            (HTML, "<ListBucketResult>"),
            (OTHER, "<html>"),
            (None, "<Error>"),
        ] {
            assert!(!is_page(kind, start), "{kind:?} {start}");
        }
    }

    #[test]
    fn a_listing_is_known_by_its_root() {
        for start in [
            "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>",
            "<?xml version=\"1.0\"?>\n<!-- x --><s3:ListBucketResult/>",
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"x\">",
        ] {
            assert_eq!(not_a_listing(start), None, "{start}");
        }
        for (start, found) in [
            ("", "an empty body"),
            (" \n", "an empty body"),
            ("{\"objects\":[]}", "something other than XML"),
            ("<Error><Code>x</Code></Error>", "<Error>"),
            ("<div>", "<div>"),
            ("<!-- without an end", "something other than XML"),
        ] {
            assert_eq!(not_a_listing(start).as_deref(), Some(found), "{start}");
        }
    }

    #[test]
    fn requests_for_listings_are_known_by_their_query() {
        let asked = |method: &str, uri: &str| {
            let request = http::Request::builder().method(method).uri(uri);
            Asked::by(&request.body(Bytes::new().into()).unwrap())
        };
        for (method, uri, expected) in [
            ("GET", "/b?list-type=2&prefix=a%2F", Asked::Listing),
            ("GET", "/c?restype=container&comp=list", Asked::Listing),
            ("GET", "/b?session", Asked::Other),
            ("GET", "/b/k", Asked::Object),
            ("HEAD", "/b/k", Asked::Description),
            ("PUT", "/b/k", Asked::Write),
            ("DELETE", "/b/k", Asked::Deletion),
            ("POST", "/b?delete", Asked::Deletion),
        ] {
            assert_eq!(asked(method, uri), expected, "{method} {uri}");
        }
    }
}
