//! Logs: by `tracing`, to stderr, as text or JSON.

use std::io::IsTerminal;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::CommandError;
use crate::config::LogSettings;

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// What the command line says about logs; it wins over the configuration.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) filter: Option<String>,
    pub(super) format: Option<Format>,
}

impl Options {
    /// Starts logging. `usual` holds where neither the command line nor the configuration says anything.
    pub(super) fn start(
        &self,
        settings: Option<&LogSettings>,
        usual: &str,
    ) -> Result<(), CommandError> {
        let filter = self
            .filter
            .as_deref()
            .or(settings.and_then(|log| log.level.as_deref()))
            .unwrap_or(usual);
        let targets: Targets = filter.parse().map_err(|error| {
            CommandError::Usage(format!("`--log {filter}` is no filter: {error}"))
        })?;
        let json = match self.format {
            Some(format) => format == Format::Json,
            None => settings.is_some_and(|log| log.json),
        };
        let registry = tracing_subscriber::registry().with(targets);
        let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
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
