//! What each plot of a report shows.

use std::time::Duration;

use super::axis::{Axis, Scale};
use super::numbers::{BEFORE, HERD, ends};
use super::plot::{Plot, Shape};
use super::words::{grouped, length, many, moment};
use crate::contract::Phase;
use crate::sandbox::fleet::{Counts, Ended, Fleet, MAX_ATTEMPTS};
use crate::time::millis;

/// Points along the simulated time.
const POINTS: usize = 240;

/// Places along the time at which the values are told.
const HINTS: usize = 120;

/// Peaks that are as many times the mean make a plot logarithmic.
const STEEP: f64 = 12.0;

/// A plot with one panel for each run, all on the same axes.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) title: String,
    /// How to read it, in a sentence.
    pub(super) caption: String,
    /// Classes and names of what is drawn.
    pub(super) legend: Vec<(&'static str, &'static str)>,
    pub(super) panels: Vec<Plot>,
}

/// All figures of these runs.
pub(super) fn all(fleet: &Fleet, runs: &[&Counts]) -> Vec<Figure> {
    let mut figures = vec![
        requests(fleet, runs),
        phases(fleet, runs),
        convergence(runs),
        attempts(runs),
    ];
    figures.extend(ends(fleet).map(|end| herd(fleet, runs, end)));
    figures
}

fn class(ended: Ended) -> &'static str {
    match ended {
        Ended::Answered => "good",
        Ended::Refused => "odd",
        Ended::Throttled => "slow",
        Ended::Failed => "bad",
        Ended::Unanswered => "lost",
    }
}

fn phase_class(phase: Phase) -> &'static str {
    match phase {
        Phase::Synced => "good",
        Phase::Provisional => "odd",
        Phase::Pending => "slow",
        Phase::Awaiting => "wait",
        Phase::Unseen | Phase::Unknown => "faint",
        Phase::Idle => "idle",
        Phase::Conflicted => "bad",
        Phase::Abandoned => "lost",
        Phase::Gone => "gone",
    }
}

/// The outcomes that came up in any run.
fn outcomes(runs: &[&Counts]) -> Vec<Ended> {
    let came_up = |ended: &Ended| runs.iter().any(|counts| counts.requests_that(*ended) > 0);
    Ended::ALL.into_iter().filter(came_up).collect()
}

fn legend(outcomes: &[Ended]) -> Vec<(&'static str, &'static str)> {
    let of = |ended: &Ended| (class(*ended), ended.name());
    outcomes.iter().map(of).collect()
}

fn windows(fleet: &Fleet) -> impl Iterator<Item = Shape> {
    let end = fleet.length;
    let windows = fleet.scenario.windows().into_iter();
    windows.map(move |(from, until)| {
        Shape::Window(
            from.as_secs_f64(),
            until.unwrap_or(end).min(end).as_secs_f64(),
        )
    })
}

/// The mean of the requests a second from one second to another.
fn rate(counts: &Counts, ended: Ended, from: usize, to: usize) -> f64 {
    let seconds = counts.seconds.get(ended as usize);
    let within = seconds.and_then(|seconds| seconds.get(from..to.min(seconds.len())));
    let sum: u64 = within
        .unwrap_or_default()
        .iter()
        .map(|n| u64::from(*n))
        .sum();
    sum as f64 / (to - from).max(1) as f64
}

fn per_second(rate: f64) -> String {
    match rate {
        rate if rate >= 10.0 => grouped(rate.round() as u64),
        rate => format!("{rate:.1}"),
    }
}

fn told(counts: &Counts, outcomes: &[Ended], from: usize, to: usize) -> String {
    let parts = outcomes.iter().map(|ended| {
        let rate = rate(counts, *ended, from, to);
        format!("{} {}/s", ended.name(), per_second(rate))
    });
    let parts: Vec<_> = parts.collect();
    format!("{}: {}", moment(from as u64), parts.join(", "))
}

