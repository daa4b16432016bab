//! `tidegate policy bench`.

mod document;
mod words;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::super::component::component;
use super::super::output::{self, Paint};
use super::super::{CommandError, SETTLED, UNSETTLED, log};
use super::test::read_scenarios;
use crate::agent::user_compile_cache;
use crate::sandbox::bench::{Bench as Wanted, Progress, Report, Under, bench};
use crate::time::{SystemClock, parse_duration};

/// The longest time that decisions are made for.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Measure what a policy costs.
#[derive(Debug, Args)]
pub(super) struct Bench {
    /// The component: a `.wasm` file, `builtin:NAME`, or `oci://…`
    #[arg(value_name = "FILE")]
    component: String,
    /// Measure by the decisions that these scenarios ask of it, with the settings and limits of there
    #[arg(long, value_name = "DIR|FILE", num_args = 1..)]
    scenarios: Vec<PathBuf>,
    /// In place of which policy of the scenarios it is measured [default: those that have this component]
    #[arg(long, value_name = "NAME", requires = "scenarios")]
    policy: Option<String>,
    /// Its settings, as JSON
    #[arg(
        long,
        value_name = "JSON",
        default_value = "{}",
        conflicts_with = "scenarios",
        value_parser = settings
    )]
    settings: serde_json::Value,
    /// For how long decisions are made, all roles together
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    time: Duration,
    /// Print JSON: a documented, versioned contract
    #[arg(long)]
    json: bool,
}

impl Bench {
    pub(super) async fn run(self, log: &log::Options) -> Result<u8, CommandError> {
        log.start(None, log::SIMULATED)?;
        if self.time > LONGEST {
            return Err(CommandError::Usage(
                "`--time` is at most 1h: more tells nothing new".to_owned(),
            ));
        }
        let under = match self.scenarios.is_empty() {
            true => Under::Standard {
                settings: self.settings,
            },
            false => Under::Scenarios {
                scenarios: read_scenarios(&self.scenarios)?,
                name: self.policy,
            },
        };
        let wanted = Wanted {
            component: component(&self.component)
                .map_err(|error| CommandError::Usage(error.to_string()))?,
            under,
            cache: user_compile_cache(),
            length: self.time,
        };
        let bar = ProgressBar::new(STEPS);
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {msg}") {
            bar.set_style(style);
        }
        let measured = bench(wanted, Arc::new(SystemClock::new()), |progress| {
            show(&bar, progress);
        })
        .await;
        bar.finish_and_clear();
        let report = measured.map_err(Box::new)?;
        let text = match self.json {
            true => document::json(&report)?,
            false => words::for_people(&report, Paint::stdout()),
        };
        output::print(&text)?;
        Ok(match fails(&report) {
            true => UNSETTLED,
            false => SETTLED,
        })
    }
}

fn settings(text: &str) -> Result<serde_json::Value, String> {
    match serde_json::from_str(text) {
        Ok(value @ serde_json::Value::Object(_)) => Ok(value),
        Ok(_) => Err("write a JSON object, as in `{\"max\": \"5m\"}`".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether it failed in any decision.
fn fails(report: &Report) -> bool {
    report.roles.iter().any(|role| role.policy.failed > 0)
}

/// Steps of the whole bar.
const STEPS: u64 = 1_000;

fn show(bar: &ProgressBar, progress: Progress) {
    let (part, message) = match progress {
        Progress::Compiling => (0.0, "compiling".to_owned()),
        Progress::Playing(played, all) => (
            played as f64 / all.max(1) as f64,
            format!("playing scenarios: {played} of {all}"),
        ),
        Progress::Measuring(role, part) => (part, format!("asking for {role}")),
    };
    bar.set_message(message);
    bar.set_position((part.clamp(0.0, 1.0) * STEPS as f64) as u64);
}
