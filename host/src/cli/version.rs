use clap::Args;
use serde::Serialize;

use super::{CommandError, SETTLED, output};
use crate::policy::{Runtime, RuntimeSettings};

/// Show what this program is and speaks.
#[derive(Debug, Args)]
pub(super) struct Version {
    /// Print JSON: a documented, versioned contract
    #[arg(long)]
    json: bool,
}

/// `version --json`, version 1.
#[derive(Debug, Serialize)]
struct Report {
    version: u32,
    /// The program's version.
    program: &'static str,
    /// The versions of the package `tidegate:policy` that policies may be built against.
    contracts: Vec<&'static str>,
    /// What must be the same for fuel to be comparable, and for compiled policies to be shared; hexadecimal.
    engine: String,
}

impl Version {
    pub(super) fn run(self) -> Result<u8, CommandError> {
        let settings = RuntimeSettings {
            slots: 1,
            idle: 0,
            ..RuntimeSettings::default()
        };
        let runtime = Runtime::new(settings).map_err(crate::agent::AgentError::from)?;
        let report = Report {
            version: 1,
            program: env!("CARGO_PKG_VERSION"),
            contracts: runtime
                .contracts()
                .iter()
                .map(|version| version.number())
                .collect(),
            engine: format!("{:016x}", runtime.engine_hash()),
        };
        let text = match self.json {
            true => serde_json::to_string_pretty(&report).map_err(anyhow::Error::new)? + "\n",
            false => format!(
                "tidegate {}\npolicy contract {}\nengine {}\n",
                report.program,
                report.contracts.join(", "),
                report.engine
            ),
        };
        output::print(&text)?;
        Ok(SETTLED)
    }
}
