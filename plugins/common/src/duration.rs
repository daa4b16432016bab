use std::fmt;
use std::str::FromStr;

/// A length of time in whole milliseconds, at most what the contract can say (`u32`, some 49 days).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(u32);

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// So many milliseconds.
    pub const fn millis(millis: u32) -> Self {
        Self(millis)
    }

    /// So many seconds; what exceeds the contract's bound is cut to it.
    pub const fn secs(secs: u32) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Its length in milliseconds.
    pub const fn as_millis(self) -> u32 {
        self.0
    }
}

/// Reads whole numbers with units, the largest first or not: `"250ms"`, `"30s"`, `"2m"`, `"1h"`, `"1d"`, `"1m 30s"`.
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
        u32::try_from(total).map(Span).map_err(|_| {
            format!("`{text}` is longer than 49 days, the longest that a policy can ask for")
        })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&describe_millis(u64::from(self.0)))
    }
}

/// A length of time for people, in its two largest units: `1h 5m`, `42s`, `300ms`.
pub fn describe_millis(millis: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1000, "s"),
    ];
    let mut parts = Vec::new();
    let mut rest = millis;
    for (size, unit) in UNITS {
        if rest >= size {
            parts.push(format!("{}{unit}", rest / size));
            rest %= size;
        } else if !parts.is_empty() {
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    if parts.is_empty() {
        return format!("{millis}ms");
    }
    parts.join(" ")
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
            (90_061_000, "1d 1h"),
        ] {
            assert_eq!(describe_millis(millis), text);
        }
    }
}
