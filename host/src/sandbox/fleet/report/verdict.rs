//! One line about a run, or about which of two is better in what.

use super::numbers::Numbers;
use super::words::{grouped, length, many};

/// Below this ratio two figures count as the same.
const SAME: f64 = 1.05;

/// What came of a run.
pub(super) fn of_one(numbers: &Numbers) -> String {
    let reached = match numbers.unconverged {
        0 if numbers.changes == 0 => "No schema was staged".to_owned(),
        0 => format!(
            "Every schema reached the store, half of them within {} and 99 of 100 within {}",
            length(numbers.convergence.p50_ms),
            length(numbers.convergence.p99_ms)
        ),
        missing => format!(
            "{} of {} had not reached the store at the end",
            grouped(missing),
            many(numbers.changes, "schema")
        ),
    };
    let herd = numbers.herds.iter().map(|herd| herd.peak.requests).max();
    let peak = match herd {
        Some(herd) => format!(
            "up to {} a second once the faults ended, {} at the most",
            many(herd, "request"),
            grouped(numbers.peak.requests)
        ),
        None => format!(
            "{} a second at the most",
            many(numbers.peak.requests, "request")
        ),
    };
    format!("{reached}; {peak}.")
}

/// Which of two runs is better in what, with the ratios.
pub(super) fn of_two(one: (&str, &Numbers), other: (&str, &Numbers)) -> String {
    let mut better: [Vec<String>; 2] = Default::default();
    let mut same = Vec::new();
    for (what, figure) in figures() {
        let (Some(ours), Some(theirs)) = (figure(one.1), figure(other.1)) else {
            continue;
        };
        let (least, most) = (ours.min(theirs), ours.max(theirs));
        if most <= least * SAME {
            same.push(what);
            continue;
        }
        let ratio = match least > 0.0 {
            true => format!("{:.1}×", most / least),
            false => format!("{} to none", grouped(most as u64)),
        };
        let [first, second] = &mut better;
        let winner = if ours < theirs { first } else { second };
        winner.push(format!("{what} ({ratio})"));
    }
    let [first, second] = better;
    let mut parts = Vec::new();
    for (name, wins) in [(one.0, first), (other.0, second)] {
        if !wins.is_empty() {
            parts.push(format!("{name} is better in {}", wins.join(", ")));
        }
    }
    if parts.is_empty() {
        return "Both do the same, to within 5%.".to_owned();
    }
    if !same.is_empty() {
        parts.push(format!("no difference in {}", same.join(", ")));
    }
    format!("{}.", parts.join("; "))
}

/// What two runs are compared in: less is better in all of it.
type Figure = fn(&Numbers) -> Option<f64>;

fn figures() -> [(&'static str, Figure); 6] {
    [
        ("schemas left behind", |numbers| {
            Some(numbers.unconverged as f64)
        }),
        ("median convergence", |numbers| {
            numbers.convergence.p50_ms.map(|millis| millis as f64)
        }),
        ("p99 convergence", |numbers| {
            numbers.convergence.p99_ms.map(|millis| millis as f64)
        }),
        ("the herd after faults", |numbers| {
            let peaks = numbers.herds.iter().map(|herd| herd.peak.requests);
            peaks.max().map(|peak| peak as f64)
        }),
        ("failed requests", |numbers| Some(numbers.failed as f64)),
        ("cost", |numbers| Some(numbers.cost_usd)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::fleet::report::{Convergence, Peak};

    fn numbers(p99: u64, failed: u64) -> Numbers {
        Numbers {
            streams: 1,
            changes: 100,
            convergence: Convergence {
                p50_ms: Some(1_000),
                p99_ms: Some(p99),
                max_ms: Some(p99),
            },
            unconverged: 0,
            unsettled: 0,
            requests: 1_000,
            outcomes: Vec::new(),
            failed,
            operations: Vec::new(),
            cost_usd: 1.0,
            peak: Peak {
                at_s: 1,
                requests: 9,
            },
            herds: Vec::new(),
            decisions: 1,
            failed_decisions: 0,
            fuel: 1,
            verifications: 0,
            ended: 0,
        }
    }

    #[test]
    fn the_better_one_is_named_in_each_figure_with_the_ratio() {
        let (one, other) = (numbers(60_000, 0), numbers(20_000, 12));
        assert_eq!(
            of_two(("a", &one), ("b", &other)),
            "a is better in failed requests (12 to none); b is better in p99 convergence (3.0×); no difference in \
             schemas left behind, median convergence, cost."
        );
        assert_eq!(
            of_two(("a", &one), ("b", &one)),
            "Both do the same, to within 5%."
        );
    }

    #[test]
    fn what_did_not_reach_the_store_comes_first() {
        let left = Numbers {
            unconverged: 3,
            ..numbers(1, 0)
        };
        assert_eq!(
            of_one(&left),
            "3 of 100 schemas had not reached the store at the end; 9 requests a second at the most."
        );
    }
}
