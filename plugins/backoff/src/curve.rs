use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidegate_policy::{Entropy, Span};

/// How a delay is spread; the crate's documentation has the formulas and their source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Jitter {
    /// Not at all.
    None,
    /// Over the whole delay.
    Full,
    /// Over its second half.
    Equal,
    /// From the initial delay to three times the previous one.
    Decorrelated,
}

/// How delays grow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curve {
    /// The delay after the first failure, before jitter.
    pub initial: Span,
    /// What each further failure multiplies it by; from 1.
    pub factor: f64,
    /// The longest delay.
    pub max: Span,
    /// How delays are spread.
    pub jitter: Jitter,
}

impl Curve {
    /// The delay after the `nth` failure in a row (from 1), given the delay before it and a random word. At least 1 ms
    /// and at most [`Curve::max`].
    pub fn delay(&self, nth: u32, previous: Option<Span>, entropy: Entropy) -> Span {
        let step = self.step(nth);
        let delay = match self.jitter {
            Jitter::None => step,
            Jitter::Full => entropy.between(Span::ZERO, step),
            Jitter::Equal => entropy.between(step / 2, step),
            Jitter::Decorrelated => {
                let previous = previous.unwrap_or(self.initial);
                entropy.between(self.initial, (previous * 3).max(self.initial))
            }
        };
        delay.min(self.max).max(Span::millis(1))
    }

    /// `initial` · `factor`ⁿ⁻¹, at most `max`.
    fn step(&self, nth: u32) -> Span {
        let doublings = i32::try_from(nth.saturating_sub(1)).unwrap_or(i32::MAX);
        self.initial
            .scaled(self.factor.powi(doublings))
            .min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HALF: Entropy = Entropy::from_word(u64::MAX / 2);

    fn curve(jitter: Jitter) -> Curve {
        Curve {
            initial: Span::secs(1),
            factor: 2.0,
            max: Span::secs(60),
            jitter,
        }
    }

    #[test]
    fn without_jitter_delays_grow_by_the_factor_up_to_the_maximum() {
        let curve = curve(Jitter::None);
        let delays: Vec<_> = (1..=8)
            .map(|nth| curve.delay(nth, None, HALF).as_millis() / 1000)
            .collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(curve.delay(u32::MAX, None, HALF), Span::secs(60));
        // Nothing failed yet as far as the facts tell: the first delay.
        assert_eq!(curve.delay(0, None, HALF), Span::secs(1));
    }

    #[test]
    fn jitter_spreads_over_the_documented_range() {
        let range = |jitter, nth, previous| {
            let curve = curve(jitter);
            [0, u64::MAX].map(|word| {
                let entropy = Entropy::from_word(word);
                curve.delay(nth, previous, entropy).as_millis()
            })
        };
        assert_eq!(range(Jitter::None, 4, None), [8000, 8000]);
        assert_eq!(range(Jitter::Full, 4, None), [1, 8000]);
        assert_eq!(range(Jitter::Equal, 4, None), [4000, 8000]);
        assert_eq!(range(Jitter::Decorrelated, 4, None), [1000, 3000]);
        let previous = Some(Span::secs(5));
        assert_eq!(range(Jitter::Decorrelated, 4, previous), [1000, 15_000]);
        let long = Some(Span::secs(50));
        assert_eq!(range(Jitter::Decorrelated, 4, long), [1000, 60_000]);
        // The host's clamp may have made the previous delay shorter than the initial one.
        let short = Some(Span::millis(1));
        assert_eq!(range(Jitter::Decorrelated, 4, short), [1000, 1000]);
    }

    fn jitters() -> impl Strategy<Value = Jitter> {
        prop_oneof![
            Just(Jitter::None),
            Just(Jitter::Full),
            Just(Jitter::Equal),
            Just(Jitter::Decorrelated),
        ]
    }

    proptest! {
        #[test]
        fn delays_stay_within_their_bounds(
            jitter in jitters(),
            initial in 1..=u64::from(u32::MAX),
            more in 0..=u64::from(u32::MAX),
            factor in 1.0..=100.0f64,
            nth: u32,
            previous in proptest::option::of(0..=u64::from(u32::MAX)),
            entropy: u64,
        ) {
            let max = initial + more;
            let curve = Curve { initial: Span::millis(initial), factor, max: Span::millis(max), jitter };
            let delay = curve.delay(nth, previous.map(Span::millis), Entropy::from_word(entropy)).as_millis();
            prop_assert!((1..=max).contains(&delay), "{delay} of {max}");
            let floor = match jitter {
                Jitter::None | Jitter::Decorrelated => initial,
                Jitter::Equal => initial.div_ceil(2),
                Jitter::Full => 1,
            };
            prop_assert!(delay >= floor, "{delay} under {floor}");
        }

        #[test]
        fn delays_never_shrink_from_one_failure_to_the_next(
            initial in 1..100_000u64,
            max in 100_000..=u64::from(u32::MAX),
            factor in 1.0..=100.0f64,
            nth in 1..1000u32,
            entropy: u64,
        ) {
            for jitter in [Jitter::None, Jitter::Full, Jitter::Equal] {
                let curve = Curve { initial: Span::millis(initial), factor, max: Span::millis(max), jitter };
                let delay = |nth| curve.delay(nth, None, Entropy::from_word(entropy));
                prop_assert!(delay(nth) <= delay(nth + 1));
            }
        }
    }
}
