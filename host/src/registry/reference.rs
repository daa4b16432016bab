//! What names an artifact in a registry: `oci://host[:port]/name[:tag][@sha256:…]`.

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::digest::Digest;

/// What every reference begins with.
pub const SCHEME: &str = "oci://";

/// The longest name of a repository, host and port included, as most registries bound it.
const MAX_NAME: usize = 255;
/// The longest tag (distribution-spec 1.1).
const MAX_TAG: usize = 128;

/// An artifact in a registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    host: String,
    name: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A text that is no reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no reference: {why}; write it as `oci://host/name:tag` or `oci://host/name@sha256:…`"
)]
pub struct ReferenceError {
    text: String,
    why: &'static str,
}

impl Reference {
    /// The registry's host, with its port where one is written.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository's name within the registry.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tag, which may come to mean something else at any time.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The SHA-256 of the manifest, which always means the same.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The same with the digest of its manifest: what can be relied on.
    #[must_use]
    pub fn pinned(&self, digest: Digest) -> Self {
        Self {
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// The same repository with another tag, and no digest.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn tagged(&self, tag: &str) -> Result<Self, ReferenceError> {
        let tagged = Self {
            tag: Some(tag.to_owned()),
            digest: None,
            ..self.clone()
        };
        match is_tag(tag) {
            true => Ok(tagged),
            false => Err(refused(&tagged.to_string(), NO_TAG)),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.host, self.name)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match self.digest {
            Some(digest) => write!(f, "@sha256:{digest}"),
            None => Ok(()),
        }
    }
}

const NO_TAG: &str =
    "a tag has up to 128 letters, digits, `_`, `.` and `-`, and begins with none of the last two";

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = |why| refused(text, why);
        let rest = text
            .strip_prefix(SCHEME)
            .ok_or_else(|| refused("it does not begin with `oci://`"))?;
        let (host, rest) = rest
            .split_once('/')
            .ok_or_else(|| refused("it names no repository"))?;
        if host.contains('@') {
            // Shown without what may be a password.
            let shown = format!("{SCHEME}…/{rest}");
            let why = "credentials don't belong here but into the docker configuration";
            return Err(self::refused(&shown, why));
        }
        if !is_host(host) {
            return Err(refused("its host is none"));
        }
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => {
                let digits = digest.strip_prefix("sha256:").unwrap_or_default();
                let digest = digits
                    .parse()
                    .map_err(|_| refused("behind the `@` stands no `sha256:` with 64 digits"))?;
                (rest, Some(digest))
            }
            None => (rest, None),
        };
        let (name, tag) = match rest.split_once(':') {
            Some((_, tag)) if !is_tag(tag) => return Err(refused(NO_TAG)),
            Some((name, tag)) => (name, Some(tag.to_owned())),
            None => (rest, None),
        };
        if host.len() + name.len() >= MAX_NAME || !name.split('/').all(is_segment) {
            return Err(refused(
                "a repository's name is made of small letters and digits, with `.`, `_`, `-` and `/` between them",
            ));
        }
        Ok(Self {
            host: host.to_ascii_lowercase(),
            name: name.to_owned(),
            tag,
            digest,
        })
    }
}

fn refused(text: &str, why: &'static str) -> ReferenceError {
    ReferenceError {
        text: text.to_owned(),
        why,
    }
}

/// Whether this is a host with or without a port, and nothing else of an address.
fn is_host(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    let address = Url::parse(&format!("http://{text}/"));
    text.chars().all(plain) && address.is_ok_and(|url| url.has_host() && url.path() == "/")
}

fn is_tag(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    text.len() <= MAX_TAG
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.chars().all(inner)
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` (distribution-spec 1.1).
fn is_segment(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let between: Vec<&str> = text.split(letter).filter(|part| !part.is_empty()).collect();
    let separates =
        |part: &&str| matches!(*part, "." | "_" | "__") || part.chars().all(|c| c == '-');
    text.starts_with(letter) && text.ends_with(letter) && between.iter().all(separates)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn references_read_as_they_are_written() {
        for text in [
            "oci://ghcr.io/acme/quorum:1.2.0",
            "oci://localhost:5000/quorum:latest",
            "oci://127.0.0.1:5000/a/b__c/d-e.f:_x",
            "oci://[::1]:5000/quorum",
            &format!("oci://ghcr.io/acme/quorum@sha256:{DIGEST}"),
            &format!("oci://ghcr.io/acme/quorum:1.2.0@sha256:{DIGEST}"),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.to_string(), text);
        }
        let reference: Reference = "oci://localhost:5000/acme/quorum:1".parse().unwrap();
        assert_eq!(reference.host(), "localhost:5000");
        assert_eq!(reference.name(), "acme/quorum");
        assert_eq!(reference.tag(), Some("1"));
        let pinned = reference.pinned(DIGEST.parse().unwrap());
        assert_eq!(
            pinned.to_string(),
            format!("oci://localhost:5000/acme/quorum:1@sha256:{DIGEST}")
        );
    }

    #[test]
    fn what_is_none_is_refused_with_what_is_wrong() {
        for (text, why) in [
            ("quorum.wasm", "does not begin"),
            ("oci://ghcr.io", "names no repository"),
            ("oci://ghcr.io/", "a repository's name"),
            ("oci://ghcr.io/Acme/quorum:1", "a repository's name"),
            ("oci://ghcr.io/acme//quorum:1", "a repository's name"),
            ("oci://ghcr.io/../quorum:1", "a repository's name"),
            ("oci://ghcr.io/acme/quorum:", "a tag has"),
            ("oci://ghcr.io/acme/quorum:-1", "a tag has"),
            ("oci://ghcr.io/acme/quorum:1:2", "a tag has"),
            ("oci://ghcr.io/acme/quorum@sha512:00", "behind the `@`"),
            ("oci://ghcr.io/acme/quorum@sha256:00", "behind the `@`"),
            ("oci://gh cr.io/acme/quorum:1", "host"),
            ("oci://ghcr.io:99999/acme/quorum:1", "host"),
            ("oci:///acme/quorum:1", "host"),
            ("oci://ghcr.io?x/acme:1", "host"),
        ] {
            let error = text.parse::<Reference>().unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(text), "{error}");
        }
    }

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        let refused = "oci://me:hunter2@ghcr.io/acme/quorum:1".parse::<Reference>();
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("docker configuration") && !error.contains("hunter2"));
    }
}
