//! One line in the log for each cause: sums up failures that many streams have in common.
//!
//! A store that is down fails every stream, again and again. The first failure of a kind is logged as it is; those that
//! follow are counted, and summed up in one line for each [`INTERVAL`] in which some came.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::stream::StreamId;
use crate::text::counted;
use crate::time::in_short;

/// How often a cause that goes on is summed up.
const INTERVAL: Duration = Duration::from_secs(60);

/// The causes of recent failures: at most one entry for each kind of failure and policy.
#[derive(Debug, Default)]
pub struct Causes {
    open: Mutex<BTreeMap<String, Cause>>,
}

#[derive(Debug)]
struct Cause {
    /// When it was first seen.
    since: Duration,
    /// When it was last logged.
    logged: Duration,
    /// Failures since then.
    failures: u64,
    streams: HashSet<StreamId>,
    latest: String,
}

impl Causes {
    /// Counts a failure of this stream at this monotonic time. Returns whether it is to be logged by itself, since it is
    /// the first of its cause.
    pub fn is_new(&self, cause: &str, stream: &StreamId, message: &str, now: Duration) -> bool {
        // Where nothing is logged, as in simulations, there is nothing to count.
        if !tracing::enabled!(tracing::Level::WARN) {
            return false;
        }
        let mut open = self.lock();
        if let Some(known) = open.get_mut(cause) {
            known.failures += 1;
            if !known.streams.contains(stream) {
                known.streams.insert(stream.clone());
            }
            message.clone_into(&mut known.latest);
            return false;
        }
        let new = Cause {
            since: now,
            logged: now,
            failures: 0,
            streams: HashSet::new(),
            latest: String::new(),
        };
        open.insert(cause.to_owned(), new);
        true
    }

    /// Logs a line for each cause that is due. A cause of which nothing more was seen for a minute is forgotten.
    pub fn sum_up(&self, now: Duration) {
        for line in self.due(now) {
            tracing::warn!("{line}");
        }
    }

    fn due(&self, now: Duration) -> Vec<String> {
        let mut lines = Vec::new();
        self.lock().retain(|name, cause| {
            let passed = now.saturating_sub(cause.logged);
            if passed < INTERVAL {
                return true;
            }
            if cause.failures == 0 {
                return false;
            }
            lines.push(cause.line(name, passed));
            (cause.logged, cause.failures) = (now, 0);
            cause.streams.clear();
            true
        });
        lines
    }

    /// Ends the causes with this prefix, for all streams. Returns how long they lasted, and how many failures were not
    /// logged.
    pub fn ended(&self, prefix: &str, now: Duration) -> Option<(Duration, u64)> {
        let mut open = self.lock();
        let names: Vec<String> = open
            .keys()
            .filter(|name| name.starts_with(prefix))
            .cloned()
            .collect();
        let ended = names.iter().filter_map(|name| open.remove(name));
        ended
            .map(|cause| (now.saturating_sub(cause.since), cause.failures))
            .reduce(|(since, failures), (other, more)| (since.max(other), failures + more))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Cause>> {
        // Nothing panics while it holds this lock.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cause {
    fn line(&self, name: &str, passed: Duration) -> String {
        format!(
            "{name}: {} of {} in the last {}; latest: {}",
            counted(self.failures, "more failure"),
            counted(self.streams.len(), "stream"),
            in_short(passed),
            self.latest
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn fail(causes: &Causes, stream: &str, now: u64) -> bool {
        let message = format!("{stream} is down");
        causes.is_new(
            "store-unavailable",
            &StreamId::new(stream),
            &message,
            at(now),
        )
    }

    /// Failures are counted only if something listens to the log.
    fn listening() -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt().with_writer(std::io::sink);
        tracing::subscriber::set_default(subscriber.finish())
    }

    #[test]
    fn the_first_failure_of_a_cause_is_logged_and_the_others_are_summed_up() {
        let _listening = listening();
        let causes = Causes::default();
        assert!(fail(&causes, "a", 0));
        for _ in 0..2 {
            assert!(!fail(&causes, "b", 1));
        }
        assert!(!fail(&causes, "c", 2));
        assert!(causes.due(at(59)).is_empty());
        assert_eq!(
            causes.due(at(60)),
            ["store-unavailable: 3 more failures of 2 streams in the last 1m; latest: c is down"]
        );
        assert!(causes.due(at(60)).is_empty(), "summed up once");
        assert!(!fail(&causes, "c", 61), "still the same cause");
    }

    #[test]
    fn a_cause_that_is_over_is_news_when_it_comes_back() {
        let _listening = listening();
        let causes = Causes::default();
        assert!(fail(&causes, "a", 0));
        assert!(causes.due(at(60)).is_empty());
        assert!(fail(&causes, "a", 61));
        assert!(!fail(&causes, "b", 70));
        assert_eq!(causes.ended("store-", at(71)), Some((at(10), 1)));
        assert_eq!(causes.ended("store-", at(71)), None);
        assert!(fail(&causes, "a", 72));
    }
}
