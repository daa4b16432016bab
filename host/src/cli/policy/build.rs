//! `tidegate policy build`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::super::output::{self, Paint};
use super::super::{CommandError, SETTLED, log};
use super::inspect::{Report, for_people};
use crate::agent::{AgentError, user_compile_cache};
use crate::author::Language;
use crate::author::build::build;
use crate::policy::{Runtime, RuntimeSettings};

/// Build a policy into a component.
#[derive(Debug, Args)]
pub(super) struct Build {
    /// The project's directory
    #[arg(value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// What it is written in, where its files do not tell: "rust", "js", "python" or "c"
    #[arg(long = "lang", value_name = "LANG")]
    language: Option<Language>,
    /// Print JSON: a documented, versioned contract
    #[arg(long)]
    json: bool,
}

/// `policy build --json`, version 1.
#[derive(Debug, Serialize)]
struct Document<'a> {
    version: u32,
    /// What the project is written in.
    language: &'static str,
    /// What built it.
    by: &'a str,
    /// Where the component stands.
    file: &'a Path,
    /// What `policy inspect --json` tells of it.
    inspection: &'a Report,
}

impl Build {
    pub(super) async fn run(self, log: &log::Options) -> Result<u8, CommandError> {
        log.start(None, "warn")?;
        let runtime = Runtime::new(RuntimeSettings {
            slots: 1,
            idle: 0,
            cache: user_compile_cache(),
            ..RuntimeSettings::default()
        })
        .map_err(AgentError::from)?;
        let built = build(&self.project, self.language, &runtime).await?;
        let report = Report::new(built.file.display().to_string(), built.inspection);
        let text = match self.json {
            true => {
                let document = Document {
                    version: 1,
                    language: built.language.name(),
                    by: &built.by,
                    file: &built.file,
                    inspection: &report,
                };
                serde_json::to_string_pretty(&document).map_err(anyhow::Error::new)? + "\n"
            }
            false => format!(
                "{}\n{}",
                for_people(&report, Paint::stdout()),
                self.what_next(&built.file, &built.by)
            ),
        };
        output::print(&text)?;
        Ok(SETTLED)
    }

    fn what_next(&self, file: &Path, by: &str) -> String {
        let file = file.strip_prefix(".").unwrap_or(file).display();
        let mut text = format!("{file}, built by {by}\n");
        let scenarios = self.project.join("scenarios");
        if scenarios.is_dir() {
            let scenarios = scenarios.strip_prefix(".").unwrap_or(&scenarios);
            text.push_str(&format!(
                "Next: see it in worlds that are written down, by `tidegate policy test {}`\n",
                scenarios.display()
            ));
        }
        text
    }
}
