//! Says when which stream is attended to, and runs the attempts side by side.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;

use super::attempt::{AttemptError, Occasion, Outcome};
use super::core::Core;
use super::machine::Rules;
use super::tracker::{Fault, Tracker, Work};
use crate::contract::{Phase, Trigger};
use crate::ledger::Summary;
use crate::planted::{self, Defect};
use crate::staging::{ScanSummary, Staged, StagingError};
use crate::stream::StreamId;
use crate::time::{Timestamp, in_full, millis};

/// Attempts that run at once, unless the operator says otherwise. Each may hold a schema or two in memory.
pub const DEFAULT_ATTEMPTS_AT_ONCE: usize = 64;

/// How long a stream rests after a failed attempt if neither the ledger nor a retry policy says when to try again.
const AFTER_ERROR: Duration = Duration::from_secs(30);

/// A wall clock that runs away from the monotonic one by more than this was set, in milliseconds. Slower drift is left
/// to the clock.
const CLOCK_STEP: u64 = 1_000;

/// How much of the start's window each stream adds: a small node starts at once, a large one takes its time.
pub const SPREAD_PER_STREAM: Duration = Duration::from_millis(20);

/// Hears of every attempt that ended, and of those that could not be made.
pub type Observer = Box<dyn FnMut(&StreamId, Result<Outcome, AttemptError>) + Send>;

/// Which streams are attended to.
pub type Wanted = Box<dyn Fn(&StreamId) -> bool + Send>;

/// The streams of a node and their timers. One attempt a stream at a time; no stream waits for another one's store,
/// policies or files, except for its turn among those that run at once.
pub struct Scheduler {
    core: Arc<Core>,
    tracker: Tracker,
    timers: BinaryHeap<Reverse<(Duration, StreamId)>>,
    ready: VecDeque<StreamId>,
    running: FuturesUnordered<Running>,
    at_once: usize,
    observer: Option<Observer>,
    wanted: Option<Wanted>,
    /// Over how long the streams that the first scan finds are spread; `None` once it is over.
    spread: Option<Duration>,
    /// The streams that were abandoned when the agent started; the first scan queues them.
    abandoned: Vec<StreamId>,
    errors: u64,
    faults: Faults,
    /// How many milliseconds the wall clock is ahead of the monotonic one.
    ahead: i64,
}

/// An attempt under way, on a task of its own.
type Running = BoxFuture<'static, Ended>;

/// An attempt that ended.
struct Ended {
    stream: StreamId,
    result: Result<Outcome, AttemptError>,
    /// Whether it only counted an attempt before it that ended in an internal error.
    counts: bool,
}

/// Streams whose last attempt came to nothing, and the latest cause of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Streams for which the ledger failed.
    pub ledger: u32,
    /// The latest failure of the ledger.
    pub ledger_cause: String,
    /// Streams whose attempt ended in an internal error.
    pub internal: u32,
    /// The latest internal error.
    pub internal_cause: String,
    /// The latest listing of a stream's nodes that failed.
    pub comparison_cause: String,
}

impl Faults {
    fn count(&mut self, fault: Option<Fault>) -> Option<&mut u32> {
        match fault? {
            Fault::Ledger => Some(&mut self.ledger),
            Fault::Internal => Some(&mut self.internal),
        }
    }

    /// A stream had one fault and has another now.
    fn replace(&mut self, before: Option<Fault>, after: Option<Fault>) {
        if let Some(count) = self.count(before) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = self.count(after) {
            *count = count.saturating_add(1);
        }
    }
}

/// How the streams of a node stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Streams in each phase, in the order of [`Phase::ALL`].
    pub phases: [u32; Phase::ALL.len()],
    /// Attempts that are queued or running.
    pub busy: u32,
    /// Streams whose staged files were found and not judged yet.
    pub unjudged: u32,
    /// Settled streams about which the store was asked, since only the ledger knows them, and did not answer.
    pub unanswered: u32,
    /// Streams that could not be compared with their other nodes at the last attempt.
    pub not_compared: u32,
    /// Those of them that could not be at the attempt before either.
    pub not_compared_again: u32,
    /// Streams that are gone from the store and still staged.
    pub gone_staged: u32,
    /// Idle streams of which the store has a marker.
    pub idle_with_marker: u32,
    /// Idle streams of which the store has none.
    pub idle_without_marker: u32,
    /// Streams that are not settled.
    pub unsettled: u32,
    /// Whether all are settled.
    pub settled: bool,
}

