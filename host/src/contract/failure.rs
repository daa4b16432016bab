use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "failure", content = "detail")]
pub enum Failure {
    /// The local schema is absent and no fallback was placed.
    SchemaAbsent(String),
    /// The local schema does not parse.
    SchemaInvalid(String),
    /// It can't be merged with what the store holds.
    SchemaConflict(String),
    /// A request to the store failed.
    Store(StoreFailure),
    /// Anything else.
    Other(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::SchemaAbsent(reason) => write!(f, "schema absent: {reason}"),
            Failure::SchemaInvalid(reason) => write!(f, "staged schema invalid: {reason}"),
            Failure::SchemaConflict(reason) => write!(f, "schema conflict: {reason}"),
            Failure::Store(failure) => write!(f, "{failure}"),
            Failure::Other(reason) => f.write_str(reason),
        }
    }
}

/// A failed request to the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("store {kind}: {message}")]
pub struct StoreFailure {
    /// What to make of it.
    pub kind: FailureKind,
    /// For people; never holds credentials.
    pub message: String,
    /// The store's own advice, where it gave any.
    pub retry_after: Option<Duration>,
}

impl StoreFailure {
    /// A failure without the store's advice.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_after: None,
        }
    }
}

/// What to make of a failed request; `wit/` says what each means.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[allow(
    missing_docs,
    reason = "the contract's `store-failure-kind` documents each"
)]
pub enum FailureKind {
    Throttled,
    Unavailable,
    Timeout,
    PreconditionFailed,
    PermissionDenied,
    NotFound,
    Other,
}

impl FailureKind {
    /// The kind's name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            FailureKind::Throttled => "throttled",
            FailureKind::Unavailable => "unavailable",
            FailureKind::Timeout => "timeout",
            FailureKind::PreconditionFailed => "precondition-failed",
            FailureKind::PermissionDenied => "permission-denied",
            FailureKind::NotFound => "not-found",
            FailureKind::Other => "other",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FailureKind::Throttled => "throttled",
            FailureKind::Unavailable => "unavailable",
            FailureKind::Timeout => "timeout",
            FailureKind::PreconditionFailed => "precondition failed",
            FailureKind::PermissionDenied => "permission denied",
            FailureKind::NotFound => "bucket not found",
            FailureKind::Other => "failed",
        })
    }
}
