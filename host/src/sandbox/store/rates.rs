//! The limits of requests a second under which object stores answer "slow down".

use std::collections::BTreeMap;
use std::time::Duration;

use object_store::path::Path;

/// Requests a second that one prefix of the store takes.
///
/// What Amazon S3 publishes: 3,500 PUT, COPY, POST or DELETE and 5,500 GET or HEAD requests a second for each prefix,
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Writes and deletions a second.
    pub writes: u32,
    /// Reads and listings a second.
    pub reads: u32,
    /// How many segments of a key make a prefix: 0 counts the whole store together.
    pub prefix_depth: usize,
}

impl RateLimits {
    /// S3's published limits, for each stream (or tenant) of the store.
    pub const S3: Self = Self {
        writes: 3_500,
        reads: 5_500,
        prefix_depth: 1,
    };
}

/// Whether a prefix has room for one more request, kept as the time at which it has room for all again (the generic
/// cell rate algorithm of ITU-T I.371), with one second's worth of burst.
#[derive(Debug, Default)]
pub(super) struct Rates {
    reads: BTreeMap<String, Duration>,
    writes: BTreeMap<String, Duration>,
}

const BURST: Duration = Duration::from_secs(1);

impl Rates {
    pub(super) fn admit(
        &mut self,
        limits: RateLimits,
        key: &Path,
        write: bool,
        now: Duration,
    ) -> bool {
        let (rate, full) = match write {
            true => (limits.writes, &mut self.writes),
            false => (limits.reads, &mut self.reads),
        };
        let prefix = prefix_of(key, limits.prefix_depth);
        let interval = Duration::from_secs(1) / rate.max(1);
        let full_at = match full.get_mut(prefix) {
            Some(full_at) => full_at,
            None => full.entry(prefix.to_owned()).or_default(),
        };
        let next = (*full_at).max(now).saturating_add(interval);
        let admitted = next.saturating_sub(now) <= BURST;
        if admitted {
            *full_at = next;
        }
        admitted
    }
}

fn prefix_of(key: &Path, depth: usize) -> &str {
    let key = key.as_ref();
    if depth == 0 {
        return "";
    }
    let end = key.match_indices('/').nth(depth - 1);
    end.map_or(key, |(at, _)| key.get(..at).unwrap_or(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_takes_its_rate_and_others_do_not_mind() {
        let limits = RateLimits {
            writes: 10,
            reads: 20,
            prefix_depth: 1,
        };
        let mut rates = Rates::default();
        let (app, web) = (Path::from("app/x"), Path::from("web/x"));
        let mut admitted = |key: &Path, write, at: u64| {
            (0..100)
                .filter(|_| rates.admit(limits, key, write, Duration::from_secs(at)))
                .count()
        };
        assert_eq!(admitted(&app, true, 0), 10);
        assert_eq!(admitted(&app, false, 0), 20);
        assert_eq!(admitted(&web, true, 0), 10);
        assert_eq!(admitted(&app, true, 1), 10);
        assert_eq!(admitted(&app, true, 1), 0);
    }

    #[test]
    fn prefixes_are_whole_segments() {
        let key = Path::from("acme/app/.stream/.schema");
        assert_eq!(prefix_of(&key, 0), "");
        assert_eq!(prefix_of(&key, 1), "acme");
        assert_eq!(prefix_of(&key, 2), "acme/app");
        assert_eq!(prefix_of(&key, 9), key.as_ref());
    }
}