impl Tally {
    /// Streams in this phase.
    pub fn of(&self, phase: Phase) -> u32 {
        let at = Phase::ALL
            .iter()
            .position(|other| *other == phase)
            .unwrap_or_default();
        self.phases.get(at).copied().unwrap_or_default()
    }
}

impl Scheduler {
    /// The scheduler of a node, with what its ledger knows.
    pub fn new(core: Arc<Core>, mut summaries: Vec<Summary>, at_once: usize) -> Self {
        summaries.retain(|summary| core.plan.of(&summary.stream).is_some());
        let mut scheduler = Self {
            tracker: Tracker::default(),
            timers: BinaryHeap::new(),
            ready: VecDeque::new(),
            running: FuturesUnordered::new(),
            at_once: at_once.max(1),
            observer: None,
            wanted: None,
            spread: None,
            abandoned: Vec::new(),
            errors: 0,
            faults: Faults::default(),
            ahead: 0,
            core,
        };
        scheduler.ahead = scheduler.clock_ahead();
        let (now, monotonic) = (scheduler.core.clock.now(), scheduler.core.clock.monotonic());
        let core = Arc::clone(&scheduler.core);
        let due = |summary: &Summary, at: Timestamp| {
            let wait = wait(&core, &summary.stream, at, now);
            // A stored schema may wait to be compared, and the operator may have made the interval shorter.
            monotonic.saturating_add(match summary.phase {
                Phase::Synced => wait.min(rules_of(&core, &summary.stream).check_peers_interval),
                _ => wait,
            })
        };
        let (unresolved, abandoned) = scheduler.tracker.recall(summaries, now, due);
        for id in unresolved {
            scheduler.queue(id, Work::Start);
        }
        scheduler.abandoned = abandoned;
        let wakes: Vec<_> = scheduler
            .tracker
            .iter()
            .filter_map(|(id, entry)| Some((entry.wake?, id.clone())))
            .collect();
        scheduler.timers.extend(wakes.into_iter().map(Reverse));
        scheduler
    }

    /// Tells the observer of every attempt that ends from now on.
    pub fn observe(&mut self, observer: Observer) {
        self.observer = Some(observer);
    }

    /// Attends to no other streams from now on.
    pub fn only(&mut self, wanted: Wanted) {
        self.wanted = Some(wanted);
    }

    /// Spreads the streams that the first scan finds over up to this long, [`SPREAD_PER_STREAM`] for each: nodes that
    /// start together must not meet at the store.
    pub fn spread(&mut self, window: Duration) {
        self.spread = Some(window);
    }

    /// Streams whose last attempt came to nothing.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Whether attempts are queued or running.
    pub fn is_busy(&self) -> bool {
        !self.ready.is_empty() || !self.running.is_empty()
    }

    /// How many streams are known.
    pub fn len(&self) -> usize {
        self.tracker.len()
    }

    /// Whether no stream is known.
    pub fn is_empty(&self) -> bool {
        self.tracker.len() == 0
    }

    /// Takes the observer and the choice of streams from the scheduler that this one replaces.
    pub(crate) fn inherit(&mut self, former: &mut Self) {
        self.observer = former.observer.take();
        self.wanted = former.wanted.take();
        self.errors = former.errors;
    }