fn requests(fleet: &Fleet, runs: &[&Counts]) -> Figure {
    let total = usize::try_from(fleet.length.as_secs()).unwrap_or(1).max(1);
    let step = total.div_ceil(POINTS).max(1);
    let outcomes = outcomes(runs);
    let rows = |counts: &Counts| -> Vec<(Ended, Vec<(f64, f64)>)> {
        let row = |ended: &Ended| {
            let points = (0..total).step_by(step).map(|from| {
                let to = (from + step).min(total);
                ((from + to) as f64 / 2.0, rate(counts, *ended, from, to))
            });
            (*ended, points.collect())
        };
        outcomes.iter().map(row).collect()
    };
    let rows: Vec<_> = runs.iter().map(|counts| rows(counts)).collect();
    let points = || rows.iter().flatten().flat_map(|(_, points)| points);
    let most = points().map(|point| point.1).fold(0.0, f64::max);
    let mean = runs
        .iter()
        .map(|counts| counts.requests() as f64 / total as f64)
        .fold(0.0, f64::max);
    let steep = most > STEEP * mean;
    let y = match steep {
        true => Axis::new(0.1, most * 1.6, Scale::LogNumbers),
        false => Axis::new(0.0, most * 1.08, Scale::Numbers),
    };
    let x = Axis::new(0.0, total as f64, Scale::Time);
    let hint = total.div_ceil(HINTS).max(1);
    let panels = runs.iter().zip(rows).map(|(counts, rows)| Plot {
        x,
        y,
        x_label: "simulated time",
        y_label: "requests a second",
        shapes: windows(fleet)
            .chain(
                rows.into_iter()
                    .map(|(ended, points)| Shape::Line(class(ended), points)),
            )
            .collect(),
        hints: (0..total)
            .step_by(hint)
            .map(|from| {
                let to = (from + hint).min(total);
                (from as f64, to as f64, told(counts, &outcomes, from, to))
            })
            .collect(),
    });
    Figure {
        title: "Requests a second, by outcome".to_owned(),
        caption: format!(
            "All clusters together, as means over {}{}. Shaded: the scenario's faults and limits.",
            moment(step as u64),
            if steep {
                ", on a logarithmic scale"
            } else {
                ""
            }
        ),
        legend: legend(&outcomes),
        panels: panels.collect(),
    }
}

/// The phases in the order in which they are stacked: what is well at the bottom.
const STACK: [Phase; 10] = [
    Phase::Synced,
    Phase::Idle,
    Phase::Gone,
    Phase::Provisional,
    Phase::Unseen,
    Phase::Unknown,
    Phase::Awaiting,
    Phase::Pending,
    Phase::Conflicted,
    Phase::Abandoned,
];

