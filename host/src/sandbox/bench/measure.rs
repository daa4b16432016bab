//! Asks policies in turns and watches the clock.

use std::sync::Arc;
use std::time::Duration;

use super::report::{FailedDecision, Fuel, Measured, Run, quantile};
use super::task::Task;
use super::world::QuietWorld;
use crate::policy::{CallReport, Instances, Policy, Slots};
use crate::time::Clock;

/// Rounds before times count: caches fill, reused instances come to be.
const WARM_UP: usize = 1;

/// Rounds that are made however long they take.
const FEWEST: usize = WARM_UP + 1;

/// The most rounds: more tell nothing new.
const MOST: usize = 20_000;

/// One policy with one kind of instances.
#[derive(Default)]
struct Series {
    times: Vec<Duration>,
    /// Of each task, as it was used last.
    fuel: Vec<u64>,
    peak_memory: u64,
    failures: Vec<Option<FailedDecision>>,
}

/// A task for one kind of instances, with everything in place.
struct Seat {
    policy: Policy,
    series: usize,
}

/// Of both policies with both kinds of instances.
const SERIES: usize = 4;

/// What was measured of a policy and of the bundled one.
pub(super) struct Pair {
    pub(super) policy: Measured,
    pub(super) bundled: Measured,
}

/// Makes all decisions by both policies, with fresh and with reused instances, again and again for this long. `round` is
/// told how far it is, from 0 to 1.
pub(super) async fn measure(
    tasks: &[Task],
    bundled: &Policy,
    clock: &Arc<dyn Clock>,
    length: Duration,
    mut round: impl FnMut(f64),
) -> Pair {
    let seats: Vec<_> = tasks
        .iter()
        .map(|task| seats(task, bundled, clock))
        .collect();
    let worlds: Vec<_> = tasks
        .iter()
        .map(|task| Arc::new(QuietWorld::new(task.calls.clone(), task.facts.now)))
        .collect();
    let mut series: [Series; SERIES] = std::array::from_fn(|_| Series {
        fuel: vec![0; tasks.len()],
        failures: vec![None; tasks.len()],
        ..Series::default()
    });
    let start = clock.monotonic();
    for at in 0..MOST {
        let passed = clock.monotonic().saturating_sub(start);
        round(passed.as_secs_f64() / length.as_secs_f64().max(f64::MIN_POSITIVE));
        if at >= FEWEST && passed >= length {
            break;
        }
        for (number, ((task, seats), world)) in tasks.iter().zip(&seats).zip(&worlds).enumerate() {
            // Nobody is always the first to find the processor's caches as somebody else left them.
            for turn in 0..SERIES {
                let Some(seat) = seats.get((turn + at) % SERIES) else {
                    continue;
                };
                let (world, values) = (Arc::clone(world), task.values.clone());
                let before = clock.monotonic();
                let report = seat
                    .policy
                    .ask(task.question.question(), &task.facts, world, values)
                    .await;
                let took = clock.monotonic().saturating_sub(before);
                if let Some(series) = series.get_mut(seat.series) {
                    series.add(number, (at >= WARM_UP).then_some(took), &report);
                }
            }
        }
    }
    let [fresh, reused, bundled_fresh, bundled_reused] = series;
    Pair {
        policy: measured(fresh, reused),
        bundled: measured(bundled_fresh, bundled_reused),
    }
}

/// The task's policy and the bundled one, fresh and reused, in the order of the series. An instance that is reused is
/// this task's own, so that its fuel depends on no other task.
fn seats(task: &Task, bundled: &Policy, clock: &Arc<dyn Clock>) -> [Seat; SERIES] {
    let slots = Slots::new(1, 2, Arc::clone(clock));
    let seat = |policy: &Policy, instances, series| Seat {
        policy: policy.on_node(&slots, instances),
        series,
    };
    [
        seat(&task.policy, Instances::Fresh, 0),
        seat(&task.policy, Instances::Reuse, 1),
        seat(bundled, Instances::Fresh, 2),
        seat(bundled, Instances::Reuse, 3),
    ]
}

impl Series {
    fn add(&mut self, task: usize, took: Option<Duration>, report: &CallReport) {
        self.times.extend(took);
        if let Some(fuel) = self.fuel.get_mut(task) {
            *fuel = report.usage.fuel;
        }
        self.peak_memory = self.peak_memory.max(report.usage.peak_memory);
        if let (Some(slot), Err(failure)) = (self.failures.get_mut(task), &report.verdict) {
            slot.get_or_insert_with(|| FailedDecision {
                failure: failure.clone(),
                log: report.logs.clone(),
            });
        }
    }

    fn run(mut self) -> Run {
        self.times.sort_unstable();
        self.fuel.sort_unstable();
        Run {
            times: self.times.len(),
            p50: quantile(&self.times, 0.5),
            p99: quantile(&self.times, 0.99),
            fuel: Fuel {
                p50: quantile(&self.fuel, 0.5),
                max: quantile(&self.fuel, 1.0),
            },
            peak_memory: self.peak_memory,
        }
    }
}

fn measured(fresh: Series, reused: Series) -> Measured {
    let pairs = fresh.failures.iter().zip(&reused.failures);
    let failures: Vec<_> = pairs
        .filter_map(|(fresh, reused)| fresh.as_ref().or(reused.as_ref()))
        .collect();
    Measured {
        failed: failures.len(),
        failure: failures.first().map(|&failure| failure.clone()),
        fresh: fresh.run(),
        reused: reused.run(),
    }
}