    /// Attempts that could not be made at all since the start.
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// Scans the staging directory, and queues what is new there.
    ///
    /// # Errors
    ///
    /// The directory can't be listed; nothing is taken as gone then.
    pub async fn scan(&mut self) -> Result<ScanSummary, StagingError> {
        let (staging, node) = (Arc::clone(&self.core.staging), self.core.node.clone());
        let scanned = self.core.tasks.block(move || {
            let mut found = Vec::new();
            let summary = staging.scan(&node, &mut |staged| found.push(staged))?;
            // Afterwards: an unmounted volume, or another node's directory, looks like streams that are gone.
            staging.confirm(&node)?;
            Ok((summary, found))
        });
        let (summary, found) = match scanned.await {
            Ok(scanned) => scanned?,
            Err(error) => {
                return Err(StagingError::List {
                    dir: PathBuf::new(),
                    source: std::io::Error::other(error),
                });
            }
        };
        self.heed_clock();
        self.tracker.begin_scan();
        let streams = u32::try_from(found.len()).unwrap_or(u32::MAX);
        let window = self.spread.take().map_or(Duration::ZERO, |window| {
            window.min(SPREAD_PER_STREAM.saturating_mul(streams))
        });
        for staged in &found {
            self.saw(staged, window);
        }
        for id in std::mem::take(&mut self.abandoned) {
            // Loading the configuration again is how an operator asks for all of them.
            self.queue_within(id, Work::Look(Trigger::Requested), window);
        }
        if !summary.truncated {
            let unlisted = |id: &StreamId| {
                let tenant = id.tenant.as_deref();
                tenant.is_some_and(|tenant| summary.unlisted.contains(tenant))
            };
            for id in self.tracker.end_scan(unlisted) {
                self.queue(id, Work::StagingGone);
            }
        }
        self.core.health.count(self.tracker.len());
        Ok(summary)
    }

    /// Looks at these streams' staging, after a hint.
    pub async fn scan_streams(&mut self, streams: BTreeSet<StreamId>) {
        if streams.is_empty() {
            return;
        }
        let (staging, node) = (Arc::clone(&self.core.staging), self.core.node.clone());
        let looked = self.core.tasks.block(move || {
            let streams = streams.iter();
            let found = streams.filter_map(|stream| staging.look(&node, stream));
            let found = found.collect::<Vec<_>>();
            // What is seen in a directory that is not the node's any more says nothing about its streams.
            match staging.confirm(&node) {
                Ok(()) => found,
                Err(_) => Vec::new(),
            }
        });
        for staged in looked.await.unwrap_or_default() {
            self.saw(&staged, Duration::ZERO);
        }
    }

    fn saw(&mut self, staged: &Staged, window: Duration) {
        if self.core.plan.of(&staged.stream).is_none() {
            return;
        }
        if let Some(trigger) = self.tracker.saw(staged, self.core.clock.now()) {
            if !staged.foreign.is_empty() {
                let names = staged.foreign.join(", ");
                tracing::warn!(stream = %staged.stream, "schemas of other nodes are staged here and left alone: {names}");
            }
            self.queue_within(staged.stream.clone(), Work::Look(trigger), window);
        }
    }

    /// Queues the work at some time within the window.
    fn queue_within(&mut self, id: StreamId, work: Work, window: Duration) {
        match self.core.entropy.word() % millis(window).max(1) {
            0 => self.queue(id, work),
            delay => self.queue_later(&id, work, Duration::from_millis(delay)),
        }
    }

    /// Queues the work when the delay is over, or with whatever comes first.
    fn queue_later(&mut self, id: &StreamId, work: Work, delay: Duration) {
        let at = self.core.clock.monotonic().saturating_add(delay);
        if let Some(entry) = self.tracker.get_mut(id) {
            entry.next = Some(work);
            entry.wake = Some(at);
            self.timers.push(Reverse((at, id.clone())));
        }
    }

    /// Queues a look at every stream that `wanted` takes; those that nobody knows are reported by the caller.
    pub fn look_at_all(
        &mut self,
        trigger: Trigger,
        wanted: impl Fn(&StreamId, Phase) -> bool,
    ) -> usize {
        let mut chosen: Vec<_> = self
            .tracker
            .iter()
            .filter(|(id, entry)| wanted(id, entry.phase))
            .map(|(id, _)| id.clone())
            .collect();
        chosen.sort_unstable();
        let count = chosen.len();
        for id in chosen {
            self.queue(id, Work::Look(trigger));
        }
        count
    }

