//! What was checked, thing by thing, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::output::{Paint, Tone};
use crate::cli::table::{columns, wrap};
use crate::cli::{POLICY, SETTLED, STORE, USAGE};
use crate::config::Problem;
use crate::text::counted;

/// The width of a finding's mark, and of the space after mark and subject.
const MARK: usize = 4;
const GAP: usize = 2;

/// Minimum width of a finding's text.
const MIN_TEXT: usize = 24;

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// As it should be.
    Ok,
    /// Usable, yet perhaps not as it was meant.
    Warning,
    /// Unusable.
    Failed,
    /// Not looked at, since something else is wrong or nobody asked.
    Skipped,
}

/// One thing that was checked.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    /// What it is.
    subject: String,
    state: State,
    /// What was found; of something that failed, what is wrong and what to do.
    text: String,
    /// Where in the configuration; for what is written there.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
    /// What a failure makes the command end with.
    #[serde(skip)]
    code: u8,
}

#[derive(Clone, Debug, Serialize)]
struct Place {
    line: usize,
    column: usize,
}

/// `check --json`, version 1.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    version: u32,
    /// Whether nothing failed.
    ok: bool,
    /// The configuration file.
    config: String,
    checks: Vec<Finding>,
}

impl Report {
    pub(super) fn new(config: String) -> Self {
        Self {
            version: 1,
            ok: true,
            config,
            checks: Vec::new(),
        }
    }

    pub(super) fn ok(&mut self, subject: impl Into<String>, text: impl Into<String>) {
        self.add(subject.into(), State::Ok, text.into(), None, SETTLED);
    }

    pub(super) fn warning(&mut self, subject: impl Into<String>, text: impl Into<String>) {
        self.add(subject.into(), State::Warning, text.into(), None, SETTLED);
    }

    pub(super) fn skipped(&mut self, subject: impl Into<String>, text: impl Into<String>) {
        self.add(subject.into(), State::Skipped, text.into(), None, SETTLED);
    }

    /// Something that makes the command end with `code`.
    pub(super) fn failed(&mut self, subject: impl Into<String>, text: impl Into<String>, code: u8) {
        self.add(subject.into(), State::Failed, text.into(), None, code);
    }

    /// As [`Report::failed`], for something that is written in the configuration.
    pub(super) fn problem(&mut self, subject: impl Into<String>, problem: &Problem, code: u8) {
        let place = Place {
            line: problem.line,
            column: problem.column,
        };
        self.add(
            subject.into(),
            State::Failed,
            problem.to_string(),
            Some(place),
            code,
        );
    }

    /// Like [`Report::warning`], for something that is written in the configuration.
    pub(super) fn warned(&mut self, subject: impl Into<String>, problem: &Problem) {
        let place = Place {
            line: problem.line,
            column: problem.column,
        };
        self.add(
            subject.into(),
            State::Warning,
            problem.to_string(),
            Some(place),
            SETTLED,
        );
    }

    fn add(&mut self, subject: String, state: State, text: String, place: Option<Place>, code: u8) {
        self.ok &= state != State::Failed;
        self.checks.push(Finding {
            subject,
            state,
            text,
            place,
            code,
        });
    }

    /// What the command ends with: the configuration's code before a policy's, and that before the store's, since who
    /// mends the first may find the others mended.
    pub(super) fn code(&self) -> u8 {
        let failed = |code: &u8| {
            self.checks
                .iter()
                .any(|finding| finding.state == State::Failed && finding.code == *code)
        };
        let first = [USAGE, POLICY, STORE].into_iter().find(failed);
        match first {
            Some(code) => code,
            None if self.ok => SETTLED,
            None => crate::cli::INTERNAL,
        }
    }

    /// A line a thing, more where something is wrong, and the verdict.
    pub(super) fn for_people(&self, paint: Paint) -> String {
        self.within(paint, columns())
    }

    /// Like [`Report::for_people`], with texts wrapped between words to this many columns.
    fn within(&self, paint: Paint, columns: Option<usize>) -> String {
        let width = self
            .checks
            .iter()
            .map(|finding| finding.subject.chars().count())
            .max()
            .unwrap_or(0);
        let mut text = String::new();
        for finding in &self.checks {
            let (mark, tone) = match finding.state {
                State::Ok => ("ok  ", Tone::Good),
                State::Warning => ("warn", Tone::Doubtful),
                State::Failed => ("FAIL", Tone::Bad),
                State::Skipped => ("–   ", Tone::Faint),
            };
            // Writing into a String can't fail.
            let _ = write!(text, "{}  {}", paint.paint(tone, mark), finding.subject);
            let left = width + MARK + 2 * GAP;
            let room = columns.map_or(usize::MAX, |columns| columns.saturating_sub(left));
            let (indent, room) = match room < MIN_TEXT {
                // There is too little room next to the subject, so the text goes below it.
                true => (MARK + GAP, room.saturating_add(left - MARK - GAP)),
                false => (left, room),
            };
            // Indented lines quote the configuration, with marks below that must stay in place.
            let lines = finding
                .text
                .lines()
                .flat_map(|line| match line.starts_with(' ') {
                    true => vec![line.to_owned()],
                    false => wrap(line, room),
                });
            let mut pad = indent.saturating_sub(MARK + GAP + finding.subject.chars().count());
            for line in lines {
                if pad == 0 {
                    text.push('\n');
                    pad = indent;
                }
                let _ = write!(text, "{:pad$}{line}", "");
                pad = 0;
            }
            text.push('\n');
        }
        let of = |state| {
            self.checks
                .iter()
                .filter(|finding| finding.state == state)
                .count()
        };
        let verdict = match (of(State::Failed), of(State::Warning)) {
            (0, 0) => paint.paint(Tone::Good, "all is well"),
            (0, 1) => paint.paint(Tone::Good, "usable, with a warning"),
            (0, warnings) => paint.paint(
                Tone::Good,
                &format!("usable, with {}", counted(warnings, "warning")),
            ),
            (problems, _) => paint.paint(
                Tone::Bad,
                &format!("{}: see FAIL above", counted(problems, "problem")),
            ),
        };
        let _ = writeln!(text, "\n{verdict}");
        text
    }
}
