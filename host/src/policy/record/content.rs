use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that went into a policy or came out of it. As JSON they are `{"text": …}` where they are text, as schemas are, and
/// else `{"base64": …}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Content(pub Bytes);

/// How they stand in JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Written<'a> {
    Text(std::borrow::Cow<'a, str>),
    Base64(std::borrow::Cow<'a, str>),
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match text(&self.0) {
            Some(text) => Written::Text(text.into()),
            None => Written::Base64(STANDARD.encode(&self.0).into()),
        }
        .serialize(serializer)
    }
}

/// The bytes as text; `None` where they hold control characters, which JSON would write with six bytes each.
fn text(bytes: &[u8]) -> Option<&str> {
    let plain = |byte: &u8| !byte.is_ascii_control() || byte.is_ascii_whitespace();
    let text = std::str::from_utf8(bytes).ok()?;
    bytes.iter().all(plain).then_some(text)
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = match Written::deserialize(deserializer)? {
            Written::Text(text) => text.into_owned().into_bytes(),
            Written::Base64(text) => STANDARD.decode(text.as_bytes()).map_err(D::Error::custom)?,
        };
        Ok(Self(bytes.into()))
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_were_and_text_can_be_read() {
        for (bytes, json) in [
            (&b"{\"a\": 1}"[..], r#"{"text":"{\"a\": 1}"}"#),
            (&[0xff, 0x00, 0x80][..], r#"{"base64":"/wCA"}"#),
            (&[0x00][..], r#"{"base64":"AA=="}"#),
            (&[][..], r#"{"text":""}"#),
        ] {
            let content = Content(Bytes::copy_from_slice(bytes));
            assert_eq!(serde_json::to_string(&content).unwrap(), json);
            assert_eq!(serde_json::from_str::<Content>(json).unwrap(), content);
        }
        assert!(serde_json::from_str::<Content>(r#"{"base64":"?"}"#).is_err());
    }
}
