//! The `tidegate` command: one file a subcommand, output for people and for programs, exit codes.

mod check;
mod component;
mod demo;
mod exit;
mod explain;
mod first_look;
mod guard;
mod known;
mod ledger;
mod log;
mod output;
mod place;
mod policy;
mod record;
mod resolve;
mod run;
mod select;
mod signals;
mod simulate;
mod status;
mod sync;
mod table;
mod verify;
mod version;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use place::Placed;

pub use guard::guard;

pub use exit::{CommandError, DIFFERENT, INTERNAL, POLICY, SETTLED, STORE, UNSETTLED, USAGE};

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
    /// What is logged to stderr: "error", "warn", "info", "debug", "trace" or "off"
    ///
    /// The level is tidegate's own; other crates log warnings and errors only. More of them is asked for by name, as in
    /// "info,object_store=debug", or by "all=debug".
    #[arg(long, global = true, value_name = "FILTER", value_parser = log::filter)]
    log: Option<String>,
    /// How log lines are written
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    log_format: Option<log::Format>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch the real agent at work on faults, in a directory that the demo makes
    ///
    /// Makes a staging directory, a store of local files and a configuration, and runs the agent on them for some
    /// seconds, while a node stages schemas late, grows them, cuts one off and contradicts a peer. Two of the streams
    /// are files of a real Parseable node. Needs no configuration and no network.
    #[command(after_help = exit::DEMO)]
    Demo(demo::Demo),
    /// Check the configuration, and everything it names, before the agent runs
    ///
    /// Says what can be known without running: what the file holds, whether the staging directory and the ledger can be
    /// used, whether every policy loads, takes its settings and fits its chains. Tells all problems that it can find,
    /// each with its place in the file. Changes neither staging, store nor ledger, and works beside a running agent.
    #[command(after_help = exit::CHECK)]
    Check(check::Check),
    /// Run the agent: scan and watch, publish, retry on schedule, verify
    ///
    /// Runs until SIGTERM or SIGINT, which let writes under way come to their ends. Waits for a node that has not
    /// started yet, and for a store that is down. SIGHUP is ignored: the configuration can't be reloaded yet.
    #[command(after_help = exit::AGENT)]
    Run(run::Run),
    /// Look at every stream once, publish what is due, and exit
    #[command(after_help = exit::RUN)]
    Sync(sync::Sync),
    /// Show the state of streams, with or without a running agent
    ///
    /// Reads the ledger, where the agent reports about itself and its streams, and does not ask the store. While no
    /// agent runs it also compares the staging directory with what the ledger knows, without reading a staged file.
    #[command(after_help = exit::STATUS)]
    Status(status::Status),
    /// Show what happened to a stream, and why
    ///
    /// The latest attempts: what was known, what each policy answered, with its fuel, time and host calls, what was
    /// asked of the store, and what comes next.
    #[command(after_help = exit::READ)]
    Explain(explain::Explain),
    /// Check that every stored schema exists, parses, holds what was confirmed, and merges with its peers
    ///
    /// Asks the store, beside a running agent or without one, and changes nothing. With `--repair` it restores what is
    /// missing, corrupt or overwritten from the staged file or the ledger, within the same incarnation of a stream and
    /// with the guarantees of a sync; it deletes nothing. Says how many requests it made.
    #[command(after_help = exit::RUN)]
    Verify(verify::Verify),
    /// Change the type of a field that nodes disagree about
    ///
    /// Nodes that publish one field with two types stop each other from starting. This rewrites the type in this node's
    /// own stored schema, by compare-and-swap, and keeps the former content in the ledger. It refuses if the nodes
    /// would still disagree. Without `--yes` it only says what it would do, and an agent may be running. Stop the agent
    /// before you use `--yes`.
    #[command(after_help = exit::RESOLVE)]
    Resolve(resolve::Resolve),
    /// Try policies before they meet production
    Policy(policy::Policy),
    /// Play a whole fleet in virtual time, and report how the store and the streams fare
    ///
    /// The agents, the policies and the engine are the real ones; time, the store and the staging directories are
    /// simulated. Clusters of nodes share streams, the fleet shares one store. With `--compare`, a second configuration
    /// goes through the same, and the report shows both side by side. Asks nothing of any store.
    #[command(after_help = exit::SIMULATE)]
    Simulate(simulate::Simulate),
    /// Look after the agent's own state
    Ledger(ledger::Ledger),
    /// Show the program's version, the contracts it speaks, and its engine
    #[command(after_help = "Exit codes: 0 always, or 1 where this machine can't run policies.")]
    Version(version::Version),
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

/// A variable of this process's environment. Bytes that are not UTF-8 are replaced, so that the check of the value
/// reports them.
fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    guard(start)
}

fn start() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let printed = error.print();
            return match (error.use_stderr(), printed) {
                (true, _) => ExitCode::from(USAGE),
                // A closed pipe is the reader's business. A full disk is not.
                (false, Err(error)) if error.kind() != ErrorKind::BrokenPipe => {
                    output::complain(&format!("error: can't write the output: {error}\n"));
                    ExitCode::from(INTERNAL)
                }
                (false, _) => ExitCode::SUCCESS,
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
            let failure = output::failure(&anyhow::Error::new(error));
            output::complain(&format!("{failure}\n"));
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
        Command::Policy(command) => command.run(&log).await,
        Command::Simulate(command) => command.run(&log).await,
        Command::Ledger(command) => command.run().await,
        Command::Version(command) => command.run(),
        Command::Status(command) => command.run().await,
        Command::Explain(command) => command.run(),
        Command::Verify(command) => command.run(&log).await,
        Command::Resolve(command) => command.run(&log).await,
    }
}
