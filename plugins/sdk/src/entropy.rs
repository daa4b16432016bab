use crate::Span;

/// The random word that the host gives with a decision, and records with it.
///
/// All chance must come from here: a fresh instance's own generator starts the same each time, and a decision that is
/// replayed must come out as it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entropy(u64);

impl Entropy {
    /// This word.
    pub const fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// The word itself.
    pub const fn word(self) -> u64 {
        self.0
    }

    /// A length of time in `low..=high`, each millisecond as likely as the others; `low` where the bounds are crossed.
    pub fn between(self, low: Span, high: Span) -> Span {
        let width = u128::from(high.as_millis().saturating_sub(low.as_millis())) + 1;
        // The word as a fraction of 2⁶⁴, times the width: below the width, hence within 64 bits.
        let offset = (u128::from(self.0) * width) >> 64;
        low + Span::millis(u64::try_from(offset).unwrap_or(u64::MAX))
    }

    /// A whole number below `bound`, each as likely as the others; 0 where `bound` is.
    pub fn below(self, bound: u64) -> u64 {
        let number = (u128::from(self.0) * u128::from(bound)) >> 64;
        u64::try_from(number).unwrap_or(0)
    }

    /// The `n`-th further word, for a decision that needs more than one. (SplitMix64: Steele, Lea, Flood, "Fast
    /// Splittable Pseudorandom Number Generators", OOPSLA 2014.)
    #[must_use]
    pub const fn further(self, n: u64) -> Self {
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut word = self.0.wrapping_add(GAMMA.wrapping_mul(n.wrapping_add(1)));
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self(word ^ (word >> 31))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: Entropy = Entropy(0);
    const MOST: Entropy = Entropy(u64::MAX);

    #[test]
    fn the_whole_range_is_reached_and_never_left() {
        let (low, high) = (Span::millis(10), Span::millis(20));
        assert_eq!(LEAST.between(low, high), low);
        assert_eq!(MOST.between(low, high), high);
        assert_eq!(
            Entropy(u64::MAX / 2).between(Span::ZERO, Span::millis(100)),
            Span::millis(50)
        );
        assert_eq!(
            MOST.between(Span::ZERO, Span::millis(u64::MAX)),
            Span::millis(u64::MAX)
        );
        assert_eq!(MOST.between(high, low), high);
        assert_eq!((LEAST.below(6), MOST.below(6), MOST.below(0)), (0, 5, 0));
    }

    #[test]
    fn further_words_differ_and_are_the_same_each_time() {
        // The first outputs of SplitMix64 from seed 0.
        assert_eq!(LEAST.further(0).word(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(LEAST.further(1).word(), 0x6e78_9e6a_a1b9_65f4);
    }
}
