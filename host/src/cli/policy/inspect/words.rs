use std::fmt::Write as _;

use super::report::Report;
use super::settings::in_short;
use crate::cli::output::{Paint, Table, Tone};
use crate::policy::{Limits, Offer, shown};
use crate::text::counted;

/// The report as a page: what it is, what it imports, what it can be told.
pub(in crate::cli::policy) fn for_people(report: &Report, paint: Paint) -> String {
    let mut text = String::new();
    head(&mut text, report);
    facts(&mut text, report, paint);
    if !report.imports.is_empty() {
        text.push('\n');
        text.push_str(&imports(report).render(paint));
    }
    if let Some(settings) = settings(report) {
        text.push('\n');
        text.push_str(&settings.render(paint));
    }
    // Writing into a String can't fail.
    if !report.settings_wanted.is_empty() {
        let _ = writeln!(text, "\nIt does not do without settings:");
    }
    for problem in &report.settings_wanted {
        let at = match problem.pointer.as_str() {
            "" => String::new(),
            pointer => format!("{pointer}: "),
        };
        let _ = writeln!(text, "  {at}{}", problem.message);
    }
    for hint in hints(report) {
        let _ = writeln!(text, "\n{}", paint.paint(Tone::Doubtful, &hint));
    }
    let verdict = match &report.problem {
        Some(problem) => paint.paint(Tone::Bad, &format!("it would not load: {problem}")),
        None => paint.paint(Tone::Good, "it loads"),
    };
    let _ = writeln!(text, "\n{verdict}");
    text
}

fn head(text: &mut String, report: &Report) {
    // Writing into a String can't fail.
    let _ = match &report.description {
        Some(told) => writeln!(text, "{} {}", told.name, told.version),
        None => writeln!(text, "{}", shown(&report.component)),
    };
    let summary = report.description.iter().map(|told| told.summary.as_str());
    for summary in summary.filter(|summary| !summary.is_empty()) {
        let _ = writeln!(text, "{summary}");
    }
    text.push('\n');
}

fn facts(text: &mut String, report: &Report, paint: Paint) {
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut fact = |name: &str, value: String| rows.push((name.to_owned(), value));
    if !report.roles.is_empty() {
        let roles: Vec<&str> = report.roles.iter().map(|role| role.name()).collect();
        fact("roles", roles.join(", "));
    }
    if !report.contracts.is_empty() {
        fact("contract", report.contracts.join(", "));
    }
    fact("size", bytes(report.size));
    fact("sha256", report.sha256.to_string());
    if let Some(memory) = report.initial_memory {
        fact("memory", format!("{} at first", bytes(memory)));
    }
    if let Some(start) = report.start.as_ref().filter(|_| report.loads) {
        fact(
            "start",
            format!("{} fuel, {}", start.fuel, bytes(start.peak_memory)),
        );
    }
    for (name, value) in report.description.iter().flat_map(|told| &told.metadata) {
        fact(name, value.clone());
    }
    let mut table = Table::default();
    for (name, value) in rows {
        table.row(vec![(Tone::Faint, name), (Tone::Plain, value)]);
    }
    text.push_str(&table.render(paint));
}

fn imports(report: &Report) -> Table {
    let mut table = Table::new(&["IMPORT", "OFFER"]);
    for import in &report.imports {
        let (tone, offer) = match import.offer {
            Offer::Offered => (Tone::Good, "offered"),
            Offer::NeedsGrant => (Tone::Doubtful, "needs a grant (`grants.write`)"),
            Offer::Sealed => (Tone::Faint, "sealed: nothing inside"),
            Offer::Unknown => (Tone::Bad, "unknown"),
        };
        table.row(vec![
            (Tone::Plain, import.name.clone()),
            (tone, offer.to_owned()),
        ]);
    }
    table
}

fn settings(report: &Report) -> Option<Table> {
    if report.settings.is_empty() {
        return None;
    }
    let mut table = Table::new(&["SETTING", "TYPE", "DEFAULT", "MEANING"]);
    for setting in &report.settings {
        let default = match &setting.default {
            Some(value) => cell(&in_short(value)),
            None if setting.required => "required".to_owned(),
            None => "–".to_owned(),
        };
        table.row(vec![
            (Tone::Plain, setting.key.clone()),
            (Tone::Plain, setting.kind.clone()),
            (Tone::Plain, default),
            (Tone::Faint, setting.meaning.clone().unwrap_or_default()),
        ]);
    }
    Some(table)
}

/// What an operator must set for it to run at all.
fn hints(report: &Report) -> Vec<String> {
    let defaults = Limits::default();
    let Some(start) = report.start.as_ref().filter(|_| report.loads) else {
        return Vec::new();
    };
    let mut hints = Vec::new();
    if start.fuel > defaults.fuel {
        hints.push(format!(
            "Starting alone takes more fuel than `limits.fuel` ({}) gives by default: raise it, and set \
             `instances = \"reuse\"`.",
            defaults.fuel
        ));
    }
    if start.peak_memory > defaults.memory {
        hints.push(format!(
            "Starting alone takes more memory than `limits.memory` ({}) gives by default: raise it.",
            bytes(defaults.memory)
        ));
    }
    hints
}

/// The most characters of a default in the table; `--json` has all of it.
const WIDEST_DEFAULT: usize = 32;

fn cell(text: &str) -> String {
    match text.char_indices().nth(WIDEST_DEFAULT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A size for people, and exactly where that differs.
fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let Some((unit, name)) = UNITS.into_iter().find(|(unit, _)| count >= *unit) else {
        return counted(count, "byte");
    };
    let (whole, rest) = (count / unit, count % unit);
    match rest {
        0 => format!("{whole} {name}"),
        _ => format!("{whole}.{} {name} ({count} bytes)", rest * 10 / unit),
    }
}
