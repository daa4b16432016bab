//! A verdict of another role.
use tidegate_policy::{Choice, Facts, Failure, Host, Policy, Result, Retry};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Steady {}

impl Policy for Steady {}

impl Retry for Steady {
    fn decide(&self, _: &Facts, _: &Failure, _: &impl Host) -> Result<Choice> {
        Ok(Choice::Peers)
    }
}

tidegate_policy::export!(Steady: Retry);

fn main() {}
