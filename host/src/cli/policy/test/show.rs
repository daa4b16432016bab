//! What scenarios came to, for people and as JSON.

use std::path::PathBuf;

use serde::Serialize;

use super::super::super::CommandError;
use super::super::super::output::{self, Paint, Tone};
use crate::sandbox::scenario::{FailedCalls, Failure, Report};
use crate::text::counted;

/// The version of the JSON output.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Summary<'a> {
    version: u32,
    passed: usize,
    failed: usize,
    scenarios: Vec<Shown<'a>>,
}

#[derive(Serialize)]
struct Shown<'a> {
    file: String,
    passed: bool,
    #[serde(flatten)]
    report: &'a Report,
}

pub(super) fn json(reports: &[(PathBuf, Report)]) -> Result<(), CommandError> {
    let passed = reports.iter().filter(|(_, report)| report.passed()).count();
    let summary = Summary {
        version: VERSION,
        passed,
        failed: reports.len() - passed,
        scenarios: reports
            .iter()
            .map(|(file, report)| Shown {
                file: file.display().to_string(),
                passed: report.passed(),
                report,
            })
            .collect(),
    };
    let mut text = serde_json::to_string_pretty(&summary).map_err(anyhow::Error::new)?;
    text.push('\n');
    Ok(output::print(&text)?)
}

pub(super) fn text(reports: &[(PathBuf, Report)], paint: Paint) -> Result<(), CommandError> {
    let width = reports
        .iter()
        .map(|(_, report)| report.name.chars().count())
        .max()
        .unwrap_or_default();
    let mut text = String::new();
    for (file, report) in reports {
        let (tone, word) = match report.passed() {
            true => (Tone::Good, "ok    "),
            false => (Tone::Bad, "FAILED"),
        };
        let name = &report.name;
        text.push_str(&format!(
            "{} {name:width$}  {}\n",
            paint.paint(tone, word),
            report.title
        ));
        for failure in &report.failures {
            text.push_str(&described(failure, &file.display().to_string(), paint));
        }
        if let Some(difference) = &report.hidden_state {
            text.push_str(&format!(
                "  verdicts depend on what an instance remembers: {difference}\n"
            ));
        }
        text.push_str(&failed_calls(report, paint));
    }
    let passed = reports.iter().filter(|(_, report)| report.passed()).count();
    let failed = reports.len() - passed;
    text.push_str(&format!(
        "{}: {passed} as expected, {failed} not\n",
        counted(reports.len(), "scenario")
    ));
    Ok(output::print(&text)?)
}

/// One failure: where it is expected, what came, and what happened around it.
pub(super) fn described(failure: &Failure, file: &str, paint: Paint) -> String {
    let place = match failure.line {
        Some(line) => format!("{file}:{line}: "),
        None => String::new(),
    };
    let mut text = format!(
        "  {place}expected {}\n    but {}\n",
        failure.expected, failure.came
    );
    for note in &failure.notes {
        text.push_str(&format!("    note: {note}\n"));
    }
    for line in &failure.timeline {
        text.push_str(&format!("      {}\n", paint.paint(Tone::Faint, line)));
    }
    text
}

/// The calls of policies that failed, where a reader should know of them.
pub(super) fn failed_calls(report: &Report, paint: Paint) -> String {
    let lines = report.notable_calls().iter().flat_map(FailedCalls::lines);
    lines
        .map(|line| format!("  {}\n", paint.paint(Tone::Doubtful, &line)))
        .collect()
}
