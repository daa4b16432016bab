//! What the value of an option must look like.

use std::fs;
use std::io::Read as _;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use url::{Host, Url};

use crate::files::open_regular;
use crate::time::parse_duration;

/// The longest time that an option may give. Adding much more to the clock's time overflows.
const LONGEST: Duration = Duration::from_secs(86_400);

/// The sizes of an HTTP/2 frame that RFC 9113 (4.2) allows; the HTTP client panics on others.
const FRAME_SIZES: std::ops::RangeInclusive<u32> = 16_384..=16_777_215;

/// The length of an encryption key (AES-256), in bytes.
const ENCRYPTION_KEY: usize = 32;

/// The largest file of CA certificates that a variable may name, in bytes. Systems' own have about 250 KiB.
const MAX_CA_BUNDLE: u64 = 16 << 20;

/// What some editors write at the start of a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// What an option's value must look like, by what object_store does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// True or false.
    Switch,
    /// A switch that S3 also spells `requester`.
    RequestPayer,
    /// A length of time.
    Length,
    /// A whole number.
    Count,
    /// The size of an HTTP/2 frame.
    FrameSize,
    /// The address of a server, by HTTP or HTTPS.
    Url,
    /// The address of a proxy, which may hold a user and a password.
    ProxyUrl,
    /// As [`Kind::ProxyUrl`], from a variable that many programs read: the scheme may be left out.
    ProxyVariable,
    /// The hosts that are reached without a proxy. The client skips entries that it does not understand.
    ProxyExcludes,
    /// A host, with a port or without.
    Host,
    /// The path and query of an address that object_store knows the host of.
    RelativeUri,
    /// A part of a host name or a path: a bucket, a region, an account.
    Name,
    /// One of these words.
    Words(&'static [&'static str]),
    /// How S3 copies without overwriting.
    CopyIfNotExists,
    /// Text that is sent in a header.
    Header,
    /// An identifier that is sent in a header. It is not a secret, and nothing is gained by showing it.
    Identifier,
    /// A secret that is sent in a header.
    Token,
    /// A secret that is never sent, or sent encoded.
    Secret,
    /// Secret bytes in base64.
    Base64,
    /// 32 secret bytes in base64.
    EncryptionKey,
    /// The query string of a shared access signature.
    Sas,
    /// A JSON document that holds a secret; it may have several lines.
    Json,
    /// A certificate in PEM; it has several lines.
    Certificate,
    /// A file that object_store reads.
    File,
    /// A file of CA certificates.
    CaFile,
    /// Directories of CA certificates, separated by colons.
    CaDirs,
    /// A directory.
    Path,
}

/// Why a value can't be used: what follows the name of the option. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadValue(pub(super) String);

impl Kind {
    /// Whether a value of this kind may be shown.
    pub(super) fn is_public(self) -> bool {
        !matches!(
            self,
            Kind::ProxyUrl
                | Kind::ProxyVariable
                | Kind::ProxyExcludes
                | Kind::RelativeUri
                | Kind::Header
                | Kind::Identifier
                | Kind::Token
                | Kind::Secret
                | Kind::Base64
                | Kind::EncryptionKey
                | Kind::Sas
                | Kind::Json
                | Kind::Certificate
        )
    }

    /// Whether a value of this kind must not appear in any message.
    pub(super) fn is_secret(self) -> bool {
        matches!(
            self,
            Kind::Token
                | Kind::Secret
                | Kind::Base64
                | Kind::EncryptionKey
                | Kind::Sas
                | Kind::Json
        )
    }

    /// Whether the value is a path on this machine.
    pub(crate) fn is_path(self) -> bool {
        matches!(self, Kind::File | Kind::Path)
    }

    /// Checks a value.
    ///
    /// # Errors
    ///
    /// With this value object_store would panic, fail later, or do something else than what was meant.
    pub(crate) fn check(self, value: &str) -> Result<(), BadValue> {
        if value.trim().is_empty() {
            return bad("is empty: write a value, or leave the option out");
        }
        if let Some(variable) = unexpanded(value) {
            return bad(format!(
                "is `{variable}`, a variable that was not expanded: write its value"
            ));
        }
        not_text(value)?;
        if !matches!(self, Kind::Json | Kind::Certificate | Kind::ProxyExcludes) {
            one_line(value)?;
        }
        self.check_form(value)
    }

