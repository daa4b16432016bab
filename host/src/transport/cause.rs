use std::error::Error as StdError;
use std::io;

use rustls::CertificateError;

use super::proxy::Proxy;

/// Why no answer came over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The address is plain HTTP, and the client may only speak TLS.
    PlainForbidden,
    /// The host name has no address.
    UnknownHost(String),
    /// The server answered a TLS handshake with something else.
    NotTls,
    /// The server answered plain HTTP with something else.
    NotHttp,
    /// The certificate's issuer is not trusted.
    UntrustedIssuer,
    /// The certificate is an authority's own, which rustls takes from no server.
    OwnAuthority,
    /// The certificate is for these names of hosts, or for none.
    OtherName(Vec<String>),
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet.
    NotValidYet,
    /// Another failure of TLS.
    Tls(String),
    /// The proxy wants credentials.
    ProxyLogin,
    /// The proxy answered, and did not connect to the host.
    ProxyRefused,
    /// The proxy closed the connection instead of answering.
    ProxyClosed,
    /// Redirects lead to redirects.
    Redirects,
    /// Anything else.
    Other(String),
}

impl Cause {
    /// Finds the cause in an error of reqwest's and in that error's own causes.
    pub(crate) fn of(error: &(dyn StdError + 'static)) -> Self {
        for cause in causes(error) {
            if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
                return Self::of_tls(tls);
            }
            // The types of these three are private to reqwest and hyper.
            match cause.to_string().as_str() {
                "URL scheme is not allowed" => return Cause::PlainForbidden,
                "dns error" => return Cause::UnknownHost(innermost(error)),
                "tunnel error: proxy authorization required" => return Cause::ProxyLogin,
                "tunnel error: unsuccessful" | "tunnel error: proxy response headers too long" => {
                    return Cause::ProxyRefused;
                }
                "tunnel error: unexpected end of file"
                | "tunnel error: io error establishing tunnel" => return Cause::ProxyClosed,
                "too many redirects" => return Cause::Redirects,
                text if text.starts_with("invalid HTTP version")
                    || text == "received unexpected message from connection" =>
                {
                    return Cause::NotHttp;
                }
                _ => {}
            }
        }
        Cause::Other(innermost(error))
    }

    /// The same cause with each text that others wrote put through `text`.
    pub(crate) fn map(self, text: impl Fn(&str) -> String) -> Self {
        match self {
            Cause::UnknownHost(said) => Cause::UnknownHost(text(&said)),
            Cause::OtherName(names) => {
                Cause::OtherName(names.iter().map(|name| text(name)).collect())
            }
            Cause::Tls(said) => Cause::Tls(text(&said)),
            Cause::Other(said) => Cause::Other(text(&said)),
            other => other,
        }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        let certificate = match error {
            rustls::Error::InvalidMessage(_) => return Cause::NotTls,
            rustls::Error::InvalidCertificate(certificate) => certificate,
            other => return Cause::Tls(other.to_string()),
        };
        match certificate {
            // The signature is not the one of the trusted issuer of this name: an authority with a new key, usually.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Cause::UntrustedIssuer
            }
            CertificateError::NotValidForName => Cause::OtherName(vec!["other names".to_owned()]),
            CertificateError::NotValidForNameContext { presented, .. } => Cause::OtherName(
                presented
                    .iter()
                    .filter(|name| OF_HOSTS.iter().any(|kind| name.starts_with(kind)))
                    .map(|name| bare(name).to_owned())
                    .collect(),
            ),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Cause::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Cause::NotValidYet
            }
            // Webpki's type is private to rustls.
            CertificateError::Other(_) if error.to_string().contains("CaUsedAsEndEntity") => {
                Cause::OwnAuthority
            }
            other => Cause::Tls(rustls::Error::InvalidCertificate(other.clone()).to_string()),
        }
    }

    /// Whether a TLS handshake failed.
    pub(super) fn is_of_tls(&self) -> bool {
        matches!(
            self,
            Cause::NotTls
                | Cause::UntrustedIssuer
                | Cause::OwnAuthority
                | Cause::OtherName(_)
                | Cause::Expired
                | Cause::NotValidYet
                | Cause::Tls(_)
        )
    }
}

