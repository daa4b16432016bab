use std::borrow::Cow;
use std::fmt;
use std::ops::{Add, Div, Mul};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time in whole milliseconds. In settings it is text with a unit: `"250ms"`, `"30s"`, `"1m 30s"`.
///
/// Arithmetic saturates. A verdict carries 49 days at most; what is longer is cut to that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// So many milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Self(millis)
    }

    /// So many seconds.
    pub const fn secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// So many minutes.
    pub const fn mins(mins: u64) -> Self {
        Self(mins.saturating_mul(60_000))
    }

    /// So many hours.
    pub const fn hours(hours: u64) -> Self {
        Self(hours.saturating_mul(3_600_000))
    }

    /// Its length in milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// What is left of it after `passed`; nothing when that is longer.
    pub const fn saturating_sub(self, passed: Span) -> Span {
        Span(self.0.saturating_sub(passed.0))
    }

    /// This span times a factor, rounded down; nothing for a factor below 0 or none at all.
    pub fn scaled(self, factor: f64) -> Span {
        // A cast cuts at both ends, and makes 0 of what is no number.
        Span((self.0 as f64 * factor) as u64)
    }

    /// The same in the contract's 32 bits.
    pub(crate) fn to_wire(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }
}

impl From<u32> for Span {
    /// So many milliseconds.
    fn from(millis: u32) -> Self {
        Self(u64::from(millis))
    }
}

impl Add for Span {
    type Output = Span;

    fn add(self, more: Span) -> Span {
        Span(self.0.saturating_add(more.0))
    }
}

impl Mul<u64> for Span {
    type Output = Span;

    fn mul(self, times: u64) -> Span {
        Span(self.0.saturating_mul(times))
    }
}

impl Div<u64> for Span {
    type Output = Span;

    /// A part of it, rounded up, so that a part of something is never nothing. Itself where the divisor is 0.
    fn div(self, parts: u64) -> Span {
        Span(self.0.div_ceil(parts.max(1)))
    }
}

/// Reads whole numbers with units, in any order: `"250ms"`, `"30s"`, `"2m"`, `"1h"`, `"1d"`, `"1m 30s"`.
impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            format!("`{text}` is no duration; write it like \"250ms\", \"30s\", \"2m\" or \"1h\"")
        };
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(wrong());
        }
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let (number, tail) = rest.split_at(digits);
            let unit_end = tail
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit_end);
            let scale: u64 = match unit {
                "ms" => 1,
                "s" => 1000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return Err(wrong()),
            };
            if number.is_empty() {
                return Err(wrong());
            }
            // Only digits are left to fail on, so a number that does not parse is too large.
            let number = number.parse().unwrap_or(u64::MAX);
            total = total.saturating_add(scale.saturating_mul(number));
            rest = tail.trim_start();
        }
        match total <= u64::from(u32::MAX) {
            true => Ok(Self(total)),
            false => Err(format!(
                "`{text}` is longer than 49 days, the longest that a policy can ask for"
            )),
        }
    }
}

/// For people, in its two largest units: `1h 5m`, `42s`, `300ms`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] = [
            (86_400_000, "d"),
            (3_600_000, "h"),
            (60_000, "m"),
            (1000, "s"),
        ];
        let Some(largest) = UNITS.iter().position(|(size, _)| self.0 >= *size) else {
            return write!(f, "{}ms", self.0);
        };
        let (size, unit) = UNITS[largest];
        write!(f, "{}{unit}", self.0 / size)?;
        let rest = self.0 % size;
        match UNITS.get(largest + 1) {
            Some((size, unit)) if rest >= *size => write!(f, " {}{unit}", rest / size),
            _ => Ok(()),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rest = self.0;
        let mut parts = Vec::new();
        for (size, unit) in [(3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")] {
            if rest >= size {
                parts.push(format!("{}{unit}", rest / size));
                rest %= size;
            }
        }
        match parts.is_empty() {
            true => serializer.serialize_str("0s"),
            false => serializer.serialize_str(&parts.join(" ")),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"30s\"")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Span, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Span, E> {
                Err(E::custom(format!(
                    "a duration is text with a unit: \"{number}s\", not {number}"
                )))
            }

            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Span, E> {
                Err(E::invalid_type(Unexpected::Float(number), &self))
            }
        }

        // Whatever is there instead of text is told of, and how to write it.
        deserializer.deserialize_any(Text)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^\s*(\d+(ms|s|m|h|d)\s*)+$",
            "examples": ["250ms", "30s", "2m"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, millis) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("1d", 86_400_000),
            ("1m 30s", 90_000),
            ("1m30s", 90_000),
            (" 0s ", 0),
        ] {
            assert_eq!(text.parse(), Ok(Span::millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_says_how_to_write_one() {
        for text in ["", "30", "s", "1.5s", "-1s", "2 weeks", "1s!", "٣s", "30 s"] {
            let problem = text.parse::<Span>().unwrap_err();
            assert!(problem.contains("\"30s\""), "{text}: {problem}");
        }
        for text in ["50d", "99999999999999999999999s"] {
            assert!(
                text.parse::<Span>().unwrap_err().contains("49 days"),
                "{text}"
            );
        }
    }

    #[test]
    fn lengths_of_time_read_well() {
        for (millis, text) in [
            (0, "0ms"),
            (300, "300ms"),
            (42_500, "42s"),
            (120_000, "2m"),
            (3_900_000, "1h 5m"),
            (3_605_000, "1h"),
            (3_660_000, "1h 1m"),
            (90_061_000, "1d 1h"),
        ] {
            assert_eq!(Span::millis(millis).to_string(), text);
        }
    }

    #[test]
    fn what_is_written_is_read_again_exactly() {
        for millis in [0, 1, 999, 90_061_007, u64::from(u32::MAX)] {
            let written = serde_json::to_string(&Span::millis(millis)).unwrap();
            assert_eq!(
                serde_json::from_str::<Span>(&written).unwrap(),
                Span::millis(millis),
                "{written}"
            );
        }
    }

    #[test]
    fn arithmetic_stays_within_bounds() {
        let long = Span::millis(u64::MAX);
        assert_eq!(long + Span::secs(1), long);
        assert_eq!(long * 2, long);
        assert_eq!(long.scaled(10.0), long);
        assert_eq!(long.to_wire(), u32::MAX);
        assert_eq!((Span::from(u32::MAX) + Span::millis(1)).to_wire(), u32::MAX);
        assert_eq!(Span::secs(3) / 0, Span::secs(3));
        assert_eq!(Span::millis(1) / 2, Span::millis(1));
        for factor in [-1.0, f64::NAN] {
            assert_eq!(Span::secs(1).scaled(factor), Span::ZERO);
        }
    }
}