    fn check_form(self, value: &str) -> Result<(), BadValue> {
        match self {
            Kind::Switch => switch(value),
            Kind::RequestPayer if value.eq_ignore_ascii_case("requester") => Ok(()),
            Kind::RequestPayer => switch(value),
            Kind::Length => length(value),
            Kind::Count => match value.parse::<usize>() {
                Ok(_) => Ok(()),
                Err(_) => bad(format!("is `{value}`: write a whole number")),
            },
            Kind::FrameSize => match value.parse::<u32>() {
                Ok(size) if FRAME_SIZES.contains(&size) => Ok(()),
                _ => bad(format!(
                    "is `{value}`: write a number from {} to {}",
                    FRAME_SIZES.start(),
                    FRAME_SIZES.end()
                )),
            },
            Kind::Url => server(value),
            Kind::ProxyUrl => proxy(value),
            Kind::ProxyVariable if value.contains("://") => proxy(value),
            // The value may hold a password.
            Kind::ProxyVariable => match proxy(&format!("http://{value}")) {
                Ok(()) => Ok(()),
                Err(_) => bad("is not the address of a proxy, such as `http://127.0.0.1:3128`"),
            },
            Kind::ProxyExcludes => Ok(()),
            Kind::Host => match server(&format!("http://{value}")) {
                // With a scheme or a path, the part before it would be taken for the host.
                Ok(()) if !value.contains('/') => Ok(()),
                _ => bad(format!(
                    "is `{value}`, which is not a host such as `127.0.0.1:9000`"
                )),
            },
            Kind::RelativeUri => relative(value),
            Kind::Name => name(value),
            Kind::Words(words) => match words.contains(&value) {
                true => Ok(()),
                false => bad(format!("is `{value}`: write one of {}", words.join(", "))),
            },
            Kind::CopyIfNotExists => copy_if_not_exists(value),
            Kind::Header => printable(value, true),
            Kind::Identifier | Kind::Token => printable(value, false),
            Kind::Secret | Kind::Path => Ok(()),
            Kind::Base64 => base64(value).map(drop),
            Kind::EncryptionKey => match base64(value)?.len() {
                ENCRYPTION_KEY => Ok(()),
                length => bad(format!(
                    "has {length} bytes after base64 is decoded: write a key of {ENCRYPTION_KEY} bytes"
                )),
            },
            Kind::Sas => match object_store::azure::split_sas(value) {
                Ok(pairs) if !pairs.is_empty() => printable(value, false),
                _ => bad("is not a shared access signature, such as `sv=…&sig=…`"),
            },
            Kind::Json => match serde_json::from_str::<serde_json::Map<_, _>>(value) {
                Ok(_) => Ok(()),
                Err(error) => bad(format!(
                    "is not a JSON object (line {}, column {}): write the content of the key file",
                    error.line(),
                    error.column()
                )),
            },
            Kind::Certificate => match object_store::Certificate::from_pem_bundle(value.as_bytes())
            {
                Ok(certificates) if !certificates.is_empty() => Ok(()),
                _ => bad(
                    "is not a certificate in PEM, which begins with `-----BEGIN CERTIFICATE-----`",
                ),
            },
            Kind::File => file(value),
            Kind::CaFile => ca_file(value),
            Kind::CaDirs => ca_dirs(value),
        }
    }
}

pub(super) fn bad<T>(message: impl Into<String>) -> Result<T, BadValue> {
    Err(BadValue(message.into()))
}

/// The variable that the text consists of, as a shell or a template would write it.
pub(super) fn unexpanded(text: &str) -> Option<&str> {
    let inner = text
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'));
    let inner = inner
        .or_else(|| {
            text.strip_prefix("$(")
                .and_then(|rest| rest.strip_suffix(')'))
        })
        .or_else(|| {
            text.strip_prefix("{{")
                .and_then(|rest| rest.strip_suffix("}}"))
        })
        .or_else(|| text.strip_prefix('$').filter(|rest| is_upper_name(rest)));
    inner
        .map(str::trim)
        .filter(|name| !name.is_empty() && name.chars().all(is_name_character))
        .map(|_| text)
}

/// A secret may begin with `$`, so without braces only names in the style of variables count.
fn is_upper_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | ' ')
}

/// Refuses what is left of bytes that are not text, and the mark that some editors write before a text.
fn not_text(value: &str) -> Result<(), BadValue> {
    if value.contains(char::REPLACEMENT_CHARACTER) {
        return bad("is not UTF-8 text: replace the other bytes");
    }
    if value.starts_with(BYTE_ORDER_MARK) {
        return bad("begins with a byte order mark (U+FEFF): save it as UTF-8 without one");
    }
    Ok(())
}

