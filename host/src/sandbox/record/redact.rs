//! Settings without what looks like a secret.

use serde_json::Value;
use url::Url;

/// What stands in the place of a secret.
const REDACTED: &str = "[redacted]";

/// Words that make a key the name of a secret wherever they stand in it.
const TELLING: [&str; 8] = [
    "secret",
    "passw",
    "passphrase",
    "token",
    "credential",
    "apikey",
    "authorization",
    "private",
];
/// Words that do so as a whole word of a key.
const TELLING_WORDS: [&str; 7] = ["key", "keys", "auth", "pass", "pwd", "pin", "sas"];

/// The settings with every value struck out whose key looks like that of a secret, and every URL with a password; and
/// JSON Pointers (RFC 6901) to them.
pub(super) fn redact(settings: &Value) -> (Value, Vec<String>) {
    let mut told = settings.clone();
    let mut redacted = Vec::new();
    strike(&mut told, &mut String::new(), &mut redacted);
    (told, redacted)
}

fn strike(value: &mut Value, pointer: &mut String, redacted: &mut Vec<String>) {
    let above = pointer.len();
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                if is_telling(key) {
                    *value = Value::String(REDACTED.to_owned());
                    redacted.push(pointer.clone());
                } else {
                    strike(value, pointer, redacted);
                }
                pointer.truncate(above);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                pointer.push('/');
                pointer.push_str(&at.to_string());
                strike(item, pointer, redacted);
                pointer.truncate(above);
            }
        }
        Value::String(text) if has_password(text) => {
            *text = REDACTED.to_owned();
            redacted.push(pointer.clone());
        }
        _ => {}
    }
}

fn is_telling(key: &str) -> bool {
    let small = key.to_lowercase();
    let joined: String = small.chars().filter(|c| c.is_alphanumeric()).collect();
    let mut words = words(key);
    TELLING.iter().any(|word| joined.contains(word))
        || words.any(|word| TELLING_WORDS.contains(&word.as_str()))
}

/// The words of a key, in small letters: `accessKey` and `access-key` have two.
fn words(key: &str) -> impl Iterator<Item = String> {
    let mut spaced = String::with_capacity(key.len() + 4);
    let mut before = ' ';
    for character in key.chars() {
        if character.is_uppercase() && before.is_lowercase() {
            spaced.push(' ');
        }
        spaced.push(if character.is_alphanumeric() {
            character
        } else {
            ' '
        });
        before = character;
    }
    let words: Vec<_> = spaced.split_whitespace().map(str::to_lowercase).collect();
    words.into_iter()
}

fn has_password(text: &str) -> bool {
    text.contains("://") && Url::parse(text).is_ok_and(|url| url.password().is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_struck_out_and_pointed_at() {
        let (told, redacted) = redact(&json!({
            "settle": "5s",
            "api_token": "t",
            "nested": [{"accessKey": {"id": 1}, "a/b": "http://me:pw@host/"}],
            "url": "http://host/?x=1",
        }));
        assert_eq!(
            told,
            json!({
                "settle": "5s",
                "api_token": "[redacted]",
                "nested": [{"accessKey": "[redacted]", "a/b": "[redacted]"}],
                "url": "http://host/?x=1",
            })
        );
        assert_eq!(
            redacted,
            ["/api_token", "/nested/0/a~1b", "/nested/0/accessKey"]
        );
    }

    #[test]
    fn names_of_secrets_are_told_from_others() {
        for secret in [
            "password",
            "DB_PASSWD",
            "secret",
            "clientSecret",
            "token",
            "key",
            "access-key",
            "API_KEY",
            "api key",
            "apikey",
            "privateKey",
            "credentials",
            "auth",
            "pwd",
        ] {
            assert!(is_telling(secret), "{secret}");
        }
        for other in [
            "settle",
            "grace",
            "keyboard",
            "monkey",
            "author",
            "compass",
            "max_absences",
        ] {
            assert!(!is_telling(other), "{other}");
        }
    }
}
