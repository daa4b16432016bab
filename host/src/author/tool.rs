use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// A tool that is not installed, and how it gets installed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}; install it:\n\n    {}\n", commands.join("\n    "))]
pub struct Missing {
    /// What is missing, and what for.
    pub what: String,
    /// The commands that install it.
    pub commands: Vec<String>,
}

impl Missing {
    pub(super) fn new(what: impl Into<String>, commands: &[&str]) -> Self {
        Self {
            what: what.into(),
            commands: commands.iter().map(|&command| command.to_owned()).collect(),
        }
    }
}

/// The program of this name on `PATH`.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    directories()
        .map(|dir| dir.join(name))
        .find(|path| is_program(path))
}

/// All programs on `PATH` whose names begin so, followed by `-` and a number: the number, highest first.
pub(super) fn find_numbered(name: &str) -> Vec<(u32, PathBuf)> {
    let mut found = Vec::new();
    for dir in directories() {
        let Ok(entries) = dir.read_dir() else {
            continue;
        };
        for entry in entries.flatten() {
            let number = entry.file_name().to_str().and_then(|file| {
                let number = file.strip_prefix(name)?.strip_prefix('-')?;
                number.parse().ok()
            });
            if let Some(number) = number.filter(|_| is_program(&entry.path())) {
                found.push((number, entry.path()));
            }
        }
    }
    found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    found
}

fn directories() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<_> = std::env::split_paths(&path).collect();
    directories.into_iter().filter(|dir| dir.is_absolute())
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata()
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// What a program prints when it is asked; `None` when it fails or can't be run.
pub(super) fn ask(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// The major version that a program tells of itself: the first number behind `version`, or behind its name.
pub(super) fn major_version(program: &Path) -> Option<u32> {
    let told = ask(Command::new(program).arg("--version"))?;
    let first = told.lines().next()?;
    first
        .split_whitespace()
        .find_map(|word| word.split('.').next()?.parse().ok())
}

/// Runs a program whose messages are for the author: all that it prints goes to stderr.
pub(super) fn run(command: &mut Command) -> io::Result<ExitStatus> {
    command
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .stderr(Stdio::inherit())
        .status()
}

/// A program by the name that people know it by.
pub(super) fn called(program: &OsStr) -> String {
    Path::new(program)
        .file_name()
        .unwrap_or(program)
        .to_string_lossy()
        .into_owned()
}
