use std::fmt;
use std::sync::Arc;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

/// The proxies that a client uses.
#[derive(Clone)]
pub(crate) struct Proxies {
    matcher: Arc<Matcher>,
    settings: Settings,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Settings {
    Environment,
    /// The keys of the configuration for the proxy and for hosts that are reached without it.
    Configured {
        proxy: String,
        excludes: String,
    },
}

/// The proxy that a request went through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proxy {
    /// Its host and port.
    pub(crate) host: String,
    /// Whether it is spoken to over TLS.
    pub(crate) speaks_tls: bool,
    /// Whether it is asked for a tunnel to the host, as for all addresses that begin with `https:`.
    pub(crate) tunnels: bool,
    /// What names it: a variable or a key.
    pub(crate) setting: String,
    /// What lists hosts that are reached without it.
    pub(crate) excludes: String,
}

impl Proxies {
    /// The proxies of the environment, as reqwest reads it.
    pub(crate) fn of_environment() -> Self {
        Self {
            matcher: Arc::new(Matcher::from_system()),
            settings: Settings::Environment,
        }
    }

    /// A proxy that the configuration names. The environment's are then not used. `keys` are the names of both
    /// settings.
    pub(crate) fn configured(url: &str, excludes: Option<&str>, keys: [String; 2]) -> Self {
        let matcher = Matcher::builder()
            .all(url.to_owned())
            .no(excludes.unwrap_or_default().to_owned());
        let [proxy, excludes] = keys;
        Self {
            matcher: Arc::new(matcher.build()),
            settings: Settings::Configured { proxy, excludes },
        }
    }

    /// The proxy for an address.
    pub(crate) fn of(&self, uri: &Uri) -> Option<Proxy> {
        let intercept = self.matcher.intercept(uri)?;
        let authority = intercept.uri().authority()?.as_str();
        // Name and password are no part of an address that may be shown.
        let host = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        let (setting, excludes) = match &self.settings {
            Settings::Environment => (variable_for(uri), "NO_PROXY".to_owned()),
            Settings::Configured { proxy, excludes } => (proxy.clone(), excludes.clone()),
        };
        Some(Proxy {
            host: host.to_owned(),
            speaks_tls: intercept.uri().scheme_str() == Some("https"),
            tunnels: uri.scheme_str() == Some("https"),
            setting,
            excludes,
        })
    }
}

impl fmt::Debug for Proxies {
    /// Leaves the addresses out: they may hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {} (set by {})", self.host, self.setting)
    }
}

/// The variable that names the proxy, in the order in which they are read.
fn variable_for(uri: &Uri) -> String {
    let own = match uri.scheme_str() {
        Some("https") => ["HTTPS_PROXY", "https_proxy"],
        _ => ["HTTP_PROXY", "http_proxy"],
    };
    let set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let mut names = own.into_iter().chain(["ALL_PROXY", "all_proxy"]);
    names.find(set).unwrap_or("the environment").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configured_proxy_is_named_by_its_key_and_without_its_password() {
        let keys = ["`p`", "`x`"].map(str::to_owned);
        let proxies = Proxies::configured(
            "http://me:pw@proxy.example.com:3128",
            Some("inside.example.com"),
            keys,
        );
        let proxy = proxies.of(&"https://s3.example.com/a".parse().unwrap());
        let text = proxy.unwrap().to_string();
        assert_eq!(text, "the proxy proxy.example.com:3128 (set by `p`)");
        let inside = "https://inside.example.com/a".parse().unwrap();
        assert_eq!(proxies.of(&inside), None);
        assert!(!format!("{proxies:?}").contains("pw"));
    }
}
