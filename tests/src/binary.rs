//! The `tidegate` command, as a user starts it.

use std::path::PathBuf;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

/// Where cargo has put the `tidegate` command of this package, `src/bin/agent.rs`: beside the directory of the test
/// executables. It is built before any suite, so it is never an older one.
pub fn tidegate() -> Result<PathBuf> {
    let executable = std::env::current_exe()?;
    let path = executable
        .ancestors()
        .nth(2)
        .context("not in a target directory")?
        .join("agent");
    ensure!(
        path.exists(),
        "{} is not built: run the suites by `cargo test --workspace`",
        path.display()
    );
    Ok(path)
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Its output.
    pub stdout: String,
    /// Its errors and its log.
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A command that sees nothing of the environment which could lead it to a real store.
pub fn command() -> Result<Command> {
    let mut command = Command::new(tidegate()?);
    command.env_clear();
    Ok(command)
}
