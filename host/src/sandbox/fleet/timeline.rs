//! What happens in one cluster and when, drawn from the seed before it begins.

use std::time::Duration;

use super::scenario::{Scenario, Start};
use crate::sandbox::dice::Dice;
use crate::time::millis;

/// Something that happens to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deed {
    /// It starts, with all its streams; those that are `late` have data and no schema yet.
    Start,
    /// This version of the stream's schema is staged.
    Stage { stream: usize, version: usize },
}

/// When something happens to which node.
pub(super) type Moment = (Duration, usize, Deed);

/// Nothing is staged in the last moments: it would be missed at the end, however well everybody does.
const LAST: Duration = Duration::from_secs(60);

/// What happens in a cluster, in order.
#[derive(Debug)]
pub(super) struct Timeline {
    pub(super) moments: Vec<Moment>,
    /// Versions that come up.
    pub(super) versions: usize,
    /// How many milliseconds each node's wall clock is ahead.
    pub(super) skews: Vec<i64>,
}

impl Timeline {
    /// Draws what happens to so many nodes with so many streams each.
    pub(super) fn draw(
        scenario: &Scenario,
        nodes: usize,
        streams: usize,
        length: Duration,
        seed: u64,
    ) -> Self {
        let dice = Dice::of(seed, "timeline");
        let within = |length: Duration| Duration::from_millis(dice.below(millis(length)));
        let changes: Vec<_> = (0..streams)
            .map(|_| changes(scenario, length, &dice))
            .collect();
        let mut moments = Vec::new();
        let share = |over: Duration, node: usize| {
            over.saturating_mul(u32::try_from(node).unwrap_or(u32::MAX))
                / u32::try_from(nodes).unwrap_or(u32::MAX).max(1)
        };
        for node in 0..nodes {
            let start = match scenario.start {
                Start::Together(over) => within(over),
                Start::Rolling(over) => {
                    let (from, until) = (share(over, node), share(over, node + 1));
                    from.saturating_add(within(until.saturating_sub(from)))
                }
            };
            moments.push((start, node, Deed::Start));
            for (stream, changes) in changes.iter().enumerate() {
                let known = changes.partition_point(|at| *at <= start);
                let late = dice.happens(scenario.streams.late_in_a_million);
                let first = match late {
                    true => start.saturating_add(within(scenario.streams.late_by)),
                    false => start,
                };
                let mut at = first;
                moments.push((
                    at,
                    node,
                    Deed::Stage {
                        stream,
                        version: known,
                    },
                ));
                for (behind, change) in changes.iter().enumerate().skip(known) {
                    let lag = within(scenario.streams.spread);
                    // A node stages its changes in order.
                    at = at.max(change.saturating_add(lag));
                    let version = behind + 1;
                    moments.push((at, node, Deed::Stage { stream, version }));
                }
            }
        }
        let in_time = length.saturating_sub(LAST);
        moments.retain(|(at, _, deed)| match deed {
            Deed::Start => *at < length,
            Deed::Stage { .. } => *at < in_time,
        });
        moments.sort_unstable();
        let skews = (0..nodes).map(|_| match &scenario.skew {
            None => 0,
            Some(skew) => {
                let by = i64::try_from(millis(skew.draw(&dice))).unwrap_or(i64::MAX);
                if dice.below(2) == 0 { by } else { -by }
            }
        });
        Self {
            skews: skews.collect(),
            moments,
            versions: changes.iter().map(Vec::len).max().unwrap_or_default() + 1,
        }
    }
}

/// When a stream's schema gets one field after another.
fn changes(scenario: &Scenario, length: Duration, dice: &Dice) -> Vec<Duration> {
    let mut changes = Vec::new();
    if let Some(every) = scenario.streams.schema_every {
        let every = millis(every);
        let mut at = Duration::from_millis(dice.below(every));
        while at < length {
            changes.push(at);
            let gap = dice.between(every / 2, every.saturating_add(every / 2));
            at = at.saturating_add(Duration::from_millis(gap.max(1)));
        }
    }
    for wave in &scenario.streams.waves {
        let delay = Duration::from_millis(dice.below(millis(wave.over)));
        changes.push(wave.at.saturating_add(delay));
    }
    changes.sort_unstable();
    changes
}
