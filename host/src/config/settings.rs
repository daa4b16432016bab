//! What a configuration means: every default filled in, every value checked.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::file::{self, File};
use super::problems::{Found, Problems};
use super::source::{Problem, Source};
use super::store::{self, StoreEnvironment};
use super::streams::{self, RuleSettings, StreamSettings};
use super::{ConfigError, policies, registry};
use crate::digest::Digest;
use crate::ledger::{Durability, LedgerOptions};
use crate::policy::{CompileCache, PolicySettings};
use crate::registry::RegistrySettings;
use crate::staging::{Layout, ParseableMode, StagingSettings, TemplateLayout};
use crate::storage::StoreSettings;
use crate::stream::NodeId;
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
        let found = Found::default();
        let Some(file) = source.parse(&found) else {
            let problems = found.into_problems();
            // There is a problem whenever there is no file.
            let unknown = || source.problem(&[], "the file can't be used").into();
            return Err(problems.unwrap_or_else(unknown));
        };
        let reader = Reader {
            source,
            dir: source.path().parent().unwrap_or(Path::new("")),
        };
        let staging = found.keep(reader.staging(&file));
        reader.unused_layouts(&file, &found);
        let store = store::settings(&reader, &file, env, &found);
        let scan_interval = found.keep(reader.positive(
            &["staging", "scan_interval"],
            file.staging.scan_interval,
            5,
        ));
        let rescan_interval = found.keep(reader.positive(
            &["staging", "rescan_interval"],
            file.staging.rescan_interval,
            1_800,
        ));
        let heartbeat = found.keep(
            reader.positive(
                &["ledger", "heartbeat_interval"],
                file.ledger
                    .as_ref()
                    .and_then(|ledger| ledger.heartbeat_interval),
                10,
            ),
        );
        let verify = found.keep(reader.verify(&file));
        let runtime = found.keep(reader.runtime(&file));
        let log = found.keep(reader.log(&file));
        let streams = found.keep(streams::general(&reader, &file));
        let rules = streams
            .as_ref()
            .and_then(|streams| found.keep(streams::rules(&reader, &file, streams)));
        let local_files = store
            .as_ref()
            .is_some_and(|(store, _)| store.url.starts_with("file:"));
        let staging = staging.map(|staging| StagingSettings {
            layout: literal_keys(staging.layout, local_files),
            ..staging
        });
        // Without a layout nothing comes of this but problems, and those don't depend on it.
        let layout = staging
            .as_ref()
            .map_or_else(Layout::plain, |staging| staging.layout.clone());
        // A problem with either is put aside already.
        let origin = policies::Origin {
            registry: Arc::new(
                found
                    .keep(registry::settings(&reader, &file))
                    .unwrap_or_default(),
            ),
            trust: Arc::new(
                found
                    .keep(registry::trust(&reader, &file))
                    .unwrap_or_default(),
            ),
        };
        let policies = policies::settings(
            &reader,
            &file,
            &origin,
            streams.as_ref(),
            rules.as_deref().unwrap_or_default(),
            &layout,
            &found,
        );
        let parts = (
            staging,
            store,
            scan_interval.zip(rescan_interval).zip(heartbeat),
            verify,
            runtime,
            log,
            streams,
            rules,
            found.into_problems(),
        );
        let (staging, store, intervals, verify, runtime, log, streams, rules) = match parts {
            (
                Some(staging),
                Some(store),
                Some(intervals),
                Some(verify),
                Some(runtime),
                Some(log),
                Some(streams),
                Some(rules),
                None,
            ) => (
                staging, store, intervals, verify, runtime, log, streams, rules,
            ),
            (.., Some(problems)) => return Err(problems),
            // Nothing is missing without a problem.
            (.., None) => return Err(source.problem(&[], "the file can't be used").into()),
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
            ledger: reader.ledger(&file, heartbeat_interval),
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

/// Parseable's drive mode names files by streams' names as they are; for every cloud store it encodes them.
fn literal_keys(layout: Layout, local_files: bool) -> Layout {
    match layout.mode() {
        Some(_) if local_files => layout.with_keys(crate::staging::KeyForm::Literal),
        _ => layout,
    }
}

/// A file that is being checked.
pub(super) struct Reader<'a> {
    pub(super) source: &'a Source,
    dir: &'a Path,
}

