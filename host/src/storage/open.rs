use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use object_store::ObjectStoreScheme;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Certificate, ClientConfigKey, ObjectStore, RetryConfig};
use url::Url;

use super::advice::Advisor;
use super::file::FileStore;
use super::id::StoreId;
use super::keys::{Keys, Provider};
use super::observe::WatchedConnector;
use super::options::{AZURE, FILE, GCS, S3, SCRATCH, suggestion};
use super::redact::{Redactor, public_url};
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
    #[error("the settings of the store {id} do not work")]
    Settings {
        id: StoreId,
        #[source]
        source: Redacted,
    },
    #[error(
        "the store directory {path:?} does not exist; create it with `mkdir -p`, or correct the URL"
    )]
    NoDirectory {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the store path {path:?} is not a directory")]
    NotADirectory { path: PathBuf },
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
    /// The store again if it is a directory, where the comparing is our own code.
    pub(super) files: Option<Arc<FileStore>>,
}

pub(super) fn open(settings: &StoreSettings) -> Result<Opened, OpenError> {
    let shown = || public_url(&settings.url);
    let url = Url::parse(&settings.url).map_err(|source| OpenError::Url {
        url: shown(),
        source,
    })?;
    for (part, there) in [
        ("password", url.password().is_some()),
        ("query", url.query().is_some()),
        ("fragment (write # as %23)", url.fragment().is_some()),
    ] {
        if there {
            return Err(OpenError::UrlPart { url: shown(), part });
        }
    }
    if let Err(source) = Path::from_url_path(url.path()) {
        return Err(OpenError::Prefix {
            url: shown(),
            source,
        });
    }
    let (scheme, prefix) =
        ObjectStoreScheme::parse(&url).map_err(|_| OpenError::Scheme { url: shown() })?;
    match scheme {
        ObjectStoreScheme::AmazonS3 => s3(settings, &url, prefix),
        ObjectStoreScheme::GoogleCloudStorage => gcs(settings, &url, prefix),
        ObjectStoreScheme::MicrosoftAzure => azure(settings, &url, prefix),
        ObjectStoreScheme::Memory => {
            only(settings, &url, &[])?;
            Ok(Opened {
                objects: under(Arc::new(InMemory::new()), prefix),
                id: StoreId::of(&url, &[]),
                advisor: Advisor::default(),
                files: None,
            })
        }
        ObjectStoreScheme::Local => file(settings, &url),
        _ => Err(OpenError::Scheme { url: shown() }),
    }
}

