use std::fmt;

use url::Url;

/// What stands in the place of a secret.
pub(super) const REDACTED: &str = "[redacted]";

/// The longest message about a failure, in bytes.
pub(super) const MAX_MESSAGE_BYTES: usize = 1024;

/// The secrets of one store, to be struck from what servers and libraries wrote, and only from that.
#[derive(Clone, Default)]
pub(super) struct Redactor {
    secrets: Vec<String>,
}

impl Redactor {
    pub(super) fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut secrets: Vec<String> = secrets.into_iter().filter(|s| !s.is_empty()).collect();
        // A secret that contains another must go first, or its remainder would be left standing.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { secrets }
    }

    /// The text without this store's secrets.
    pub(super) fn strike(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| {
            text.replace(secret.as_str(), REDACTED)
        })
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} secrets)", self.secrets.len())
    }
}

/// The text as one line of at most [`MAX_MESSAGE_BYTES`]: runs of white space and control characters become one space.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(MAX_MESSAGE_BYTES));
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    for word in words.filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > MAX_MESSAGE_BYTES {
            break;
        }
    }
    if line.len() > MAX_MESSAGE_BYTES {
        const ELLIPSIS: char = '…';
        line.truncate(line.floor_char_boundary(MAX_MESSAGE_BYTES - ELLIPSIS.len_utf8()));
        line.push(ELLIPSIS);
    }
    line
}

/// The URL without password, query and fragment, which is where people put credentials.
pub(super) fn public_url(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else {
        return if text.contains(['@', '?']) {
            REDACTED.to_owned()
        } else {
            text.to_owned()
        };
    };
    if url.password().is_some() {
        // A user's name may stay only where it is no credential: Azure writes the container there. Both setters fail
        // for URLs that can't hold such parts, and those have none.
        let _ = url.set_password(None);
        let _ = url.set_username("");
    }
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_secrets_go_first() {
        let redactor = Redactor::new(["AK".into(), "AKSK".into(), String::new()]);
        assert_eq!(redactor.strike("AKSK AK x"), "[redacted] [redacted] x");
    }

    #[test]
    fn messages_are_one_bounded_line() {
        assert_eq!(one_line(" a\r\n\tb\u{0} c "), "a b c");
        let long = one_line(&"ü".repeat(5_000));
        assert!(long.len() <= MAX_MESSAGE_BYTES && long.ends_with('…'));
    }

    #[test]
    fn public_urls_keep_the_azure_container() {
        assert_eq!(
            public_url("abfss://logs@acc.dfs.core.windows.net/p?sig=1"),
            "abfss://logs@acc.dfs.core.windows.net/p"
        );
        assert_eq!(public_url("http://me:pw@host/"), "http://host/");
        assert_eq!(public_url("not a url?sig=1"), REDACTED);
    }
}
