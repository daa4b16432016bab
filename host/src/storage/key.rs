//! Keys as guests write them.

use object_store::path::Path;

/// The longest key, in bytes; S3's and GCS's own bound.
pub const MAX_KEY_BYTES: usize = 1024;

/// Why a text is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what each means")]
pub enum KeyError {
    #[error("an empty key")]
    Empty,
    #[error("a key of {0} bytes, and {MAX_KEY_BYTES} is the most")]
    TooLong(usize),
    #[error("a key that begins or ends with `/`, or has an empty segment")]
    EmptySegment,
    #[error("a key with the segment `{0}`")]
    DotSegment(String),
    #[error("a key with a control character")]
    Control,
    #[error("a prefix that does not end in `/`")]
    NoSlash,
}

/// The key as it stands in the store. Nothing is rewritten: what is not well-formed is refused.
pub fn parse_key(text: &str) -> Result<Path, KeyError> {
    if text.is_empty() {
        return Err(KeyError::Empty);
    }
    if text.len() > MAX_KEY_BYTES {
        return Err(KeyError::TooLong(text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err(KeyError::Control);
    }
    for segment in text.split('/') {
        match segment {
            "" => return Err(KeyError::EmptySegment),
            "." | ".." => return Err(KeyError::DotSegment(segment.to_owned())),
            _ => {}
        }
    }
    // Only what was refused above could fail here; `Path::from` would percent-encode instead.
    Path::parse(text).map_err(|_| KeyError::Control)
}

/// The prefix that this text, which ends in `/`, names.
pub fn parse_prefix(text: &str) -> Result<Path, KeyError> {
    parse_key(text.strip_suffix('/').ok_or(KeyError::NoSlash)?)
}

/// What marks a schema's key, wherever it stands in it.
const SCHEMA: &str = ".schema";

/// How the names of streams' markers end.
const MARKER: &str = ".stream.json";

/// Whether a layout may own this key, so that no policy may write it: any node's schema, a base, a marker, and any key
/// that contains `.schema`, in whatever case, since some file systems fold it.
pub fn is_reserved(key: &Path) -> bool {
    reserved(key.as_ref())
}

pub(super) fn reserved(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.contains(SCHEMA) || key.split('/').any(|segment| segment.ends_with(MARKER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_climb_or_hide_are_refused() {
        for key in [
            "", "/", "/a", "a/", "a//b", "a/../b", "..", "./a", "a/.", "a\0b", "a\nb", "a\u{85}b",
        ] {
            assert!(parse_key(key).is_err(), "{key:?}");
        }
        assert!(parse_key(&"k".repeat(MAX_KEY_BYTES + 1)).is_err());
        assert_eq!(parse_prefix("a/b"), Err(KeyError::NoSlash));
        for key in ["a b/%2e%2e/#1", "ünï/{x}", "a/.../b"] {
            assert_eq!(parse_key(key).unwrap().as_ref(), key);
        }
    }

    #[test]
    fn layouts_keys_are_reserved() {
        for key in [
            "app/.stream/.schema",
            "app/.stream/.ingestor.n1.schema",
            "app/n1.schema.json",
            "app/notes/a.SCHEMA.bak",
            "a.schema/b",
            "app/.stream/.stream.json",
            "app/.stream/.ingestor.n1.stream.json",
        ] {
            assert!(is_reserved(&parse_key(key).unwrap()), "{key}");
        }
        assert!(!is_reserved(&parse_key("app/notes/schema").unwrap()));
    }
}
