//! The options of each store: their names, what their values must look like, and which of them decide the same thing.
//!
//! object_store parses option names and doesn't list them, and it uses most values as they are: an endpoint without a
//! scheme or a line break in a token makes it panic when it signs the first request. So every value is checked here,
//! wherever it comes from, before object_store sees it.

mod address;
mod environment;
mod kind;
mod relations;
mod tables;

#[cfg(test)]
mod tests;

pub(crate) use address::{Address, Family, settled_by};
pub(crate) use environment::{settle, variable_of};
pub(super) use kind::BadValue;
pub(crate) use kind::{Kind, path as check_path};
pub(crate) use relations::{exclude, relations};
pub(super) use tables::{SCRATCH, TIMEOUT};

/// One option of a store under all its names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    /// Its names, the one that messages use first. Those that begin with the store's prefix (`aws_`, `azure_`,
    /// `google_`) are names of environment variables too, the earlier one counting first.
    names: &'static [&'static str],
    /// What its value must look like.
    pub(crate) kind: Kind,
    /// What it decides, together with others.
    group: Group,
}

impl Spec {
    /// The name that messages use, and under which its value is kept.
    pub(crate) fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }
}

/// What options decide together. An environment variable of a group is not used if the file has settled the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// The option decides something of its own.
    Alone,
    /// The bucket or container, which the store's URL names.
    Bucket,
    /// Where requests go, and how.
    Address,
    /// Goes with the address, but doesn't settle it.
    WithAddress,
    /// The region.
    Region,
    /// Who makes the requests.
    Credentials,
    /// Goes with the credentials, but doesn't settle them.
    WithCredentials,
    /// Encryption at the store.
    Encryption,
    /// The proxy.
    Proxy,
}

impl Group {
    /// Whether an option of this group settles `other`.
    fn settles(self, other: Group) -> bool {
        match self {
            Group::Alone | Group::WithAddress | Group::WithCredentials => false,
            Group::Address => matches!(other, Group::Address | Group::WithAddress),
            Group::Credentials => matches!(other, Group::Credentials | Group::WithCredentials),
            _ => self == other,
        }
    }
}

/// The options that this family of stores has.
fn specs(family: Family) -> impl Iterator<Item = &'static Spec> {
    let (own, client): (&[Spec], &[Spec]) = match family {
        Family::S3 => (tables::S3, tables::CLIENT),
        Family::Gcs => (tables::GCS, tables::CLIENT),
        Family::Azure => (tables::AZURE, tables::CLIENT),
        Family::File => (tables::FILE, &[]),
        Family::Memory => (&[], &[]),
    };
    own.iter().chain(client)
}

/// The option that has this name.
pub(crate) fn find(family: Family, name: &str) -> Option<&'static Spec> {
    let lower = name.to_ascii_lowercase();
    let known = |name: &str| specs(family).find(|spec| spec.names.contains(&name));
    // object_store takes the options of every HTTP client with the store's prefix too.
    known(&lower).or_else(|| {
        let bare = lower.strip_prefix(family.prefix()?)?;
        tables::CLIENT
            .iter()
            .find(|spec| spec.names.contains(&bare))
    })
}

/// The option that was probably meant.
pub(crate) fn suggestion(family: Family, name: &str) -> Option<&'static str> {
    /// How alike two names must be (Jaro-Winkler, 0 to 1) before one is offered for the other.
    const ALIKE: f64 = 0.85;
    let likeness = |known: &str| {
        // Names are written with the prefix and without it.
        let bare = family
            .prefix()
            .and_then(|prefix| known.strip_prefix(prefix));
        strsim::jaro_winkler(name, known).max(strsim::jaro_winkler(name, bare.unwrap_or(known)))
    };
    specs(family)
        .flat_map(|spec| spec.names)
        .map(|known| (likeness(known), *known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        // Of several that are equally alike, the first is the one that messages use.
        .min_by(|(one, _), (other, _)| other.total_cmp(one))
        .map(|(_, known)| known)
}

/// Whether the value of this option may be shown: it can't hold a secret, and carries no user information.
pub(super) fn is_public(name: &str, value: &str) -> bool {
    let public = Family::ALL
        .iter()
        .filter_map(|family| find(*family, name))
        .all(|spec| spec.kind.is_public());
    let known = Family::ALL
        .iter()
        .any(|family| find(*family, name).is_some());
    known && public && !value.contains(['@', '?'])
}

/// The secrets among these options, and the passwords in their addresses, to be removed from messages.
pub(super) fn secrets<'a>(
    family: Family,
    options: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> Vec<String> {
    let mut secrets = Vec::new();
    for (name, value) in options {
        match find(family, name).map(|spec| spec.kind) {
            Some(Kind::ProxyUrl) => {
                let url = url::Url::parse(value).ok();
                secrets.extend(url.and_then(|url| url.password().map(str::to_owned)));
            }
            Some(kind) if kind.is_secret() => secrets.push(value.clone()),
            _ => {}
        }
    }
    secrets
}
