//! What the agent keeps in memory of every stream: little, since there may be a hundred thousand.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::machine::Sighting;
use crate::contract::{Phase, Trigger};
use crate::ledger::Summary;
use crate::staging::{SchemaStat, Staged};
use crate::stream::StreamId;
use crate::time::Timestamp;

/// All streams of the node: those that are staged and those that the ledger knows.
#[derive(Debug)]
pub(super) struct Tracker {
    entries: HashMap<StreamId, Entry>,
    generation: u32,
}

/// The generation of what the ledger knew at the start: the first scan tells what of it is still staged.
const RECALLED: u32 = 1;

impl Default for Tracker {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            generation: RECALLED,
        }
    }
}

/// What is done about a stream when its turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Start,
    Look(Trigger),
    StagingGone,
    CompareNodes,
}

impl Work {
    /// Which of the two is done when `work` is asked for while this is queued.
    pub(super) fn joined_by(self, work: Self) -> Self {
        match (self, work) {
            // Neither what an operator asks for nor a first look is lost among what a scan or a timer adds.
            (Self::Look(Trigger::FirstSeen), Self::Look(Trigger::Requested)) => work,
            (Self::Look(Trigger::Requested | Trigger::FirstSeen), _) => self,
            // A scan tells this once, and a timer comes back.
            (
                Self::StagingGone,
                Self::Look(Trigger::Scheduled | Trigger::Verification) | Self::CompareNodes,
            ) => self,
            _ => work,
        }
    }
}

/// How far the judgement of what was found in staging has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    /// No attempt has looked at it.
    No,
    /// The attempt under way looks at it.
    Now,
    /// The last attempt looked at it.
    Yes,
}

/// Why an attempt came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The ledger failed.
    Ledger,
    /// An internal error.
    Internal,
}

/// One stream.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// What the last scan saw.
    pub(super) sighting: Sighting,
    /// The last scan that saw it; 0 for none.
    generation: u32,
    /// Where it stands.
    pub(super) phase: Phase,
    /// Whether an attempt is queued or running.
    pub(super) busy: bool,
    /// Whether nothing was left to do for it after the last attempt.
    settled: bool,
    /// Whether a policy said that it is too early to tell.
    pub(super) unsettled: bool,
    /// Whether its schema may never have been compared with those of the stream's other nodes.
    pub(super) uncompared: bool,
    /// Whether that was tried for whoever waits for it: nobody waits for a store that fails.
    pub(super) comparison_tried: bool,
    /// Whether the store has a marker of it; `None` if no attempt since the start has asked.
    pub(super) known: Option<bool>,
    /// Whether the store answered about it since the start.
    pub(super) answered: bool,
    /// Whether a look was queued for whoever waits for that answer.
    pub(super) look_tried: bool,
    /// Comparisons with the stream's other nodes in a row of which the listing failed.
    pub(super) comparisons_failed: u8,
    /// Whether what was found in staging was judged.
    judged: Judged,
    /// Why the last attempt came to nothing.
    pub(super) fault: Option<Fault>,
    /// What is to be done when its turn comes.
    pub(super) next: Option<Work>,
    /// When it wants to be looked at, on the monotonic clock.
    pub(super) wake: Option<Duration>,
}

impl Tracker {
    /// Takes in what the ledger knows; `due` tells when a time of the wall clock comes on the monotonic one. Gives the
    /// streams whose last write was never answered, and those that were abandoned.
    pub(super) fn recall(
        &mut self,
        summaries: Vec<Summary>,
        now: Timestamp,
        due: impl Fn(&Summary, Timestamp) -> Duration,
    ) -> (Vec<StreamId>, Vec<StreamId>) {
        let (mut unresolved, mut abandoned) = (Vec::new(), Vec::new());
        for summary in summaries {
            let is_idle = summary.phase == Phase::Idle;
            if is_idle && summary.settled && !summary.looked_up {
                // If it is still staged, it counts as new: the store may know it by now.
                continue;
            }
            let signature = summary
                .signature
                .as_deref()
                .and_then(|text| text.parse().ok())
                .unwrap_or_default();
            // A file that was held back may pass under the present settings.
            let next = match is_idle && !summary.settled {
                true => Some(now),
                false => summary.next_attempt,
            };
            let wake = next.map(|at| due(&summary, at));
            if summary.unresolved {
                unresolved.push(summary.stream.clone());
            } else if summary.phase == Phase::Abandoned {
                abandoned.push(summary.stream.clone());
            }
            let sighting = Sighting {
                signature,
                stable_since: now,
                ..Sighting::default()
            };
            let entry = Entry {
                wake,
                generation: RECALLED,
                settled: summary.settled,
                uncompared: summary.phase == Phase::Synced && wake.is_some(),
                judged: Judged::Yes,
                ..Entry::new(sighting, summary.phase)
            };
            self.entries.insert(summary.stream, entry);
        }
        (unresolved, abandoned)
    }

    /// Begins a scan.
    pub(super) fn begin_scan(&mut self) {
        self.generation = self.generation.checked_add(1).unwrap_or(RECALLED);
    }

