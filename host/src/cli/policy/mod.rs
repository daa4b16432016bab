//! `tidegate policy`: what is done with policies beside running them.

mod bench;
mod build;
mod bundle;
mod explore;
mod inspect;
mod key;
mod new;
mod registry;
mod replay;
mod schema;
mod sign;
mod test;
mod whole;

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
    /// Make a project for a policy: one that builds, with settings, tests, scenarios and a README
    ///
    /// Writes a directory with the policy's name. What the policy decides is in one file, and what joins it to the contract
    /// in another, so that the first is tested without WebAssembly.
    #[command(after_help = exit::NEW)]
    New(new::New),
    /// Build a policy into a component that every host loads
    ///
    /// Finds the tools of the project's language, lets them compile it, makes a component of that, checks it against the
    /// contract, and writes it into the project. Says what to install where a tool is missing. What was built before stays
    /// where the new one is refused.
    #[command(after_help = exit::BUILD)]
    Build(build::Build),
    /// Run scenarios: worlds that are written down, with what is expected of policies in them
    ///
    /// Each runs in virtual time, with the real agent and the real components, once with a fresh instance for each decision
    /// and once with instances that live on. What is not as expected is shown with what happened around it.
    #[command(after_help = exit::TEST)]
    Test(test::Test),
    /// Print the JSON Schema of scenario files, for editors
    #[command(after_help = "Exit codes: 0 always.")]
    Schema(schema::Schema),
    /// Make recorded decisions again, and tell where they come out differently
    ///
    /// Runs every decision that `tidegate run --record` kept through the same component, or another one, with the
    /// settings, limits, grants and facts of then. Calls are answered from the recording: no store, staging directory or
    /// ledger is touched. What a component asks beyond that is told as "diverged here".
    #[command(after_help = exit::REPLAY)]
    Replay(replay::Replay),
    /// Look for worlds in which a documented property does not hold
    ///
    /// Makes a world from each seed: nodes, streams, faults, crashes, other writers; runs the real agents and the real
    /// components in it, in virtual time; and checks what happened. What it finds is made as small as it gets, and
    /// written as a scenario.
    #[command(after_help = exit::EXPLORE)]
    Explore(explore::Explore),
    /// Tell what a component is, or why it would not load
    ///
    /// Reads the component, compares what it imports with what hosts offer, makes one instance of it and lets it describe
    /// itself. Needs no configuration.
    #[command(after_help = exit::INSPECT)]
    Inspect(inspect::Inspect),
    /// Push a component to an OCI registry
    ///
    /// In the form that `wkg` reads too. Credentials come from the docker configuration. The same component makes the same
    /// digest each time; it is printed as a configuration takes it.
    #[command(after_help = exit::REGISTRY)]
    Push(registry::Push),
    /// Pull a component from an OCI registry into the cache
    ///
    /// What the registry serves is compared with its digest. What is in the cache needs no registry any more.
    #[command(after_help = exit::REGISTRY)]
    Pull(registry::Pull),
    /// List what the cache holds, or the tags of a repository
    #[command(after_help = exit::REGISTRY)]
    List(registry::List),
    /// Sign a component, for operators who run none without a signature
    #[command(after_help = exit::SIGN)]
    Sign(sign::Sign),
    /// Make a key pair to sign components with
    #[command(after_help = exit::SIGN)]
    Key(key::Key),
    /// Measure what a policy costs, beside the bundled policy of its role
    ///
    /// Both are asked the same questions in turns: decisions that come with Tidegate, or all that scenarios ask. Tells
    /// latency with fresh and with reused instances, fuel and memory a decision, and what loading costs.
    #[command(after_help = exit::BENCH)]
    Bench(bench::Bench),
    /// Build the policies that Tidegate brings along, in a checkout of its repository
    ///
    /// For those who maintain Tidegate. Builds all guests of the repository and their manifests, which are committed.
    #[command(after_help = exit::BUNDLE)]
    Bundle(bundle::Bundle),
}

impl Policy {
    pub(super) async fn run(self, log: &log::Options) -> Result<u8, CommandError> {
        match self.command {
            Command::New(command) => command.run(),
            Command::Build(command) => command.run(log).await,
            Command::Bundle(command) => command.run().await,
            Command::Test(command) => command.run(log).await,
            Command::Schema(command) => command.run(),
            Command::Replay(command) => command.run(log).await,
            Command::Explore(command) => command.run(log).await,
            Command::Inspect(command) => command.run(log).await,
            Command::Push(command) => command.run(log).await,
            Command::Pull(command) => command.run(log).await,
            Command::List(command) => command.run(log).await,
            Command::Sign(command) => command.run(),
            Command::Key(command) => command.run(),
            Command::Bench(command) => command.run(log).await,
        }
    }
}
