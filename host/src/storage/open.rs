use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Certificate, ObjectStore, RetryConfig};
use url::Url;

use super::advice::Advisor;
use super::file::FileStore;
use super::id::StoreId;
use super::keys::{Keys, Provider};
use super::observe::WatchedConnector;
use super::options::{
    Address, BadValue, Family, SCRATCH, TIMEOUT, find, relations, secrets, settled_by, suggestion,
};
use super::redact::Redactor;
use super::settings::StoreSettings;
use crate::transport::{CaError, Proxies, read_ca_file};

/// Why a store can't be opened. Nothing was sent to it yet.
#[derive(Debug, thiserror::Error)]
#[allow(
    missing_docs,
    reason = "the messages say what each means and what to do"
)]
pub enum OpenError {
    #[error(
        "the store URL {url:?} is not valid; write s3://BUCKET, gs://BUCKET, az://CONTAINER or file:///DIRECTORY"
    )]
    Url {
        url: String,
        #[source]
        source: url::ParseError,
    },
    #[error(
        "the store URL {url:?} names no known kind of store; write s3://BUCKET, gs://BUCKET, az://CONTAINER or file:///DIRECTORY"
    )]
    Scheme { url: String },
    #[error("the prefix in the store URL {url:?} is not a valid key")]
    Prefix {
        url: String,
        #[source]
        source: object_store::path::Error,
    },
    #[error(
        "the store URL {url:?} carries a {part}; write a store's settings and credentials as options"
    )]
    UrlPart { url: String, part: &'static str },
    #[error(
        "the store URL {url:?} is the address of a server: write the bucket, as in s3://BUCKET, and the server as `endpoint` in [store.options]"
    )]
    Server { url: String },
    #[error(
        "the store URL {url:?} names no bucket: write it at the end, as in https://HOST/BUCKET"
    )]
    NoBucket { url: String },
    #[error("the store URL {url:?} can't be used")]
    UrlName {
        url: String,
        #[source]
        source: BadValue,
    },
    #[error("unknown option {key:?} for a {scheme} store{}", did_you_mean(*.suggestion))]
    Option {
        key: String,
        scheme: String,
        suggestion: Option<&'static str>,
    },
    #[error(transparent)]
    Ca(#[from] CaError),
    #[error("a {scheme} store has no use for CA certificates: remove `store.ca_file`")]
    UnusedCa { scheme: String },
    #[error("the option `{key}` {problem}")]
    Value { key: String, problem: String },
    #[error("the file {path:?} of the option `{key}` can't be read")]
    OptionFile {
        key: String,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("they name the store {is} instead of {was}: restart the agent to use another store")]
    OtherStore { was: StoreId, is: StoreId },
    #[error("the settings of the store {id} do not work")]
    Settings {
        id: StoreId,
        #[source]
        source: Redacted,
    },
    #[error(
        "the store directory {path:?} does not exist; create it with `mkdir -p`, or correct {named_by}"
    )]
    NoDirectory {
        path: PathBuf,
        named_by: String,
        #[source]
        source: io::Error,
    },
    #[error("the store path {path:?} is not a directory: correct {named_by}")]
    NotADirectory { path: PathBuf, named_by: String },
    #[error(
        "no scratch directory for the store {root:?} can be made up; set the store option `scratch` to a directory on the same file system"
    )]
    NoScratch { root: PathBuf },
    #[error(
        "the scratch directory {path:?} can't be used; set the store option `scratch` to a directory that can be written to"
    )]
    Scratch {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "the scratch directory {path:?} lies inside the store {root:?}; temporary files must not stand there, so set the store option `scratch` to a directory outside"
    )]
    ScratchInside { path: PathBuf, root: PathBuf },
    #[error(
        "the scratch directory {path:?} is not on the file system of the store {root:?}, so files can't be moved into place; set the store option `scratch` to a directory on that file system, or where the store is a mount point, use a directory below it as the store"
    )]
    ScratchElsewhere { path: PathBuf, root: PathBuf },
}

