use std::fmt;
use std::sync::Arc;

use object_store::ObjectStoreScheme;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::redact::public_url;

/// Which store it is, as stable text: `s3://bucket/prefix?endpoint=http://127.0.0.1:9000`. Never holds credentials. The
/// ledger keeps what it knows per store under this name.
///
/// It has two parts. The *name* says what the store is: its kind, the bucket or container with its account, the prefix.
/// The *address* says where it is reached, if that is not the provider's own service. Spellings that mean the same give
/// the same identity: other URL forms, a trailing `/`, a default port, upper case in a host, `localhost` for `127.0.0.1`,
/// a bucket that is part of the endpoint's host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoreId(Arc<str>);

/// Start of the address.
const ENDPOINT: &str = "?endpoint=";

impl StoreId {
    /// The store of this name; for stores that an embedder brings.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The identity without its address.
    pub fn name(&self) -> &str {
        match self.0.split_once(ENDPOINT) {
            Some((name, _)) => name,
            None => &self.0,
        }
    }

    /// The store at `url`, with the options (name, value) that say where it is: `endpoint`, `s3-endpoint`, `account`.
    pub(super) fn of(url: &Url, options: &[(&str, String)]) -> Self {
        let option = |wanted: &str| {
            let found = options.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| value.as_str())
        };
        let Some(place) = Place::of(url) else {
            return Self(public_url(url.as_str()).trim_end_matches('/').into());
        };
        let mut text = match place.account.as_deref().or(option("account")) {
            Some(account) if place.kind == "az" => {
                let account = account.to_ascii_lowercase();
                format!("az://{}@{account}", place.bucket)
            }
            _ => format!("{}://{}", place.kind, place.bucket),
        };
        if !place.prefix.is_empty() {
            text.push('/');
            text.push_str(&place.prefix);
        }
        let endpoint = option("s3-endpoint")
            .or(option("endpoint"))
            .or(place.endpoint.as_deref());
        if let Some(address) = endpoint.and_then(|endpoint| address(endpoint, &place.bucket)) {
            text.push_str(ENDPOINT);
            text.push_str(&address);
        }
        Self(text.into())
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a URL says about a cloud store.
struct Place {
    kind: &'static str,
    bucket: String,
    account: Option<String>,
    prefix: String,
    endpoint: Option<String>,
}

impl Place {
    fn of(url: &Url) -> Option<Self> {
        let (scheme, prefix) = ObjectStoreScheme::parse(url).ok()?;
        let kind = match scheme {
            ObjectStoreScheme::AmazonS3 => "s3",
            ObjectStoreScheme::GoogleCloudStorage => "gs",
            ObjectStoreScheme::MicrosoftAzure => "az",
            _ => return None,
        };
        let host = url.host_str()?;
        let (label, _) = host.split_once('.').unwrap_or((host, ""));
        let first = || url.path_segments()?.next().map(str::to_owned);
        let (bucket, account, endpoint) = match (kind, url.scheme()) {
            ("s3", "https") if host.ends_with(".amazonaws.com") && !host.starts_with("s3") => {
                (label.to_owned(), None, None)
            }
            ("s3", "https") => (first()?, None, Some(format!("https://{host}"))),
            ("az", "https") => (first()?, Some(label.to_owned()), None),
            ("az", _) if !url.username().is_empty() => {
                (url.username().to_owned(), Some(label.to_owned()), None)
            }
            _ => (host.to_owned(), None, None),
        };
        Some(Self {
            kind,
            bucket,
            account,
            prefix: prefix.to_string(),
            endpoint,
        })
    }
}

/// An endpoint in one spelling; `None` for the providers' own services, which are where a bucket's name leads anyway.
fn address(endpoint: &str, bucket: &str) -> Option<String> {
    /// Each provider's hosts end so. The names of their buckets or accounts are unique.
    const PROVIDERS: [&str; 4] = [
        ".amazonaws.com",
        ".googleapis.com",
        ".blob.core.windows.net",
        ".dfs.core.windows.net",
    ];
    let endpoint = endpoint.trim();
    let Ok(mut url) = Url::parse(&public_url(endpoint)) else {
        return Some(public_url(endpoint).trim_end_matches('/').to_owned());
    };
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name.trim_end_matches('.') == "localhost",
        Some(Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    };
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    if PROVIDERS.iter().any(|provider| host.ends_with(provider)) {
        return None;
    }
    let host = match host
        .strip_prefix(bucket)
        .and_then(|rest| rest.strip_prefix('.'))
    {
        _ if loopback => "127.0.0.1".to_owned(),
        Some(rest) => rest.to_owned(),
        None => host.to_owned(),
    };
    // Fails on a URL without a host, which stays as it is.
    let _ = url.set_host(Some(&host));
    let text = String::from(url);
    Some(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(url: &str, options: &[(&str, &str)]) -> String {
        let options: Vec<_> = options
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        StoreId::of(&Url::parse(url).unwrap(), &options)
            .as_str()
            .to_owned()
    }

    #[test]
    fn spellings_that_mean_one_store_give_one_identity() {
        let minio = "s3://bkt/pre?endpoint=http://127.0.0.1:9000";
        for url in ["s3://bkt/pre", "s3://bkt/pre/", "s3a://bkt/pre"] {
            for endpoint in [
                "http://127.0.0.1:9000",
                "http://127.0.0.1:9000/",
                "HTTP://LOCALHOST:9000",
                "http://localhost.:9000",
                "http://[::1]:9000",
                "http://me:secret@127.0.0.1:9000/?x=1",
            ] {
                assert_eq!(
                    id(url, &[("endpoint", endpoint)]),
                    minio,
                    "{url} {endpoint}"
                );
            }
        }
        let named = "s3://bkt?endpoint=https://minio.example";
        for endpoint in [
            "https://minio.example",
            "https://Minio.Example:443/",
            "https://bkt.minio.example",
        ] {
            assert_eq!(
                id("s3://bkt", &[("endpoint", endpoint)]),
                named,
                "{endpoint}"
            );
        }
        for (url, options) in [
            ("s3://bkt", vec![]),
            (
                "s3://bkt",
                vec![("endpoint", "https://s3.eu-west-1.amazonaws.com")],
            ),
            (
                "s3://bkt",
                vec![("endpoint", "https://bkt.s3.amazonaws.com/")],
            ),
            ("https://s3.eu-west-1.amazonaws.com/bkt", vec![]),
            ("https://bkt.s3.eu-west-1.amazonaws.com", vec![]),
        ] {
            assert_eq!(id(url, &options), "s3://bkt", "{url} {options:?}");
        }
        let r2 = "https://acc.r2.cloudflarestorage.com";
        assert_eq!(
            id(&format!("{r2}/bkt"), &[]),
            id("s3://bkt", &[("endpoint", r2)])
        );
        for (url, options) in [
            ("az://logs/p", vec![("account", "Acc")]),
            (
                "abfss://logs@acc.dfs.core.windows.net/p",
                vec![("account", "acc")],
            ),
            (
                "https://acc.blob.core.windows.net/logs/p",
                vec![("account", "acc")],
            ),
            (
                "azure://logs/p",
                vec![
                    ("account", "acc"),
                    ("endpoint", "https://acc.blob.core.windows.net/"),
                ],
            ),
        ] {
            assert_eq!(id(url, &options), "az://logs@acc/p", "{url} {options:?}");
        }
        assert_eq!(
            id("gs://b/p/", &[]),
            id(
                "gs://b/p",
                &[("endpoint", "https://storage.googleapis.com")]
            )
        );
    }

    #[test]
    fn stores_that_differ_have_identities_that_differ() {
        let stores = [
            id("s3://bkt", &[]),
            id("s3://other", &[]),
            id("s3://bkt/prefix", &[]),
            id("gs://bkt", &[]),
            id("s3://bkt", &[("endpoint", "http://127.0.0.1:9000")]),
            id("s3://bkt", &[("endpoint", "http://127.0.0.1:9001")]),
            id("s3://bkt", &[("endpoint", "https://127.0.0.1:9000")]),
            id("s3://bkt", &[("endpoint", "https://minio.example")]),
            id("s3://bkt", &[("endpoint", "https://minio.example/path")]),
            id("az://bkt", &[("account", "one")]),
            id("az://bkt", &[("account", "two")]),
            id("file:///bkt/", &[]),
        ];
        let mut distinct = stores.to_vec();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), stores.len(), "{stores:?}");
    }

    #[test]
    fn the_name_is_the_identity_without_its_address() {
        let store = StoreId::new(id("s3://bkt/p", &[("endpoint", "http://127.0.0.1:9000")]));
        assert_eq!(store.name(), "s3://bkt/p");
        assert_eq!(StoreId::new("file:///data").name(), "file:///data");
    }
}
