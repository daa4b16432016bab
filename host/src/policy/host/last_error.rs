use std::collections::VecDeque;

use crate::policy::cause::{MAX_WORDS, joined, shown};

/// Lines of standard error that count as one error: an exception's text, where it was raised, and what runtimes print below
/// it.
const LINES: usize = 6;

/// Lines that runtimes print after an error and that say nothing about it.
const NOISE: [&str; 2] = [
    "note: run with `RUST_BACKTRACE",
    "Redirecting call to abort()",
];

/// The error that a policy reported last, whether or not `limits.log_bytes` had room for it: a trap itself carries no text.
///
/// A policy reports an error by a log line of level `error`, as the SDK does for a panic, or on its standard error, as
/// language runtimes do. The log line wins, since it was written on purpose.
#[derive(Debug, Default)]
pub(super) struct LastError {
    logged: Option<String>,
    printed: VecDeque<String>,
}

impl LastError {
    pub(super) fn log(&mut self, message: &str) {
        self.logged = Some(start_of(message));
    }

    pub(super) fn print(&mut self, line: &str) {
        let is_noise = NOISE.iter().any(|noise| line.starts_with(noise));
        if is_noise || line.trim().is_empty() {
            return;
        }
        if self.printed.len() == LINES {
            self.printed.pop_front();
        }
        self.printed.push_back(start_of(line));
    }

    /// The text on one line, bounded and without control characters.
    pub(super) fn take(&mut self) -> Option<String> {
        let mut printed = std::mem::take(&mut self.printed);
        // An exception's own text comes last.
        while printed.len() > 1 && printed.iter().map(String::len).sum::<usize>() > MAX_WORDS {
            printed.pop_front();
        }
        let line = match self.logged.take() {
            Some(logged) => joined(logged.lines()),
            None => joined(printed.iter().map(String::as_str)),
        };
        (!line.is_empty()).then(|| shown(&line))
    }
}

/// The part of the text that a message repeats, so that keeping it takes little memory.
fn start_of(text: &str) -> String {
    let mut end = text.len().min(MAX_WORDS + 1);
    while !text.is_char_boundary(end) {
        end += 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_error_that_was_logged_counts() {
        let mut last = LastError::default();
        last.print("something on standard error");
        last.log("first");
        last.log("panicked at src/lib.rs:1:2:\nno luck\u{1b}[31m");
        assert_eq!(
            last.take().unwrap(),
            "panicked at src/lib.rs:1:2: no luck\\u{1b}[31m"
        );
        assert_eq!(last.take(), None);
    }

    #[test]
    fn the_end_of_standard_error_counts_where_nothing_was_logged() {
        let mut last = LastError::default();
        for number in 0..100 {
            last.print(&format!("  line {number}"));
            last.print("");
            last.print(
                "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",
            );
        }
        assert_eq!(
            last.take().unwrap(),
            "line 94 | line 95 | line 96 | line 97 | line 98 | line 99"
        );
    }

    #[test]
    fn the_last_line_of_standard_error_is_kept_before_longer_ones() {
        let mut last = LastError::default();
        last.print(&"x".repeat(MAX_WORDS));
        last.print("ValueError: no luck");
        assert_eq!(last.take().unwrap(), "ValueError: no luck");
    }

    #[test]
    fn a_long_error_is_cut() {
        let mut last = LastError::default();
        last.log(&"é".repeat(1 << 20));
        let text = last.take().unwrap();
        assert!(text.len() <= MAX_WORDS + "…".len());
        assert!(text.ends_with("é…"));
    }
}
