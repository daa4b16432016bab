//! `tidegate policy push`, `pull` and `list`: components in registries.

mod list;
mod pull;
mod push;

use std::path::PathBuf;

use clap::Args;

pub(super) use list::List;
pub(super) use pull::Pull;
pub(super) use push::Push;

use super::super::CommandError;
use crate::config::{ConfigError, Settings, Source};
use crate::registry::{Reference, RegistrySettings};
use crate::trust::Trust;

/// How registries are talked to.
#[derive(Debug, Args)]
pub(super) struct Registry {
    /// Take [registry] and [trust] from this configuration
    #[arg(long, short = 'c', value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where pulled components are kept; without it, where the configuration says, or `tidegate/components` in the user's
    /// cache
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Speak with the reference's host without TLS
    #[arg(long)]
    plain_http: bool,
    /// Trust the CA certificates in this PEM file too
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Let the registry redirect to this host; may be given several times
    #[arg(long = "allow-redirect", value_name = "HOST")]
    redirects: Vec<String>,
}

impl Registry {
    /// What the command line and the configuration say. A tag will do: whoever types it means what it means now.
    fn settings(
        &self,
        reference: Option<&Reference>,
    ) -> Result<(RegistrySettings, Trust), CommandError> {
        let (mut settings, trust) = match &self.config {
            Some(path) => {
                let source = Source::read(path)?.simulated();
                let settings = Settings::from_source(&source, &|_| None);
                let settings = settings.map_err(ConfigError::from)?;
                ((*settings.registry).clone(), (*settings.trust).clone())
            }
            None => Default::default(),
        };
        settings.allow_tags = true;
        settings.redirects.extend(self.redirects.iter().cloned());
        if let (true, Some(reference)) = (self.plain_http, reference) {
            settings.plain_http.push(reference.host().to_owned());
        }
        if let Some(path) = &self.ca_file {
            settings.ca_file = Some(path.clone());
        }
        if let Some(cache) = &self.cache {
            settings.cache = Some(cache.clone());
        }
        Ok((settings, trust))
    }
}

/// A size for people.
fn in_kib(bytes: u64) -> String {
    match bytes {
        0..0x100000 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}
