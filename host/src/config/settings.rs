//! What a configuration means: every default filled in, every value checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::file::{self, File};
use super::problems::{Found, Problems};
use super::reader::Reader;
use super::source::{Problem, Source};
use super::store::{self, StoreEnvironment};
use super::streams::{self, RuleSettings, StreamSettings};
use super::{ConfigError, log_filter, places, policies, registry, staging};
use crate::digest::Digest;
use crate::ledger::{Durability, LedgerOptions};
use crate::policy::{CompileCache, PolicySettings};
use crate::registry::RegistrySettings;
use crate::staging::{Layout, StagingSettings};
use crate::storage::StoreSettings;
use crate::trust::Trust;

/// A whole configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The node's staging directory.
    pub staging: StagingSettings,
    /// Whether the system is asked to report changes between scans.
    pub watch: bool,
    /// Interval between scans of everything in the staging directory whose changes are not reported.
    pub scan_interval: Duration,
    /// Interval between scans of the whole directory while changes are reported, in case a report was lost.
    pub rescan_interval: Duration,
    /// The store.
    pub store: StoreSettings,
    /// The environment variables that concern the store.
    pub store_environment: StoreEnvironment,
    /// The agent's memory.
    pub ledger: LedgerSettings,
    /// How policies run.
    pub runtime: RuntimePart,
    /// How registries are talked to.
    pub registry: Arc<RegistrySettings>,
    /// Whose components may run.
    pub trust: Arc<Trust>,
    /// Every policy that a chain names or the file defines, by name.
    pub policies: BTreeMap<String, PolicySettings>,
    /// What holds for streams that no rule matches.
    pub streams: StreamSettings,
    /// What holds for those that one matches, in order.
    pub rules: Vec<RuleSettings>,
    /// Whether anything is written to the store.
    pub write: bool,
    /// Over how long the work of a start is spread.
    pub start_jitter: Duration,
    /// How the stored objects are checked.
    pub verify: VerifySettings,
    /// What is logged, and how.
    pub log: LogSettings,
    /// SHA-256 of the file.
    pub digest: Digest,
}

/// `[ledger]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerSettings {
    /// The database.
    pub path: PathBuf,
    /// What an acknowledged request survives.
    pub durability: Durability,
    /// Attempts kept of each stream.
    pub attempts_kept: u32,
    /// Bytes of the history of all streams.
    pub history_max: u64,
    /// How long streams that are gone are remembered.
    pub keep_gone: Duration,
    /// The longest time between two of the agent's reports about itself.
    pub heartbeat_interval: Duration,
}

impl LedgerSettings {
    /// The options of a ledger of this store.
    pub fn options(&self, store: &str) -> LedgerOptions {
        LedgerOptions {
            attempts_kept: self.attempts_kept,
            history_max: self.history_max,
            durability: self.durability,
            ..LedgerOptions::new(store)
        }
    }
}

/// `[runtime]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimePart {
    /// Decisions at once.
    pub slots: u16,
    /// Instances that wait for their next decision.
    pub idle: u16,
    /// Where compiled policies are kept, if not in the default directory.
    pub cache: Option<PathBuf>,
    /// Maximum total size of the compiled policies, in bytes. 0 keeps none.
    pub cache_max: u64,
}

impl RuntimePart {
    /// The compile cache that the configuration names.
    pub fn compile_cache(&self) -> Option<CompileCache> {
        let directory = self.cache.clone().filter(|_| self.cache_max > 0)?;
        Some(CompileCache {
            directory,
            max_size: self.cache_max,
        })
    }
}

/// `[verify]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifySettings {
    /// How often the stored objects are checked; `None` for never.
    pub interval: Option<Duration>,
    /// How often a stream is compared with all its peers.
    pub peers_interval: Duration,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// A filter by level and module; `None` leaves it to the command: the agent logs at `info`, others at `warn`.
    pub level: Option<String>,
    /// Whether lines are JSON.
    pub json: bool,
}

impl Settings {
    /// Reads and checks the configuration file. `env` gives the environment, which `from = "parseable"` takes the store
    /// from.
    ///
    /// # Errors
    ///
    /// The file can't be read, or something in it is wrong; the first problem, with its place.
    pub fn read(
        path: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Source, Self), ConfigError> {
        let source = Source::read(path)?;
        let settings = Self::from_source(&source, env)?;
        Ok((source, settings))
    }

