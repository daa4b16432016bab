//! `tidegate policy inspect`.

mod report;
mod settings;
mod words;

use clap::Args;

pub(super) use self::report::Report;
pub(super) use self::words::for_people;
use super::super::component::component;
use super::super::output::{self, Paint};
use super::super::{CommandError, SETTLED, USAGE, log};
use crate::agent::user_compile_cache;
use crate::policy::{Runtime, RuntimeSettings};

/// Tell what a component is, or why it would not load.
#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// The component: a `.wasm` file, `builtin:NAME`, or `oci://…`
    #[arg(value_name = "FILE")]
    component: String,
    /// Print JSON: a documented, versioned contract
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(super) async fn run(self, log: &log::Options) -> Result<u8, CommandError> {
        log.start(None, "warn")?;
        let bytes = component(&self.component)
            .map_err(|error| CommandError::Usage(error.to_string()))?
            .read()
            .await
            .map_err(|problem| CommandError::Usage(output::causes(&problem)))?;
        let settings = RuntimeSettings {
            slots: 1,
            idle: 0,
            cache: user_compile_cache(),
            ..RuntimeSettings::default()
        };
        let runtime = Runtime::new(settings).map_err(crate::agent::AgentError::from)?;
        let inspection = runtime.inspect(bytes).await;
        let report = Report::new(self.component, inspection);
        let text = match self.json {
            true => serde_json::to_string_pretty(&report).map_err(anyhow::Error::new)? + "\n",
            false => for_people(&report, Paint::stdout()),
        };
        output::print(&text)?;
        Ok(match report.loads {
            true => SETTLED,
            false => USAGE,
        })
    }
}