impl Reader<'_> {
    /// A path of the file, which starts from the file's directory.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        self.dir.join(path)
    }

    /// A file of CA certificates, which must be usable.
    pub(super) fn ca_file(
        &self,
        place: &[&str],
        path: Option<&Path>,
    ) -> Result<Option<PathBuf>, Problem> {
        let Some(path) = path.map(|path| self.path(path)) else {
            return Ok(None);
        };
        match crate::transport::read_ca_file(&path) {
            Ok(_) => Ok(Some(path)),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                Err(self.problem(place, format!("{error}{}", cause.unwrap_or_default())))
            }
        }
    }

    pub(super) fn problem(&self, path: &[&str], message: impl Into<String>) -> Problem {
        self.source.problem(path, message)
    }

    pub(super) fn positive(
        &self,
        path: &[&str],
        length: Option<super::Length>,
        default_seconds: u64,
    ) -> Result<Duration, Problem> {
        match length {
            Some(length) if length.0.is_zero() => {
                Err(self.problem(path, "must be more than nothing"))
            }
            Some(length) => Ok(length.0),
            None => Ok(Duration::from_secs(default_seconds)),
        }
    }

    pub(super) fn at_least_one(
        &self,
        path: &[&str],
        number: Option<u32>,
        default: NonZeroU32,
    ) -> Result<NonZeroU32, Problem> {
        match number {
            Some(number) => {
                NonZeroU32::new(number).ok_or_else(|| self.problem(path, "must be at least 1"))
            }
            None => Ok(default),
        }
    }

    fn verify(&self, file: &File) -> Result<VerifySettings, Problem> {
        let verify = file.verify.as_ref();
        let length = |key, found: fn(&file::Verify) -> Option<super::Length>, default_seconds| {
            self.positive(&["verify", key], verify.and_then(found), default_seconds)
        };
        let interval = length("interval", |verify| verify.interval, 3_600)?;
        let enabled = verify.and_then(|verify| verify.enabled).unwrap_or(true);
        Ok(VerifySettings {
            interval: enabled.then_some(interval),
            peers_interval: length("peers_interval", |verify| verify.peers_interval, 86_400)?,
        })
    }

    fn staging(&self, file: &File) -> Result<StagingSettings, Problem> {
        let staging = &file.staging;
        let layout = self.layout(file)?;
        let mut settings = StagingSettings::new(self.path(&staging.dir), layout);
        settings.tenants = staging.tenants.unwrap_or(false);
        settings.max_schema_size = staging
            .max_schema_size
            .map_or(settings.max_schema_size, |size| size.0);
        settings.max_streams = match staging.max_streams {
            Some(0) => return Err(self.problem(&["staging", "max_streams"], "must be at least 1")),
            Some(streams) => usize::try_from(streams).unwrap_or(usize::MAX),
            None => settings.max_streams,
        };
        settings.max_watches = staging.max_watches.map_or(settings.max_watches, |watches| {
            usize::try_from(watches).unwrap_or(usize::MAX)
        });
        let id = file.node.as_ref().and_then(|node| node.id.as_deref());
        match (id, settings.layout.mode()) {
            (Some(id), _) if matches!(id, "" | "." | "..") || id.contains(['/', '\0']) => {
                return Err(self.problem(&["node", "id"], "a node's id is one segment of a key"));
            }
            (None, None) => {
                let layout = settings.layout.name();
                let message = format!(
                    "the layout `{layout}` needs the node's identity: write `[node]` with `id = \"…\"`"
                );
                return Err(self.problem(&["staging", "layout"], message));
            }
            (id, _) => settings.node = id.map(NodeId::new),
        }
        Ok(settings)
    }

    fn layout(&self, file: &File) -> Result<Layout, Problem> {
        let mode = match file.staging.mode {
            Some(file::Mode::Standalone) => ParseableMode::Standalone,
            Some(file::Mode::Ingest) | None => ParseableMode::Ingest,
        };
        let name = file.staging.layout.as_deref().unwrap_or("parseable");
        if name != "parseable" && file.staging.mode.is_some() {
            return Err(self.problem(&["staging", "mode"], "only the parseable layout has modes"));
        }
        for preset in ["parseable", "plain"] {
            if file.layouts.contains_key(preset) {
                return Err(self.problem(
                    &["layouts", preset],
                    "this name stands for a preset: take another one",
                ));
            }
        }
        match (name, file.layouts.get(name)) {
            ("parseable", _) => Ok(Layout::parseable(mode)),
            ("plain", _) => Ok(Layout::plain()),
            (_, Some(layout)) => self.templates(name, layout),
            (_, None) => {
                let known = file
                    .layouts
                    .keys()
                    .map(String::as_str)
                    .chain(["parseable", "plain"]);
                let message = format!(
                    "no layout is named `{name}`; {}",
                    super::source::suggest(name, known)
                );
                Err(self.problem(&["staging", "layout"], message))
            }
        }
    }

    fn templates(&self, name: &str, layout: &file::Layout) -> Result<Layout, Problem> {
        let templates = TemplateLayout {
            name: name.to_owned(),
            staged: layout.staged.clone(),
            stored: layout.stored.clone(),
            base: layout.base.clone(),
        };
        Layout::templates(&templates).map_err(|error| {
            let key = match &error.template {
                staged if *staged == layout.staged => "staged",
                stored if *stored == layout.stored => "stored",
                _ => "base",
            };
            self.problem(&["layouts", name, key], error.to_string())
        })
    }

    /// Layouts that are written down and not chosen: a slip in one should not wait for the day on which it is.
    fn unused_layouts(&self, file: &File, found: &Found) {
        let chosen = file.staging.layout.as_deref().unwrap_or("parseable");
        for (name, layout) in &file.layouts {
            if name != chosen && name != "parseable" && name != "plain" {
                found.keep(self.templates(name, layout));
            }
        }
    }

    fn log(&self, file: &File) -> Result<LogSettings, Problem> {
        let log = file.log.as_ref();
        let level = log.and_then(|log| log.level.clone());
        if let Some(text) = &level
            && let Err(error) = text.parse::<tracing_subscriber::filter::Targets>()
        {
            let message = format!("`{text}` is not a valid filter: {error}");
            return Err(self.problem(&["log", "level"], message));
        }
        Ok(LogSettings {
            level,
            json: log.and_then(|log| log.format) == Some(file::LogFormat::Json),
        })
    }

    fn ledger(&self, file: &File, heartbeat_interval: Duration) -> LedgerSettings {
        let ledger = file.ledger.as_ref();
        let path = ledger
            .and_then(|ledger| ledger.path.as_deref())
            .unwrap_or(Path::new("ledger.db"));
        LedgerSettings {
            path: self.path(path),
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

    fn runtime(&self, file: &File) -> Result<RuntimePart, Problem> {
        let defaults = crate::policy::RuntimeSettings::default();
        let runtime = file.runtime.as_ref();
        let slots = runtime
            .and_then(|runtime| runtime.slots)
            .unwrap_or(defaults.slots);
        if slots == 0 {
            return Err(self.problem(&["runtime", "slots"], "must be at least 1"));
        }
        Ok(RuntimePart {
            slots,
            idle: runtime
                .and_then(|runtime| runtime.idle)
                .unwrap_or(defaults.idle),
            cache: runtime
                .and_then(|runtime| runtime.cache.as_deref())
                .map(|path| self.path(path)),
            cache_max: runtime
                .and_then(|runtime| runtime.cache_max)
                .map_or(CompileCache::MAX_SIZE, |size| size.0),
        })
    }
}
