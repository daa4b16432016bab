//! `tidegate simulate`: a whole fleet in virtual time.

use std::fs::Permissions;
use std::io::{IsTerminal, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use tempfile::NamedTempFile;

use super::output::{self, Paint, Table, Tone};
use super::place::located;
use super::{CommandError, Config, SETTLED, log};
use crate::agent::with_user_compile_cache;
use crate::config::{CONFIG_MAX, ConfigError, Settings, Source};
use crate::files::{is_replaceable, read_regular};
use crate::sandbox::fleet::report::{PRICES, Report};
use crate::sandbox::fleet::{Fleet, FleetError, MAX_LENGTH, MAX_STREAMS, Scenario};
use crate::text::counted;

/// What the defaults are called where no configuration is named.
const DEFAULTS: &str = "defaults";

/// Simulate a fleet under a configuration.
#[derive(Debug, Args)]
pub(super) struct Simulate {
    /// The configuration; without one, the bundled policies with their defaults
    #[arg(long, short = 'c', value_name = "FILE")]
    config: Option<PathBuf>,
    /// Another configuration, for the same fleet with the same seed
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// A scenario: a file, or one of "rolling-start", "outage", "throttling", "slow-prefix", "clock-skew"
    #[arg(long, value_name = "NAME|FILE", default_value = "rolling-start")]
    scenario: String,
    /// Nodes
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    nodes: u32,
    /// Streams on each node
    #[arg(long, value_name = "N", default_value_t = 20)]
    streams: u32,
    /// Hours that are simulated
    #[arg(long, value_name = "N", default_value_t = 24)]
    hours: u64,
    /// What is left to chance: the same seed, the same run
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Where the report is written: one HTML file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Threads; as many as the machine has cores without. The result does not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Print JSON: a documented, versioned contract
    #[arg(long)]
    json: bool,
}

impl Simulate {
    pub(super) async fn run(self, log: &log::Options) -> Result<u8, CommandError> {
        log.start(None, log::SIMULATED)?;
        let fleet = self.fleet()?;
        let contenders = self.contenders()?;
        // Whether the report can be written is known before hours of simulated time are spent on it.
        let page = self.report.as_deref().map(Page::begin).transpose()?;
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.unwrap_or_else(cores).max(1);
        let bar = progress(fleet.strides() * contenders.len() as u64);
        let mut report = Report::new(&fleet);
        for Contender {
            name,
            source,
            settings,
        } in contenders
        {
            bar.set_message(name.clone());
            let blueprint = fleet
                .blueprint(settings.clone(), threads)
                .await
                .map_err(|error| located(&source, &settings, error))?;
            let (fleet, bar) = (fleet.clone(), bar.clone());
            let played = tokio::task::spawn_blocking(move || {
                fleet.play(&blueprint, threads, &|| bar.inc(1))
            });
            let counts = played
                .await
                .unwrap_or(Err(FleetError::Interrupted))
                .map_err(anyhow::Error::from)?;
            report.add(name, &settings, counts);
        }
        bar.finish_and_clear();
        if let Some(page) = page {
            page.write(&report.html())?;
        }
        let text = match self.json {
            true => report.json().map_err(anyhow::Error::from)? + "\n",
            false => self.for_people(&report),
        };
        output::print(&text)?;
        Ok(SETTLED)
    }

    fn fleet(&self) -> Result<Fleet, CommandError> {
        let usage = |message: String| Err(CommandError::Usage(message));
        let streams = u64::from(self.nodes) * u64::from(self.streams);
        if streams == 0 {
            return usage("a fleet without nodes or streams has nothing to simulate: give at least one of each by `--nodes` and `--streams`".to_owned());
        }
        if streams > MAX_STREAMS {
            return usage(format!(
                "{} with {} each are {streams} streams, and {MAX_STREAMS} are the most: lower `--nodes` or `--streams`",
                counted(self.nodes, "node"),
                counted(self.streams, "stream")
            ));
        }
        let length = Duration::from_secs(self.hours.saturating_mul(3600));
        if length.is_zero() || length > MAX_LENGTH {
            return usage(format!(
                "`--hours {}`: between 1 and {} can be simulated",
                self.hours,
                MAX_LENGTH.as_secs() / 3600
            ));
        }
        if self.threads == Some(0) {
            return usage("`--threads 0`: nothing would be simulated without a thread".to_owned());
        }
        let scenario = scenario(&self.scenario)?;
        scenario.fits(length).map_err(ConfigError::from)?;
        Ok(Fleet {
            nodes: self.nodes,
            streams: self.streams,
            length,
            seed: self.seed,
            scenario,
        })
    }

    /// The configurations, by the names of their files; by their paths where those are the same.
    fn contenders(&self) -> Result<Vec<Contender>, CommandError> {
        let mut contenders = vec![Contender::read(self.config.as_deref())?];
        if let Some(other) = &self.compare {
            contenders.push(Contender::read(Some(other))?);
        }
        if let [one, other] = &mut *contenders
            && one.name == other.name
        {
            for contender in [one, other] {
                contender.name = contender.source.path().display().to_string();
            }
        }
        Ok(contenders)
    }

    fn for_people(&self, report: &Report<'_>) -> String {
        let mut head = vec![""];
        head.extend(report.names());
        let mut table = Table::new(&head);
        for (name, values) in report.rows() {
            let mut cells = vec![(Tone::Plain, name)];
            cells.extend(values.into_iter().map(|value| (Tone::Plain, value)));
            table.row(cells);
        }
        let mut text = format!(
            "{}\n\n{}\n{PRICES}\n",
            report.verdict(),
            table.render(Paint::stdout())
        );
        if let Some(path) = &self.report {
            text.push_str(&format!("\nThe report is in {}\n", path.display()));
        }
        text
    }
}

/// The scenario of this name, or in this file.
fn scenario(name: &str) -> Result<Scenario, CommandError> {
    if let Some(known) = Scenario::named(name) {
        return Ok(known.map_err(ConfigError::from)?);
    }
    let path = Path::new(name);
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => CommandError::Usage(format!(
            "there is no scenario {name}: name a file, or one of {}",
            Scenario::built_in().collect::<Vec<_>>().join(", ")
        )),
        _ => CommandError::Usage(format!("could not read the scenario {name}: {source}")),
    };
    let bytes = read_regular(path, CONFIG_MAX).map_err(failed)?;
    if bytes.len() as u64 > CONFIG_MAX {
        return Err(CommandError::Usage(format!(
            "the scenario {name} is over {CONFIG_MAX} bytes: name another file"
        )));
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| failed(std::io::Error::new(std::io::ErrorKind::InvalidData, error)))?;
    let stem = path.file_stem().unwrap_or(path.as_os_str());
    let named = Scenario::read(&stem.to_string_lossy(), path, &text);
    Ok(named.map_err(ConfigError::from)?)
}

