//! Metadata services, which give a machine's own credentials.
//!
//! object_store puts two of EC2's answers into the next request unchecked, and panics if they don't make a valid one.
//! Any web server that answers 200 at that address would end the attempt.

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use http::{HeaderValue, Uri};
use object_store::client::{HttpError, HttpErrorKind, HttpResponse};

/// The largest answer that is read, in bytes. A token has about 60, the name of a role at most 64.
const MAX_ANSWER: usize = 16 << 10;

/// An answer that is not what was asked for.
#[derive(Debug, thiserror::Error)]
#[error("the answer is neither a token nor the name of a role")]
struct Unusable;

/// Whether an address is one of the metadata services of EC2, Google Cloud, Azure and Azure's App Service. An option
/// may set Azure's path, so that it is known by its query.
pub(super) fn is_of_metadata(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    let is_azure = query.split('&').any(|part| part.starts_with("resource="));
    is_azure
        || [
            "/latest/",
            "/computeMetadata/",
            "/metadata/identity/",
            "/msi/token",
        ]
        .iter()
        .any(|part| uri.path().contains(part))
}

/// The answer to a request to a metadata service, if the next request can be made of it.
pub(super) async fn usable(path: &str, response: HttpResponse) -> Result<HttpResponse, HttpError> {
    let fits: fn(&str) -> bool = if path.ends_with("/latest/api/token") {
        |text| HeaderValue::from_str(text).is_ok()
    } else if path.ends_with("/iam/security-credentials/") {
        |text| format!("http://host/{text}").parse::<Uri>().is_ok()
    } else {
        return Ok(response);
    };
    if !response.status().is_success() {
        return Ok(response);
    }
    let unusable = || HttpError::new(HttpErrorKind::Decode, Unusable);
    let (head, body) = response.into_parts();
    let mut bytes = BytesMut::new();
    let mut chunks = body.bytes_stream();
    while let Some(chunk) = chunks.try_next().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_ANSWER {
            return Err(unusable());
        }
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) if fits(text) => {
            let bytes: Bytes = bytes.freeze();
            Ok(HttpResponse::from_parts(head, bytes.into()))
        }
        _ => Err(unusable()),
    }
}
