//! Joins the policy to the component's exports.

use exports::tidegate::policy::fallback;

common::component! {
    world: "fallback-policy",
    settings: crate::Settings,
    summary: "Publishes no fallback, ever.",
    schema: crate::SCHEMA,
}

impl fallback::Guest for Policy {
    fn choose(
        _facts: common::types::StreamFacts,
        reason: String,
    ) -> Result<fallback::Choice, String> {
        Ok(fallback::Choice::Skip(crate::skip(&reason)))
    }
}
