//! What commands print: tables, times, colour on terminals only.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal, Write as _};

pub(super) use super::table::Table;
use crate::contract::Phase;
use crate::time::{Timestamp, in_short};

/// Prints text to standard output. A reader that has seen enough, as `head` has, is not an error.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// Prints text to standard error. A failure is ignored, since there is nowhere else to report it.
pub(super) fn complain(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// How words stand out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Doubtful,
    Bad,
    Faint,
    Plain,
}

/// Whether output is coloured: on terminals, unless `NO_COLOR` is set (<https://no-color.org>).
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint(bool);

impl Paint {
    /// For standard output.
    pub(super) fn stdout() -> Self {
        Self(std::io::stdout().is_terminal() && wanted())
    }

    /// For standard error.
    pub(super) fn stderr() -> Self {
        Self(std::io::stderr().is_terminal() && wanted())
    }

    /// Without colour.
    pub(super) fn plain() -> Self {
        Self(false)
    }

    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Doubtful => "33",
            Tone::Bad => "31",
            Tone::Faint => "2",
            Tone::Plain => return text.to_owned(),
        };
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

fn wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// How a phase stands out.
pub(super) fn tone(phase: Phase) -> Tone {
    match phase {
        Phase::Synced => Tone::Good,
        Phase::Idle | Phase::Gone => Tone::Faint,
        Phase::Unseen | Phase::Pending | Phase::Provisional | Phase::Awaiting => Tone::Doubtful,
        Phase::Unknown | Phase::Conflicted | Phase::Abandoned => Tone::Bad,
    }
}

/// When something is, seen from `now`: `in 5s`, `2m ago`.
pub(super) fn relative(at: Timestamp, now: Timestamp) -> String {
    if at > now {
        format!("in {}", in_short(at.since(now)))
    } else {
        format!("{} ago", in_short(now.since(at)))
    }
}

/// What an error says, and its causes, in one line.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.ends_with(&words) {
            // Writing into a String can't fail.
            let _ = write!(text, ": {words}");
        }
        cause = error.source();
    }
    text
}

/// An error with its causes, each said once.
pub(super) fn failure(error: &anyhow::Error) -> String {
    let mut text = String::from("error: ");
    let mut last = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if cause == last {
            continue;
        }
        match last.is_empty() {
            true => text.push_str(&cause),
            // Writing into a String can't fail.
            false => _ = write!(text, "\n  caused by: {cause}"),
        }
        last = cause;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals() {
        assert_eq!(Paint::plain().paint(Tone::Good, "synced"), "synced");
        assert_eq!(
            Paint(true).paint(Tone::Good, "synced"),
            "\x1b[32msynced\x1b[0m"
        );
    }

    #[test]
    fn causes_that_repeat_are_said_once() {
        let error = anyhow::anyhow!("no space")
            .context("no space")
            .context("can't save");
        assert_eq!(failure(&error), "error: can't save\n  caused by: no space");
    }
}
