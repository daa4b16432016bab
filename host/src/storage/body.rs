//! What the bodies of error answers say, in XML (S3, GCS, Azure) or JSON (token services).

use serde::Deserialize;

/// The store's code for an error.
pub(super) fn code(text: &str) -> Option<String> {
    element(text, "Code").or_else(|| match json(text)?.error {
        Reason::Code(code) => Some(code),
        Reason::Document { .. } => None,
    })
}

/// The store's message about an error.
pub(super) fn message(text: &str) -> Option<String> {
    element(text, "Message").or_else(|| {
        let document = json(text)?;
        match document.error {
            Reason::Code(_) => document.error_description,
            Reason::Document { message } => message,
        }
    })
}

/// The text of the first XML element of this name, unescaped. Enough for error answers, which are flat.
pub(super) fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (content, _) = rest.split_once(&format!("</{name}>"))?;
    Some(match quick_xml::escape::unescape(content) {
        Ok(content) => content.into_owned(),
        Err(_) => content.to_owned(),
    })
}

/// An error of OAuth 2.0 (RFC 6749, 5.2), or of Google's JSON interfaces.
#[derive(Deserialize)]
struct Document {
    error: Reason,
    error_description: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Reason {
    /// OAuth's.
    Code(String),
    /// Google's, whose code repeats the status.
    Document { message: Option<String> },
}

/// The JSON document at the end of the text. The text before it is object_store's own.
fn json(text: &str) -> Option<Document> {
    let (at, _) = text.match_indices('{').next()?;
    serde_json::from_str(text.get(at..)?.trim_end()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_unescaped() {
        let text = "x <Error><Code>Odd</Code><Message>the server&#39;s &amp; &quot;mine&quot;</Message></Error>";
        assert_eq!(code(text).as_deref(), Some("Odd"));
        assert_eq!(message(text).as_deref(), Some("the server's & \"mine\""));
        let unknown = "<Message>&nothing; of &#39;mine&#39;</Message>";
        assert_eq!(
            message(unknown).as_deref(),
            Some("&nothing; of &#39;mine&#39;")
        );
    }

    #[test]
    fn errors_of_token_services_are_read() {
        let text = r#"status code: 400 Bad Request: {"error":"invalid_grant","error_description":"Invalid JWT"}"#;
        assert_eq!(code(text).as_deref(), Some("invalid_grant"));
        assert_eq!(message(text).as_deref(), Some("Invalid JWT"));
        assert_eq!(code("{\"error\":{\"code\":404}}"), None);
        let google = r#"x: {"error":{"code":403,"message":"no access","errors":[]}}"#;
        assert_eq!(
            (code(google), message(google).as_deref()),
            (None, Some("no access"))
        );
    }
}
