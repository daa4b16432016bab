//! The `tidegate` command, as an operator runs it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

/// The command, which sees nothing of the environment that could lead it to a real store or colour what it prints.
pub fn command() -> Result<Command> {
    let mut command = Command::new(binary()?);
    command.env_clear();
    Ok(command)
}

const SUPERUSER: u32 = 0;

/// The user that the superuser's tests run commands as.
pub const NOBODY: u32 = 65_534;

/// Whether this user reads and writes everything, whatever its permissions.
pub fn is_superuser() -> Result<bool> {
    Ok(fs::metadata("/proc/self")?.uid() == SUPERUSER)
}

/// The command as a user for whom permissions count: this one or, where this is the superuser, nobody, who gets a copy of
/// the program in `dir`, since the build's own directory may be closed to others.
pub fn unprivileged(dir: &Path) -> Result<Command> {
    let mut command = command()?;
    if is_superuser()? {
        let own = dir.join("tidegate");
        if !own.exists() {
            // A process of its own: one that is started meanwhile would inherit the file, open for writing.
            let copied = Command::new("cp")
                .arg(command.get_program())
                .arg(&own)
                .status()?;
            ensure!(copied.success(), "the command was not copied");
        }
        command = Command::new(own);
        command.env_clear().uid(NOBODY).gid(NOBODY);
    }
    Ok(command)
}

/// Runs the command in `dir` with these arguments.
pub fn tidegate(dir: &Path, arguments: &[&str]) -> Result<Ran> {
    let mut command = command()?;
    let output = command.args(arguments).current_dir(dir).output();
    Ok(output.context("can't run the command")?.into())
}

/// What a command printed, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it logged and complained about.
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

impl Ran {
    /// All of it as one text for snapshots, with `dir` written as `DIR` and digests cut away, since they change with
    /// every build of a policy.
    pub fn shown(&self, dir: &Path) -> String {
        let code = self
            .code
            .map_or_else(|| "by a signal".to_owned(), |code| code.to_string());
        let mut text = format!("exit {code}\n{}", self.stdout);
        if !self.stderr.is_empty() {
            text.push_str(&format!("--- stderr\n{}", self.stderr));
        }
        let text = text.replace(&dir.display().to_string(), "DIR");
        without_digests(&text)
    }
}

/// Where cargo has put the `tidegate` command of this package, `src/bin/agent.rs`: beside the directory of the test
/// executables. It is built before any suite, so it is never an older one.
pub fn binary() -> Result<PathBuf> {
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

/// The text with `…` in place of digests: 64 hexadecimal digits, or fewer with `…` behind them.
fn without_digests(text: &str) -> String {
    const DIGEST: usize = 64;
    let mut shown = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let (before, from) = rest.split_at(start);
        let end = from
            .find(|c: char| !c.is_ascii_hexdigit())
            .unwrap_or(from.len());
        let (word, behind) = from.split_at(end);
        shown.push_str(before);
        rest = match (word.len(), behind.strip_prefix('…')) {
            (DIGEST, _) => {
                shown.push('…');
                behind
            }
            (_, Some(behind)) => {
                shown.push('…');
                behind
            }
            _ => {
                shown.push_str(word);
                behind
            }
        };
    }
    shown + rest
}
