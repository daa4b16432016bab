//! Between the contract's opaque version token and what object_store compares.

use object_store::UpdateVersion;

use crate::contract::Version;

const ETAG: &str = "etag:";
const ID: &str = "id:";

/// What unversioned S3 buckets call the version of every object; some answers carry it and some don't.
const NULL_VERSION: &str = "null";

/// What marks an ETag as weak (RFC 9110, 8.8.3).
const WEAK: &str = "W/";

/// The token for an object with this ETag and version id; `None` when the store gave neither.
///
/// A weak ETag is taken as the strong one with the same text. Proxies that compress mark the store's own ETag as weak, on
/// GET but not on HEAD or the reverse, and a weak one never satisfies `If-Match`. A store whose own ETags are weak is
/// found by the probe.
pub(super) fn token(etag: Option<&str>, id: Option<&str>) -> Option<Version> {
    let id = id.filter(|id| *id != NULL_VERSION);
    let etag = etag.map(|etag| etag.strip_prefix(WEAK).unwrap_or(etag));
    // What stands for an ETag that the store did not send.
    let etag = etag.filter(|etag| !etag.is_empty());
    let text = match (id, etag) {
        (Some(id), Some(etag)) => format!("{ID}{id} {ETAG}{etag}"),
        (Some(id), None) => format!("{ID}{id}"),
        (None, Some(etag)) => format!("{ETAG}{etag}"),
        (None, None) => return None,
    };
    Some(Version::new(text))
}

/// What a conditional write compares; an unknown token compares as an ETag, so that it never matches.
pub(super) fn parts(version: &Version) -> UpdateVersion {
    let text = version.as_str();
    let (id, etag) = match text.strip_prefix(ID) {
        Some(rest) => match rest.split_once(' ') {
            Some((id, etag)) => (Some(id), Some(etag)),
            None => (Some(rest), None),
        },
        None => (None, Some(text)),
    };
    UpdateVersion {
        e_tag: etag.map(|etag| etag.strip_prefix(ETAG).unwrap_or(etag).to_owned()),
        version: id.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_carry_etag_and_version_id() {
        for (etag, id) in [
            (Some("\"a b\""), Some("17")),
            (Some("\"a b\""), None),
            (None, Some("17")),
        ] {
            let version = token(etag, id).unwrap();
            let parts = parts(&version);
            assert_eq!(
                (parts.e_tag.as_deref(), parts.version.as_deref()),
                (etag, id)
            );
        }
        assert_eq!(token(None, None), None);
        assert_eq!(token(Some(""), None), None);
        assert_eq!(token(Some("x"), Some("null")), token(Some("x"), None));
    }

    #[test]
    fn a_weak_etag_is_the_same_version_as_the_strong_one() {
        assert_eq!(token(Some("W/\"a\""), None), token(Some("\"a\""), None));
    }
}
