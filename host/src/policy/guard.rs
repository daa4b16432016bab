//! Keeps a policy that fails again and again from being asked, and tries it again later.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::cause::Cause;

/// Counts a policy's failures in a row. At `after` it is quarantined for `period`; then one call at a time is let
/// through on trial, and its outcome frees the policy or quarantines it again. Only failures that blame the policy
/// count, and only verdicts free it. Times are the monotonic clock's.
#[derive(Debug)]
pub struct Guard {
    after: u32,
    period: Duration,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    failures: u32,
    last: Option<Cause>,
    /// Until when the policy is quarantined; it stays set while trials go on.
    until: Option<Duration>,
    on_trial: bool,
}

/// Where a policy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardStatus {
    /// Failures in a row that blame it.
    pub failures: u32,
    /// The last of them.
    pub last: Option<Cause>,
    /// Whether it is asked.
    pub standing: Standing,
}

/// Whether a policy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Yes.
    Trusted,
    /// Not for this long.
    Quarantined(Duration),
    /// The quarantine is over: one call at a time is let through.
    HalfOpen,
}

impl Guard {
    pub(super) fn new(after: u32, period: Duration) -> Self {
        Self {
            after,
            period,
            state: Mutex::new(State {
                failures: 0,
                last: None,
                until: None,
                on_trial: false,
            }),
        }
    }

    /// Where the policy stands at this moment of the monotonic clock.
    pub fn status(&self, now: Duration) -> GuardStatus {
        let state = self.state();
        GuardStatus {
            failures: state.failures,
            last: state.last,
            standing: match state.until {
                None => Standing::Trusted,
                Some(until) if now < until => Standing::Quarantined(until.saturating_sub(now)),
                Some(_) => Standing::HalfOpen,
            },
        }
    }

    /// Whether the policy may be asked now. A pass that is dropped unused, because the call was, changes nothing.
    pub(super) fn admit(&self, now: Duration) -> Option<Pass<'_>> {
        let mut state = self.state();
        let trial = match state.until {
            None => false,
            Some(until) if now < until || state.on_trial => return None,
            Some(_) => true,
        };
        state.on_trial = trial;
        Some(Pass { guard: self, trial })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is plain numbers, whole after every assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to ask the policy once.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    guard: &'a Guard,
    trial: bool,
}

impl Pass<'_> {
    /// Tells the guard what came of the call. True when that quarantined the policy.
    pub(super) fn settle(self, failure: Option<Cause>, now: Duration) -> bool {
        let mut state = self.guard.state();
        match failure {
            None => {
                // A call that began before the quarantine does not end it.
                if self.trial || state.until.is_none() {
                    state.failures = 0;
                    state.last = None;
                    state.until = None;
                }
                false
            }
            Some(cause) if cause.blames_policy() => {
                state.failures = state.failures.saturating_add(1);
                state.last = Some(cause);
                let fresh = self.trial || state.until.is_none();
                let over = self.guard.after > 0 && state.failures >= self.guard.after;
                if fresh && over {
                    state.until = Some(now.saturating_add(self.guard.period));
                }
                fresh && over
            }
            Some(_) => false,
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.trial {
            self.guard.state().on_trial = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(600);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn settle(guard: &Guard, failure: Option<Cause>, now: Duration) -> bool {
        guard.admit(now).unwrap().settle(failure, now)
    }

    #[test]
    fn failures_in_a_row_quarantine() {
        let guard = Guard::new(3, PERIOD);
        for _ in 0..5 {
            assert!(!settle(&guard, Some(Cause::Trap), at(0)));
            assert!(!settle(&guard, Some(Cause::OutOfFuel), at(0)));
            assert!(!settle(&guard, None, at(0)));
        }
        assert!(!settle(&guard, Some(Cause::Trap), at(1)));
        assert!(!settle(&guard, Some(Cause::Trap), at(1)));
        assert!(settle(&guard, Some(Cause::OutOfFuel), at(1)));
        assert!(guard.admit(at(600)).is_none());
        assert_eq!(
            guard.status(at(301)),
            GuardStatus {
                failures: 3,
                last: Some(Cause::OutOfFuel),
                standing: Standing::Quarantined(at(300)),
            }
        );
    }

    #[test]
    fn what_is_not_the_policys_fault_neither_counts_nor_frees() {
        let guard = Guard::new(2, PERIOD);
        let slow_store = Some(Cause::Deadline { waiting: true });
        assert!(!settle(&guard, Some(Cause::Trap), at(0)));
        for _ in 0..10 {
            assert!(!settle(&guard, slow_store, at(0)));
        }
        assert_eq!(guard.status(at(0)).failures, 1);
        assert!(settle(&guard, Some(Cause::Trap), at(0)));
        // On trial too: it stays half-open.
        assert!(!settle(&guard, slow_store, at(600)));
        assert_eq!(guard.status(at(600)).standing, Standing::HalfOpen);
    }

    #[test]
    fn one_trial_at_a_time_decides() {
        let guard = Guard::new(1, PERIOD);
        assert!(settle(&guard, Some(Cause::Trap), at(0)));
        let trial = guard.admit(at(600)).unwrap();
        assert!(guard.admit(at(600)).is_none(), "a trial is under way");
        assert!(trial.settle(Some(Cause::Trap), at(601)));
        assert!(guard.admit(at(1200)).is_none(), "quarantined again");
        assert!(!settle(&guard, None, at(1201)));
        assert_eq!(guard.status(at(1201)).standing, Standing::Trusted);
        assert_eq!(guard.status(at(1201)).failures, 0);
    }

    #[test]
    fn a_trial_that_is_dropped_makes_room_for_the_next() {
        let guard = Guard::new(1, PERIOD);
        assert!(settle(&guard, Some(Cause::Trap), at(0)));
        drop(guard.admit(at(600)).unwrap());
        assert!(guard.admit(at(600)).is_some());
    }

    #[test]
    fn a_call_from_before_the_quarantine_does_not_end_it() {
        let guard = Guard::new(1, PERIOD);
        let early = guard.admit(at(0)).unwrap();
        assert!(settle(&guard, Some(Cause::Trap), at(0)));
        assert!(!early.settle(None, at(1)));
        assert!(guard.admit(at(2)).is_none());
    }

    #[test]
    fn zero_never_quarantines() {
        let guard = Guard::new(0, PERIOD);
        for _ in 0..1000 {
            assert!(!settle(&guard, Some(Cause::Trap), at(0)));
        }
    }
}
