use super::cause::Cause;
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
}

/// Why a request to `host` brought no answer, and what to do about it.
pub(crate) fn explain(cause: &Cause, host: &str, remedies: &Remedies<'_>) -> String {
    let Remedies {
        address,
        without_tls,
        with_tls,
        ca_file,
        proxy,
    } = remedies;
    if let Some(proxy) = proxy
        && cause.is_of_the_network()
    {
        let (
            Proxy {
                setting, excludes, ..
            },
            text,
        ) = (proxy, text_of(cause));
        return format!(
            "no connection to {host}: {proxy} can't be reached ({text}): start it, correct {setting}, or list the host \
             in {excludes}"
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
        Cause::OtherName(names) => {
            let names = match names.as_slice() {
                [] => "other names".to_owned(),
                names => names.join(", "),
            };
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
        Cause::ProxyLogin => match proxy {
            Some(proxy) => format!(
                "{proxy} wants credentials (407): write {} as http://NAME:PASSWORD@HOST:PORT",
                proxy.setting
            ),
            None => format!("a proxy in front of {host} wants credentials (407)"),
        },
        Cause::ProxyRefused => match proxy {
            Some(proxy) => format!(
                "{proxy} refuses to connect to {host}: allow the host there, or list it in {}",
                proxy.excludes
            ),
            None => format!("a proxy refuses to connect to {host}"),
        },
        Cause::Other(text) => {
            format!("no connection to {host} ({text}): check that it runs, and {address}")
        }
    }
}

fn text_of(cause: &Cause) -> &str {
    match cause {
        Cause::UnknownHost(text) | Cause::Other(text) | Cause::Tls(text) => text,
        _ => "",
    }
}
