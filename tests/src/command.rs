//! The `tidegate` binary, run as an operator runs it.

use std::path::Path;
use std::process::Command;

/// What a run of the binary came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it logged and complained about.
    pub stderr: String,
}

impl Run {
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

/// Runs the binary in `dir` with these arguments, and without this process's own credentials or colours.
///
/// # Panics
///
/// When it can't be started.
pub fn tidegate(dir: &Path, arguments: &[&str]) -> Run {
    let binary = crate::binary::tidegate().unwrap_or_else(|error| panic!("{error}"));
    let output = Command::new(&binary)
        .args(arguments)
        .current_dir(dir)
        .env_clear()
        .output()
        .unwrap_or_else(|error| panic!("can't run {}: {error}", binary.display()));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Run {
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}