/// Where a connection failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leg {
    /// On the way to the proxy.
    ToProxy,
    /// With the host, or on the way to it.
    ToHost,
}

impl Leg {
    /// Finds out where a request failed that went, or was to go, through a proxy.
    pub(crate) fn of(error: &(dyn StdError + 'static), proxy: &Proxy) -> Self {
        // Only requests for `https:` get a tunnel. All others are sent to the proxy itself. What hyper says when it
        // can't reach the end where a tunnel begins, of a type that is private to it.
        let fails_before = || {
            causes(error).any(|cause| {
                let text = cause.to_string();
                text == "tunnel error: failed to create underlying connection"
                    || text.starts_with("unsupported scheme")
            })
        };
        match !proxy.tunnels || fails_before() {
            true => Leg::ToProxy,
            false => Leg::ToHost,
        }
    }
}

/// What the names of hosts begin with as webpki presents them. A subject's own name, in DER, is none.
const OF_HOSTS: [&str; 2] = ["DnsName(", "IpAddress("];

/// A name as webpki presents it, `DnsName("x")`, without what is around it.
fn bare(name: &str) -> &str {
    match name.split_once('(') {
        Some((_, rest)) => rest.trim_end_matches(')').trim_matches('"'),
        None => name,
    }
}

/// An error and its causes, itself first. What an `io::Error` wraps counts too, which its `source` leaves out.
pub(crate) fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next: Option<&'a (dyn StdError + 'static)> = Some(error);
    std::iter::from_fn(move || {
        let cause = next?;
        let wrapped = cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => cause.source(),
        };
        Some(cause)
    })
}

/// The text of the innermost cause.
pub(crate) fn innermost(error: &(dyn StdError + 'static)) -> String {
    causes(error)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls(error: rustls::Error) -> Cause {
        let wrapped = io::Error::new(io::ErrorKind::InvalidData, error);
        Cause::of(&io::Error::other(wrapped))
    }

    #[test]
    fn failures_of_tls_are_told_apart_below_input_and_output_errors() {
        let certificate = rustls::Error::InvalidCertificate;
        assert_eq!(
            tls(certificate(CertificateError::UnknownIssuer)),
            Cause::UntrustedIssuer
        );
        assert_eq!(tls(certificate(CertificateError::Expired)), Cause::Expired);
        assert_eq!(
            tls(rustls::InvalidMessage::InvalidContentType.into()),
            Cause::NotTls
        );
        let alert = rustls::AlertDescription::HandshakeFailure;
        assert!(matches!(
            tls(rustls::Error::AlertReceived(alert)),
            Cause::Tls(_)
        ));
    }

    #[test]
    fn names_of_a_certificate_are_bare() {
        assert_eq!(bare("DnsName(\"other.example.com\")"), "other.example.com");
        assert_eq!(bare("IpAddress(127.0.0.1)"), "127.0.0.1");
        assert_eq!(bare("other.example.com"), "other.example.com");
    }

    #[test]
    fn only_names_of_hosts_count_as_names_of_a_certificate() {
        let presented = ["DnsName(\"a.test\")", "DirectoryName(0x01)", "0x01"];
        let error = CertificateError::NotValidForNameContext {
            expected: rustls::pki_types::ServerName::try_from("b.test").unwrap(),
            presented: presented.map(str::to_owned).to_vec(),
        };
        assert_eq!(
            tls(rustls::Error::InvalidCertificate(error)),
            Cause::OtherName(vec!["a.test".to_owned()])
        );
    }

    #[test]
    fn other_causes_are_the_innermost_text() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(
            Cause::of(&io::Error::other(refused)),
            Cause::Other("connection refused".to_owned())
        );
    }
}
