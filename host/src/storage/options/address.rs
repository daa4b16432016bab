//! The store's URL: which family of stores it names, and what it settles.

use object_store::ObjectStoreScheme;
use object_store::path::Path;
use url::Url;

use super::{BadValue, Group, Spec, kind};
use crate::storage::open::OpenError;
use crate::storage::redact::public_url;

/// The stores that share one set of options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Amazon S3, and what speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
    /// Local files.
    File,
    /// Memory of this process.
    Memory,
}

impl Family {
    pub(super) const ALL: [Family; 5] = [
        Family::S3,
        Family::Gcs,
        Family::Azure,
        Family::File,
        Family::Memory,
    ];

    /// What the names of its options begin with in the environment, in lower case.
    pub(super) fn prefix(self) -> Option<&'static str> {
        match self {
            Family::S3 => Some("aws_"),
            Family::Gcs => Some("google_"),
            Family::Azure => Some("azure_"),
            Family::File | Family::Memory => None,
        }
    }
}

/// A store's URL that was checked.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) family: Family,
    pub(in crate::storage) url: Url,
    /// What every key begins with.
    pub(in crate::storage) prefix: Path,
    /// Whether the URL names the server itself, and not only the bucket.
    names_server: bool,
    /// Whether it names the bucket or container.
    names_bucket: bool,
    /// Whether it names the region.
    names_region: bool,
}

impl Address {
    /// Reads a store's URL.
    ///
    /// # Errors
    ///
    /// It is not valid, names no known kind of store, or has parts that would be ignored.
    pub(crate) fn parse(text: &str) -> Result<Self, OpenError> {
        let shown = || public_url(text);
        // The parser removes white space and line breaks and resolves dots without a word.
        kind::one_line(text).map_err(|bad| OpenError::UrlName {
            url: shown(),
            source: BadValue(format!("it {bad}")),
        })?;
        let url = Url::parse(text).map_err(|source| OpenError::Url {
            url: shown(),
            source,
        })?;
        refuse_server(&url, text)?;
        refuse_parts(&url, text)?;
        refuse_path(text)?;
        if let Err(source) = Path::from_url_path(url.path()) {
            return Err(OpenError::Prefix {
                url: shown(),
                source,
            });
        }
        let (scheme, prefix) =
            ObjectStoreScheme::parse(&url).map_err(|_| OpenError::Scheme { url: shown() })?;
        let family = match scheme {
            ObjectStoreScheme::AmazonS3 => Family::S3,
            ObjectStoreScheme::GoogleCloudStorage => Family::Gcs,
            ObjectStoreScheme::MicrosoftAzure => Family::Azure,
            ObjectStoreScheme::Local => Family::File,
            ObjectStoreScheme::Memory => Family::Memory,
            _ => return Err(OpenError::Scheme { url: shown() }),
        };
        refuse_names(family, &url, text)?;
        let host = url.host_str().unwrap_or_default();
        let is_web = url.scheme() == "https";
        let has_path = url
            .path_segments()
            .is_some_and(|mut path| path.next() != Some(""));
        let host_is_bucket = host.ends_with(".amazonaws.com") && !host.starts_with("s3.");
        if is_web && family == Family::S3 && !has_path && !host_is_bucket {
            return Err(OpenError::NoBucket { url: shown() });
        }
        Ok(Self {
            family,
            names_server: is_web || !url.username().is_empty(),
            names_bucket: !is_web || has_path || host_is_bucket,
            names_region: is_web && !host.ends_with(".s3.amazonaws.com"),
            url,
            prefix,
        })
    }

    /// Whether the URL settles what this option decides.
    pub(crate) fn settles(&self, option: &Spec) -> bool {
        match option.group {
            Group::Bucket => self.names_bucket,
            Group::Address => self.names_server,
            Group::Region => self.names_region && self.family == Family::S3,
            _ => false,
        }
    }

    /// The bucket, if the URL names only that and no server.
    pub(super) fn bucket(&self) -> Option<&str> {
        self.url.host_str().filter(|_| !self.names_server)
    }

    /// Whether the URL names the server itself, and not only the bucket.
    pub(super) fn names_server(&self) -> bool {
        self.names_server
    }
}

/// What follows the name of an option that the store's URL settles, or the variable that names the store.
pub(crate) fn settled_by(named_by: &str) -> String {
    format!("is settled by {named_by}: leave it out")
}

/// Refuses the address of a server, which names no bucket.
fn refuse_server(url: &Url, text: &str) -> Result<(), OpenError> {
    let is_web = matches!(url.scheme(), "http" | "https");
    let is_known = matches!(
        ObjectStoreScheme::parse(url),
        Ok((
            ObjectStoreScheme::AmazonS3 | ObjectStoreScheme::MicrosoftAzure,
            _
        ))
    );
    match is_web && !is_known {
        true => Err(OpenError::Server {
            url: public_url(text),
        }),
        false => Ok(()),
    }
}

/// Refuses a prefix that was meant to be another. `text` is the URL before it was parsed, which resolves dots.
fn refuse_path(text: &str) -> Result<(), OpenError> {
    let after_scheme = text.split_once(':').map_or(text, |(_, rest)| rest);
    let rest = after_scheme.trim_start_matches('/');
    // Before the first slash is the host, except in `file:///`.
    let path = match after_scheme.starts_with("///") {
        true => rest,
        false => rest.split_once('/').map_or("", |(_, path)| path),
    };
    kind::path(path).map_err(|bad| OpenError::UrlName {
        url: public_url(text),
        source: BadValue(format!("its path {bad}")),
    })
}

/// Refuses what object_store would silently leave out of the URL.
fn refuse_parts(url: &Url, text: &str) -> Result<(), OpenError> {
    let is_azure = matches!(url.scheme(), "az" | "abfs" | "abfss" | "azure" | "adl");
    for (part, is_there) in [
        ("password", url.password().is_some()),
        ("user name", !url.username().is_empty() && !is_azure),
        ("port", url.port().is_some()),
        ("query", url.query().is_some()),
        ("fragment (write # as %23)", url.fragment().is_some()),
    ] {
        if is_there {
            return Err(OpenError::UrlPart {
                url: public_url(text),
                part,
            });
        }
    }
    Ok(())
}

/// Refuses a bucket that can't be one.
fn refuse_names(family: Family, url: &Url, text: &str) -> Result<(), OpenError> {
    if matches!(family, Family::File | Family::Memory) {
        return Ok(());
    }
    let user = Some(url.username()).filter(|user| !user.is_empty());
    for name in url.host_str().into_iter().chain(user) {
        kind::name(name).map_err(|bad| OpenError::UrlName {
            url: public_url(text),
            source: BadValue(format!("the bucket {bad}")),
        })?;
    }
    Ok(())
}
