//! `never`, a fallback policy: publishes nothing, ever.
//!
//! For streams whose schema must come from the node itself: an absent one stays absent until the node stages it. It
//! has no settings, calls no host function, and always answers `skip`, with the reason that the stream's existence
//! policy gave.
//!
//! ```toml
//! [[rules]]
//! streams = ["audit-*"]
//! fallback = ["never"]
//! ```

use schemars::JsonSchema;
use serde::Deserialize;
use tidegate_policy::{Choice, Facts, Fallback, Host, Policy, Result};

/// The policy, which has no settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Never {}

impl Policy for Never {}

impl Fallback for Never {
    fn choose(&self, _: &Facts, absent: &str, _: &impl Host) -> Result<Choice> {
        Ok(Choice::Skip(format!(
            "`never` publishes no fallback: {absent}"
        )))
    }
}

tidegate_policy::export!(Never: Fallback);

#[cfg(test)]
mod tests {
    use tidegate_policy::testing::{self, FakeHost};

    use super::*;

    #[test]
    fn there_are_no_settings() {
        testing::assert_schema_fits::<Never>();
        let problems = testing::problems::<Never>(r#"{"rungs": []}"#);
        assert_eq!(problems[0].pointer, "/rungs");
    }

    #[test]
    fn the_reason_says_why_the_schema_is_absent() {
        let choice = Never {}.choose(&testing::facts(), "no file", &FakeHost::new());
        let reason = "`never` publishes no fallback: no file".to_owned();
        assert_eq!(choice, Ok(Choice::Skip(reason)));
    }
}
