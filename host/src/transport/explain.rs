use super::cause::{Cause, Leg};
use super::proxy::Proxy;

/// What to do about failures, in the terms of the configuration that led to them.
#[derive(Clone, Debug)]
pub(crate) struct Remedies<'a> {
    /// What names the host.
    pub(crate) address: &'a str,
    /// How to speak plain HTTP with the host.
    pub(crate) without_tls: &'a str,
    /// How to speak TLS with the host.
    pub(crate) with_tls: &'a str,
    /// What names further CA certificates.
    pub(crate) ca_file: &'a str,
    /// The proxy that the request went through.
    pub(crate) proxy: Option<&'a Proxy>,
    /// Whether the request was sent without TLS.
    pub(crate) is_plain: bool,
}

/// Why a request to `host` brought no answer, and what to do about it. `leg` is where it failed if there is a proxy.
pub(crate) fn explain(cause: &Cause, leg: Leg, host: &str, remedies: &Remedies<'_>) -> String {
    let Remedies {
        address,
        without_tls,
        with_tls,
        ca_file,
        proxy,
        ..
    } = remedies;
    if let Some(proxy) = proxy
        && let Some(text) = of_proxy(cause, leg, host, proxy, ca_file)
    {
        return text;
    }
    if cause.is_of_tls() && remedies.is_plain {
        // Nothing but a redirect leads from plain HTTP to TLS.
        let text = match cause {
            Cause::NotTls => "does not speak TLS".to_owned(),
            cause => format!("can't be used over TLS ({})", describe_tls(cause)),
        };
        return format!(
            "{host} redirects to an address that begins with `https://` and {text}: write the address that it redirects \
             to in {address}, or correct the redirect there"
        );
    }
    match cause {
        Cause::PlainForbidden => {
            format!("plain HTTP to {host} is not allowed: {without_tls}, or {with_tls}")
        }
        Cause::UnknownHost(text) => {
            format!("unknown host {host} ({text}): check {address} and this machine's name servers")
        }
        Cause::NotTls => format!("{host} does not speak TLS: {without_tls}, or check the port"),
        Cause::NotHttp => {
            format!(
                "{host} does not answer in HTTP; if it speaks TLS, {with_tls}, else check the port"
            )
        }
        Cause::UntrustedIssuer => format!(
            "the certificate of {host} is issued by an authority that is not trusted here: name the authority's \
             certificate in {ca_file}"
        ),
        Cause::OwnAuthority => format!(
            "the certificate of {host} is one of an authority (CA:TRUE), which is not accepted from a server, trusted or \
             not: issue another one to the server, with CA:FALSE, and name the certificate of its issuer in {ca_file}"
        ),
        Cause::OtherName(names) if names.is_empty() => format!(
            "the certificate of {host} names no host: have it reissued with the name in {address} as a subject \
             alternative name"
        ),
        Cause::OtherName(names) => {
            let names = names.join(", ");
            format!(
                "the certificate of {host} is for {names}: write that name in {address}, or have the certificate \
                 reissued"
            )
        }
        Cause::Expired => format!(
            "the certificate of {host} has expired: renew it there, unless this machine's clock is wrong"
        ),
        Cause::NotValidYet => format!(
            "the certificate of {host} is not valid yet: check this machine's clock, then the certificate"
        ),
        Cause::Tls(text) => format!("no TLS connection to {host}: {text}"),
        Cause::ProxyLogin => {
            format!("a proxy in front of {host} wants credentials (407)")
        }
        Cause::ProxyRefused | Cause::ProxyClosed => {
            format!("a proxy does not connect to {host}")
        }
        Cause::Redirects => format!(
            "{host} redirects again and again: check {address}, and the redirects of what answers there"
        ),
        Cause::Other(text) if remedies.is_plain && is_cut(text) => format!(
            "the connection to {host} broke ({text}): check {address}; if the server speaks TLS, {with_tls}"
        ),
        Cause::Other(text) => {
            format!("no connection to {host} ({text}): check that it runs, and {address}")
        }
    }
}

