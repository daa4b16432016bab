use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::CommandError;
use crate::agent::{Opening, node_directory_of};
use crate::config::{Settings, Size};
use crate::sandbox::record::{Bounds, Recording};

/// Whether decisions are recorded, and how much of them is kept.
#[derive(Debug, Args)]
pub(super) struct Record {
    /// Record every decision of a policy to files in this directory, for `tidegate policy replay`
    #[arg(long = "record", value_name = "DIR")]
    directory: Option<PathBuf>,
    /// The size of one of these files, compressed [default: 16MiB]
    #[arg(long = "record-file-size", value_name = "SIZE", requires = "directory")]
    file_size: Option<Size>,
    /// The size of all of them together: the oldest are removed in time [default: 1GiB]
    #[arg(long = "record-max-size", value_name = "SIZE", requires = "directory")]
    max_size: Option<Size>,
}

impl Record {
    /// Begins to record, where that is asked for.
    pub(super) fn start(
        &self,
        settings: &Settings,
        opening: &Opening,
    ) -> Result<Option<Arc<Recording>>, CommandError> {
        let Some(directory) = &self.directory else {
            return Ok(None);
        };
        if let Some((what, inside)) = node_directory_of(directory, settings) {
            return Err(CommandError::Usage(format!(
                "the recording {} would lie inside {what} {}, which belongs to the node: name a place elsewhere",
                directory.display(),
                inside.display()
            )));
        }
        let usual = Bounds::default();
        let bounds = Bounds {
            file_size: self.file_size.map_or(usual.file_size, u64::from),
            max_size: self.max_size.map_or(usual.max_size, u64::from),
        };
        let recording = Recording::start(directory, bounds, Arc::clone(&opening.clock))?;
        tracing::info!(directory = %directory.display(), "every decision is recorded, with what policies read");
        Ok(Some(Arc::new(recording)))
    }
}
