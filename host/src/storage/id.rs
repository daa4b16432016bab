use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use url::Url;

use super::redact::public_url;

/// Which store it is, as stable text: scheme, bucket or container, prefix, and the endpoint or account where one is
/// configured. Never holds credentials. The ledger keeps what it knows per store under this name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoreId(Arc<str>);

impl StoreId {
    /// The store of this name; for stores that an embedder brings.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The store at `url`, told apart from stores of the same URL elsewhere by `parts` (name, value).
    pub(super) fn of(url: &Url, parts: &[(&str, String)]) -> Self {
        let mut text = public_url(url.as_str()).trim_end_matches('/').to_owned();
        for (index, (name, value)) in parts.iter().enumerate() {
            text.push(if index == 0 { '?' } else { '&' });
            text.push_str(name);
            text.push('=');
            text.push_str(public_url(value).trim_end_matches('/'));
        }
        Self(text.into())
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
