//! `tidegate policy test`.

mod find;
mod junit;
mod show;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::component::component;
use super::super::output::{Paint, causes};
use super::super::place::places;
use super::super::{CommandError, exit, log};
use crate::agent::{AgentError, Loaded, load_policies, user_compile_cache};
use crate::config::ConfigError;
use crate::policy::{ComponentSource, Runtime, RuntimeSettings};
use crate::sandbox::scenario::{Failure, Report, Scenario, run};
use crate::sandbox::{Executor, VirtualClock};

/// Decisions that may be under way at once in all scenarios that run side by side.
const SLOTS: u16 = 512;

/// Idle instances of all scenarios that run side by side.
const IDLE: u16 = 256;

/// Run scenarios.
#[derive(Debug, Args)]
pub(super) struct Test {
    /// Scenario files, and directories whose `.toml` files all are
    #[arg(value_name = "DIR|FILE", required = true)]
    paths: Vec<PathBuf>,
    /// Test this component in place of what the scenarios' configurations name; may be given several times
    #[arg(long = "policy", value_name = "NAME=FILE.wasm|REF", value_parser = replacement)]
    policies: Vec<(String, ComponentSource)>,
    /// Only scenarios with this in their name or title
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Print JSON: a documented, versioned contract
    #[arg(long)]
    json: bool,
    /// Write a JUnit report, for CI
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    junit: Option<PathBuf>,
}

fn replacement(text: &str) -> Result<(String, ComponentSource), String> {
    match text.split_once('=') {
        Some((name, named)) if !name.is_empty() && !named.is_empty() => {
            let component = component(named).map_err(|error| error.to_string())?;
            Ok((name.to_owned(), component))
        }
        _ => Err("write NAME=FILE.wasm, as in `backoff=target/mine.wasm`".to_owned()),
    }
}

impl Test {
    pub(super) async fn run(self, log: &log::Options) -> Result<u8, CommandError> {
        log.start(None, log::SIMULATED)?;
        let mut scenarios = self.scenarios()?;
        self.replace(&mut scenarios)?;
        let runtime = Runtime::new(RuntimeSettings {
            slots: SLOTS,
            idle: IDLE,
            yield_every: None,
            cache: user_compile_cache(),
            clock: Arc::new(VirtualClock::new(Executor::new(None))),
        })
        .map_err(|error| CommandError::Other(error.into()))?;
        let mut loaded = Vec::with_capacity(scenarios.len());
        let mut unusable = None;
        for scenario in scenarios {
            let policies = load_policies(runtime.clone(), &scenario.settings).await;
            let policies = policies.map_err(|error| {
                unusable = unusable.max(Some(exit::of_agent(&error)));
                not_loaded(&scenario, &error)
            });
            loaded.push((scenario, policies));
        }
        let reports = tokio::task::spawn_blocking(move || run_all(&loaded))
            .await
            .map_err(anyhow::Error::new)?;
        if let Some(file) = &self.junit {
            junit::write(file, &reports)?;
        }
        match self.json {
            true => show::json(&reports)?,
            false => show::text(&reports, Paint::stdout())?,
        }
        Ok(match reports.iter().all(|(_, report)| report.passed()) {
            true => exit::SETTLED,
            false => unusable.unwrap_or(exit::UNSETTLED),
        })
    }

    /// Every scenario that is asked for, in order of the paths and names.
    fn scenarios(&self) -> Result<Vec<Scenario>, CommandError> {
        let mut scenarios = read_scenarios(&self.paths)?;
        if let Some(filter) = &self.filter {
            scenarios.retain(|scenario| {
                scenario.name.contains(filter) || scenario.title.contains(filter)
            });
            if scenarios.is_empty() {
                return Err(CommandError::Usage(format!(
                    "no scenario has `{filter}` in its name or title"
                )));
            }
        }
        Ok(scenarios)
    }

    /// Puts the components under test in place of those that the configurations name.
    fn replace(&self, scenarios: &mut [Scenario]) -> Result<(), CommandError> {
        for (name, component) in &self.policies {
            let mut replaced = false;
            for scenario in &mut *scenarios {
                let settings = Arc::make_mut(&mut scenario.settings);
                if let Some(policy) = settings.policies.get_mut(name) {
                    policy.component = component.clone();
                    policy.sha256 = None;
                    // Who names it by hand vouches for it.
                    policy.trust = Arc::default();
                    replaced = true;
                }
            }
            if !replaced {
                return Err(CommandError::Usage(format!(
                    "no scenario has a policy named `{name}`"
                )));
            }
        }
        Ok(())
    }
}

/// The scenarios of these files and directories, in order of the paths and names: one at least. What is wrong with any of
/// them is told before one runs.
pub(super) fn read_scenarios(paths: &[PathBuf]) -> Result<Vec<Scenario>, CommandError> {
    let mut scenarios = Vec::new();
    let mut problems = Vec::new();
    for file in find::scenario_files(paths)? {
        match Scenario::read(&file) {
            Ok(scenario) => scenarios.push(scenario),
            Err(ConfigError::Problem(problem)) => problems.push(problem.to_string()),
            Err(error) => problems.push(format!("{:#}", anyhow::Error::new(error))),
        }
    }
    match (problems.is_empty(), scenarios.is_empty()) {
        (false, _) => Err(CommandError::Usage(problems.join("\n\n"))),
        (true, true) => Err(CommandError::Usage(
            "there is no scenario: name files or directories with `.toml` files".to_owned(),
        )),
        (true, false) => Ok(scenarios),
    }
}

/// Why a scenario can't be played, at its first place in the scenario's file.
fn not_loaded(scenario: &Scenario, error: &AgentError) -> Failure {
    let mut problems = places(&scenario.source, Some(&scenario.settings), error).into_iter();
    let first = problems.next();
    let cause = std::error::Error::source(error).map(|cause| format!(": {}", causes(cause)));
    let cause = cause.unwrap_or_default();
    Failure {
        line: first.as_ref().map(|problem| problem.line),
        expected: "the policies to load".to_owned(),
        came: match first {
            Some(problem) => format!("{}{cause}", problem.message),
            None => causes(error),
        },
        notes: problems
            .map(|problem| format!("line {}: {}", problem.line, problem.message))
            .collect(),
        timeline: Vec::new(),
    }
}

/// Runs all scenarios, on all processors; the reports in the scenarios' order.
fn run_all(scenarios: &[(Scenario, Result<Loaded, Failure>)]) -> Vec<(PathBuf, Report)> {
    let progress =
        ProgressBar::with_draw_target(Some(scenarios.len() as u64), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}") {
        progress.set_style(style);
    }
    let next = AtomicUsize::new(0);
    let reports = Mutex::new(Vec::with_capacity(scenarios.len()));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers.min(scenarios.len()) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some((scenario, policies)) = scenarios.get(at) else {
                        break;
                    };
                    progress.set_message(scenario.name.clone());
                    let report = match policies {
                        Ok(policies) => run(scenario, policies),
                        Err(failure) => Report::not_played(scenario, failure.clone()),
                    };
                    progress.inc(1);
                    let mut reports = reports.lock().unwrap_or_else(PoisonError::into_inner);
                    reports.push((at, scenario.path.clone(), report));
                }
            });
        }
    });
    progress.finish_and_clear();
    let mut reports = reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    reports.sort_by_key(|(at, ..)| *at);
    reports
        .into_iter()
        .map(|(_, path, report)| (path, report))
        .collect()
}
