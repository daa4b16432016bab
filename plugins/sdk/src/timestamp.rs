use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

use crate::Span;

/// A moment on the host's clock, in milliseconds since the Unix epoch. The clock is virtual in the sandbox, and in
/// production it may step backwards. Serializes as that number.
#[derive(
    Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// So many milliseconds after 1970-01-01T00:00:00Z.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this moment; nothing when the clock stepped back in between.
    pub const fn since(self, earlier: Timestamp) -> Span {
        Span::millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Span> for Timestamp {
    type Output = Timestamp;

    fn add(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_add(span.as_millis()))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Timestamp;

    fn sub(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_sub(span.as_millis()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_stepped_back_has_let_no_time_pass() {
        let (early, late) = (Timestamp::from_millis(1000), Timestamp::from_millis(3000));
        assert_eq!(late.since(early), Span::secs(2));
        assert_eq!(early.since(late), Span::ZERO);
        assert_eq!(early + Span::secs(2), late);
        assert_eq!(early - Span::secs(2), Timestamp::default());
    }
}
