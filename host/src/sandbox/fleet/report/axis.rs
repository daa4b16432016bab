//! Where values lie on a plot, and which of them are named.

use std::time::Duration;

use super::words::{grouped, moment};
use crate::time::in_full;

/// Values from left to right, or from bottom to top.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    scale: Scale,
}

/// How values are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// Evenly: numbers.
    Numbers,
    /// Evenly: seconds of the simulated time.
    Time,
    /// By their logarithms: numbers.
    LogNumbers,
    /// By their logarithms: milliseconds.
    LogLengths,
}

impl Axis {
    pub(super) fn new(low: f64, high: f64, scale: Scale) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self { low, high, scale }
    }

    /// Whether a logarithmic axis begins only above the value.
    pub(super) fn is_below(&self, value: f64) -> bool {
        matches!(self.scale, Scale::LogNumbers | Scale::LogLengths) && value < self.low
    }

    /// Where the value lies, from 0 to 1.
    pub(super) fn place(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Numbers | Scale::Time => (value - self.low) / (self.high - self.low),
            Scale::LogNumbers | Scale::LogLengths => {
                (value.max(self.low) / self.low).log10() / (self.high / self.low).log10()
            }
        };
        share.clamp(0.0, 1.0)
    }

    /// Values with their names, about as many.
    pub(super) fn ticks(&self, wanted: usize) -> Vec<(f64, String)> {
        match self.scale {
            Scale::Numbers => self.even(step(self.high - self.low, wanted), short),
            Scale::Time => {
                const STEPS: [u64; 17] = [
                    10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600,
                    43_200, 86_400, 172_800, 604_800,
                ];
                let span = self.high - self.low;
                let fits = STEPS
                    .iter()
                    .find(|step| span / **step as f64 <= wanted as f64);
                let step = fits.copied().unwrap_or(604_800) as f64;
                self.even(step, |value| moment(value as u64))
            }
            Scale::LogNumbers => self.powers(wanted, short),
            Scale::LogLengths => {
                const LENGTHS: [u64; 16] = [
                    10,
                    100,
                    1_000,
                    3_000,
                    10_000,
                    30_000,
                    60_000,
                    180_000,
                    600_000,
                    1_800_000,
                    3_600_000,
                    10_800_000,
                    21_600_000,
                    43_200_000,
                    86_400_000,
                    604_800_000,
                ];
                let within = LENGTHS.iter().map(|millis| (*millis as f64, *millis));
                let within = within.filter(|(value, _)| *value >= self.low && *value <= self.high);
                let all: Vec<_> = within
                    .map(|(value, millis)| (value, in_full(Duration::from_millis(millis))))
                    .collect();
                let every = all.len().div_ceil(wanted.max(1)).max(1);
                all.into_iter().step_by(every).collect()
            }
        }
    }

    fn even(&self, step: f64, name: impl Fn(f64) -> String) -> Vec<(f64, String)> {
        let first = (self.low / step).ceil();
        (0..100)
            .map(|at| (first + f64::from(at)) * step)
            .take_while(|value| *value <= self.high * (1.0 + 1e-9))
            .map(|value| (value, name(value)))
            .collect()
    }

    fn powers(&self, wanted: usize, name: impl Fn(f64) -> String) -> Vec<(f64, String)> {
        let (first, last) = (
            self.low.log10().ceil() as i32,
            self.high.log10().floor() as i32,
        );
        let count = usize::try_from(last - first + 1).unwrap_or(1);
        let every = count.div_ceil(wanted.max(1)).max(1);
        (first..=last)
            .step_by(every)
            .map(|power| 10f64.powi(power))
            .map(|value| (value, name(value)))
            .collect()
    }
}

/// The step of 1, 2 or 5 times a power of ten that makes at most as many ticks.
fn step(span: f64, wanted: usize) -> f64 {
    let raw = span / wanted.max(1) as f64;
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|step| step * power >= raw);
    step.unwrap_or(10.0) * power
}

/// A value on an axis.
fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", trimmed(value / 1e6)),
        value if value >= 10_000.0 => format!("{}k", trimmed(value / 1e3)),
        value if value >= 1.0 || value == 0.0 => grouped(value.round() as u64),
        value => trimmed(value),
    }
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(axis: Axis, wanted: usize) -> Vec<String> {
        axis.ticks(wanted)
            .into_iter()
            .map(|(_, name)| name)
            .collect()
    }

    #[test]
    fn ticks_are_round() {
        let numbers = Axis::new(0.0, 4_700.0, Scale::Numbers);
        assert_eq!(names(numbers, 5), ["0", "1,000", "2,000", "3,000", "4,000"]);
        let day = Axis::new(0.0, 86_400.0, Scale::Time);
        assert_eq!(names(day, 4), ["0s", "6h", "12h", "18h", "1d"]);
        let powers = Axis::new(0.1, 12_000.0, Scale::LogNumbers);
        assert_eq!(names(powers, 9), ["0.1", "1", "10", "100", "1,000", "10k"]);
    }

    #[test]
    fn values_lie_where_they_belong() {
        let log = Axis::new(1.0, 100.0, Scale::LogNumbers);
        assert!((log.place(10.0) - 0.5).abs() < 1e-9);
        assert_eq!((log.place(0.0), log.place(1e9)), (0.0, 1.0));
        let flat = Axis::new(0.0, 0.0, Scale::Numbers);
        assert_eq!(flat.place(0.0), 0.0);
    }
}
