//! Joins the policy to the component's exports.

use exports::tidegate::policy::retry;

common::component! {
    world: "retry-policy",
    settings: crate::Settings,
    summary: "Stops all streams while the store fails for much of the node, and lets one of them probe it.",
    schema: crate::SCHEMA,
}

impl retry::Guest for Policy {
    fn decide(
        facts: common::types::StreamFacts,
        failure: common::types::Failure,
    ) -> Result<retry::Decision, String> {
        settings(
            |settings| match crate::decide(settings, &facts, &failure, &common::Host) {
                crate::Decision::After(delay) => retry::Decision::After(delay.as_millis()),
                crate::Decision::Abstain => retry::Decision::Abstain,
            },
        )
    }
}
