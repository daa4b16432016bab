//! Joins the policy to the component's exports.

use exports::tidegate::policy::existence;

common::component! {
    world: "existence-policy",
    settings: crate::Settings,
    summary: "Finds the staged schema once it is quiet, and claims an absent one only on evidence that it is owed.",
    schema: crate::SCHEMA,
}

impl existence::Guest for Policy {
    fn check(facts: common::types::StreamFacts) -> Result<existence::Presence, String> {
        settings(
            |settings| match crate::check(settings, &facts, &common::Host) {
                crate::Presence::Present => existence::Presence::Present,
                crate::Presence::Absent(reason) => existence::Presence::Absent(reason),
                crate::Presence::NotExpected(reason) => existence::Presence::NotExpected(reason),
                crate::Presence::Unsettled(wait) => {
                    existence::Presence::Unsettled(wait.as_millis())
                }
            },
        )
    }
}
