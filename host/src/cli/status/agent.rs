//! The state of the agent that uses the ledger, and what keeps it from its work, as far as another process can know.

use std::time::Duration;

use serde::Serialize;

use super::exit;
use crate::cli::output::relative;
use crate::ledger::{CheckResult, Condition, ConditionKind, Heartbeat, Holder, ROOM_MIN, Room};
use crate::time::Timestamp;

/// Reports that may be missed before the agent counts as unresponsive.
const REPORTS_MISSED: u32 = 3;

/// How much later than due a report or a scan may be, on a busy machine.
const SLACK: Duration = Duration::from_secs(10);

/// The state of the agent that uses the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// It runs, and reports.
    Running,
    /// Its process exists, but does not report any more.
    Unresponsive,
    /// It stopped cleanly.
    Stopped,
    /// It ended without a clean stop: it was killed, or the machine went down.
    Dead,
    /// None has reported yet.
    Unknown,
}

/// What another process knows about the agent.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) state: State,
    /// Its last report.
    pub(super) beat: Option<Heartbeat>,
    /// The process that writes the ledger now.
    pub(super) holder: Option<u32>,
    /// Whether a scan is overdue.
    pub(super) scan_is_stale: bool,
    /// Conditions that it reported, or that `status` found itself.
    pub(super) conditions: Vec<Condition>,
    /// Streams that were found in staging and not judged yet.
    pub(super) unjudged: u64,
}

impl Agent {
    /// Judges from the last report, from the process that holds the ledger, and from the room on the ledger's volume.
    pub(super) fn judge(
        beat: Option<Heartbeat>,
        holder: Holder,
        room: Option<Room>,
        now: Timestamp,
    ) -> Self {
        let state = beat
            .as_ref()
            .map_or(State::Unknown, |beat| state(beat, holder, now));
        let scan_is_stale = state == State::Running
            && beat.as_ref().is_some_and(|beat| {
                let grace = beat.interval.saturating_mul(REPORTS_MISSED);
                beat.next_scan
                    .is_some_and(|due| due.plus(grace.saturating_add(SLACK)) < now)
            });
        let mut conditions = beat
            .as_ref()
            .map(|beat| beat.conditions.clone())
            .unwrap_or_default();
        let known = |condition: &Condition| condition.kind == ConditionKind::LedgerFailing;
        if let Some(detail) = room.and_then(no_room)
            && !conditions.iter().any(known)
        {
            conditions.insert(
                0,
                Condition {
                    kind: ConditionKind::LedgerFailing,
                    since: beat.as_ref().map_or(now, |beat| beat.at),
                    detail,
                },
            );
        }
        Self {
            state,
            holder: match holder {
                Holder::Held(pid) => pid,
                Holder::Free | Holder::Unknown => None,
            },
            scan_is_stale,
            conditions,
            unjudged: beat.as_ref().map_or(0, |beat| beat.unjudged),
            beat,
        }
    }

    /// Whether an agent is at work and reports.
    pub(super) fn runs(&self) -> bool {
        self.state == State::Running
    }

    /// The exit code, given whether some stream is unsettled.
    pub(super) fn code(&self, unsettled: bool) -> u8 {
        let check_failed = self
            .beat
            .as_ref()
            .is_some_and(|beat| beat.store_check.result == CheckResult::Failed);
        match exit::of_conditions(&self.conditions) {
            _ if matches!(self.state, State::Dead | State::Unresponsive) => exit::INTERNAL,
            _ if self.scan_is_stale => exit::INTERNAL,
            Some(code) => code,
            None if check_failed => exit::STORE,
            None if unsettled || self.unjudged > 0 || self.state == State::Unknown => {
                exit::UNSETTLED
            }
            None => exit::SETTLED,
        }
    }

