//! The settings can be read, and not described.
use tidegate_policy::{Decision, Facts, Failure, Host, Policy, Result, Retry};

#[derive(serde::Deserialize)]
struct Steady {}

impl Policy for Steady {}

impl Retry for Steady {
    fn decide(&self, _: &Facts, _: &Failure, _: &impl Host) -> Result<Decision> {
        Ok(Decision::OnChange)
    }
}

tidegate_policy::export!(Steady: Retry);

fn main() {}