/// Whether a connection was cut after it was made, as servers do that expect TLS.
fn is_cut(text: &str) -> bool {
    [
        "reset by peer",
        "closed before",
        "end of file",
        "Broken pipe",
    ]
    .iter()
    .any(|words| text.contains(words))
}

/// What to say about a failure of, or beyond, a proxy. `None` if it is the host's.
fn of_proxy(cause: &Cause, leg: Leg, host: &str, proxy: &Proxy, ca_file: &str) -> Option<String> {
    let Proxy {
        setting, excludes, ..
    } = proxy;
    let to_proxy = leg == Leg::ToProxy;
    Some(match cause {
        Cause::ProxyLogin => format!(
            "{proxy} wants credentials (407): write {setting} as http://NAME:PASSWORD@HOST:PORT"
        ),
        Cause::ProxyRefused => format!(
            "{proxy} answers, and refuses or fails to connect to {host}: allow the host there and check that the proxy \
             reaches it, or list the host in {excludes}"
        ),
        Cause::ProxyClosed => format!(
            "{proxy} closes the connection instead of connecting to {host}: check that it is an HTTP proxy, and \
             {setting}, or list the host in {excludes}"
        ),
        Cause::UnknownHost(text) | Cause::Other(text) if to_proxy => match text.as_str() {
            text if text.starts_with("unsupported scheme") => format!(
                "{proxy} can't be used ({text}): write an address that begins with `http://` or `https://` in {setting}"
            ),
            text => format!(
                "no connection to {host}: {proxy} can't be reached ({text}): start it, correct {setting}, or list the \
                 host in {excludes}"
            ),
        },
        Cause::Other(text) => format!(
            "{proxy} connected to {host}, and the connection broke ({text}): check that the host runs and that the proxy \
             lets TLS through, or list the host in {excludes}"
        ),
        Cause::NotHttp if to_proxy => {
            format!("{proxy} does not answer in HTTP: check host and port in {setting}")
        }
        Cause::NotTls if to_proxy => {
            format!("{proxy} does not speak TLS: write `http://` in {setting}, or check the port")
        }
        cause if to_proxy && cause.is_of_tls() => format!(
            "no connection to {host}: {proxy} can't be used over TLS ({}): correct its certificate, name its issuer in \
             {ca_file}, or write `http://` in {setting}",
            describe_tls(cause)
        ),
        _ => return None,
    })
}

/// What is wrong in a TLS handshake, without its host.
fn describe_tls(cause: &Cause) -> String {
    match cause {
        Cause::UntrustedIssuer => "its certificate's issuer is not trusted here".to_owned(),
        Cause::OwnAuthority => "its certificate is one of an authority".to_owned(),
        Cause::OtherName(names) if names.is_empty() => "its certificate names no host".to_owned(),
        Cause::OtherName(names) => format!("its certificate is for {}", names.join(", ")),
        Cause::Expired => "its certificate has expired".to_owned(),
        Cause::NotValidYet => "its certificate is not valid yet".to_owned(),
        Cause::Tls(text) => text.clone(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(cause: &Cause, is_plain: bool) -> String {
        let remedies = Remedies {
            address: "`endpoint`",
            without_tls: "write `http://`",
            with_tls: "write `https://`",
            ca_file: "`ca_file`",
            proxy: None,
            is_plain,
        };
        explain(cause, Leg::ToHost, "store.test", &remedies)
    }

    #[test]
    fn a_certificate_without_names_of_hosts_says_so() {
        let told = told(&Cause::OtherName(Vec::new()), false);
        assert!(told.contains("names no host"), "{told}");
        assert!(told.contains("subject alternative name"), "{told}");
    }

    #[test]
    fn a_connection_that_is_cut_mentions_tls_over_plain_http_alone() {
        let cut = Cause::Other("Connection reset by peer (os error 104)".to_owned());
        assert!(told(&cut, true).contains("if the server speaks TLS, write `https://`"));
        assert!(!told(&cut, false).contains("TLS"));
        let refused = Cause::Other("Connection refused (os error 111)".to_owned());
        assert!(!told(&refused, true).contains("TLS"));
    }
}
