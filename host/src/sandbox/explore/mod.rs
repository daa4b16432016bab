//! Worlds from seeds, in which documented properties are checked; and the smallest world in which one does not hold.
//!
//! ```text
//! seed → plan → scenario, played → violations → smaller plans → scenario, written
//! ```
//!
//! A plan is what is drawn and made smaller. What it means is said by the scenario that it is turned into, which is
//! played by the player of all scenarios, and written where a property does not hold in it.

mod generate;
mod plan;
#[cfg(test)]
mod planted_tests;
mod scenario;
mod search;
mod shrink;
#[cfg(test)]
mod tests;

use crate::config::Problem;
use crate::sandbox::Blueprint;
use crate::sandbox::scenario::{Violation, play, violations};

pub use generate::generate;
pub use plan::{Action, Content, FaultPlan, Moment, Plan, Span, StorePlan, Trouble};
pub use scenario::to_scenario;
pub use search::{Finding, Search};
pub use shrink::{MAX_RUNS, Shrunk, shrink};

/// Plays a plan; the properties that did not hold, in order of time.
///
/// # Errors
///
/// The plan is no scenario: it takes longer than one may.
pub fn examine(plan: &Plan, blueprint: &Blueprint) -> Result<Vec<Violation>, Problem> {
    let scenario = plan.scenario(blueprint)?;
    let played = play(&scenario, &blueprint.policies, blueprint.instances);
    Ok(violations(&scenario, &blueprint.policies, &played))
}
