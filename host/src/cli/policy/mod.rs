//! `tidegate policy`: what is done with policies beside running them.

mod replay;

use clap::{Args, Subcommand};

use super::{CommandError, exit, log};

/// Try policies.
#[derive(Debug, Args)]
pub(super) struct Policy {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make recorded decisions again, and tell where they come out differently
    ///
    /// Runs every decision that `tidegate run --record` kept through the same component, or another one, with the
    /// settings, limits, grants and facts of then. Calls are answered from the recording: no store, staging directory or
    /// ledger is touched. What a component asks beyond that is told as "diverged here".
    #[command(after_help = exit::REPLAY)]
    Replay(replay::Replay),
}

impl Policy {
    pub(super) async fn run(self, log: &log::Options) -> Result<u8, CommandError> {
        match self.command {
            Command::Replay(command) => command.run(log).await,
        }
    }
}