/// A configuration as a simulated world takes it.
struct Contender {
    name: String,
    source: Source,
    settings: Settings,
}

impl Contender {
    fn read(path: Option<&Path>) -> Result<Self, CommandError> {
        let source = match path {
            Some(path) => {
                let path = path.to_owned();
                Config { path }.source()?.simulated()
            }
            None => Source::new(DEFAULTS, "").simulated(),
        };
        let settings = Settings::from_source(&source, &|_| None).map_err(ConfigError::from)?;
        let name = source.path().file_name().unwrap_or_default();
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            settings: with_user_compile_cache(settings),
            source,
        })
    }
}

fn progress(strides: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(strides);
    let style = ProgressStyle::with_template("{msg} {wide_bar} {percent}%  {elapsed}, {eta} left");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// The report's place, until there is a whole one.
struct Page {
    /// `None` where it is written through: to a device, a pipe or a link.
    file: Option<NamedTempFile>,
    path: PathBuf,
}

impl Page {
    fn begin(path: &Path) -> Result<Self, CommandError> {
        let refused = |why: String| {
            CommandError::Usage(format!(
                "the report can't be written to {}: {why}; name another file with `--report FILE`",
                path.display()
            ))
        };
        if path.is_dir() {
            return Err(refused("it is a directory".to_owned()));
        }
        let dir = match path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        if !dir.is_dir() {
            return Err(refused(format!("there is no directory {}", dir.display())));
        }
        if !is_replaceable(path) {
            return Ok(Self {
                file: None,
                path: path.to_owned(),
            });
        }
        // A report is for whoever may read files of this user's, as any other output.
        let file = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(dir)
            .map_err(|error| refused(error.kind().to_string()))?;
        Ok(Self {
            file: Some(file),
            path: path.to_owned(),
        })
    }

    fn write(self, html: &str) -> Result<(), CommandError> {
        let Some(mut file) = self.file else {
            return Ok(std::fs::write(&self.path, html)?);
        };
        file.write_all(html.as_bytes())?;
        file.persist(&self.path)
            .map_err(|error| CommandError::Output(error.error))?;
        Ok(())
    }
}
