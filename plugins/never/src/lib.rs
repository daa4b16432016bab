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

#[cfg(target_family = "wasm")]
mod guest;

use common::{Problem, Table};

/// JSON Schema of the settings: there are none.
pub const SCHEMA: &str = include_str!("../settings.schema.json");

/// No settings at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings;

impl Settings {
    /// Reads the settings.
    ///
    /// # Errors
    ///
    /// Every key there is.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let problems = Table::parse(text)?.finish();
        if problems.is_empty() {
            Ok(Self)
        } else {
            Err(problems)
        }
    }
}

/// Why nothing is published, given why the schema is absent.
pub fn skip(absent: &str) -> String {
    common::reason(format!("`never` publishes no fallback: {absent}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_settings() {
        common::fixture::assert_schema_fits(SCHEMA, Settings::parse);
        let problems = Settings::parse(r#"{"rungs": []}"#).unwrap_err();
        assert_eq!(problems[0].pointer, "/rungs");
        assert_eq!(
            problems[0].message,
            "unknown key `rungs`; this policy has no settings"
        );
    }

    #[test]
    fn the_reason_says_why_the_schema_is_absent() {
        assert_eq!(skip("no file"), "`never` publishes no fallback: no file");
    }
}
