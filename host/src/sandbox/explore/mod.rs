//! Worlds from seeds, in which documented properties are checked; and the smallest world in which one does not hold.
//!
//! ```text
//! seed → plan → played world → history → violations → smaller plans → scenario
//! ```

mod generate;
mod history;
mod plan;
#[cfg(test)]
mod planted_tests;
mod play;
mod properties;
mod scenario;
mod search;
mod shrink;
#[cfg(test)]
mod tests;
mod timeline;

use history::History;

use crate::sandbox::Blueprint;

pub use generate::generate;
pub use plan::{Action, Content, FaultPlan, Moment, Plan, Span, StorePlan, Trouble};
pub use play::{NodeEnd, Played, play};
pub use properties::{Property, Violation};
pub use scenario::to_scenario;
pub use search::{Finding, Search, blueprint};
pub use shrink::{MAX_RUNS, Shrunk, shrink};
pub use timeline::{around, line};

/// The properties that did not hold in a world that was played, in order of time.
pub fn judge(plan: &Plan, blueprint: &Blueprint, played: &Played) -> Vec<Violation> {
    properties::judge(&History::new(plan, blueprint, played))
}

/// Plays a plan and judges it.
pub fn examine(plan: &Plan, blueprint: &Blueprint) -> Vec<Violation> {
    judge(plan, blueprint, &play(plan, blueprint))
}