impl OpenError {
    /// Returns the message with those of all causes.
    pub(crate) fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

/// A cause as text without the store's secrets.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Redacted(String);

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; did you mean {name:?}?"))
}

/// What opening a URL gives.
pub(super) struct Opened {
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) id: StoreId,
    pub(super) advisor: Advisor,
    /// The same store if it is a directory, for which our own code compares and swaps.
    pub(super) files: Option<Arc<FileStore>>,
}

/// Opens the store, from its settings alone: what the environment says was settled when the configuration was read.
pub(super) fn open(settings: &StoreSettings) -> Result<Opened, OpenError> {
    let address = Address::parse(&settings.url)?;
    check_options(&address, settings)?;
    if settings.ca_file.is_some() && matches!(address.family, Family::Memory | Family::File) {
        return Err(OpenError::UnusedCa {
            scheme: address.url.scheme().to_owned(),
        });
    }
    match address.family {
        Family::S3 => s3(settings, &address),
        Family::Gcs => gcs(settings, &address),
        Family::Azure => azure(settings, &address),
        Family::Memory => Ok(Opened {
            objects: under(Arc::new(InMemory::new()), address.prefix),
            id: StoreId::of(&address.url, &[]),
            advisor: Advisor::default(),
            files: None,
        }),
        Family::File => file(settings, &address.url),
    }
}

/// Refuses options that object_store would panic on, or fail on later. Those of a configuration file were checked when
/// it was read, with their places.
fn check_options(address: &Address, settings: &StoreSettings) -> Result<(), OpenError> {
    let wrong = |key: &str, problem: String| OpenError::Value {
        key: key.to_owned(),
        problem,
    };
    let mut known = BTreeMap::new();
    for (key, value) in &settings.options {
        let Some(spec) = find(address.family, key) else {
            return Err(OpenError::Option {
                key: key.clone(),
                scheme: address.url.scheme().to_owned(),
                suggestion: suggestion(address.family, key),
            });
        };
        if address.settles(spec) {
            return Err(wrong(key, settled_by(&settings.names.store())));
        }
        spec.kind
            .check(value)
            .map_err(|bad| wrong(key, bad.to_string()))?;
        if known.insert(spec.name(), Some(value.as_str())).is_some() {
            return Err(wrong(
                key,
                format!("is the same as `{}`: leave one out", spec.name()),
            ));
        }
    }
    match relations(address, &known).into_iter().next() {
        Some(bad) => Err(wrong(bad.name, bad.message(&|name| format!("`{name}`")))),
        None => Ok(()),
    }
}

fn file(settings: &StoreSettings, url: &Url) -> Result<Opened, OpenError> {
    let root = url.to_file_path().map_err(|()| OpenError::Scheme {
        url: url.to_string(),
    })?;
    let scratch = settings.options.get(SCRATCH).map(PathBuf::from);
    let store = Arc::new(FileStore::open(&root, scratch, &settings.names.store())?);
    let id = match Url::from_directory_path(store.root()) {
        Ok(canonical) => StoreId::of(&canonical, &[]),
        Err(()) => StoreId::of(url, &[]),
    };
    Ok(Opened {
        objects: Arc::clone(&store) as Arc<dyn ObjectStore>,
        id,
        advisor: Advisor::default(),
        files: Some(store),
    })
}

/// The authorities that are trusted besides the system's.
fn authorities(settings: &StoreSettings) -> Result<Vec<Certificate>, OpenError> {
    let Some(path) = &settings.ca_file else {
        return Ok(Vec::new());
    };
    let pem = read_ca_file(path)?;
    Certificate::from_pem_bundle(&pem).map_err(|error| {
        CaError::Invalid {
            path: path.clone(),
            source: error.into(),
        }
        .into()
    })
}

/// The bucket or container that a URL names, which no `https://` URL does at a fixed place.
fn container(url: &Url) -> Option<String> {
    let user = (!url.username().is_empty()).then(|| url.username());
    let name = user.or_else(|| url.host_str())?;
    (url.scheme() != "https").then(|| name.to_owned())
}

