//! The `tidegate` command: one file a subcommand, output for people and for programs, exit codes.

mod check;
mod demo;
mod exit;
mod explain;
mod log;
mod output;
mod place;
mod run;
mod select;
mod status;
mod sync;
mod verify;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use place::Placed;

pub use exit::{CommandError, INTERNAL, POLICY, SETTLED, STORE, UNSETTLED, USAGE};

use crate::config::{ConfigError, Settings, Source};

/// Keeps an ingest node's schema files in step with an object store, by sandboxed WebAssembly policies.
#[derive(Debug, Parser)]
#[command(
    name = "tidegate",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
#[command(
    after_help = "Exit codes: 0 all settled, 1 internal, 2 usage or configuration, 3 some stream unsettled, \
                        4 store unusable, 5 policy unusable."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// What is logged to stderr: "error", "warn", "info", "debug", "trace", also by module
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    /// How log lines are written
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    log_format: Option<log::Format>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the agent: scan and watch, publish, retry on schedule, verify
    Run(run::Run),
    /// Look at every stream once, publish what is due, and exit
    Sync(sync::Sync),
    /// Watch the real agent at work on faults, in a directory that the demo makes
    Demo(demo::Demo),
    /// Check the configuration, and everything it names, before the agent runs
    Check(check::Check),
    /// Show how streams stand, beside a running agent or after it
    Status(status::Status),
    /// Show what happened to a stream, and why
    Explain(explain::Explain),
    /// Check that every stored schema exists, parses, holds what was confirmed, and merges with its peers
    Verify(verify::Verify),
}

/// The configuration file where the command line names none.
const FILE: &str = "tidegate.toml";

/// The configuration that a command works with.
#[derive(Debug, Args)]
struct Config {
    /// The configuration file
    #[arg(
        long = "config",
        short = 'c',
        value_name = "FILE",
        default_value = FILE
    )]
    path: PathBuf,
}

impl Config {
    fn read(&self) -> Result<(Source, Settings), CommandError> {
        let source = self.source()?;
        let settings = Settings::from_source(&source, &environment).map_err(ConfigError::from)?;
        Ok((source, settings))
    }

    /// The file's text.
    fn source(&self) -> Result<Source, CommandError> {
        Source::read(&self.path).map_err(|error| match &error {
            ConfigError::Read { source, .. } if source.kind() == ErrorKind::NotFound => {
                CommandError::Usage(format!(
                    "there is no configuration {}: name one with `--config FILE`, or try `tidegate demo`, which needs none",
                    self.path.display()
                ))
            }
            ConfigError::Read { source, .. } if source.kind() == ErrorKind::IsADirectory => {
                CommandError::Usage(format!(
                    "the configuration {} is a directory: name the file in it, as in `--config {}`",
                    self.path.display(),
                    self.path.join(FILE).display()
                ))
            }
            _ => error.into(),
        })
    }
}

/// A variable of this process's environment.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe is the reader's business.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(CommandError::Other(
            anyhow::Error::new(error).context("can't start the async runtime"),
        )),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let code = error.code();
            eprintln!("{}", output::failure(&anyhow::Error::new(error)));
            ExitCode::from(code)
        }
    }
}

async fn run(cli: Cli) -> Result<u8, CommandError> {
    let log = log::Options {
        filter: cli.log,
        format: cli.log_format,
    };
    match cli.command {
        Command::Run(command) => command.run(&log).await,
        Command::Sync(command) => command.run(&log).await,
        Command::Demo(command) => command.run(&log).await,
        Command::Check(command) => command.run(&log).await,
        Command::Status(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Verify(command) => command.run(&log).await,
    }
}
