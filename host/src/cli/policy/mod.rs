//! `tidegate policy`: what is done with policies beside running them.

mod explore;

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
    /// Look for worlds in which a documented property does not hold
    ///
    /// Makes a world from each seed: nodes, streams, faults, crashes, other writers; runs the real agents and the real
    /// components in it, in virtual time; and checks what happened. What it finds is made as small as it gets, and
    /// written as a scenario.
    #[command(after_help = exit::EXPLORE)]
    Explore(explore::Explore),
}

impl Policy {
    pub(super) async fn run(self, log: &log::Options) -> Result<u8, CommandError> {
        match self.command {
            Command::Explore(command) => command.run(log).await,
        }
    }
}
