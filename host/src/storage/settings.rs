use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::names::SettingNames;
use super::options::is_public;
use super::redact::{REDACTED, public_url};

/// What to do about a store that does not honour conditional writes: ignores, rejects or refuses them, or loses races.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConditionalWrites {
    /// Refuse to run on it.
    #[default]
    Required,
    /// Warn; check by a GET before each write what the store does not check, and read back afterwards.
    BestEffort,
}

/// Which store, and how hard it may be used. The limits hold for all requests of one [`Store`](super::Store) together.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`, `file:///directory`, `memory:///`, and the
    /// other spellings that object_store knows for them. The path is a prefix to every key.
    pub url: String,
    /// object_store's own option keys (`endpoint`, `region`, `access_key_id`, …) and, for `file://`, `scratch`. The
    /// environment (`AWS_*`, `AZURE_*`, `GOOGLE_*`) is not read when the store is opened; a configuration takes from it
    /// only what is not settled otherwise. Empty by default.
    pub options: BTreeMap<String, String>,
    /// How messages name these settings. By the keys of the configuration file by default.
    pub names: SettingNames,
    /// A PEM file of CA certificates that are trusted besides the system's. None by default.
    pub ca_file: Option<PathBuf>,
    /// Files that hold the values of options. They are read again when they change and when the store rejects the
    /// credentials. Empty by default.
    pub option_files: BTreeMap<String, PathBuf>,
    /// Whether a store must honour conditional writes. [`ConditionalWrites::Required`] by default.
    pub conditional_writes: ConditionalWrites,
    /// Requests in flight at once. 32 by default.
    pub max_in_flight: NonZeroU32,
    /// Requests a second, host calls of policies included, in the long run. 50 by default.
    pub requests_per_second: NonZeroU32,
    /// Requests that may go out at once after a quiet time. 100 by default.
    pub burst: NonZeroU32,
    /// How long one operation may take from the moment it is sent, its body included; waiting for the limits above does
    /// not count. 30 s by default.
    pub request_timeout: Duration,
}

impl StoreSettings {
    /// The defaults, for the store at this URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            options: BTreeMap::new(),
            names: SettingNames::default(),
            ca_file: None,
            option_files: BTreeMap::new(),
            conditional_writes: ConditionalWrites::default(),
            max_in_flight: MAX_IN_FLIGHT,
            requests_per_second: REQUESTS_PER_SECOND,
            burst: BURST,
            request_timeout: REQUEST_TIMEOUT,
        }
    }

    /// The same with this option set.
    pub fn with_option(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.insert(key.into(), value.into());
        self
    }

    /// Returns the URL without credentials.
    pub fn public_url(&self) -> String {
        public_url(&self.url)
    }
}

const MAX_IN_FLIGHT: NonZeroU32 = NonZeroU32::new(32).unwrap();
const REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(50).unwrap();
const BURST: NonZeroU32 = NonZeroU32::new(100).unwrap();
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

impl fmt::Debug for StoreSettings {
    /// Shows options by name, and the values of those only that can't hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: BTreeMap<&str, &str> = self
            .options
            .iter()
            .map(|(key, value)| match is_public(key, value) {
                true => (key.as_str(), value.as_str()),
                false => (key.as_str(), REDACTED),
            })
            .collect();
        f.debug_struct("StoreSettings")
            .field("url", &public_url(&self.url))
            .field("options", &options)
            .field("ca_file", &self.ca_file)
            .field("option_files", &self.option_files)
            .field("conditional_writes", &self.conditional_writes)
            .field("max_in_flight", &self.max_in_flight)
            .field("requests_per_second", &self.requests_per_second)
            .field("burst", &self.burst)
            .field("request_timeout", &self.request_timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_names_secret_options_without_their_values() {
        let settings = StoreSettings::new("s3://user:hunter2@bucket/?sig=hunter3")
            .with_option("secret_access_key", "hunter4")
            .with_option("proxy_url", "http://me:hunter5@proxy")
            .with_option("endpoint", "http://me:hunter6@host")
            .with_option("region", "eu-north-1");
        let text = format!("{settings:?}");
        assert!(!text.contains("hunter"), "{text}");
        assert!(text.contains("secret_access_key"), "{text}");
        assert!(text.contains("eu-north-1"), "{text}");
    }
}
