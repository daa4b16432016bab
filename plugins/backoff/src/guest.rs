//! Joins the policy to the component's exports.

use exports::tidegate::policy::retry;

common::component! {
    world: "retry-policy",
    settings: crate::Settings,
    summary: "Retries after exponentially growing delays with jitter, by rules for each kind of failure.",
    schema: crate::SCHEMA,
}

impl retry::Guest for Policy {
    fn decide(
        facts: common::types::StreamFacts,
        failure: common::types::Failure,
    ) -> Result<retry::Decision, String> {
        settings(|settings| match crate::decide(settings, &facts, &failure) {
            crate::Decision::After(delay) => retry::Decision::After(delay.as_millis()),
            crate::Decision::OnChange => retry::Decision::OnChange,
            crate::Decision::Abandon(reason) => retry::Decision::Abandon(reason),
        })
    }
}