fn phases(fleet: &Fleet, runs: &[&Counts]) -> Figure {
    let place = |phase: Phase| Phase::ALL.iter().position(|other| *other == phase);
    let of = |step: &[i64; Phase::ALL.len()], phase: Phase| {
        let count = place(phase).and_then(|at| step.get(at));
        count.copied().unwrap_or_default() as f64
    };
    let came_up = |phase: &Phase| {
        runs.iter()
            .any(|counts| counts.phases().any(|step| of(&step, *phase) > 0.0))
    };
    let stack: Vec<_> = STACK.into_iter().filter(came_up).collect();
    let most = runs
        .iter()
        .map(|counts| counts.streams)
        .max()
        .unwrap_or_default();
    let end = fleet.length.as_secs_f64();
    let panels = runs.iter().map(|counts| {
        let every = counts.step.as_secs_f64();
        let steps: Vec<_> = counts.phases().collect();
        let mut shapes: Vec<_> = Vec::new();
        let mut base = vec![0.0; steps.len()];
        for phase in &stack {
            let mut points = Vec::new();
            for (at, (step, low)) in steps.iter().zip(&mut base).enumerate() {
                let high = *low + of(step, *phase);
                points.push(((at as f64 + 1.0) * every, *low, high));
                *low = high;
            }
            if let Some((_, low, high)) = points.first().copied() {
                points.insert(0, (0.0, low, high));
            }
            shapes.push(Shape::Area(phase_class(*phase), points));
        }
        shapes.extend(windows(fleet));
        let every_hint = steps.len().div_ceil(HINTS).max(1);
        let hints = steps
            .iter()
            .enumerate()
            .step_by(every_hint)
            .map(|(at, step)| {
                let parts = stack.iter().filter_map(|phase| {
                    let count = of(step, *phase);
                    (count > 0.0).then(|| format!("{} {}", grouped(count as u64), phase.name()))
                });
                let parts: Vec<_> = parts.collect();
                let from = at as f64 * every;
                (
                    from,
                    from + every * every_hint as f64,
                    format!("{}: {}", moment(from as u64), parts.join(", ")),
                )
            });
        Plot {
            x: Axis::new(0.0, end, Scale::Time),
            y: Axis::new(0.0, most as f64, Scale::Numbers),
            x_label: "simulated time",
            y_label: "streams",
            hints: hints.collect(),
            shapes,
        }
    });
    Figure {
        title: "Streams, by phase".to_owned(),
        caption: "What the agents take their streams for; those of nodes that have not started are not counted yet."
            .to_owned(),
        legend: stack.iter().map(|phase| (phase_class(*phase), phase.name())).collect(),
        panels: panels.collect(),
    }
}

fn convergence(runs: &[&Counts]) -> Figure {
    let longest = runs
        .iter()
        .filter_map(|counts| counts.convergence.quantile(1_000_000));
    let longest = longest.max().map_or(1_000, millis).max(1_000) as f64;
    let shortest = runs
        .iter()
        .filter_map(|counts| counts.convergence.rising().next());
    let shortest = shortest
        .map(|(length, _)| millis(length))
        .min()
        .unwrap_or(100)
        .max(10) as f64;
    let panels = runs.iter().map(|counts| {
        let all = counts.changes.max(1) as f64;
        let mut points = vec![(shortest, 0.0)];
        points.extend(
            counts
                .convergence
                .rising()
                .map(|(length, upto)| (millis(length) as f64, upto as f64 / all * 100.0)),
        );
        if let Some((_, last)) = points.last().copied() {
            points.push((longest, last));
        }
        let mut shapes = vec![Shape::Line("good", points)];
        for (part, name) in [(500_000, "half"), (990_000, "99%")] {
            if let Some(within) = counts.convergence.quantile(part) {
                let share = part as f64 / 1e4 * counts.convergence.total() as f64 / all;
                let words = format!("{name} within {}", length(Some(millis(within))));
                shapes.push(Shape::Mark(millis(within) as f64, share, words));
            }
        }
        Plot {
            x: Axis::new(shortest, longest, Scale::LogLengths),
            y: Axis::new(0.0, 100.0, Scale::Numbers),
            x_label: "since the schema was staged",
            y_label: "% of schemas",
            shapes,
            hints: Vec::new(),
        }
    });
    Figure {
        title: "Time to convergence".to_owned(),
        caption: "The share of staged schemas, first ones and changes, that an agent has seen in the store this long \
                  after they were staged."
            .to_owned(),
        legend: Vec::new(),
        panels: panels.collect(),
    }
}

