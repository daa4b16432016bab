//! Schedules scans of the staging directory: the whole of it at long intervals, and the parts that are not watched at
//! short ones.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Agent;
use crate::staging::{Cause, Hints, Unreported, Unwatched, Watcher};

/// The times of scans, and the watch that makes most of them unnecessary.
pub(super) struct Scans {
    watcher: Option<Watcher>,
    /// When to try the watch again, if it is wanted and failed.
    retry: Option<Duration>,
    /// When everything is scanned again while there is a watch. Without one, only the interval counts.
    whole: Duration,
    /// End of the last scan of everything.
    last: Option<Duration>,
    /// The causes of unwatched directories that were logged.
    reported: BTreeSet<Cause>,
}

impl Scans {
    pub(super) fn new(watch: bool, now: Duration) -> Self {
        Self {
            watcher: None,
            retry: watch.then_some(now),
            whole: now,
            last: None,
            reported: BTreeSet::new(),
        }
    }

    /// Waits for changes, forever if none are reported.
    pub(super) async fn hints(&mut self) -> Hints {
        match &mut self.watcher {
            Some(watcher) => watcher.changed().await,
            None => std::future::pending().await,
        }
    }

    /// What the watch doesn't cover; `None` when everything must be scanned.
    fn unreported(&self, now: Duration) -> Option<Unreported> {
        let watcher = self.watcher.as_ref().filter(|_| self.whole > now)?;
        Some(watcher.unreported())
    }

    /// Requests a scan of everything, no sooner than the short interval after the last one.
    fn ask(&mut self, now: Duration, interval: Duration) {
        let earliest = self.last.map_or(now, |last| last.saturating_add(interval));
        self.whole = self.whole.min(earliest.max(now));
    }
}

impl Agent {
    /// Scans everything if it is time for that, else what the watch doesn't cover. Returns true if everything was
    /// scanned.
    pub(super) async fn look_at_staging(&mut self, scans: &mut Scans) -> bool {
        let interval = self.settings.scan_interval;
        if let Some(unreported) = scans.unreported(self.core.clock.monotonic()) {
            let found = self.core.tasks.block(move || unreported.find()).await;
            if let Ok(Hints {
                rescan: false,
                streams,
            }) = found
            {
                self.scheduler.scan_streams(streams).await;
                self.report_watch(scans);
                return false;
            }
        }
        self.start_watch(scans);
        let scanned = self.scan().await;
        let now = self.core.clock.monotonic();
        scans.last = Some(now);
        scans.whole = now.saturating_add(match scanned {
            true => self.settings.rescan_interval,
            false => interval,
        });
        self.report_watch(scans);
        scanned
    }

    /// When to look at staging next.
    pub(super) fn next_look(&self, scans: &Scans) -> Duration {
        match scans.watcher {
            Some(_) => {
                let now = self.core.clock.monotonic();
                let short = now.saturating_add(self.settings.scan_interval);
                scans.whole.min(short)
            }
            None => self.next_scan(),
        }
    }

    /// Looks at what changed. Returns when to look at staging next, if everything must be scanned.
    pub(super) async fn take_hints(&mut self, hints: Hints, scans: &mut Scans) -> Option<Duration> {
        let whole = hints.rescan.then(|| {
            scans.ask(self.core.clock.monotonic(), self.settings.scan_interval);
            scans.whole
        });
        self.scheduler.scan_streams(hints.streams).await;
        whole
    }

    /// Starts the watch before a scan of everything, which places the watches. If that fails, tries again after a
    /// while.
    fn start_watch(&self, scans: &mut Scans) {
        let now = self.core.clock.monotonic();
        if scans.watcher.is_some() || scans.retry.is_none_or(|at| at > now) {
            return;
        }
        let again = scans.last.is_some();
        match self.core.staging.watch(&*self.core.tasks) {
            Ok(watcher) => {
                if again && watcher.is_some() {
                    tracing::info!("the staging directory is watched from now on");
                }
                scans.watcher = watcher;
                scans.retry = None;
            }
            Err(error) => {
                let retry = now.saturating_add(self.settings.rescan_interval);
                scans.retry = error.may_pass().then_some(retry);
                if !again {
                    let interval = crate::time::in_full(self.settings.scan_interval);
                    let error = anyhow::Error::from(error);
                    tracing::warn!(
                        "the staging directory is not watched, so it is scanned every {interval}: {error:#}"
                    );
                }
            }
        }
    }

    /// Logs each cause of unwatched directories when it appears and when it ends.
    fn report_watch(&self, scans: &mut Scans) {
        let Some(watcher) = &scans.watcher else {
            return;
        };
        let unwatched = watcher.unwatched();
        for unwatched in &unwatched {
            if scans.reported.contains(&unwatched.cause) {
                continue;
            }
            let text = describe(unwatched, self.settings.scan_interval);
            match unwatched.cause.is_fault() {
                true => tracing::warn!("{text}"),
                false => tracing::info!("{text}"),
            }
        }
        let causes: BTreeSet<_> = unwatched.into_iter().map(|found| found.cause).collect();
        for cause in scans.reported.difference(&causes) {
            tracing::info!(
                "directories that were not watched are watched again or gone; the cause was: {cause}"
            );
        }
        scans.reported = causes;
    }
}

/// Describes what is not watched, why, and how its changes are found instead.
fn describe(unwatched: &Unwatched, interval: Duration) -> String {
    let Unwatched {
        cause,
        count,
        example,
    } = unwatched;
    let what = match (count, example) {
        (_, None) => "the staging directory".to_owned(),
        (1, Some(example)) => format!("the staging directory `{example}`"),
        (_, Some(example)) => format!("{count} staging directories, such as `{example}`,"),
    };
    let (verb, pronoun) = match (count, example) {
        (1, _) | (_, None) => ("is", "it is"),
        _ => ("are", "they are"),
    };
    let interval = crate::time::in_full(interval);
    let scans = match cause.needs_scans() {
        true => format!(", so {pronoun} scanned every {interval}"),
        false => String::new(),
    };
    format!("{what} {verb} not watched{scans}: {cause}")
}
