use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use tidegate_policy::{Problems, Span};

use crate::curve::Jitter;
use crate::kind::Kind;

/// Another rule for a kind of failure: an action, or parts of a curve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// What to do instead of waiting, at the first failure of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// The first delay, before jitter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial: Option<Span>,
    /// What each further failure multiplies the delay by.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub factor: Option<f64>,
    /// The longest delay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Span>,
    /// How the delay is spread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Jitter>,
}

/// What to do instead of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Wait until the staged files or the configuration change.
    OnChange,
    /// Give up.
    Abandon,
}

/// Rules by kind of failure.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Overrides {
    /// The schema is absent.
    #[serde(rename = "schema-absent", skip_serializing_if = "Option::is_none")]
    pub schema_absent: Option<Rule>,
    /// The staged schema does not parse.
    #[serde(rename = "schema-invalid", skip_serializing_if = "Option::is_none")]
    pub schema_invalid: Option<Rule>,
    /// The staged schema can't be merged with the stored one.
    #[serde(rename = "schema-conflict", skip_serializing_if = "Option::is_none")]
    pub schema_conflict: Option<Rule>,
    /// The store asks for fewer requests.
    #[serde(rename = "store.throttled", skip_serializing_if = "Option::is_none")]
    pub throttled: Option<Rule>,
    /// The store is not there, or fails.
    #[serde(rename = "store.unavailable", skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<Rule>,
    /// The store gave no answer in time.
    #[serde(rename = "store.timeout", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Rule>,
    /// Other writers were faster, many times in a row.
    #[serde(
        rename = "store.precondition-failed",
        skip_serializing_if = "Option::is_none"
    )]
    pub precondition_failed: Option<Rule>,
    /// The store refuses the credentials.
    #[serde(
        rename = "store.permission-denied",
        skip_serializing_if = "Option::is_none"
    )]
    pub permission_denied: Option<Rule>,
    /// The bucket is missing.
    #[serde(rename = "store.not-found", skip_serializing_if = "Option::is_none")]
    pub not_found: Option<Rule>,
    /// The store failed otherwise.
    #[serde(rename = "store.other", skip_serializing_if = "Option::is_none")]
    pub store_other: Option<Rule>,
    /// Anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<Rule>,
    /// What TOML makes of an unquoted `overrides.store.throttled`.
    #[serde(rename = "store", skip_serializing)]
    #[schemars(skip)]
    unquoted: Unquoted,
}

/// Whether there was something.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Unquoted(bool);

impl<'de> Deserialize<'de> for Unquoted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}

impl Overrides {
    /// The rule for this kind of failure.
    pub fn of(&self, kind: Kind) -> Option<Rule> {
        match kind {
            Kind::SchemaAbsent => self.schema_absent,
            Kind::SchemaInvalid => self.schema_invalid,
            Kind::SchemaConflict => self.schema_conflict,
            Kind::Throttled => self.throttled,
            Kind::Unavailable => self.unavailable,
            Kind::Timeout => self.timeout,
            Kind::PreconditionFailed => self.precondition_failed,
            Kind::PermissionDenied => self.permission_denied,
            Kind::NotFound => self.not_found,
            Kind::StoreOther => self.store_other,
            Kind::Other => self.other,
        }
    }

    pub(crate) fn validate(&self, problems: &mut Problems) {
        if self.unquoted.0 {
            problems.add(
                "/overrides/store",
                "quote the names of store failures: overrides.\"store.throttled\"",
            );
        }
    }
}
