//! Reads secret files again while the store is in use: at a bounded rate when they change, and when the store rejects
//! the credentials. The store is then built again, with the same identity.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use super::id::StoreId;
use super::open::{self, OpenError, Opened};
use super::options::{self, Address};
use super::secret_file::{Stamp, read_secret};
use super::settings::StoreSettings;

/// How often the files are looked at, at most: one `stat` of each file before an operation.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// How often the files are read because the store rejected the credentials, at most.
const REJECTED_INTERVAL: Duration = Duration::from_secs(1);

/// A store that follows its secret files.
pub(super) struct Reloading {
    opened: RwLock<Arc<Opened>>,
    id: StoreId,
    files: Option<Mutex<Files>>,
    /// How often the store was built again.
    rebuilt: AtomicU64,
}

/// The secret files of a store that has any.
struct Files {
    settings: StoreSettings,
    paths: Vec<PathBuf>,
    stamps: Vec<Option<Stamp>>,
    /// The time of the latest look.
    looked: Duration,
    /// Whether the store rejected the credentials after that.
    rejected: bool,
    /// The latest problem, which is reported once.
    trouble: Option<String>,
}

impl Reloading {
    /// A store whose settings never change.
    pub(super) fn fixed(opened: Opened) -> Self {
        Self {
            id: opened.id.clone(),
            opened: RwLock::new(Arc::new(opened)),
            files: None,
            rebuilt: AtomicU64::new(0),
        }
    }

    /// Opens the store that the settings name. Option files whose values the settings don't have are read.
    pub(super) fn open(settings: &StoreSettings, now: Duration) -> Result<Self, OpenError> {
        let mut settings = settings.clone();
        let paths = watched(&settings);
        // Taken before the files are read, so that a change during the read is noticed later.
        let stamps = paths.iter().map(|path| Stamp::of(path)).collect();
        for (key, path) in &settings.option_files {
            if !settings.options.contains_key(key) {
                let value = read(key, path)?;
                settings.options.insert(key.clone(), value);
            }
        }
        let opened = open::open(&settings)?;
        let files = (!paths.is_empty()).then(|| {
            Mutex::new(Files {
                settings,
                paths,
                stamps,
                looked: now,
                rejected: false,
                trouble: None,
            })
        });
        Ok(Self {
            id: opened.id.clone(),
            opened: RwLock::new(Arc::new(opened)),
            files,
            rebuilt: AtomicU64::new(0),
        })
    }

    /// Returns the store's identity, which stays the same.
    pub(super) fn id(&self) -> &StoreId {
        &self.id
    }

    /// Returns the store as it is now, after a look at its files if one is due.
    pub(super) fn current(&self, now: Duration) -> Arc<Opened> {
        if let Some(files) = &self.files {
            let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(opened) = files.reopened(now, &self.id) {
                *self.opened.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(opened);
                self.rebuilt.fetch_add(1, Ordering::Relaxed);
            }
        }
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&opened)
    }

    /// Returns how often the store was built again.
    pub(super) fn rebuilt(&self) -> u64 {
        self.rebuilt.load(Ordering::Relaxed)
    }

    /// Records that the store rejected the credentials: the next operation reads the files again.
    pub(super) fn rejected(&self) {
        if let Some(files) = &self.files {
            let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
            files.rejected = true;
        }
    }
}

impl Files {
    /// The store with what the files hold now; `None` if that is the same, or can't be used.
    fn reopened(&mut self, now: Duration, id: &StoreId) -> Option<Opened> {
        let interval = match self.rejected {
            true => REJECTED_INTERVAL,
            false => LOOK_INTERVAL,
        };
        if now.saturating_sub(self.looked) < interval {
            return None;
        }
        self.looked = now;
        let rejected = std::mem::take(&mut self.rejected);
        let stamps: Vec<_> = self.paths.iter().map(|path| Stamp::of(path)).collect();
        if stamps == self.stamps && !rejected {
            return None;
        }
        match self.open(id, stamps != self.stamps) {
            Ok(opened) => {
                self.stamps = stamps;
                self.trouble = None;
                if opened.is_some() {
                    tracing::info!(store = %id, "the secret files of the store have changed and were read again");
                }
                opened
            }
            // The stamps stay as they were, so that the next look tries again.
            Err(error) => {
                let trouble = error.in_full();
                if self.trouble.as_ref() != Some(&trouble) {
                    tracing::warn!(
                        store = %id,
                        "the secret files of the store have changed and can't be used; the former values are kept: {trouble}"
                    );
                    self.trouble = Some(trouble);
                }
                None
            }
        }
    }

    /// Opens the store again, if the files hold something else or if files that object_store reads have changed.
    fn open(&mut self, id: &StoreId, changed: bool) -> Result<Option<Opened>, OpenError> {
        let mut settings = self.settings.clone();
        for (key, path) in &self.settings.option_files {
            settings.options.insert(key.clone(), read(key, path)?);
        }
        let others = self.paths.len() > self.settings.option_files.len();
        if settings == self.settings && !(changed && others) {
            return Ok(None);
        }
        let opened = open::open(&settings)?;
        if opened.id != *id {
            return Err(OpenError::OtherStore {
                was: id.clone(),
                is: opened.id,
            });
        }
        self.settings = settings;
        Ok(Some(opened))
    }
}

/// The files that the store is built from: those of options, and those that object_store reads when it is built.
fn watched(settings: &StoreSettings) -> Vec<PathBuf> {
    let mut paths: Vec<_> = settings.option_files.values().cloned().collect();
    if let Ok(address) = Address::parse(&settings.url) {
        let read_when_built = settings.options.iter().filter_map(|(name, value)| {
            let spec = options::find(address.family, name)?;
            matches!(spec.name(), "service_account" | "application_credentials")
                .then(|| PathBuf::from(value))
        });
        paths.extend(read_when_built);
    }
    paths
}

fn read(key: &str, path: &std::path::Path) -> Result<String, OpenError> {
    read_secret(path).map_err(|source| OpenError::OptionFile {
        key: key.to_owned(),
        path: path.to_owned(),
        source,
    })
}
