//! The one grammar of durations: for reading configurations, scenarios, policies' settings and the command line, and
//! for printing.
//!
//! A duration is whole numbers with units, from `ms`, `s`, `m`, `h` and `d`, added up: `250ms`, `30s`, `1h 30m`. The
//! crate that policies are written with reads the same.

use std::time::Duration;

use super::millis;

/// The units, largest first, in milliseconds.
const UNITS: [(u64, &str); 5] = [
    (86_400_000, "d"),
    (3_600_000, "h"),
    (60_000, "m"),
    (1_000, "s"),
    (1, "ms"),
];

/// The longest duration that is read: a hundred years. Libraries overflow beyond it.
const LONGEST: Duration = Duration::from_secs(36_500 * 86_400);

/// Reads a duration.
///
/// # Errors
///
/// The text is not a duration, or one over a hundred years; the message says how to write one.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    match read(text).map(Duration::from_millis) {
        Some(length) if length <= LONGEST => Ok(length),
        Some(_) => Err(format!(
            "`{text}` is too long: write at most `{}`",
            in_full(LONGEST)
        )),
        None => Err(format!(
            "`{text}` is not a valid duration: write whole numbers with units (ms, s, m, h, d), such as \"30s\" or \
             \"1h 30m\""
        )),
    }
}

fn read(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let end = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let (size, _) = UNITS.iter().find(|(_, name)| *name == unit)?;
        let number: u64 = number.parse().ok()?;
        total = total.checked_add(number.checked_mul(*size)?)?;
        rest = tail.trim_start();
    }
    Some(total)
}

/// The duration to the millisecond: `1h 30m`, `4s 520ms`, `0s`.
pub fn in_full(length: Duration) -> String {
    let mut rest = millis(length);
    let mut parts = Vec::new();
    for (size, unit) in UNITS {
        if rest >= size {
            parts.push(format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    match parts.is_empty() {
        true => "0s".to_owned(),
        false => parts.join(" "),
    }
}

/// The duration in its two largest units, and to a tenth of a second below a minute: `250ms`, `4s 500ms`, `2m 10s`.
pub fn in_short(length: Duration) -> String {
    let total = millis(length);
    let unit = UNITS
        .iter()
        .map(|(size, _)| *size)
        .find(|size| total >= *size);
    let precision = match unit {
        Some(86_400_000) => 3_600_000,
        Some(3_600_000) => 60_000,
        Some(60_000) => 1_000,
        Some(1_000) => 100,
        _ => 1,
    };
    in_full(Duration::from_millis(total - total % precision))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_with_units_are_durations() {
        for (text, millis) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("1h 30m", 5_400_000),
            ("1m30s", 90_000),
            ("30s 1m", 90_000),
            (" 0s ", 0),
            ("2d", 172_800_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)));
        }
    }

    #[test]
    fn what_is_over_a_hundred_years_is_refused() {
        assert_eq!(parse_duration("36500d"), Ok(LONGEST));
        for text in ["36500d 1ms", "99999999999h", "18446744073709551615ms"] {
            let told = format!("`{text}` is too long: write at most `36500d`");
            assert_eq!(parse_duration(text), Err(told));
        }
    }

    #[test]
    fn other_text_is_refused_with_an_example() {
        for text in [
            "",
            " ",
            "30",
            "s",
            "30 s",
            "1.5s",
            "2days",
            "2 weeks",
            "1M",
            "5 parsecs",
            "-1s",
            "1s!",
            "1e3s",
            "٣s",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            let error = parse_duration(text).unwrap_err();
            assert!(
                error.contains(&format!("`{text}`")) && error.contains("\"30s\""),
                "{error}"
            );
        }
    }

    #[test]
    fn printed_durations_can_be_read_back() {
        for total in [0, 1, 999, 1_000, 4_520, 90_061_007, millis(LONGEST)] {
            let length = Duration::from_millis(total);
            assert_eq!(parse_duration(&in_full(length)), Ok(length), "{total}");
            let short = in_short(length);
            let read = parse_duration(&short).unwrap();
            assert_eq!(in_short(read), short, "{total}");
            assert!(read <= length && length - read < length / 9 + Duration::from_millis(1));
        }
    }

    #[test]
    fn short_durations_have_at_most_two_units() {
        let short = |millis| in_short(Duration::from_millis(millis));
        assert_eq!(short(0), "0s");
        assert_eq!(short(250), "250ms");
        assert_eq!(short(1_000), "1s");
        assert_eq!(short(4_520), "4s 500ms");
        assert_eq!(short(130_000), "2m 10s");
        assert_eq!(short(3_605_000), "1h");
        assert_eq!(short(90_061_000), "1d 1h");
    }
}