fn attempts(runs: &[&Counts]) -> Figure {
    let last = |counts: &Counts| counts.attempts.iter().rposition(|streams| *streams > 0);
    let last = runs
        .iter()
        .filter_map(|counts| last(counts))
        .max()
        .unwrap_or_default();
    let most = runs.iter().flat_map(|counts| &counts.attempts).max();
    let most = most.copied().unwrap_or_default();
    let panels = runs.iter().map(|counts| {
        let shown = counts.attempts.iter().take(last + 1).enumerate();
        let bars = shown.clone().map(|(attempts, streams)| {
            (
                attempts as f64 - 0.5,
                attempts as f64 + 0.5,
                *streams as f64,
            )
        });
        let hints = shown
            .filter(|(_, streams)| **streams > 0)
            .map(|(attempts, streams)| {
                let attempted = match attempts {
                    MAX_ATTEMPTS => format!("{attempts} or more attempts"),
                    _ => many(attempts as u64, "attempt"),
                };
                let words = format!("{} with {attempted}", many(*streams, "stream"));
                (attempts as f64 - 0.5, attempts as f64 + 0.5, words)
            });
        Plot {
            x: Axis::new(-0.5, last as f64 + 0.5, Scale::Numbers),
            y: Axis::new(0.0, most as f64 * 1.05, Scale::Numbers),
            x_label: if last == MAX_ATTEMPTS {
                "attempts; the last bar: 64 or more"
            } else {
                "attempts"
            },
            y_label: "streams",
            hints: hints.collect(),
            shapes: vec![Shape::Bars("good", bars.collect())],
        }
    });
    Figure {
        title: "Attempts a stream".to_owned(),
        caption: "In the whole run. The looks of the regular verification are left out.".to_owned(),
        legend: Vec::new(),
        panels: panels.collect(),
    }
}

/// Seconds that make one point of the herd's plot.
const HERD_STEP: usize = 3;

fn herd(fleet: &Fleet, runs: &[&Counts], end: Duration) -> Figure {
    let second = |length: Duration| usize::try_from(length.as_secs()).unwrap_or_default();
    let until = end.saturating_add(HERD).min(fleet.length);
    let (from, to) = (second(end.saturating_sub(BEFORE)), second(until));
    let outcomes = outcomes(runs);
    let peaks: Vec<_> = runs.iter().map(|counts| counts.peak(end, until)).collect();
    let shown = |counts: &&Counts| (from..to).map(|at| counts.at(at)).max().unwrap_or_default();
    let most = runs.iter().map(shown).max().unwrap_or_default().max(1);
    let panels = runs.iter().zip(&peaks).map(|(counts, (at, peak))| {
        let mut shapes = vec![Shape::Window(from as f64, end.as_secs_f64())];
        let places: Vec<_> = (from..to).step_by(HERD_STEP).collect();
        let mut base = vec![0.0; places.len()];
        for ended in &outcomes {
            let mut points = Vec::new();
            for (place, low) in places.iter().zip(&mut base) {
                // The busiest second of the three, so that no peak is smoothed away.
                let busiest =
                    (*place..(place + HERD_STEP).min(to)).max_by_key(|at| (counts.at(*at), *place));
                let seconds = counts.seconds.get(*ended as usize);
                let count = seconds.and_then(|seconds| seconds.get(busiest?)).copied();
                let high = *low + f64::from(count.unwrap_or_default());
                points.push((*place as f64, *low, high));
                *low = high;
            }
            shapes.push(Shape::Area(class(*ended), points));
        }
        let later = match at.saturating_sub(end).as_secs() {
            0 => "at once".to_owned(),
            seconds => format!("{} later", moment(seconds)),
        };
        let words = format!("{} in one second, {later}", grouped(*peak));
        shapes.push(Shape::Mark(at.as_secs_f64(), *peak as f64, words));
        let every = (to - from).div_ceil(HINTS).max(1);
        Plot {
            x: Axis::new(from as f64, to as f64, Scale::Time),
            y: Axis::new(0.0, most as f64 * 1.12, Scale::Numbers),
            x_label: "simulated time",
            y_label: "requests a second",
            shapes,
            hints: (from..to)
                .step_by(every)
                .map(|at| {
                    let behind = (at + every).min(to);
                    (
                        at as f64,
                        behind as f64,
                        told(counts, &outcomes, at, behind),
                    )
                })
                .collect(),
        }
    });
    Figure {
        title: format!("The herd when the fault ends at {}", moment(end.as_secs())),
        caption: "Requests second by second, from two minutes before the end of the fault (shaded) until fifteen minutes after it."
            .to_owned(),
        legend: legend(&outcomes),
        panels: panels.collect(),
    }
}
