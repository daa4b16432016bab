//! How lengths of time are spread, in constant memory.

use std::time::Duration;

use crate::time::millis;

/// Parts of each power of two: a length is known to one part in 64.
const PARTS: u64 = 64;

/// Rows of [`PARTS`]: up to 2^40 milliseconds, some 35 years.
const ROWS: usize = 36;

/// Counts lengths of time to within one and a half per cent; sums of spreads are exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Spread {
    fn default() -> Self {
        Self {
            counts: vec![0; ROWS * PARTS as usize],
            total: 0,
        }
    }
}

impl Spread {
    /// Counts one.
    pub fn add(&mut self, length: Duration) {
        if let Some(count) = self.counts.get_mut(place(millis(length))) {
            *count += 1;
            self.total += 1;
        }
    }

    /// Counts all that the other one did.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The least length that as many of a million are not over; `None` where there is none at all.
    pub fn quantile(&self, in_a_million: u64) -> Option<Duration> {
        let rank = (u128::from(self.total) * u128::from(in_a_million)).div_ceil(1_000_000);
        self.rising()
            .find(|(_, upto)| u128::from(*upto) >= rank.max(1))
            .map(|(length, _)| length)
    }

    /// Each length that came up, rounded up, with how many are not over it.
    pub fn rising(&self) -> impl Iterator<Item = (Duration, u64)> {
        let counts = self.counts.iter().enumerate();
        counts
            .filter(|(_, count)| **count > 0)
            .scan(0, |upto, (at, count)| {
                *upto += count;
                Some((Duration::from_millis(longest(at)), *upto))
            })
    }
}

/// Where lengths of so many milliseconds are counted: the first two rows hold each number, each one behind them a power
/// of two.
fn place(millis: u64) -> usize {
    let row = u64::from(
        (millis / PARTS)
            .checked_ilog2()
            .map_or(0, |power| power + 1),
    );
    let within = (millis >> row.saturating_sub(1)) % PARTS;
    let last = ROWS * PARTS as usize - 1;
    usize::try_from(row * PARTS + within).map_or(last, |at| at.min(last))
}

/// The longest that is counted there.
fn longest(at: usize) -> u64 {
    let (row, within) = (at as u64 / PARTS, at as u64 % PARTS);
    match row {
        0 => within,
        row => ((PARTS + within + 1) << (row - 1)) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(millis: impl IntoIterator<Item = u64>) -> Spread {
        let mut spread = Spread::default();
        for length in millis {
            spread.add(Duration::from_millis(length));
        }
        spread
    }

    #[test]
    fn small_lengths_are_exact_and_large_ones_close() {
        for length in [0, 1, 63, 64, 127, 128, 1_000, 86_400_000, 1 << 39] {
            let shown = longest(place(length));
            assert!(
                shown >= length && shown <= length + length / PARTS,
                "{length}: {shown}"
            );
        }
        assert_eq!(place(u64::MAX), ROWS * PARTS as usize - 1);
    }

    #[test]
    fn quantiles_are_those_of_the_lengths() {
        let spread = of(1..=100);
        assert_eq!(spread.quantile(500_000), Some(Duration::from_millis(50)));
        assert_eq!(spread.quantile(990_000), Some(Duration::from_millis(99)));
        assert_eq!(spread.quantile(1_000_000), Some(Duration::from_millis(100)));
        assert_eq!(Spread::default().quantile(500_000), None);
    }

    #[test]
    fn a_sum_is_as_if_all_had_been_counted_together() {
        let mut sum = of(0..500);
        sum.merge(&of(500..9_000));
        assert_eq!(sum, of(0..9_000));
        assert_eq!(sum.total(), 9_000);
    }
}
