//! A host function that there is not.
use tidegate_policy::{Decision, Facts, Failure, Host, Policy, Result, Retry};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Steady {}

impl Policy for Steady {}

impl Retry for Steady {
    fn decide(&self, facts: &Facts, _: &Failure, host: &impl Host) -> Result<Decision> {
        host.delete(&facts.schema_key)?;
        Ok(Decision::OnChange)
    }
}

tidegate_policy::export!(Steady: Retry);

fn main() {}
