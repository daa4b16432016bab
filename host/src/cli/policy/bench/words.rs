//! The report as a page.

use std::fmt::Write as _;
use std::time::Duration;

use super::document::ratio;
use crate::cli::output::{Paint, Table, Tone};
use crate::policy::{LogLine, shown};
use crate::sandbox::bench::{Measured, Report, RoleReport};
use crate::text::counted;

/// How many log lines of a failed decision are shown.
const LOG_LINES: usize = 16;

/// A table for each role, the bundled policy beside it, and what else is to be known.
pub(super) fn for_people(report: &Report, paint: Paint) -> String {
    let mut text = format!(
        "{} {} ({})\n",
        report.name,
        report.version,
        bytes(report.size)
    );
    for role in &report.roles {
        // Writing into a String can't fail.
        let _ = writeln!(
            text,
            "\n{}: {}, each made {} beside builtin:{}\n",
            role.role,
            counted(role.decisions, "decision"),
            counted(role.policy.fresh.times / role.decisions.max(1), "time"),
            role.beside
        );
        text.push_str(&table(report, role).render(paint));
        for (name, measured) in [
            (report.name.as_str(), &role.policy),
            (role.beside, &role.bundled),
        ] {
            if let Some(failure) = &measured.failure {
                let line = format!(
                    "{name} failed in {} of {}: {}",
                    measured.failed,
                    counted(role.decisions, "decision"),
                    failure.failure
                );
                let _ = writeln!(text, "\n{}", paint.paint(Tone::Bad, &line));
                for line in last_lines(&failure.log) {
                    let _ = writeln!(text, "{}", paint.paint(Tone::Faint, &line));
                }
            }
        }
    }
    if let Some(why) = &report.beyond_defaults {
        let line = format!("Under the default limits it can't be used: {why}");
        let _ = writeln!(text, "\n{}", paint.paint(Tone::Doubtful, &line));
    }
    text
}

/// A part of the table: how it is called, what it is of each policy, and how it is written.
struct Line {
    name: &'static str,
    values: [f64; 2],
    shown: fn(f64) -> String,
}

fn table(report: &Report, role: &RoleReport) -> Table {
    let of = |name, value: fn(&Measured) -> f64, shown| Line {
        name,
        values: [value(&role.policy), value(&role.bundled)],
        shown,
    };
    let seconds = Duration::as_secs_f64;
    let loading = [&report.loading, &role.bundled_loading];
    let lines = [
        of(
            "fresh instance, half of them",
            |of| of.fresh.p50.as_secs_f64(),
            time,
        ),
        of(
            "fresh instance, 99 of 100",
            |of| of.fresh.p99.as_secs_f64(),
            time,
        ),
        of(
            "reused instance, half of them",
            |of| of.reused.p50.as_secs_f64(),
            time,
        ),
        of(
            "reused instance, 99 of 100",
            |of| of.reused.p99.as_secs_f64(),
            time,
        ),
        of(
            "fuel, fresh, half of them",
            |of| of.fresh.fuel.p50 as f64,
            number,
        ),
        of(
            "fuel, fresh, the most",
            |of| of.fresh.fuel.max as f64,
            number,
        ),
        of(
            "fuel, reused, half of them",
            |of| of.reused.fuel.p50 as f64,
            number,
        ),
        of(
            "fuel, reused, the most",
            |of| of.reused.fuel.max as f64,
            number,
        ),
        of(
            "memory, the most",
            |of| of.fresh.peak_memory.max(of.reused.peak_memory) as f64,
            |size| bytes(size as u64),
        ),
        Line {
            name: "compile and load",
            values: loading.map(|of| seconds(&of.compile)),
            shown: time,
        },
        Line {
            name: "load from the cache",
            values: loading.map(|of| seconds(&of.load)),
            shown: time,
        },
    ];
    let mut table = Table::new(&[
        "A DECISION",
        &report.name.to_uppercase(),
        &role.beside.to_uppercase(),
        "RATIO",
    ]);
    for Line {
        name,
        values: [one, other],
        shown,
    } in lines
    {
        let ratio = ratio(one, other).map_or_else(|| "–".to_owned(), short);
        table.row(vec![
            (Tone::Plain, name.to_owned()),
            (Tone::Plain, shown(one)),
            (Tone::Faint, shown(other)),
            (Tone::Plain, ratio),
        ]);
    }
    table
}

/// A length of time in seconds, with three digits.
fn time(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s >= 1.0 => (s, "s"),
        s if s >= 1e-3 => (s * 1e3, "ms"),
        s => (s * 1e6, "µs"),
    };
    format!("{} {unit}", short(value))
}

/// Three digits of a number, all of a larger one.
fn short(value: f64) -> String {
    match value {
        v if v >= 1_000.0 => number(v),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

/// A whole number, in groups of three digits.
fn number(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 2] = [(1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.into_iter().find(|(unit, _)| count >= *unit) {
        Some((unit, name)) => format!("{} {name}", short(count as f64 / unit as f64)),
        None => counted(count, "byte"),
    }
}

/// The last log lines, after a line that counts those before them.
fn last_lines(log: &[LogLine]) -> Vec<String> {
    let left_out = log.len().saturating_sub(LOG_LINES);
    let count = (left_out > 0).then(|| format!("  … {}", counted(left_out, "earlier log line")));
    let lines = log.iter().skip(left_out);
    let lines = lines.map(|line| format!("  logged: {}", shown(&line.message)));
    count.into_iter().chain(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_readable() {
        assert_eq!(time(11.25), "11.2 s");
        assert_eq!(time(0.001_1), "1.10 ms");
        assert_eq!(time(0.000_013_14), "13.1 µs");
        assert_eq!(number(2_711_601.0), "2,711,601");
        assert_eq!(number(999.0), "999");
        assert_eq!(short(0.984), "0.98");
        assert_eq!(short(1_250.4), "1,250");
        assert_eq!(bytes(4_982), "4.87 KiB");
        assert_eq!(bytes(64 << 10), "64.0 KiB");
    }
}
