//! Joins the policy to the component's exports.

use exports::tidegate::policy::fallback;

common::component! {
    world: "fallback-policy",
    settings: crate::Settings,
    summary: "Publishes the first fallback on a list that has something to stand on, and none while that is unclear.",
    schema: crate::SCHEMA,
}

impl fallback::Guest for Policy {
    fn choose(
        facts: common::types::StreamFacts,
        _reason: String,
    ) -> Result<fallback::Choice, String> {
        settings(
            |settings| match crate::choose(settings, &facts, &common::Host) {
                crate::Choice::Skip(reason) => fallback::Choice::Skip(reason),
                crate::Choice::Named(name) => fallback::Choice::Named(name),
                crate::Choice::Object(key) => fallback::Choice::Object(key),
                crate::Choice::Peers => fallback::Choice::Peers,
                crate::Choice::Document(document) => fallback::Choice::Document(document),
            },
        )
    }
}
