//! Logs: by `tracing`, to stderr, as text or JSON.

mod stderr;

use std::io::IsTerminal;
use std::path::Path;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::CommandError;
use crate::config::{BadFilter, LogSettings, Settings, Source, log_filter};

pub(super) use stderr::reader_gone;

/// For commands that run simulated agents, whose logs would bury the command's own output.
pub(super) const SIMULATED: &str = "off,tidegate::policy::cache=warn";

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Human-readable
    Text,
    /// One JSON object a line
    Json,
}

/// Reads the value of `--log`, for every command, also those that log nothing.
pub(super) fn filter(text: &str) -> Result<String, BadFilter> {
    log_filter(text, "info").map(|_| text.to_owned())
}

/// What the command line says about logs; it wins over the configuration.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) filter: Option<String>,
    pub(super) format: Option<Format>,
}

impl Options {
    /// Starts logging. `usual` is the level if neither the command line nor the configuration sets one.
    pub(super) fn start(
        &self,
        settings: Option<&LogSettings>,
        usual: &str,
    ) -> Result<(), CommandError> {
        let level = settings.and_then(|log| log.level.as_deref());
        let filter = self.filter.as_deref().or(level).unwrap_or(usual);
        let targets = log_filter(filter, usual).map_err(|error| {
            // The command line and the configuration were checked when they were read.
            CommandError::Usage(format!("the log filter {filter:?} can't be used: {error}"))
        })?;
        let json = match self.format {
            Some(format) => format == Format::Json,
            None => settings.is_some_and(|log| log.json),
        };
        let registry = tracing_subscriber::registry().with(targets);
        let layer = tracing_subscriber::fmt::layer().with_writer(|| stderr::Stderr);
        // A second start, in tests or by an embedder, leaves the first one in place.
        let _ = match json {
            true => registry.with(layer.json().flatten_event(true)).try_init(),
            false => registry
                .with(
                    layer
                        .with_ansi(std::io::stderr().is_terminal())
                        .with_target(false),
                )
                .try_init(),
        };
        Ok(())
    }
}

/// Logs the first line, before anything that takes time: what starts, and with which files and store.
pub(super) fn starting(source: &Source, settings: &Settings) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        config = absolute(source.path()),
        staging = absolute(&settings.staging.dir),
        store = settings.store.public_url(),
        ledger = absolute(&settings.ledger.path),
        "tidegate starts"
    );
}

/// Makes the path absolute: a reader of the log does not know where the agent was started.
fn absolute(path: &Path) -> String {
    let absolute = std::path::absolute(path);
    absolute.map_or_else(
        |_| path.display().to_string(),
        |path| path.display().to_string(),
    )
}
