//! Makes recorded decisions again, by the same components or by others, and tells where they differ.
//!
//! A replayed component sees what was recorded and nothing else: its facts, and answers to the calls that were made then.
//! No store, no staging directory and no ledger is touched, and no time passes.

mod clock;
mod compare;
mod components;
mod error;
mod report;
mod run;
#[cfg(test)]
mod tests;
mod words;
mod world;

pub use components::Replacement;
pub use error::{ReplayError, Unfit};
pub use report::{Aspect, Example, FuelUsed, Group, Left, Replaced, Report};
pub use run::{Progress, replay};