/// Checks a value that is one line, without white space around it.
pub(super) fn one_line(value: &str) -> Result<(), BadValue> {
    if value.trim_end_matches(['\r', '\n']).contains(['\r', '\n']) {
        return bad("has several lines: write one");
    }
    if value.ends_with(['\r', '\n']) {
        return bad("ends with a line break: remove it");
    }
    if let Some(control) = value.chars().find(|c| c.is_control()) {
        return bad(format!(
            "holds the control character U+{:04X}: remove it",
            u32::from(control)
        ));
    }
    if value.trim() != value {
        return bad("has white space at its start or end: remove it");
    }
    Ok(())
}

/// As object_store reads switches.
fn switch(value: &str) -> Result<(), BadValue> {
    const WORDS: [&str; 10] = [
        "1", "true", "on", "yes", "y", "0", "false", "off", "no", "n",
    ];
    match WORDS.iter().any(|word| value.eq_ignore_ascii_case(word)) {
        true => Ok(()),
        false => bad(format!("is `{value}`: write `true` or `false`")),
    }
}

fn length(value: &str) -> Result<(), BadValue> {
    match parse_duration(value) {
        Ok(length) if length.is_zero() => bad("is zero: write more than 0s"),
        Ok(length) if length > LONGEST => bad(format!("is `{value}`: write at most 1d")),
        Ok(_) => Ok(()),
        Err(_) => bad(format!(
            "is `{value}`: write a length of time with its unit, such as `30s`"
        )),
    }
}

/// Checks an address that object_store puts before paths and signs requests to.
fn server(value: &str) -> Result<(), BadValue> {
    let (scheme, rest) = scheme_of(value)?;
    if rest.contains('@') {
        return bad("holds a user or a password: write credentials as options of their own");
    }
    if rest.contains(['?', '#']) {
        return bad("holds a query or a fragment: write only the address");
    }
    host_and_port(value, scheme)
}

fn proxy(value: &str) -> Result<(), BadValue> {
    let (scheme, _) = scheme_of(value)?;
    host_and_port(value, scheme).map_err(|bad| {
        // The value may hold a password.
        BadValue(bad.0.replace(value, "…"))
    })
}

/// The scheme of an address, which must be there, and what follows it.
fn scheme_of(value: &str) -> Result<(&str, &str), BadValue> {
    match value.split_once("://") {
        Some((scheme, rest))
            if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") =>
        {
            Ok((scheme, rest))
        }
        Some((scheme, _)) if is_word(scheme) => bad(format!(
            "begins with `{scheme}://`: write `http://` or `https://`"
        )),
        _ if value.contains('@') => bad("has no scheme: write `http://` or `https://` before it"),
        _ => match slip_in_scheme(value) {
            Some(meant) => bad(format!("is `{value}`: write `{meant}`")),
            None => bad(format!(
                "is `{value}`, which has no scheme: write `http://{value}` or `https://{value}`"
            )),
        },
    }
}

/// The address that was meant, if there are too few slashes behind its scheme.
fn slip_in_scheme(value: &str) -> Option<String> {
    let (scheme, rest) = value.split_once(':')?;
    let is_known = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let host = rest.trim_start_matches('/');
    (is_known && !host.is_empty()).then(|| format!("{scheme}://{host}"))
}

/// Checks that both parsers which object_store uses for addresses take this one, and read the same host from it.
fn host_and_port(value: &str, scheme: &str) -> Result<(), BadValue> {
    let url = match Url::parse(value) {
        Ok(url) => url,
        Err(error) => return bad(format!("is `{value}`, which is not an address: {error}")),
    };
    if url.port() == Some(0) {
        return bad(format!("is `{value}`: port 0 can't be connected to"));
    }
    let spelled = match url.host() {
        Some(Host::Domain(host)) if is_host_name(host) => host.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => format!("[{address}]"),
        _ => return bad(format!("is `{value}`, whose host name is not valid")),
    };
    let uri = value.parse::<http::Uri>();
    let read = uri.as_ref().ok().and_then(http::Uri::host);
    let same = read.is_some_and(|host| host.eq_ignore_ascii_case(&spelled));
    if !same || !uri.is_ok_and(|uri| uri.scheme_str() == Some(&scheme.to_ascii_lowercase())) {
        return bad(format!(
            "is `{value}`, which is not an address such as `http://127.0.0.1:9000`"
        ));
    }
    Ok(())
}

fn relative(value: &str) -> Result<(), BadValue> {
    match value.starts_with('/') && value.parse::<http::uri::PathAndQuery>().is_ok() {
        true => Ok(()),
        false => bad("is not the path of an address: write `/` and what follows"),
    }
}