fn under(objects: Arc<dyn ObjectStore>, prefix: Path) -> Arc<dyn ObjectStore> {
    match prefix.is_root() {
        true => objects,
        false => Arc::new(PrefixStore::new(objects, prefix)),
    }
}

/// The option of S3 that turns bulk deletions off.
const BULK_DELETE: &str = "disable_bulk_delete";

/// No retries: they hide failures from policies, and a conditional write that is sent twice refuses its own success.
fn no_retries() -> RetryConfig {
    RetryConfig {
        max_retries: 0,
        ..RetryConfig::default()
    }
}

/// object_store's three builders have the same methods and no trait in common. None of them reads the environment here.
macro_rules! cloud {
    ($open:ident, $provider:expr, $builder:ty, $key:ident, $told_apart_by:expr) => {
        fn $open(settings: &StoreSettings, address: &Address) -> Result<Opened, OpenError> {
            let url = &address.url;
            let mut builder = <$builder>::new()
                .with_retry(no_retries())
                .with_http_connector(WatchedConnector::new(authorities(settings)?));
            let timeout = format!("{} ms", settings.request_timeout.as_millis().max(1));
            if let Ok(key) = TIMEOUT.parse::<$key>() {
                builder = builder.with_config(key, timeout);
            }
            // Nothing is deleted but the probe's objects, one by one. Some stores lack the bulk request.
            if let Ok(key) = BULK_DELETE.parse::<$key>() {
                builder = builder.with_config(key, "true");
            }
            for (name, value) in &settings.options {
                let key: $key =
                    name.to_ascii_lowercase()
                        .parse()
                        .map_err(|_| OpenError::Option {
                            key: name.clone(),
                            scheme: url.scheme().to_owned(),
                            suggestion: suggestion(address.family, name),
                        })?;
                builder = builder.with_config(key, value);
            }
            let value = |key: &$key| builder.get_config_value(key);
            let parts: Vec<(&str, String)> = $told_apart_by
                .iter()
                .filter_map(|(name, key)| Some((*name, value(key)?)))
                .collect();
            let redactor = Redactor::new(secrets(address.family, &settings.options));
            let id = StoreId::of(url, &parts);
            let parsed = |option: &str| option.parse::<$key>().ok();
            let is_set = |option: &str| parsed(option).and_then(|key| value(&key)).is_some();
            let name = |option: &str| settings.names.of(option);
            let proxy = parsed("proxy_url").and_then(|key| value(&key));
            let proxies = match proxy {
                Some(url) => {
                    let excludes = parsed("proxy_excludes").and_then(|key| value(&key));
                    let keys = ["proxy_url", "proxy_excludes"].map(name);
                    Proxies::configured(&url, excludes.as_deref(), keys)
                }
                None => Proxies::of_environment(),
            };
            let advisor = Advisor {
                provider: $provider,
                container: container(url),
                keys: Keys::new($provider, &settings.names, &name, &is_set),
                proxies: Some(proxies),
                redactor,
            };
            let objects =
                builder
                    .with_url(url.as_str())
                    .build()
                    .map_err(|error| OpenError::Settings {
                        id: id.clone(),
                        source: Redacted(advisor.redactor.strike(&error.to_string())),
                    })?;
            Ok(Opened {
                objects: under(Arc::new(objects), address.prefix.clone()),
                id,
                advisor,
                files: None,
            })
        }
    };
}

cloud!(
    s3,
    Provider::S3,
    AmazonS3Builder,
    AmazonS3ConfigKey,
    [
        ("endpoint", AmazonS3ConfigKey::Endpoint),
        ("s3-endpoint", AmazonS3ConfigKey::S3Endpoint),
    ]
);

cloud!(
    gcs,
    Provider::Gcs,
    GoogleCloudStorageBuilder,
    GoogleConfigKey,
    [("endpoint", GoogleConfigKey::BaseUrl)]
);

cloud!(
    azure,
    Provider::Azure,
    MicrosoftAzureBuilder,
    AzureConfigKey,
    [
        ("account", AzureConfigKey::AccountName),
        ("endpoint", AzureConfigKey::Endpoint),
    ]
);
