//! The table of streams, for people.

use std::cmp::Reverse;

use crate::cli::output::{Paint, Table, Tone, relative, tone};
use crate::contract::Phase;
use crate::ledger::{PolicyHealth, PolicyStatus, StreamRecord};
use crate::text::counted;
use crate::time::Timestamp;

/// What a stream is sorted by: unsettled ones first, those that need an operator before those that wait, and those that
/// failed more often before others.
pub(super) fn badness(record: &StreamRecord) -> (bool, usize, Reverse<u32>) {
    const WORST_FIRST: [Phase; 10] = [
        Phase::Conflicted,
        Phase::Unknown,
        Phase::Abandoned,
        Phase::Pending,
        Phase::Awaiting,
        Phase::Unseen,
        Phase::Synced,
        Phase::Provisional,
        Phase::Gone,
        Phase::Idle,
    ];
    let rank = WORST_FIRST
        .iter()
        .position(|phase| *phase == record.phase)
        .unwrap_or_default();
    (record.settled, rank, Reverse(record.attempts))
}

pub(super) fn table(
    records: &[&StreamRecord],
    selected: usize,
    policies: &[PolicyStatus],
    now: Timestamp,
    paint: Paint,
) -> String {
    let mut text = String::new();
    if selected == 0 {
        text.push_str("no streams yet\n");
    } else if records.is_empty() {
        text.push_str(&format!(
            "none of {} is shown\n",
            counted(selected, "stream")
        ));
    } else {
        let mut table = Table::new(&[
            "STREAM",
            "PHASE",
            "SOURCE",
            "ATTEMPTS",
            "NEXT",
            "LAST FAILURE",
        ]);
        for record in records {
            let failure = record
                .last_failure
                .as_ref()
                .map(|failure| failure.message.clone())
                .unwrap_or_default();
            table.row(vec![
                (Tone::Plain, record.stream.to_string()),
                phase_of(record),
                (
                    Tone::Plain,
                    record.source.clone().unwrap_or_else(|| "–".to_owned()),
                ),
                (Tone::Plain, record.attempts.to_string()),
                (
                    Tone::Plain,
                    record
                        .next_attempt
                        .map_or_else(|| "–".to_owned(), |at| relative(at, now)),
                ),
                (Tone::Faint, failure),
            ]);
        }
        text.push_str(&table.render(paint));
        text.push('\n');
        let count = |phase| {
            (
                phase,
                records
                    .iter()
                    .filter(|record| record.phase == phase)
                    .count(),
            )
        };
        let counts = Phase::ALL
            .into_iter()
            .map(count)
            .filter(|(_, count)| *count > 0);
        let counts: Vec<_> = counts
            .map(|(phase, count)| format!("{count} {phase}"))
            .collect();
        // Where a phase that is a settled one only says what the store was last known to hold.
        let unsettled = records
            .iter()
            .filter(|record| record.phase.is_settled() && !record.settled)
            .count();
        text.push_str(&format!(
            "{}: {}{}{}\n",
            counted(records.len(), "stream"),
            counts.join(", "),
            match unsettled {
                0 => String::new(),
                some => format!("; {some} of them unsettled"),
            },
            match selected - records.len() {
                0 => String::new(),
                hidden => format!("; {hidden} not shown"),
            }
        ));
    }
    for policy in policies
        .iter()
        .filter(|policy| policy.health != PolicyHealth::Healthy)
    {
        let line = format!(
            "policy {} is {} since {} after {} in a row{}",
            policy.name,
            policy.health.name(),
            policy.since,
            counted(policy.failures, "failure"),
            policy
                .cause
                .as_ref()
                .map(|cause| format!(": {cause}"))
                .unwrap_or_default(),
        );
        text.push_str(&paint.paint(Tone::Bad, &line));
        text.push('\n');
    }
    text
}

/// The phase; with a sign where it only says what the store was last known to hold.
fn phase_of(record: &StreamRecord) -> (Tone, String) {
    match record.phase.is_settled() && !record.settled {
        true => (Tone::Bad, format!("{}, unsettled", record.phase)),
        false => (tone(record.phase), record.phase.to_string()),
    }
}