    /// Checks a configuration that was read.
    ///
    /// # Errors
    ///
    /// The first problem, with its place.
    pub fn from_source(
        source: &Source,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Problem> {
        Self::check(source, env).map_err(|problems| problems.first)
    }

    /// Checks a configuration that was read, and goes on after a problem.
    ///
    /// # Errors
    ///
    /// Every problem that was found, with its place. Broken TOML hides all others, and so does a key that is missing; what
    /// depends on something that is wrong is not looked at.
    pub fn check(source: &Source, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Problems> {
        Self::examine(source, env).map_err(|refused| refused.problems)
    }

    /// As [`Settings::check`], for a caller that goes on with what can be used.
    ///
    /// # Errors
    ///
    /// Every problem that was found, and the parts that have none.
    pub fn examine(
        source: &Source,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Box<Refused>> {
        let found = Found::default();
        let refused = |problems: Option<Problems>, usable| {
            // There is a problem whenever a part is missing.
            let unknown = || source.problem(&[], "the file can't be used").into();
            let problems = problems.unwrap_or_else(unknown);
            Box::new(Refused { problems, usable })
        };
        let Some(file) = source.parse(&found) else {
            return Err(refused(found.into_problems(), Usable::default()));
        };
        let reader = Reader {
            source,
            dir: source.path().parent().unwrap_or(Path::new("")),
        };
        let staging = reader.staging(&file, &found);
        reader.unused_layouts(&file, &found);
        let store = store::settings(&reader, &file, env, &found);
        let interval = |path: &[&str], length, default_seconds| {
            let default = Duration::from_secs(default_seconds);
            found.keep(reader.positive(path, length, default))
        };
        let scan_interval = interval(&["staging", "scan_interval"], file.staging.scan_interval, 5);
        let rescan_interval = interval(
            &["staging", "rescan_interval"],
            file.staging.rescan_interval,
            1_800,
        );
        let heartbeat = file
            .ledger
            .as_ref()
            .and_then(|ledger| ledger.heartbeat_interval);
        let heartbeat = interval(&["ledger", "heartbeat_interval"], heartbeat, 10);
        let ledger_path = found.keep(reader.ledger_path(&file));
        let verify = reader.verify(&file, &found);
        let runtime = reader.runtime(&file, &found);
        let log = found.keep(reader.log(&file));
        let streams = streams::general(&reader, &file, &found);
        let rules = streams::rules(&reader, &file, &streams, &found);
        let local_files = store
            .as_ref()
            .is_some_and(|(store, _)| store.url.starts_with("file:"));
        let staging = staging.map(|staging| StagingSettings {
            layout: staging::literal_keys(staging.layout, local_files),
            ..staging
        });
        if let (Some(staging), Some((store, _))) = (&staging, &store) {
            found.keep(places::refuse_overlap(&reader, staging, store));
        }
        // Without a layout nothing comes of this but problems, and those don't depend on it.
        let layout = staging
            .as_ref()
            .map_or_else(Layout::plain, |staging| staging.layout.clone());
        let problems = found.count();
        let origin = policies::Origin {
            registry: Arc::new(registry::settings(&reader, &file, &found)),
            trust: Arc::new(registry::trust(&reader, &file, &found)),
        };
        let origin_is_sound = found.count() == problems && found.read_whole(&["registry", "trust"]);
        let policies =
            policies::settings(&reader, &file, &origin, &streams, &rules, &layout, &found);
        if let (Some(staging), Some((store, _))) = (&staging, &store) {
            let named = runtime.as_ref().and_then(|runtime| runtime.cache.as_ref());
            // Without a place of its own it lies in the runtime's.
            let of_registry = origin.registry.cache.as_ref();
            let of_registry = of_registry.filter(|own| named.is_none_or(|it| !own.starts_with(it)));
            let caches = [
                (["runtime", "cache"], named),
                (["registry", "cache"], of_registry),
            ];
            for (key, cache) in caches {
                let Some(cache) = cache else { continue };
                found.keep(places::refuse_inside(&reader, staging, store, key, cache));
            }
        }
        let usable = Usable {
            staging: staging
                .clone()
                .filter(|_| found.read_whole(&["staging", "node", "layouts"])),
            store: store.clone().filter(|_| found.read_whole(&["store"])),
            ledger: ledger_path
                .clone()
                .filter(|_| found.read_whole(&["ledger"])),
            policies: policies::usable(&file, &policies, origin_is_sound, &found),
        };
        let parts = (
            staging,
            store,
            scan_interval.zip(rescan_interval).zip(heartbeat),
            ledger_path,
            verify,
            runtime,
            log,
            found.into_problems(),
        );
        let (staging, store, intervals, ledger_path, verify, runtime, log) = match parts {
            (
                Some(staging),
                Some(store),
                Some(intervals),
                Some(ledger_path),
                Some(verify),
                Some(runtime),
                Some(log),
                None,
            ) => (staging, store, intervals, ledger_path, verify, runtime, log),
            (.., problems) => return Err(refused(problems, usable)),
        };
        let sync = file.sync.as_ref();
        let (store, store_environment) = store;
        let ((scan_interval, rescan_interval), heartbeat_interval) = intervals;
        Ok(Self {
            staging,
            watch: file.staging.watch.unwrap_or(true),
            scan_interval,
            rescan_interval,
            store,
            store_environment,
            ledger: reader.ledger(&file, ledger_path, heartbeat_interval),
            runtime,
            registry: origin.registry,
            trust: origin.trust,
            policies,
            streams,
            rules,
            write: sync.and_then(|sync| sync.write).unwrap_or(true),
            start_jitter: sync
                .and_then(|sync| sync.start_jitter)
                .map_or(Duration::from_secs(30), Duration::from),
            verify,
            log,
            digest: source.digest(),
        })
    }
}

/// Why a configuration can't be used, and what of it can.
#[derive(Clone, Debug)]
pub struct Refused {
    /// What is wrong.
    pub problems: Problems,
    /// The parts that nothing is wrong with.
    pub usable: Usable,
}

/// Parts of a configuration that something else is wrong with.
#[derive(Clone, Debug, Default)]
pub struct Usable {
    /// The node's staging directory.
    pub staging: Option<StagingSettings>,
    /// The store, with the environment variables that concern it.
    pub store: Option<(StoreSettings, StoreEnvironment)>,
    /// The ledger's path.
    pub ledger: Option<PathBuf>,
    /// The policies that the file defines, by name.
    pub policies: BTreeMap<String, PolicySettings>,
}

impl Reader<'_> {
    fn verify(&self, file: &File, found: &Found) -> Option<VerifySettings> {
        let verify = file.verify.as_ref();
        let length = |key, written: fn(&file::Verify) -> Option<super::Length>, default_seconds| {
            let default = Duration::from_secs(default_seconds);
            found.keep(self.positive(&["verify", key], verify.and_then(written), default))
        };
        let interval = length("interval", |verify| verify.interval, 3_600);
        let peers_interval = length("peers_interval", |verify| verify.peers_interval, 86_400);
        let enabled = verify.and_then(|verify| verify.enabled).unwrap_or(true);
        Some(VerifySettings {
            interval: Some(interval?).filter(|_| enabled),
            peers_interval: peers_interval?,
        })
    }

    fn log(&self, file: &File) -> Result<LogSettings, Problem> {
        let log = file.log.as_ref();
        let level = log.and_then(|log| log.level.clone());
        if let Some(text) = &level
            && let Err(error) = log_filter(text, "info")
        {
            return Err(self.problem(&["log", "level"], error.to_string()));
        }
        Ok(LogSettings {
            level,
            json: log.and_then(|log| log.format) == Some(file::LogFormat::Json),
        })
    }

    fn ledger_path(&self, file: &File) -> Result<PathBuf, Problem> {
        let path = file
            .ledger
            .as_ref()
            .and_then(|ledger| ledger.path.as_deref())
            .unwrap_or(Path::new("ledger.db"));
        self.written_path(&["ledger", "path"], path)
    }

    fn ledger(&self, file: &File, path: PathBuf, heartbeat_interval: Duration) -> LedgerSettings {
        let ledger = file.ledger.as_ref();
        LedgerSettings {
            path,
            durability: match ledger.and_then(|ledger| ledger.durability) {
                Some(file::Durability::Kill) => Durability::Kill,
                Some(file::Durability::PowerLoss) | None => Durability::PowerLoss,
            },
            attempts_kept: ledger
                .and_then(|ledger| ledger.attempts_kept)
                .unwrap_or(LedgerOptions::ATTEMPTS_KEPT),
            history_max: ledger
                .and_then(|ledger| ledger.history_max)
                .map_or(LedgerOptions::HISTORY_MAX, |size| size.0),
            keep_gone: ledger
                .and_then(|ledger| ledger.keep_gone)
                .map_or(Duration::from_secs(30 * 86_400), Duration::from),
            heartbeat_interval,
        }
    }

    fn runtime(&self, file: &File, found: &Found) -> Option<RuntimePart> {
        let defaults = crate::policy::RuntimeSettings::default();
        let runtime = file.runtime.as_ref();
        let slots = found.keep(match runtime.and_then(|runtime| runtime.slots) {
            Some(0) => Err(self.too_few(&["runtime", "slots"])),
            slots => Ok(slots.unwrap_or(defaults.slots)),
        });
        let cache = runtime
            .and_then(|runtime| runtime.cache.as_deref())
            .map(|path| self.written_path(&["runtime", "cache"], path));
        let cache = found.keep(cache.transpose());
        Some(RuntimePart {
            slots: slots?,
            idle: runtime
                .and_then(|runtime| runtime.idle)
                .unwrap_or(defaults.idle),
            cache: cache?,
            cache_max: runtime
                .and_then(|runtime| runtime.cache_max)
                .map_or(CompileCache::MAX_SIZE, |size| size.0),
        })
    }
}