    /// Takes in what a scan saw of a stream, and says whether there is something to judge.
    pub(super) fn saw(&mut self, staged: &Staged, now: Timestamp) -> Option<Trigger> {
        let generation = self.generation;
        let signature = signature(&staged.schema);
        let Some(entry) = self.entries.get_mut(&staged.stream) else {
            let data_since = (staged.data_files > 0).then_some(now);
            let sighting = Sighting {
                signature,
                stable_since: now,
                data_files: staged.data_files,
                data_since,
            };
            let entry = Entry {
                generation,
                ..Entry::new(sighting, Phase::Unseen)
            };
            self.entries.insert(staged.stream.clone(), entry);
            return Some(Trigger::FirstSeen);
        };
        entry.generation = generation;
        let sighting = &mut entry.sighting;
        let data_came = staged.data_files > 0 && sighting.data_files == 0;
        sighting.data_files = staged.data_files;
        match staged.data_files {
            0 => sighting.data_since = None,
            _ => _ = sighting.data_since.get_or_insert(now),
        }
        let changed = sighting.signature != signature;
        if changed {
            sighting.signature = signature;
            sighting.stable_since = now;
        }
        if changed || data_came {
            entry.judged = Judged::No;
            return Some(Trigger::Changed);
        }
        None
    }

    /// The wall clock was set, this many milliseconds ahead: for how long streams were watched does not change by that.
    pub(super) fn shift(&mut self, millis: i64) {
        for entry in self.entries.values_mut() {
            let sighting = &mut entry.sighting;
            sighting.stable_since = sighting.stable_since.shifted(millis);
            sighting.data_since = sighting.data_since.map(|since| since.shifted(millis));
        }
    }

    /// Ends a scan. Returns the streams that an earlier one saw and this one did not, except those that it could not
    /// see.
    pub(super) fn end_scan(&mut self, unlisted: impl Fn(&StreamId) -> bool) -> Vec<StreamId> {
        let generation = self.generation;
        let vanished = self.entries.iter_mut().filter(|(id, entry)| {
            entry.generation != 0 && entry.generation != generation && !unlisted(id)
        });
        let mut vanished: Vec<_> = vanished
            .map(|(id, entry)| {
                entry.generation = 0;
                entry.sighting = Sighting::default();
                id.clone()
            })
            .collect();
        // The map's own order differs from run to run.
        vanished.sort_unstable();
        vanished
    }

    pub(super) fn get(&self, id: &StreamId) -> Option<&Entry> {
        self.entries.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &StreamId) -> Option<&mut Entry> {
        self.entries.get_mut(id)
    }