    /// One line about the agent, and one for each thing that is wrong.
    pub(super) fn headline(&self, now: Timestamp) -> String {
        let Some(beat) = &self.beat else {
            return match self.holder {
                Some(pid) => format!("process {pid} uses the ledger and has not reported yet"),
                None => "no agent has reported to this ledger yet: start one with `tidegate run`"
                    .to_owned(),
            };
        };
        let ago = |at: Option<Timestamp>| at.map_or("never".to_owned(), |at| relative(at, now));
        let work = format!(
            "last scan {} · store answered {}",
            ago(beat.scanned),
            ago(beat.store_answered)
        );
        let reported = relative(beat.at, now);
        match self.state {
            State::Running => format!(
                "agent running (process {}, started {}) · {work}",
                beat.pid,
                relative(beat.started, now)
            ),
            State::Unresponsive => format!(
                "agent not responding: process {} holds the ledger and last reported {reported} · {work}",
                beat.pid
            ),
            State::Stopped => format!("agent not running: it stopped cleanly {reported} · {work}"),
            State::Dead | State::Unknown => format!(
                "agent not running: it ended without a clean stop, and last reported {reported} · {work}"
            ),
        }
    }

    /// What is wrong with the agent itself, one line each.
    pub(super) fn problems(&self, now: Timestamp) -> Vec<String> {
        let mut problems = Vec::new();
        match self.state {
            State::Dead => problems.push(
                "the agent was killed or crashed: what follows is what it last knew; start it again"
                    .to_owned(),
            ),
            State::Unresponsive => problems.push(
                "the agent does not report: it hangs, or can't write its ledger; read its log"
                    .to_owned(),
            ),
            State::Running | State::Stopped | State::Unknown => {}
        }
        if self.scan_is_stale {
            problems.push("a scan of the staging directory is overdue".to_owned());
        }
        for condition in &self.conditions {
            // What was found just now may have begun at any time.
            let since = match condition.since < now {
                true => format!(" since {}", relative(condition.since, now)),
                false => String::new(),
            };
            problems.push(format!(
                "{}{since}: {}",
                condition.kind.name(),
                condition.detail
            ));
        }
        let covered = self
            .conditions
            .iter()
            .any(|condition| condition.kind == ConditionKind::StoreCheckFailing);
        if let Some(beat) = &self.beat
            && beat.store_check.result == CheckResult::Failed
            && !covered
        {
            problems.push(format!(
                "the check of the store failed: {}",
                beat.store_check.detail
            ));
        }
        problems
    }
}

fn state(beat: &Heartbeat, holder: Holder, now: Timestamp) -> State {
    let latest = beat
        .interval
        .saturating_mul(REPORTS_MISSED)
        .saturating_add(SLACK);
    let is_fresh = now.since(beat.at) <= latest;
    let is_its_own = |pid: Option<u32>| pid.is_none_or(|pid| pid == beat.pid);
    match holder {
        _ if beat.stopped => State::Stopped,
        Holder::Held(pid) if is_its_own(pid) && is_fresh => State::Running,
        Holder::Held(pid) if is_its_own(pid) => State::Unresponsive,
        // Another process, which has not reported yet.
        Holder::Held(_) => State::Dead,
        Holder::Free => State::Dead,
        Holder::Unknown if is_fresh => State::Running,
        Holder::Unknown => State::Dead,
    }
}

