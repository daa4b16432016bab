//! All that is left to chance in a simulated world.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::time::Entropy;

/// Random words from a seed: ChaCha8, whose values are the same on every machine and in every version.
#[derive(Debug)]
pub struct Dice(Mutex<ChaCha8Rng>);

impl Dice {
    /// The dice of this seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(ChaCha8Rng::seed_from_u64(seed)))
    }

    /// Dice of their own for a part of the world: what one part rolls changes nothing for another one.
    pub fn of(seed: u64, part: &str) -> Self {
        let digest = crate::digest::Digest::of(format!("{seed}/{part}").as_bytes());
        let mut key = [0; 32];
        key.copy_from_slice(digest.as_bytes());
        Self(Mutex::new(ChaCha8Rng::from_seed(key)))
    }

    /// A number below `bound`; zero for a bound of zero.
    pub fn below(&self, bound: u64) -> u64 {
        // The upper half of the product, as in Lemire, <https://arxiv.org/abs/1805.10941>; the bias of 2^-64 × bound is
        // of no interest here.
        let product = u128::from(self.rng().next_u64()) * u128::from(bound);
        (product >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&self, low: u64, high: u64) -> u64 {
        low.saturating_add(self.below(high.saturating_sub(low).saturating_add(1)))
    }

    /// Whether something happens that happens this many times in a million.
    pub fn happens(&self, in_a_million: u32) -> bool {
        self.below(1_000_000) < u64::from(in_a_million)
    }

    /// One of these; `None` when there is none.
    pub fn pick<'a, T>(&self, choices: &'a [T]) -> Option<&'a T> {
        choices.get(self.below(choices.len() as u64) as usize)
    }

    fn rng(&self) -> MutexGuard<'_, ChaCha8Rng> {
        // A generator is never half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entropy for Dice {
    fn word(&self) -> u64 {
        self.rng().next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_the_same_words_for_ever() {
        let dice = Dice::new(7);
        assert_eq!(
            [dice.word(), dice.word()],
            [2_910_824_217_569_608_635, 3_098_856_782_162_503_994],
            "recorded seeds depend on it"
        );
    }

    #[test]
    fn parts_roll_for_themselves() {
        assert_eq!(Dice::of(1, "store").word(), Dice::of(1, "store").word());
        assert_ne!(Dice::of(1, "store").word(), Dice::of(1, "node n1").word());
        assert_ne!(Dice::of(1, "store").word(), Dice::of(2, "store").word());
    }

    #[test]
    fn numbers_stay_within_their_bounds() {
        let dice = Dice::new(1);
        assert_eq!(dice.below(0), 0);
        assert!((0..1000).all(|_| (3..=5).contains(&dice.between(3, 5))));
        assert!((0..1000).all(|_| !dice.happens(0)));
        assert!((0..1000).all(|_| dice.happens(1_000_000)));
        assert_eq!(dice.pick::<u8>(&[]), None);
    }
}
