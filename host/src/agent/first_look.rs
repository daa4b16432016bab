//! Estimates how long an agent's first look at new streams takes, which depends on the limit on requests.

use std::collections::HashSet;
use std::fmt;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use crate::config::Settings;
use crate::contract::Phase;
use crate::ledger::{LedgerReader, StreamFilter};
use crate::staging::{Staging, StagingError};
use crate::stream::{NodeId, StreamId};
use crate::text::{counted, verb};
use crate::time::in_short;

/// Requests for a stream that the ledger does not know. The fewest if the store already holds its schema, the most if
/// it is created without peers. Layouts with markers look those up too.
const WITH_MARKERS: (u32, u32) = (2, 6);
const WITHOUT_MARKERS: (u32, u32) = (1, 3);

/// A shorter first look is not reported.
const WORTH_SAYING: Duration = Duration::from_secs(60);

/// The first look at many streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstLook {
    streams: u64,
    rate: NonZeroU32,
    least: Duration,
    most: Duration,
}

impl FirstLook {
    /// Estimates the first look at this many streams that the ledger does not know. `None` if it is short.
    pub fn at(streams: u64, settings: &Settings) -> Option<Self> {
        let rate = settings.store.requests_per_second;
        let (least, most) = match settings.staging.layout.has_markers() {
            true => WITH_MARKERS,
            false => WITHOUT_MARKERS,
        };
        let beyond_burst = |requests: u32| {
            let requests = streams.saturating_mul(u64::from(requests));
            let requests = requests.saturating_sub(u64::from(settings.store.burst.get()));
            Duration::from_secs(requests / u64::from(rate.get()))
        };
        let look = Self {
            streams,
            rate,
            least: beyond_burst(least),
            most: beyond_burst(most),
        };
        (look.most >= WORTH_SAYING).then_some(look)
    }
}

impl fmt::Display for FirstLook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} not known yet: the first look at {} takes about {} to {} at {} a second; raise \
             `store.requests_per_second` to shorten it",
            counted(self.streams, "stream"),
            verb(&self.streams, "is", "are"),
            verb(&self.streams, "it", "them"),
            in_short(minutes(self.least)),
            in_short(minutes(self.most)),
            counted(self.rate.get(), "request")
        )
    }
}

/// Rounds up to whole minutes, since it is an estimate.
fn minutes(length: Duration) -> Duration {
    Duration::from_secs(length.as_secs().div_ceil(60) * 60)
}

/// Counts the staged streams that the ledger does not know yet.
///
/// # Errors
///
/// The staging directory can't be scanned.
pub fn unknown_streams(
    staging: &dyn Staging,
    node: &NodeId,
    ledger: &Path,
) -> Result<u64, StagingError> {
    let known = known_streams(node, ledger).unwrap_or_default();
    let mut unknown = 0;
    staging.scan(node, &mut |staged| {
        unknown += u64::from(!known.contains(&staged.stream));
    })?;
    Ok(unknown)
}

/// The streams that were looked at. `None` if there is no ledger that can be read.
fn known_streams(node: &NodeId, ledger: &Path) -> Option<HashSet<StreamId>> {
    let filter = StreamFilter {
        node: Some(node.clone()),
        ..StreamFilter::default()
    };
    let reader = ledger.exists().then(|| LedgerReader::open(ledger).ok())??;
    let records = reader.streams(&filter).ok()?;
    let seen = records
        .into_iter()
        .filter(|record| record.phase != Phase::Unseen);
    Some(seen.map(|record| record.stream).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    fn look(streams: u64, table: &str) -> Option<String> {
        let text = format!("[staging]\ndir = \"s\"\n[store]\nurl = \"memory:///\"\n{table}");
        let settings = Settings::from_source(&Source::new("t.toml", text), &|_| None).unwrap();
        FirstLook::at(streams, &settings).map(|look| look.to_string())
    }

    #[test]
    fn a_long_first_look_is_told_with_the_setting_that_shortens_it() {
        assert_eq!(
            look(10_000, "").unwrap(),
            "10000 streams are not known yet: the first look at them takes about 7m to 20m at 50 requests a second; \
             raise `store.requests_per_second` to shorten it"
        );
        assert_eq!(look(10_000, "requests_per_second = 1000\n"), None);
        assert_eq!(look(100, ""), None);
    }
}
