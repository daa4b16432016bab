//! The type is not made a policy.
use tidegate_policy::{Decision, Facts, Failure, Host, Result, Retry};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Steady {}

impl Retry for Steady {
    fn decide(&self, _: &Facts, _: &Failure, _: &impl Host) -> Result<Decision> {
        Ok(Decision::OnChange)
    }
}

tidegate_policy::export!(Steady: Retry);

fn main() {}
