//! How long a simulated store takes.

use std::time::Duration;

use crate::sandbox::dice::Dice;

/// The parts of a million at which a distribution's quantiles are given.
const PARTS: u64 = 1_000_000;

/// A distribution of latencies: straight lines between quantiles, in whole nanoseconds, so that no machine's floating
/// point changes a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latency {
    /// Part of a million and nanoseconds, both rising; the first at 0, the last at a million.
    points: Vec<(u64, u64)>,
}

impl Latency {
    /// Always the same.
    pub fn constant(length: Duration) -> Self {
        Self::quantiles(length, length, length, length)
    }

    /// At least `min`, half of the requests at most `p50`, 99 of 100 at most `p99`, none over `max`. Each counts as the
    /// one before it where it is smaller.
    pub fn quantiles(min: Duration, p50: Duration, p99: Duration, max: Duration) -> Self {
        let mut last = 0;
        let lengths = [(0, min), (500_000, p50), (990_000, p99), (PARTS, max)];
        let points = lengths.map(|(part, length)| {
            last = last.max(u64::try_from(length.as_nanos()).unwrap_or(u64::MAX));
            (part, last)
        });
        Self {
            points: points.to_vec(),
        }
    }

    /// The latency of one request.
    pub fn draw(&self, dice: &Dice) -> Duration {
        self.quantile(dice.below(PARTS + 1))
    }

    /// The latency that no request is over.
    pub fn longest(&self) -> Duration {
        self.quantile(PARTS)
    }

    /// The latency that as many of a million requests are not over.
    pub fn quantile(&self, part: u64) -> Duration {
        let behind = self.points.partition_point(|(at, _)| *at < part);
        let at = |index: usize| self.points.get(index).copied().unwrap_or_default();
        let ((from, low), (to, high)) = (at(behind.saturating_sub(1)), at(behind));
        let rise = u128::from(high.saturating_sub(low)) * u128::from(part.saturating_sub(from));
        let rise = rise / u128::from(to.saturating_sub(from).max(1));
        Duration::from_nanos(low.saturating_add(u64::try_from(rise).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn quantiles_are_kept() {
        let latency = Latency::quantiles(ms(5), ms(20), ms(200), ms(1000));
        let dice = Dice::new(1);
        let mut drawn: Vec<_> = (0..10_000).map(|_| latency.draw(&dice)).collect();
        drawn.sort_unstable();
        assert!(drawn[0] >= ms(5) && drawn[9_999] <= ms(1000));
        assert!(
            (18..=23).contains(&drawn[5_000].as_millis()),
            "{:?}",
            drawn[5_000]
        );
        assert!(
            (190..=200).contains(&drawn[9_850].as_millis()),
            "{:?}",
            drawn[9_850]
        );
    }

    #[test]
    fn a_constant_is_constant() {
        let latency = Latency::constant(ms(7));
        let dice = Dice::new(1);
        assert!((0..100).all(|_| latency.draw(&dice) == ms(7)));
    }
}