    pub(super) fn forget(&mut self, id: &StreamId) {
        self.entries.remove(id);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&StreamId, &Entry)> {
        self.entries.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl Entry {
    fn new(sighting: Sighting, phase: Phase) -> Self {
        Self {
            sighting,
            generation: 0,
            phase,
            busy: false,
            settled: false,
            unsettled: false,
            uncompared: false,
            comparison_tried: false,
            known: None,
            answered: false,
            look_tried: false,
            comparisons_failed: 0,
            judged: Judged::No,
            fault: None,
            next: None,
            wake: None,
        }
    }

    /// Whether nothing is staged for it, owed to it, or stored of it.
    pub(super) fn is_forgettable(&self) -> bool {
        !self.is_staged()
            && self.wake.is_none()
            && self.fault.is_none()
            && self.phase == Phase::Idle
    }

    /// Whether the last scan saw it, or, before the first scan, the ledger knows it.
    pub(super) fn is_staged(&self) -> bool {
        self.generation != 0
    }

    /// Whether it looks settled, and the store has not answered about it since the start.
    pub(super) fn is_only_in_the_ledger(&self) -> bool {
        let may_be_stored = match self.phase {
            Phase::Synced | Phase::Provisional | Phase::Conflicted | Phase::Idle => true,
            Phase::Gone => self.is_staged(),
            Phase::Unseen
            | Phase::Unknown
            | Phase::Awaiting
            | Phase::Pending
            | Phase::Abandoned => false,
        };
        may_be_stored && !self.answered
    }

    /// Whether nothing is left to do.
    pub(super) fn is_settled(&self) -> bool {
        self.settled && !self.busy && self.fault.is_none() && self.next.is_none()
    }

    /// An attempt begins, which looks at all that was found so far.
    pub(super) fn begins(&mut self) {
        if self.judged == Judged::No {
            self.judged = Judged::Now;
        }
    }

    /// The attempt ended, and was kept.
    pub(super) fn succeeded(&mut self, settled: bool) {
        self.settled = settled;
        if self.judged == Judged::Now {
            self.judged = Judged::Yes;
        }
    }

    /// The attempt came to nothing.
    pub(super) fn failed(&mut self) {
        if self.judged == Judged::Now {
            self.judged = Judged::No;
        }
    }

    /// Whether something was found in staging that the stream's row does not reflect yet.
    pub(super) fn is_unjudged(&self) -> bool {
        self.judged != Judged::Yes
    }
}

/// Tells one state of the place where the schema belongs from another. Never 0, which stands for none.
pub(crate) fn signature(schema: &SchemaStat) -> u64 {
    let mut hasher = DefaultHasher::new();
    match schema {
        SchemaStat::Missing => return 1,
        SchemaStat::Unreadable(cause) => (2u8, cause).hash(&mut hasher),
        SchemaStat::TooLarge(size) => (3u8, size).hash(&mut hasher),
        SchemaStat::File(stat) => (4u8, stat.identity).hash(&mut hasher),
    }
    hasher.finish().max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn staged(name: &str, schema: SchemaStat, data_files: u32) -> Staged {
        Staged {
            stream: StreamId::new(name),
            schema,
            data_files,
            foreign: vec![],
        }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn unchanged_streams_ask_for_nothing() {
        let mut tracker = Tracker::default();
        tracker.begin_scan();
        assert_eq!(
            tracker.saw(&staged("a", SchemaStat::TooLarge(9), 0), at(1)),
            Some(Trigger::FirstSeen)
        );
        tracker.begin_scan();
        assert_eq!(
            tracker.saw(&staged("a", SchemaStat::TooLarge(9), 0), at(2)),
            None
        );
        assert_eq!(
            tracker.saw(&staged("a", SchemaStat::TooLarge(9), 4), at(3)),
            Some(Trigger::Changed),
            "data came"
        );
        assert_eq!(
            tracker.saw(&staged("a", SchemaStat::TooLarge(9), 5), at(4)),
            None,
            "more of it"
        );
        assert_eq!(
            tracker.saw(&staged("a", SchemaStat::Missing, 5), at(5)),
            Some(Trigger::Changed)
        );
        let sighting = &tracker.get(&StreamId::new("a")).unwrap().sighting;
        assert_eq!(
            (sighting.stable_since, sighting.data_since),
            (at(5), Some(at(3)))
        );
    }

    #[test]
    fn data_counts_from_its_first_sight_and_anew_after_a_gap() {
        let mut tracker = Tracker::default();
        let mut since = |data_files, now| {
            tracker.saw(&staged("a", SchemaStat::Missing, data_files), at(now));
            let sighting = &tracker.get(&StreamId::new("a")).unwrap().sighting;
            sighting.data_since
        };
        assert_eq!(since(1, 1), Some(at(1)));
        assert_eq!(since(3, 2), Some(at(1)));
        assert_eq!(since(0, 3), None);
        assert_eq!(since(1, 4), Some(at(4)));
    }

    #[test]
    fn streams_that_vanish_are_reported_once() {
        let mut tracker = Tracker::default();
        tracker.begin_scan();
        tracker.saw(&staged("a", SchemaStat::Missing, 0), at(1));
        assert!(tracker.end_scan(|_| false).is_empty());
        tracker.begin_scan();
        assert_eq!(tracker.end_scan(|_| false), [StreamId::new("a")]);
        tracker.begin_scan();
        assert!(tracker.end_scan(|_| false).is_empty());
    }

    #[test]
    fn what_a_scan_tells_once_is_not_lost_to_a_timer() {
        let look = Work::Look;
        for (queued, work, done) in [
            (
                Work::StagingGone,
                look(Trigger::Scheduled),
                Work::StagingGone,
            ),
            (
                Work::StagingGone,
                look(Trigger::Verification),
                Work::StagingGone,
            ),
            (Work::StagingGone, Work::CompareNodes, Work::StagingGone),
            (
                Work::StagingGone,
                look(Trigger::Changed),
                look(Trigger::Changed),
            ),
            (
                look(Trigger::Scheduled),
                Work::StagingGone,
                Work::StagingGone,
            ),
            (
                look(Trigger::FirstSeen),
                look(Trigger::Scheduled),
                look(Trigger::FirstSeen),
            ),
            (
                look(Trigger::FirstSeen),
                look(Trigger::Requested),
                look(Trigger::Requested),
            ),
            (
                look(Trigger::Requested),
                look(Trigger::Changed),
                look(Trigger::Requested),
            ),
        ] {
            assert_eq!(queued.joined_by(work), done, "{queued:?}, then {work:?}");
        }
    }

    #[test]
    fn streams_that_a_scan_could_not_see_have_not_vanished() {
        let mut tracker = Tracker::default();
        tracker.begin_scan();
        for name in ["a", "b"] {
            tracker.saw(&staged(name, SchemaStat::Missing, 0), at(1));
        }
        tracker.begin_scan();
        let vanished = tracker.end_scan(|id| &*id.name == "a");
        assert_eq!(vanished, [StreamId::new("b")]);
        tracker.begin_scan();
        assert_eq!(tracker.end_scan(|_| false), [StreamId::new("a")]);
    }

    #[test]
    fn an_entry_stays_small() {
        assert!(
            size_of::<(StreamId, Entry)>() <= 256,
            "{}",
            size_of::<(StreamId, Entry)>()
        );
    }
}
