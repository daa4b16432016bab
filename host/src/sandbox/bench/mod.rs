//! What a policy costs, beside the bundled policy of its role: both are asked the same questions in turns, so that a busy
//! machine is busy for both.

mod collect;
mod error;
mod measure;
mod report;
mod run;
mod standard;
mod subject;
mod task;
#[cfg(test)]
mod tests;
mod world;

pub use error::BenchError;
pub use report::{FailedDecision, Fuel, Loading, Measured, Report, RoleReport, Run};
pub use run::{Bench, Progress, Under, bench};
