//! Scenarios: worlds that are written down, with what is expected of the policies that live through them.

mod content;
mod expectation;
mod file;
mod judge;
mod model;
mod play;
mod read;
mod run;
mod timeline;

pub use expectation::{Bounds, Expectation, Expected, ExpectedContent, Scope, When};
pub use file::{File, RequestOutcome};
pub use judge::{Decision, Failure, decisions, judge};
pub use model::{Deed, NodePlan, Scenario, Step};
pub use play::{Played, play};
pub use read::MAX_LENGTH;
pub use run::{Report, run};
pub use timeline::{Focus, around, clock, in_words};
