//! No role at all.
use tidegate_policy::{Decision, Facts, Failure, Host, Policy, Result, Retry};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Steady {}

impl Policy for Steady {}

impl Retry for Steady {
    fn decide(&self, _: &Facts, _: &Failure, _: &impl Host) -> Result<Decision> {
        Ok(Decision::OnChange)
    }
}

tidegate_policy::export!(Steady);

fn main() {}
