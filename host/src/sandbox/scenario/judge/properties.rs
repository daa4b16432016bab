//! The properties that hold in all that happened.

use std::time::Duration;

use super::{Failure, Judge, within};
use crate::sandbox::scenario::expectation::{Expectation, Properties};
use crate::sandbox::scenario::properties::{self, Property};
use crate::sandbox::scenario::timeline::{self, clock};
use crate::time::{in_full, in_short};

impl Judge<'_> {
    pub(super) fn properties(
        &self,
        expectation: &Expectation,
        which: &Properties,
    ) -> Option<Failure> {
        let history = self.history.as_ref()?;
        let scope = &expectation.scope;
        let expected = |property: Property| format!("{property}: {}", property.meaning());
        let (rest, needed) = history.rest();
        // A world that is stopped half-way has no end.
        let rests = rest >= needed || self.played.endless;
        let can_be_told = |property: &Property| rests || !property.needs_rest();
        let judged = match which {
            Properties::All => Property::ALL.into_iter().filter(can_be_told).collect(),
            Properties::These(these) => these.clone(),
        };
        if let Some(property) = judged.iter().find(|property| !can_be_told(property)) {
            let came = self.too_early(rest, needed);
            let (line, at) = (Some(expectation.line), self.scenario.until);
            return Some(self.failure(line, scope, at, expected(*property), came));
        }
        let violations = properties::judge(history, &judged);
        let mut violations = violations.into_iter().filter(|violation| {
            let of_stream = scope.stream.as_ref().map(ToString::to_string);
            within(scope, violation.at)
                && of_stream.is_none_or(|of| of == violation.stream)
                && scope.node.as_ref().is_none_or(|of| *of == violation.node)
        });
        let first = violations.next()?;
        let others = match violations.count() {
            0 => String::new(),
            count => format!(" (and {count} more)"),
        };
        let focus = first.focus(self.scenario);
        Some(Failure {
            line: Some(expectation.line),
            expected: expected(first.property),
            came: format!("{} at {}{others}", first.in_words(), clock(first.at)),
            notes: self.probes(focus.node.as_deref(), first.at),
            timeline: timeline::around(self.entries, &focus, first.at),
        })
    }
    /// Why the end of the world says nothing of how streams end.
    fn too_early(&self, rest: Duration, needed: Duration) -> String {
        let takes = in_short(needed);
        if rest.is_zero() {
            return format!(
                "that can't be told: something disturbs the world until its end, and streams may take {takes} to settle once nothing does"
            );
        }
        let quiet = self.scenario.until.saturating_sub(rest);
        let enough = in_full(quiet.saturating_add(needed));
        format!(
            "that can't be told: streams may take {takes} to settle once nothing disturbs the world: let `until` be {enough} at least"
        )
    }
}