    /// Queues a look at the streams that are gone from the store and still staged: at the first ones, at most this many.
    pub fn look_at_gone(&mut self, most: usize) {
        let gone = self
            .tracker
            .iter()
            .filter(|(_, entry)| entry.phase == Phase::Gone && entry.is_staged());
        let mut streams: Vec<_> = gone.map(|(id, _)| id.clone()).collect();
        streams.sort_unstable();
        for id in streams.into_iter().take(most) {
            self.queue(id, Work::Look(Trigger::Requested));
        }
    }

    /// Queues a comparison of what the nodes of these streams publish.
    pub fn compare_nodes(&mut self, streams: Vec<StreamId>) {
        for id in streams {
            // A look that is queued already may find more; it isn't replaced.
            if self
                .tracker
                .get(&id)
                .is_some_and(|entry| entry.next.is_none())
            {
                self.queue(id, Work::CompareNodes);
            }
        }
    }

    /// Queues a look at the stored object of every stream that the store was not asked about since the start: the
    /// ledger alone can't vouch for it. False if there is none.
    pub fn look_at_unasked(&mut self) -> bool {
        let unasked = self.tracker.iter().filter(|(id, entry)| {
            entry.is_only_in_the_ledger() && !entry.look_tried && self.is_wanted(id)
        });
        let mut streams: Vec<_> = unasked.map(|(id, _)| id.clone()).collect();
        streams.sort_unstable();
        for id in &streams {
            if let Some(entry) = self.tracker.get_mut(id) {
                entry.look_tried = true;
            }
            self.queue(id.clone(), Work::Look(Trigger::Verification));
        }
        !streams.is_empty()
    }

    /// Queues a comparison of every stored schema that may never have been compared. False if there is none.
    pub fn compare_uncompared(&mut self) -> bool {
        let uncompared = self.tracker.iter().filter(|(id, entry)| {
            entry.uncompared && !entry.comparison_tried && self.is_wanted(id)
        });
        let mut streams: Vec<_> = uncompared.map(|(id, _)| id.clone()).collect();
        streams.sort_unstable();
        for id in &streams {
            if let Some(entry) = self.tracker.get_mut(id) {
                entry.comparison_tried = true;
            }
        }
        let any = !streams.is_empty();
        self.compare_nodes(streams);
        any
    }

    /// The streams that are known, in order.
    pub fn streams(&self) -> Vec<StreamId> {
        let mut streams: Vec<_> = self.tracker.iter().map(|(id, _)| id.clone()).collect();
        streams.sort_unstable();
        streams
    }

