use common::{Span, between};

/// How a delay is spread; the crate's documentation has the formulas and their source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    pub fn delay(&self, nth: u32, previous: Option<Span>, entropy: u64) -> Span {
        let (initial, max) = (self.initial.as_millis(), self.max.as_millis());
        let step = self.step(nth);
        let millis = match self.jitter {
            Jitter::None => step,
            Jitter::Full => between(entropy, 0, step),
            Jitter::Equal => between(entropy, step.div_ceil(2), step),
            Jitter::Decorrelated => {
                let previous = previous.map_or(initial, Span::as_millis);
                between(entropy, initial, previous.saturating_mul(3).max(initial))
            }
        };
        Span::millis(millis.clamp(1, max.max(1)))
    }

    /// `initial` · `factor`ⁿ⁻¹, at most `max`.
    fn step(&self, nth: u32) -> u32 {
        let doublings = i32::try_from(nth.saturating_sub(1)).unwrap_or(i32::MAX);
        let step = f64::from(self.initial.as_millis()) * self.factor.powi(doublings);
        // An overflow to infinity is above any maximum; what is left lies within 32 bits.
        step.min(f64::from(self.max.as_millis())) as u32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HALF: u64 = u64::MAX / 2;

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
            [0, u64::MAX].map(|entropy| curve.delay(nth, previous, entropy).as_millis())
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
            initial in 1..=u32::MAX,
            more in 0..=u32::MAX,
            factor in 1.0..=100.0f64,
            nth: u32,
            previous: Option<u32>,
            entropy: u64,
        ) {
            let max = initial.saturating_add(more);
            let curve = Curve { initial: Span::millis(initial), factor, max: Span::millis(max), jitter };
            let delay = curve.delay(nth, previous.map(Span::millis), entropy).as_millis();
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
            initial in 1..100_000u32,
            max in 100_000..=u32::MAX,
            factor in 1.0..=100.0f64,
            nth in 1..1000u32,
            entropy: u64,
        ) {
            for jitter in [Jitter::None, Jitter::Full, Jitter::Equal] {
                let curve = Curve { initial: Span::millis(initial), factor, max: Span::millis(max), jitter };
                let delay = |nth| curve.delay(nth, None, entropy);
                prop_assert!(delay(nth) <= delay(nth + 1));
            }
        }
    }
}
