//! How registries are talked to, and where what was pulled is kept.

use std::path::PathBuf;
use std::time::Duration;

use url::{Host, Url};

/// How registries are talked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrySettings {
    /// Whether a tag without a digest may name a component.
    pub allow_tags: bool,
    /// Hosts that are spoken to without TLS, each with its port where it has one. This machine's own need no mention.
    pub plain_http: Vec<String>,
    /// A PEM file of CA certificates that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Hosts that a registry may send us to for its blobs.
    pub redirects: Vec<String>,
    /// Where pulled components are kept. `None` is `tidegate/components` in the user's cache.
    pub cache: Option<PathBuf>,
    /// Bytes that are kept there; those that were not used for the longest time go first.
    pub cache_max: u64,
    /// How long one request may take, its body included.
    pub timeout: Duration,
}

impl RegistrySettings {
    /// What [`cache_max`](Self::cache_max) is unless said otherwise.
    pub const CACHE_MAX: u64 = 1 << 30;
    /// What [`timeout`](Self::timeout) is unless said otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(120);

    /// Whether this host may be spoken to without TLS.
    pub(super) fn is_plain(&self, url: &Url) -> bool {
        is_loopback(url) || names(&self.plain_http, url)
    }

    /// Whether a registry may send us to this host.
    pub(super) fn is_allowed(&self, url: &Url) -> bool {
        names(&self.redirects, url)
    }
}

impl Default for RegistrySettings {
    fn default() -> Self {
        Self {
            allow_tags: false,
            plain_http: Vec::new(),
            ca_file: None,
            redirects: Vec::new(),
            cache: None,
            cache_max: Self::CACHE_MAX,
            timeout: Self::TIMEOUT,
        }
    }
}

/// The host, with its port where that is not the scheme's own.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Whether the host is this machine, so that nothing said to it can be overheard.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn names(hosts: &[String], url: &Url) -> bool {
    let authority = authority(url);
    hosts
        .iter()
        .any(|host| host.eq_ignore_ascii_case(&authority))
}
