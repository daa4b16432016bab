use std::fmt;
use std::time::Duration;

use chrono::DateTime;

use crate::time::{Timestamp, in_short};

/// Smaller differences are not mentioned: no server refuses requests because of them.
const NOTABLE: Duration = Duration::from_secs(5 * 60);

/// By how much this machine's clock differs from a server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skew {
    Behind(Duration),
    Ahead(Duration),
}

impl Skew {
    /// The difference from an answer's `Date` header. `None` without one, or if it is too small for a server to mind.
    pub(crate) fn of(date: Option<&str>, now: Timestamp) -> Option<Self> {
        let theirs = http_date(date?)?;
        let (behind, ahead) = (theirs.since(now), now.since(theirs));
        if behind >= NOTABLE {
            Some(Skew::Behind(behind))
        } else if ahead >= NOTABLE {
            Some(Skew::Ahead(ahead))
        } else {
            None
        }
    }
}

impl fmt::Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (length, side) = match self {
            Skew::Behind(length) => (length, "behind"),
            Skew::Ahead(length) => (length, "ahead of"),
        };
        write!(
            f,
            "this machine's clock is {} {side} the server's: set the clock, for example with NTP",
            in_short(*length)
        )
    }
}

/// The moment of a header such as `Date`.
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    let moment = DateTime::parse_from_rfc2822(text).ok()?;
    u64::try_from(moment.timestamp_millis())
        .ok()
        .map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 07:28:00 on the day of the headers below.
    const NOW: Timestamp = Timestamp::from_millis(1_445_412_480_000);

    fn skew(date: &str) -> Option<String> {
        Skew::of(Some(date), NOW).map(|skew| skew.to_string())
    }

    #[test]
    fn a_skew_says_by_how_much_and_on_which_side() {
        let behind = skew("Wed, 21 Oct 2015 07:53:00 GMT").unwrap();
        assert!(behind.contains("is 25m behind the server's"), "{behind}");
        let ahead = skew("Tue, 20 Oct 2015 06:27:50 GMT").unwrap();
        assert!(ahead.contains("is 1d 1h ahead of the server's"), "{ahead}");
        assert_eq!(skew("Wed, 21 Oct 2015 07:32:00 GMT"), None);
        assert_eq!(skew("yesterday"), None);
        assert_eq!(Skew::of(None, NOW), None);
    }
}