/// Why the ledger can't be written, judging by its volume.
fn no_room(room: Room) -> Option<String> {
    if room.read_only {
        return Some("the ledger's volume is mounted read-only".to_owned());
    }
    (room.bytes < ROOM_MIN).then(|| {
        format!(
            "the ledger's volume is full ({} bytes are left): free some space",
            room.bytes
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::ledger::StoreCheck;

    const PLENTY: Option<Room> = Some(Room {
        bytes: 1 << 30,
        read_only: false,
    });

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    /// A report of process 7 at 100 s, due every 10 s, with nothing wrong.
    fn beat() -> Heartbeat {
        Heartbeat {
            pid: 7,
            started: at(1),
            at: at(100),
            interval: Duration::from_secs(10),
            stopped: false,
            scanned: Some(at(99)),
            next_scan: Some(at(104)),
            store_answered: None,
            streams: 2,
            unjudged: 0,
            queued: 0,
            configuration: Digest::of(b""),
            store_check: StoreCheck {
                result: CheckResult::Passed,
                detail: String::new(),
                at: None,
            },
            conditions: vec![],
        }
    }

    fn judged(beat: Heartbeat, holder: Holder, now: u64) -> (State, u8) {
        let agent = Agent::judge(Some(beat), holder, PLENTY, at(now));
        (agent.state, agent.code(false))
    }

    #[test]
    fn a_lock_that_is_free_proves_that_the_agent_is_dead_however_fresh_its_report_is() {
        assert_eq!(
            judged(beat(), Holder::Free, 100),
            (State::Dead, exit::INTERNAL)
        );
        assert_eq!(
            judged(beat(), Holder::Held(Some(7)), 105),
            (State::Running, exit::SETTLED)
        );
        let stopped = Heartbeat {
            stopped: true,
            ..beat()
        };
        assert_eq!(
            judged(stopped, Holder::Free, 9_000),
            (State::Stopped, exit::SETTLED)
        );
    }

    #[test]
    fn an_agent_that_holds_its_lock_and_reports_nothing_is_unresponsive() {
        let held = Holder::Held(Some(7));
        assert_eq!(
            judged(beat(), held, 141),
            (State::Unresponsive, exit::INTERNAL)
        );
        let other = Holder::Held(Some(8));
        assert_eq!(judged(beat(), other, 101), (State::Dead, exit::INTERNAL));
        assert_eq!(
            judged(beat(), Holder::Unknown, 141),
            (State::Dead, exit::INTERNAL)
        );
        assert_eq!(
            judged(beat(), Holder::Unknown, 139),
            (State::Running, exit::SETTLED)
        );
    }

    #[test]
    fn a_scan_that_is_overdue_is_a_problem() {
        let late = Heartbeat {
            at: at(200),
            ..beat()
        };
        let agent = Agent::judge(Some(late), Holder::Held(Some(7)), PLENTY, at(201));
        assert!(agent.scan_is_stale);
        assert_eq!(agent.code(false), exit::INTERNAL);
    }

    #[test]
    fn a_full_volume_is_found_without_any_report_about_it() {
        let full = Some(Room {
            bytes: 100,
            read_only: false,
        });
        let agent = Agent::judge(Some(beat()), Holder::Held(Some(7)), full, at(101));
        assert_eq!(agent.code(false), exit::INTERNAL);
        assert!(agent.problems(at(101))[0].contains("volume is full"));
        let read_only = Some(Room {
            bytes: 1 << 30,
            read_only: true,
        });
        let agent = Agent::judge(Some(beat()), Holder::Held(Some(7)), read_only, at(101));
        assert_eq!(agent.code(false), exit::INTERNAL);
    }

    #[test]
    fn streams_that_wait_to_be_judged_are_unsettled() {
        let backlog = Heartbeat {
            unjudged: 9_039,
            ..beat()
        };
        let held = Holder::Held(Some(7));
        assert_eq!(
            judged(backlog, held, 101),
            (State::Running, exit::UNSETTLED)
        );
        let none = Agent::judge(None, Holder::Free, PLENTY, at(1));
        assert_eq!(
            (none.state, none.code(false)),
            (State::Unknown, exit::UNSETTLED)
        );
    }

    #[test]
    fn a_failed_check_of_the_store_has_the_stores_exit_code() {
        let mut failed = beat();
        failed.store_check.result = CheckResult::Failed;
        failed.store_check.detail = "403".to_owned();
        let agent = Agent::judge(Some(failed), Holder::Held(Some(7)), PLENTY, at(101));
        assert_eq!(agent.code(false), exit::STORE);
        assert!(agent.problems(at(101))[0].ends_with("failed: 403"));
    }
}