fn file(settings: &StoreSettings, url: &Url) -> Result<Opened, OpenError> {
    only(settings, url, FILE)?;
    let root = url.to_file_path().map_err(|()| OpenError::Scheme {
        url: url.to_string(),
    })?;
    let scratch = settings.options.get(SCRATCH).map(PathBuf::from);
    let store = Arc::new(FileStore::open(&root, scratch)?);
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

/// Fails on an option that is not among `names`.
fn only(
    settings: &StoreSettings,
    url: &Url,
    names: &'static [&'static str],
) -> Result<(), OpenError> {
    if settings.ca_file.is_some() {
        return Err(OpenError::UnusedCa {
            scheme: url.scheme().to_owned(),
        });
    }
    match settings
        .options
        .keys()
        .find(|key| !names.contains(&key.as_str()))
    {
        None => Ok(()),
        Some(key) => Err(OpenError::Option {
            key: key.clone(),
            scheme: url.scheme().to_owned(),
            suggestion: suggestion(key, names, false),
        }),
    }
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

/// The variable of the environment that sets a key, by object_store's rule: its name is the key's behind a prefix.
fn variable<K: FromStr + PartialEq>(prefix: &str, key: &K) -> Option<String> {
    std::env::vars_os().find_map(|(name, _)| {
        let name = name.to_str()?;
        let is_it = name.starts_with(prefix)
            && name.to_ascii_lowercase().parse::<K>().ok().as_ref() == Some(key);
        is_it.then(|| name.to_owned())
    })
}

fn under(objects: Arc<dyn ObjectStore>, prefix: Path) -> Arc<dyn ObjectStore> {
    match prefix.is_root() {
        true => objects,
        false => Arc::new(PrefixStore::new(objects, prefix)),
    }
}

/// No retries: they hide failures from policies, and a conditional write that is sent twice refuses its own success.
fn no_retries() -> RetryConfig {
    RetryConfig {
        max_retries: 0,
        ..RetryConfig::default()
    }
}

/// object_store's three builders have the same methods and no trait in common.
///
/// The environment is left out where the options hold credentials: a session token or an endpoint of some other account
/// would be mixed into them.
macro_rules! cloud {
    ($open:ident, $provider:expr, $prefix:literal, $builder:ty, $key:ident, $names:expr, $told_apart_by:expr, $secrets:expr, $paths:expr) => {
        fn $open(settings: &StoreSettings, url: &Url, prefix: Path) -> Result<Opened, OpenError> {
            let mut options = Vec::with_capacity(settings.options.len());
            for (name, value) in &settings.options {
                let key: $key =
                    name.to_ascii_lowercase()
                        .parse()
                        .map_err(|_| OpenError::Option {
                            key: name.clone(),
                            scheme: url.scheme().to_owned(),
                            suggestion: suggestion(name, $names, true),
                        })?;
                options.push((key, value));
            }
            let own_credentials = options
                .iter()
                .any(|(key, _)| $secrets.contains(key) || $paths.contains(key));
            let keys: Vec<$key> = options.iter().map(|(key, _)| *key).collect();
            let start = match own_credentials {
                true => <$builder>::new(),
                false => <$builder>::from_env(),
            };
            let timeout = format!("{} ms", settings.request_timeout.as_millis());
            let builder = options.into_iter().fold(
                start
                    .with_retry(no_retries())
                    .with_http_connector(WatchedConnector::new(authorities(settings)?))
                    .with_config($key::Client(ClientConfigKey::Timeout), timeout),
                |builder, (key, value)| builder.with_config(key, value),
            );
            let value = |key: &$key| builder.get_config_value(key);
            let parts: Vec<(&str, String)> = $told_apart_by
                .iter()
                .filter_map(|(name, key)| Some((*name, value(key)?)))
                .collect();
            let redactor = Redactor::new($secrets.iter().filter_map(value));
            let id = StoreId::of(url, &parts);
            let parsed = |option: &str| option.parse::<$key>().ok();
            let is_set = |option: &str| parsed(option).and_then(|key| value(&key)).is_some();
            let name = |option: &str| {
                let key = parsed(option);
                let set_by = settings
                    .options
                    .keys()
                    .zip(&keys)
                    .find(|(_, own)| Some(*own) == key.as_ref());
                match set_by {
                    Some((name, _)) => settings.names.of(name),
                    None => key
                        .filter(|_| !own_credentials)
                        .and_then(|key| variable($prefix, &key))
                        .unwrap_or_else(|| settings.names.of(option)),
                }
            };
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
                objects: under(Arc::new(objects), prefix),
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
    "AWS_",
    AmazonS3Builder,
    AmazonS3ConfigKey,
    S3,
    [
        ("endpoint", AmazonS3ConfigKey::Endpoint),
        ("s3-endpoint", AmazonS3ConfigKey::S3Endpoint),
    ],
    [
        AmazonS3ConfigKey::AccessKeyId,
        AmazonS3ConfigKey::SecretAccessKey,
        AmazonS3ConfigKey::Token,
    ],
    [AmazonS3ConfigKey::WebIdentityTokenFile]
);

cloud!(
    gcs,
    Provider::Gcs,
    "GOOGLE_",
    GoogleCloudStorageBuilder,
    GoogleConfigKey,
    GCS,
    [("endpoint", GoogleConfigKey::BaseUrl)],
    [
        GoogleConfigKey::ServiceAccountKey,
        GoogleConfigKey::BearerToken,
    ],
    [
        GoogleConfigKey::ServiceAccount,
        GoogleConfigKey::ApplicationCredentials,
    ]
);

cloud!(
    azure,
    Provider::Azure,
    "AZURE_",
    MicrosoftAzureBuilder,
    AzureConfigKey,
    AZURE,
    [
        ("account", AzureConfigKey::AccountName),
        ("endpoint", AzureConfigKey::Endpoint),
    ],
    [
        AzureConfigKey::AccessKey,
        AzureConfigKey::ClientSecret,
        AzureConfigKey::SasKey,
        AzureConfigKey::Token,
        AzureConfigKey::EncryptionKey,
        AzureConfigKey::FabricSessionToken,
    ],
    [AzureConfigKey::FederatedTokenFile]
);
