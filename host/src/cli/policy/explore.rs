//! `tidegate policy explore`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::super::place::located;
use super::super::{CommandError, environment, exit, log, output};
use crate::agent::with_user_compile_cache;
use crate::config::{ConfigError, Problem, Settings, Source};
use crate::sandbox::Blueprint;
use crate::sandbox::explore::{Finding, Search, Shrunk, shrink, to_scenario};
use crate::sandbox::scenario::{Property, Violation, around, play};
use crate::text::{counted, verb};

/// The configuration where none is named: the bundled policies with their defaults.
const DEFAULTS: &str = "[staging]\nlayout = \"parseable\"\n";

/// No seed is begun once so many worlds were found in which something does not hold.
const ENOUGH: usize = 20;

/// Look for worlds in which a property does not hold.
#[derive(Debug, Args)]
pub(super) struct Explore {
    /// The configuration file; the bundled policies with their defaults where it is left out. Where its staging directory
    /// and its store are does not matter
    #[arg(long, short = 'c', value_name = "FILE")]
    config: Option<PathBuf>,
    /// How many seeds are tried
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_000,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    seeds: u64,
    /// The first of them
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Where the smallest worlds are written as scenarios
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Print JSON: a documented, versioned contract
    #[arg(long)]
    json: bool,
}

/// What was found, in the form that programs read.
#[derive(Debug, Serialize)]
struct Report {
    version: u32,
    first_seed: u64,
    seeds: u64,
    violations: Vec<Found>,
}

/// A property that does not hold, and the smallest world that shows it.
#[derive(Debug, Serialize)]
struct Found {
    property: Property,
    meaning: &'static str,
    /// The first seed that showed it.
    seed: u64,
    /// How many of those that were found did.
    worlds: usize,
    scenario: PathBuf,
    node: String,
    stream: String,
    problem: String,
    /// Where, and what.
    #[serde(skip)]
    in_words: String,
    timeline: Vec<String>,
}

impl Explore {
    pub(super) async fn run(self, log: &log::Options) -> Result<u8, CommandError> {
        log.start(None, log::SIMULATED)?;
        let seeds = self.seed..self.seed.checked_add(self.seeds).ok_or_else(|| {
            CommandError::Usage("these are more seeds than there are behind `--seed`".to_owned())
        })?;
        if !self.out.is_dir() {
            return Err(CommandError::Usage(format!(
                "`--out {}` is no directory: make it first",
                self.out.display()
            )));
        }
        let source = match &self.config {
            Some(path) => Source::read(path)?,
            None => Source::new("the defaults", DEFAULTS),
        }
        .simulated();
        let settings = Settings::from_source(&source, &environment).map_err(ConfigError::from)?;
        let settings = with_user_compile_cache(settings);
        let ground = Blueprint::load(settings.clone(), None)
            .await
            .map_err(|error| located(&source, &settings, error))?;
        let explored = tokio::task::spawn_blocking(move || self.explore(seeds, &ground));
        explored.await.map_err(anyhow::Error::new)?
    }

    fn explore(&self, seeds: std::ops::Range<u64>, ground: &Blueprint) -> Result<u8, CommandError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let progress = progress(self.seeds);
        let search = Search {
            seeds,
            threads,
            enough: ENOUGH,
        };
        let findings = search.run(ground, &|| progress.inc(1)).map_err(no_world)?;
        let tried = progress.position();
        progress.finish_and_clear();
        let mut violations = Vec::new();
        for (property, (finding, worlds)) in by_property(&findings) {
            violations.push(self.shrunk(property, finding, worlds, ground)?);
        }
        let clean = violations.is_empty();
        let text = match self.json {
            true => {
                let report = Report {
                    version: 1,
                    first_seed: self.seed,
                    seeds: tried,
                    violations,
                };
                let text = serde_json::to_string_pretty(&report).map_err(anyhow::Error::new)?;
                format!("{text}\n")
            }
            false => in_words(tried, self.seed, &violations),
        };
        output::print(&text)?;
        Ok(match clean {
            true => exit::SETTLED,
            false => exit::UNSETTLED,
        })
    }

    fn shrunk(
        &self,
        property: Property,
        finding: &Finding,
        worlds: usize,
        ground: &Blueprint,
    ) -> Result<Found, CommandError> {
        let Shrunk {
            plan, violations, ..
        } = shrink(&finding.plan, property, ground);
        let first = violations
            .iter()
            .chain(&finding.violations)
            .find(|violation| violation.property == property);
        let Some(first) = first else {
            return Err(anyhow::anyhow!("a violation of {property} vanished").into());
        };
        let path = self.out.join(format!("{property}-{}.toml", plan.seed));
        write(
            &path,
            &to_scenario(&plan, first, self.config.as_deref(), ground),
        )?;
        let scenario = plan.scenario(ground).map_err(no_world)?;
        let played = play(&scenario, &ground.policies, ground.instances);
        let focus = first.focus(&scenario);
        let timeline = around(&played.entries, &focus, first.at);
        Ok(found(first, worlds, path, timeline).of_seed(plan.seed))
    }
}

/// What the configuration makes of a plan is no scenario.
fn no_world(problem: Problem) -> CommandError {
    CommandError::Usage(format!(
        "the waits of this configuration are too long to be explored: {}",
        problem.message
    ))
}

fn found(violation: &Violation, worlds: usize, scenario: PathBuf, timeline: Vec<String>) -> Found {
    Found {
        property: violation.property,
        meaning: violation.property.meaning(),
        seed: 0,
        worlds,
        scenario,
        node: violation.node.clone(),
        stream: violation.stream.clone(),
        problem: violation.text.clone(),
        in_words: violation.in_words(),
        timeline,
    }
}

impl Found {
    fn of_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }
}

/// The first finding of each property, and in how many worlds it did not hold.
fn by_property(findings: &[Finding]) -> BTreeMap<Property, (&Finding, usize)> {
    let mut first = BTreeMap::new();
    for finding in findings {
        let mut properties: Vec<_> = finding.violations.iter().map(|of| of.property).collect();
        properties.sort_unstable();
        properties.dedup();
        for property in properties {
            first.entry(property).or_insert((finding, 0)).1 += 1;
        }
    }
    first
}

/// Shown on terminals only.
fn progress(seeds: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {per_sec}, {eta} left");
    let bar = ProgressBar::new(seeds);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    std::fs::write(path, text).map_err(|error| {
        CommandError::Usage(format!(
            "could not write the scenario {}: {error}; name another directory with `--out`",
            path.display()
        ))
    })
}

fn in_words(tried: u64, first: u64, violations: &[Found]) -> String {
    let mut text = String::new();
    for found in violations {
        text.push_str(&format!(
            "{}: {}\n  seed {}, {}\n  the smallest world: {}\n\n",
            found.property,
            found.meaning,
            found.seed,
            found.in_words,
            found.scenario.display()
        ));
        for line in &found.timeline {
            text.push_str(&format!("  {line}\n"));
        }
        text.push('\n');
    }
    let last = match violations.len() {
        0 => "every property holds".to_owned(),
        count => format!(
            "{} {}",
            counted(count, "property"),
            verb(&count, "does not hold", "do not hold")
        ),
    };
    text.push_str(&format!(
        "{} from {first} on: {last}\n",
        counted(tried, "seed")
    ));
    text
}