/// Checks a name that becomes part of a host name, a path or a header.
pub(super) fn name(value: &str) -> Result<(), BadValue> {
    match value.chars().find(|c| !is_host_character(*c)) {
        // As a segment of a path it would lead elsewhere, and no label of a host name is empty.
        None if value.split('.').any(str::is_empty) => bad(format!(
            "is `{value}`: it must not begin or end with `.`, nor hold two in a row"
        )),
        None => Ok(()),
        Some(character) => bad(format!(
            "is `{}`: it may hold letters, digits, `-`, `_` and `.`, and not {character:?}",
            value.escape_debug()
        )),
    }
}

/// Whether no label of the host name is empty. The dot of the root may end it.
fn is_host_name(host: &str) -> bool {
    let labels = host.strip_suffix('.').unwrap_or(host).split('.');
    host.chars().all(is_host_character) && !labels.into_iter().any(str::is_empty)
}

/// Checks the path of a store's address as it is written, before a parser resolves its dots.
pub(crate) fn path(value: &str) -> Result<(), BadValue> {
    for segment in value.split('/') {
        if let Some(variable) = unexpanded(segment) {
            return bad(format!(
                "holds `{variable}`, a variable that was not expanded: write its value"
            ));
        }
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        if matches!(plain.as_str(), "." | "..") {
            return bad(format!(
                "holds `{segment}`, which would lead elsewhere: write the path without it"
            ));
        }
    }
    Ok(())
}

fn is_host_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric())
}

fn copy_if_not_exists(value: &str) -> Result<(), BadValue> {
    let parts: Vec<&str> = value.split(':').map(str::trim).collect();
    let is_header = |name: &str| http::HeaderName::try_from(name).is_ok();
    let fits = match parts.as_slice() {
        ["multipart"] => true,
        ["header", name, _] => is_header(name),
        ["header-with-status", name, _, status] => {
            is_header(name) && http::StatusCode::try_from(*status).is_ok()
        }
        _ => false,
    };
    match fits {
        true => printable(value, true),
        false => {
            bad("is not `multipart`, `header:NAME:VALUE` or `header-with-status:NAME:VALUE:STATUS`")
        }
    }
}

/// Checks text that is sent in a header: visible ASCII, since both HTTP and the signature need it.
fn printable(value: &str, spaces: bool) -> Result<(), BadValue> {
    match value
        .chars()
        .find(|c| !(c.is_ascii_graphic() || (spaces && *c == ' ')))
    {
        None => Ok(()),
        Some(c) if c.is_whitespace() => bad("holds white space: remove it"),
        Some(c) => bad(format!(
            "holds the character U+{:04X}, and only printable ASCII can be sent",
            u32::from(c)
        )),
    }
}

fn base64(value: &str) -> Result<Vec<u8>, BadValue> {
    BASE64_STANDARD
        .decode(value)
        .or_else(|_| bad("is not base64"))
}

/// Checks a file of CA certificates. Those in it that are damaged are skipped by whoever reads it.
fn ca_file(value: &str) -> Result<(), BadValue> {
    file(value)?;
    let mut pem = Vec::new();
    let read =
        fs::File::open(value).and_then(|file| file.take(MAX_CA_BUNDLE + 1).read_to_end(&mut pem));
    match read.map(|_| object_store::Certificate::from_pem_bundle(&pem)) {
        Ok(_) if pem.len() as u64 > MAX_CA_BUNDLE => bad(format!(
            "is the file {value}, which is over {} MiB: name another file",
            MAX_CA_BUNDLE >> 20
        )),
        Ok(Ok(certificates)) if !certificates.is_empty() => Ok(()),
        Err(error) => bad(format!("is the file {value}, which can't be read: {error}")),
        _ => bad(format!(
            "is the file {value}, which holds no certificate in PEM form (`-----BEGIN CERTIFICATE-----`)"
        )),
    }
}

/// Checks that the directories can be read. They may hold other files too.
fn ca_dirs(value: &str) -> Result<(), BadValue> {
    for dir in std::env::split_paths(value).filter(|dir| !dir.as_os_str().is_empty()) {
        if let Err(error) = fs::read_dir(&dir) {
            return bad(format!(
                "names the directory {}, which can't be read: {error}",
                dir.display()
            ));
        }
    }
    Ok(())
}

/// Checks a file that object_store will read, now or with its first request.
fn file(value: &str) -> Result<(), BadValue> {
    let open = || -> std::io::Result<()> { open_regular(std::path::Path::new(value)).map(drop) };
    match open() {
        Ok(()) => Ok(()),
        Err(error) => bad(format!("is the file {value}, which can't be read: {error}")),
    }
}
