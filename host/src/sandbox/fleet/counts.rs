//! What is counted of a fleet. Every number is a sum over its clusters, so that neither their order nor the number of
//! threads can change one.

use std::time::Duration;

use super::spread::Spread;
use crate::contract::{FailureKind, Phase};
use crate::sandbox::store::{Operation, Outcome, Request};

/// How often it is counted in which phases streams are: this many times in a run, or once a second.
const PHASE_STEPS: u64 = 480;

/// Attempts of one stream that are told apart; those with more are counted with the last.
pub const MAX_ATTEMPTS: usize = 64;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was done, or there was nothing.
    Answered,
    /// Its condition did not hold.
    Refused,
    /// The store asked to slow down.
    Throttled,
    /// It failed in another way.
    Failed,
    /// No answer came.
    Unanswered,
}

impl Ended {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 5] = [
        Self::Answered,
        Self::Refused,
        Self::Throttled,
        Self::Failed,
        Self::Unanswered,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::Failed => "failed",
            Self::Unanswered => "unanswered",
        }
    }

    fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done | Outcome::Missing => Self::Answered,
            Outcome::Refused => Self::Refused,
            Outcome::Failed(FailureKind::Throttled) => Self::Throttled,
            Outcome::Failed(_) => Self::Failed,
            Outcome::AnswerLost | Outcome::Unanswered => Self::Unanswered,
        }
    }
}

/// What is counted of a fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Requests by how they ended and by the second in which the store took them up.
    pub seconds: [Vec<u32>; Ended::ALL.len()],
    /// Requests by operation and by how they ended.
    pub operations: [[u64; Ended::ALL.len()]; Operation::ALL.len()],
    /// By how many streams each phase grew or shrank in each step of time.
    phases: Vec<[i64; Phase::ALL.len()]>,
    /// How long such a step is.
    pub step: Duration,
    /// Streams by the number of their attempts; the mere looks of verification are no attempts.
    pub attempts: Vec<u64>,
    /// From a schema's change in staging to the end of the attempt that saw it in the store.
    pub convergence: Spread,
    /// Changes of schemas.
    pub changes: u64,
    /// Changes that no attempt saw in the store before the end.
    pub unconverged: u64,
    /// Streams.
    pub streams: u64,
    /// Streams that were not settled at the end.
    pub unsettled: u64,
    /// Questions to policies.
    pub decisions: u64,
    /// Those that came to no verdict.
    pub failed_decisions: u64,
    /// The fuel of all of them.
    pub fuel: u64,
    /// Looks of verification.
    pub verifications: u64,
    /// Agents that ended by themselves.
    pub ended: u64,
}

impl Counts {
    /// Nothing yet, of a run of this length.
    pub fn new(length: Duration) -> Self {
        let seconds = usize::try_from(length.as_secs()).unwrap_or_default() + 1;
        let step = length.as_secs().div_ceil(PHASE_STEPS).max(1);
        let steps = usize::try_from(length.as_secs() / step).unwrap_or_default() + 1;
        Self {
            seconds: std::array::from_fn(|_| vec![0; seconds]),
            operations: Default::default(),
            phases: vec![Default::default(); steps],
            step: Duration::from_secs(step),
            attempts: vec![0; MAX_ATTEMPTS + 1],
            convergence: Spread::default(),
            changes: 0,
            unconverged: 0,
            streams: 0,
            unsettled: 0,
            decisions: 0,
            failed_decisions: 0,
            fuel: 0,
            verifications: 0,
            ended: 0,
        }
    }

    pub(super) fn request(&mut self, request: &Request) {
        let ended = Ended::of(request.outcome) as usize;
        let at = usize::try_from(request.at.as_secs()).unwrap_or(usize::MAX);
        let second = self.seconds.get_mut(ended);
        if let Some(count) = second.and_then(|counts| counts.get_mut(at)) {
            *count += 1;
        }
        let operation = self.operations.get_mut(request.operation as usize);
        if let Some(count) = operation.and_then(|counts| counts.get_mut(ended)) {
            *count += 1;
        }
    }

    /// A stream comes into a phase, from another one or from nowhere.
    pub(super) fn phase(&mut self, at: Duration, from: Option<Phase>, to: Phase) {
        let step = usize::try_from(at.as_secs() / self.step.as_secs().max(1)).unwrap_or(usize::MAX);
        let Some(step) = self.phases.get_mut(step) else {
            return;
        };
        let mut add = |phase: Phase, by| {
            let place = Phase::ALL.iter().position(|other| *other == phase);
            if let Some(count) = place.and_then(|place| step.get_mut(place)) {
                *count += by;
            }
        };
        if let Some(from) = from {
            add(from, -1);
        }
        add(to, 1);
    }

    /// Adds what was counted of another part of the fleet.
    pub(super) fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.seconds.iter_mut().zip(&other.seconds) {
            for (count, more) in ours.iter_mut().zip(theirs) {
                *count = count.saturating_add(*more);
            }
        }
        for (ours, theirs) in self.operations.iter_mut().zip(&other.operations) {
            for (count, more) in ours.iter_mut().zip(theirs) {
                *count += more;
            }
        }
        for (ours, theirs) in self.phases.iter_mut().zip(&other.phases) {
            for (count, more) in ours.iter_mut().zip(theirs) {
                *count += more;
            }
        }
        for (count, more) in self.attempts.iter_mut().zip(&other.attempts) {
            *count += more;
        }
        self.convergence.merge(&other.convergence);
        self.changes += other.changes;
        self.unconverged += other.unconverged;
        self.streams += other.streams;
        self.unsettled += other.unsettled;
        self.decisions += other.decisions;
        self.failed_decisions += other.failed_decisions;
        self.fuel = self.fuel.saturating_add(other.fuel);
        self.verifications += other.verifications;
        self.ended += other.ended;
    }

    /// Requests of all kinds.
    pub fn requests(&self) -> u64 {
        self.operations.iter().flatten().sum()
    }

    /// Requests that ended like this.
    pub fn requests_that(&self, ended: Ended) -> u64 {
        let of = |counts: &[u64; Ended::ALL.len()]| counts.get(ended as usize).copied();
        self.operations.iter().filter_map(of).sum()
    }

    /// Requests that were throttled, failed or never answered.
    pub fn failed(&self) -> u64 {
        [Ended::Throttled, Ended::Failed, Ended::Unanswered]
            .into_iter()
            .map(|ended| self.requests_that(ended))
            .sum()
    }

    /// Requests of this second.
    pub fn at(&self, second: usize) -> u64 {
        let of = |counts: &Vec<u32>| counts.get(second).copied().map(u64::from);
        self.seconds.iter().filter_map(of).sum()
    }

    /// The second in which most requests came, from `from` on and before `until`, and how many they were.
    pub fn peak(&self, from: Duration, until: Duration) -> (Duration, u64) {
        let second = |length: Duration| usize::try_from(length.as_secs()).unwrap_or(usize::MAX);
        let known = self.seconds.first().map_or(0, Vec::len);
        let mut peak = (from, 0);
        for at in second(from)..second(until).min(known) {
            let requests = self.at(at);
            if requests > peak.1 {
                peak = (Duration::from_secs(at as u64), requests);
            }
        }
        peak
    }

    /// How many streams are in each phase, step by step.
    pub fn phases(&self) -> impl Iterator<Item = [i64; Phase::ALL.len()]> {
        self.phases
            .iter()
            .scan([0; Phase::ALL.len()], |sums, step| {
                for (sum, change) in sums.iter_mut().zip(step) {
                    *sum += change;
                }
                Some(*sums)
            })
    }
}