    fn is_wanted(&self, id: &StreamId) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted(id))
    }

    fn queue(&mut self, id: StreamId, work: Work) {
        if !self.is_wanted(&id) {
            return;
        }
        let Some(entry) = self.tracker.get_mut(&id) else {
            return;
        };
        entry.next = Some(entry.next.map_or(work, |queued| queued.joined_by(work)));
        if !entry.busy || planted::is(Defect::DoublesAttempts) {
            entry.busy = true;
            self.ready.push_back(id);
        }
    }

    fn clock_ahead(&self) -> i64 {
        let clock = &self.core.clock;
        let signed = |millis| i64::try_from(millis).unwrap_or(i64::MAX);
        signed(clock.now().as_millis()).saturating_sub(signed(millis(clock.monotonic())))
    }

    /// What was watched since some time was watched as long as before when somebody sets the clock.
    fn heed_clock(&mut self) {
        let ahead = self.clock_ahead();
        let step = ahead.saturating_sub(self.ahead);
        if step.unsigned_abs() > CLOCK_STEP {
            let by = in_full(Duration::from_millis(step.unsigned_abs()));
            let direction = if step < 0 { "back" } else { "forward" };
            tracing::info!("the wall clock was set {direction} by {by}");
            self.ahead = ahead;
            self.tracker.shift(step);
            self.core.node_seen.shift(step);
        }
    }

    /// Starts what is due, as far as there is room.
    pub fn start_due(&mut self) {
        self.heed_clock();
        let now = self.core.clock.monotonic();
        while let Some(Reverse((at, _))) = self.timers.peek()
            && *at <= now
        {
            let Some(Reverse((at, id))) = self.timers.pop() else {
                break;
            };
            // Timers are not taken back when a stream changes its mind: only the latest one counts.
            if self
                .tracker
                .get(&id)
                .is_some_and(|entry| entry.wake == Some(at))
            {
                self.queue(id, Work::Look(Trigger::Scheduled));
            }
        }
        let at_once = match planted::is(Defect::OneStreamAtOnce) {
            true => 1,
            false => self.at_once,
        };
        while self.running.len() < at_once {
            let Some(id) = self.ready.pop_front() else {
                break;
            };
            let Some(entry) = self.tracker.get_mut(&id) else {
                continue;
            };
            let Some(work) = entry.next.take() else {
                continue;
            };
            entry.wake = None;
            entry.begins();
            let occasion = match work {
                Work::Start => Occasion::Started,
                Work::Look(trigger) => Occasion::Looked(trigger, entry.sighting.clone()),
                Work::StagingGone => Occasion::StagingGone,
                Work::CompareNodes => Occasion::CompareNodes,
            };
            let core = Arc::clone(&self.core);
            let (tasks, of) = (Arc::clone(&self.core.tasks), id.clone());
            let attempt = tasks.spawn(async move { core.attempt(&of, occasion).await });
            self.running.push(Box::pin(async move {
                let outcome = attempt.await;
                Ended {
                    stream: id,
                    result: outcome.unwrap_or_else(|error| Err(error.into())),
                    counts: false,
                }
            }));
        }
    }

    /// Counts an attempt that ended in an internal error, on a task of its own: that may end in one as well.
    fn count_failed(&mut self, id: StreamId, reason: String) {
        let core = Arc::clone(&self.core);
        let (tasks, of) = (Arc::clone(&self.core.tasks), id.clone());
        let counted = tasks.spawn(async move { core.attempt_failed(&of, reason).await });
        self.running.push(Box::pin(async move {
            let outcome = counted.await;
            Ended {
                stream: id,
                result: outcome.unwrap_or_else(|error| Err(error.into())),
                counts: true,
            }
        }));
    }

    /// Waits until an attempt ended, or until a timer is over; for ever when there is neither.
    pub async fn next(&mut self) {
        let timer = self
            .timers
            .peek()
            .map(|Reverse((at, _))| at.saturating_sub(self.core.clock.monotonic()));
        let core = Arc::clone(&self.core);
        let sleep = async move {
            match timer {
                Some(delay) => core.clock.sleep(delay).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // The order of two things that are ready together must not be left to chance: one seed, one run.
            biased;
            Some(ended) = self.running.next() => self.ended(ended),
            () = sleep => {}
        }
    }

    /// Lets the attempts that run come to their ends, and starts no more.
    pub async fn drain(&mut self) {
        self.ready.clear();
        while let Some(ended) = self.running.next().await {
            self.ended(ended);
        }
    }

    fn ended(&mut self, ended: Ended) {
        let Ended {
            stream: id,
            result,
            counts,
        } = ended;
        let (now, monotonic) = (self.core.clock.now(), self.core.clock.monotonic());
        let Some(entry) = self.tracker.get_mut(&id) else {
            return;
        };
        let before = entry.fault;
        entry.fault = match &result {
            // The stream's row now records the error, and the next attempt shows whether it is over.
            Ok(_) if counts => before,
            Ok(_) => None,
            Err(error) if error.is_internal() => Some(Fault::Internal),
            Err(_) => Some(Fault::Ledger),
        };
        self.faults.replace(before, entry.fault);
        if let Err(error) = &result {
            self.errors += 1;
            let causes = in_one_line(error);
            if error.is_internal() {
                let reason = format!("internal error: {causes}");
                tracing::error!(stream = %id, "the attempt failed: {reason}");
                self.faults.internal_cause.clone_from(&reason);
                if !counts {
                    if let Some(observer) = &mut self.observer {
                        observer(&id, result);
                    }
                    self.count_failed(id, reason);
                    return;
                }
            } else {
                // All streams share this cause, and the agent reports it once.
                tracing::debug!(stream = %id, "the attempt was not kept: {causes}");
                self.faults.ledger_cause = causes;
            }
        }
        let Some(entry) = self.tracker.get_mut(&id) else {
            return;
        };
        entry.busy = false;
        match &result {
            Ok(outcome) => {
                entry.phase = outcome.phase;
                entry.unsettled = outcome.unsettled;
                entry.uncompared = outcome.uncompared;
                entry.comparison_tried &= outcome.uncompared;
                entry.known = outcome.known;
                entry.answered |= outcome.answered;
                match &outcome.comparison {
                    Some(Ok(())) => entry.comparisons_failed = 0,
                    Some(Err(cause)) => {
                        entry.comparisons_failed = entry.comparisons_failed.saturating_add(1);
                        self.faults.comparison_cause.clone_from(cause);
                    }
                    None => {}
                }
                entry.succeeded(outcome.settled);
                entry.wake = outcome
                    .wake
                    .map(|at| monotonic.saturating_add(wait(&self.core, &id, at, now)));
            }
            Err(_) => {
                entry.failed();
                entry.wake = Some(monotonic.saturating_add(AFTER_ERROR));
            }
        }
        if let Some(wake) = entry.wake {
            self.timers.push(Reverse((wake, id.clone())));
        }
        if entry.next.is_some() {
            entry.busy = true;
            self.ready.push_back(id.clone());
        } else if entry.is_forgettable() {
            // The ledger knows it; memory is for streams that are there.
            self.tracker.forget(&id);
            self.core.health.forget(&id);
        }
        if let Some(observer) = &mut self.observer {
            observer(&id, result);
        }
    }

    /// How the streams stand, those that `wanted` takes.
    pub fn tally(&self, wanted: impl Fn(&StreamId) -> bool) -> Tally {
        let mut tally = Tally {
            settled: true,
            ..Tally::default()
        };
        for (_, entry) in self.tracker.iter().filter(|(id, _)| wanted(id)) {
            let at = Phase::ALL.iter().position(|phase| *phase == entry.phase);
            if let Some(count) = at.and_then(|at| tally.phases.get_mut(at)) {
                *count += 1;
            }
            tally.busy += u32::from(entry.busy);
            tally.unjudged += u32::from(entry.is_unjudged());
            let unvouched = entry.look_tried && entry.is_only_in_the_ledger();
            tally.unanswered += u32::from(unvouched && !entry.busy);
            let failed = match entry.phase {
                Phase::Pending | Phase::Provisional | Phase::Synced | Phase::Conflicted => {
                    entry.comparisons_failed
                }
                _ => 0,
            };
            tally.not_compared += u32::from(failed > 0);
            tally.not_compared_again += u32::from(failed > 1);
            let is_gone = entry.phase == Phase::Gone;
            tally.gone_staged += u32::from(is_gone && entry.is_staged());
            let is_idle = entry.phase == Phase::Idle;
            tally.idle_with_marker += u32::from(is_idle && entry.known == Some(true));
            tally.idle_without_marker += u32::from(is_idle && entry.known == Some(false));
            tally.unsettled += u32::from(!entry.is_settled());
            tally.settled &= entry.is_settled();
        }
        tally
    }

    /// Whether no attempt is queued or running, and no stream waits for less than `patience` to be told whether its
    /// schema is there.
    pub fn is_quiet(&self, patience: Duration) -> bool {
        let latest = self.core.clock.monotonic().saturating_add(patience);
        self.ready.is_empty()
            && self.running.is_empty()
            && !self
                .tracker
                .iter()
                .any(|(_, entry)| entry.unsettled && entry.wake.is_some_and(|at| at <= latest))
    }
}

/// How long it is until then. Bounded, since a clock that was set back puts times of before far into the future.
fn wait(core: &Core, id: &StreamId, at: Timestamp, now: Timestamp) -> Duration {
    at.since(now).min(rules_of(core, id).longest_wait())
}

fn rules_of<'a>(core: &'a Core, id: &StreamId) -> &'a Rules {
    &core.plan.of(id).unwrap_or(&core.plan.otherwise).rules
}

fn in_one_line(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let words: Vec<_> = causes.map(ToString::to_string).collect();
    words.join(": ")
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scheduler")
            .field("streams", &self.tracker.len())
            .finish_non_exhaustive()
    }
}
