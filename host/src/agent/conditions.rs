//! Node conditions: what keeps the whole node from its work, from when it begins until it ends.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ledger::{Condition, ConditionKind};
use crate::time::in_short;
use crate::time::{Clock, Timestamp};

/// Interval at which a condition that lasts is logged again.
pub const REMIND_EVERY: Duration = Duration::from_secs(5 * 60);

/// The conditions that hold now.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    active: BTreeMap<ConditionKind, Active>,
    /// Whether one began or ended since the last report.
    changed: bool,
}

#[derive(Debug)]
struct Active {
    since: Timestamp,
    detail: String,
    /// When it was last logged, on the monotonic clock.
    logged: Duration,
}

impl Conditions {
    /// Records that a condition holds. It is logged when it begins, and then at most once in [`REMIND_EVERY`].
    pub(super) fn hold(&mut self, kind: ConditionKind, detail: String, clock: &dyn Clock) {
        let (now, monotonic) = (clock.now(), clock.monotonic());
        let condition = kind.name();
        match self.active.get_mut(&kind) {
            None => {
                tracing::error!(condition, "{detail}");
                let active = Active {
                    since: now,
                    detail,
                    logged: monotonic,
                };
                self.active.insert(kind, active);
                self.changed = true;
            }
            Some(active) => {
                if monotonic.saturating_sub(active.logged) >= REMIND_EVERY {
                    active.logged = monotonic;
                    let since = in_short(now.since(active.since));
                    tracing::error!(condition, "for {since} now: {detail}");
                }
                active.detail = detail;
            }
        }
    }

    /// Records that a condition does not hold. If it did, its end is logged.
    pub(super) fn end(&mut self, kind: ConditionKind, clock: &dyn Clock) {
        if let Some(active) = self.active.remove(&kind) {
            let lasted = in_short(clock.now().since(active.since));
            tracing::info!(
                condition = kind.name(),
                "over after {lasted}: {}",
                active.detail
            );
            self.changed = true;
        }
    }

    /// Ends or begins a condition.
    pub(super) fn set(&mut self, kind: ConditionKind, detail: Option<String>, clock: &dyn Clock) {
        match detail {
            Some(detail) => self.hold(kind, detail, clock),
            None => self.end(kind, clock),
        }
    }

    pub(super) fn holds(&self, kind: ConditionKind) -> bool {
        self.active.contains_key(&kind)
    }

    /// Returns all conditions that hold, the most severe first.
    pub(super) fn all(&self) -> Vec<Condition> {
        let condition = |(kind, active): (&ConditionKind, &Active)| Condition {
            kind: *kind,
            since: active.since,
            detail: active.detail.clone(),
        };
        self.active.iter().map(condition).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// Whether one began or ended since the last report.
    pub(super) fn have_changed(&self) -> bool {
        self.changed
    }

    /// Marks all current conditions as reported.
    pub(super) fn reported(&mut self) {
        self.changed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SystemClock;

    #[test]
    fn a_condition_keeps_its_beginning_and_takes_the_latest_detail() {
        let clock = SystemClock::new();
        let mut conditions = Conditions::default();
        conditions.hold(ConditionKind::ScanFailing, "first".into(), &clock);
        let since = conditions.all()[0].since;
        assert!(conditions.have_changed());
        conditions.reported();
        conditions.hold(ConditionKind::ScanFailing, "second".into(), &clock);
        conditions.end(ConditionKind::LedgerFailing, &clock);
        assert!(!conditions.have_changed(), "nothing began or ended");
        let all = conditions.all();
        assert_eq!((all[0].since, all[0].detail.as_str()), (since, "second"));
        conditions.end(ConditionKind::ScanFailing, &clock);
        assert!(conditions.is_empty() && conditions.have_changed());
    }

    #[test]
    fn the_gravest_condition_comes_first() {
        let clock = SystemClock::new();
        let mut conditions = Conditions::default();
        for kind in ConditionKind::ALL.into_iter().rev() {
            conditions.hold(kind, String::new(), &clock);
        }
        let kinds: Vec<_> = conditions.all().iter().map(|held| held.kind).collect();
        assert_eq!(kinds, ConditionKind::ALL);
    }
}
