use std::fmt;

use crate::Span;
use crate::bindings::types as wit;

pub use wit::StoreFailureKind as FailureKind;

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The local schema is absent and no fallback was placed. Carries the last reason given.
    SchemaAbsent(String),
    /// The local schema does not parse. Carries the parser's message.
    SchemaInvalid(String),
    /// It cannot be merged with what the store holds. Carries the field and its two types.
    SchemaConflict(String),
    /// A request to the store failed.
    Store(StoreFailure),
    /// Anything else, in words.
    Other(String),
}

impl Failure {
    /// How long the store itself asks to wait; nothing where it gave no advice.
    pub fn advice(&self) -> Span {
        match self {
            Failure::Store(failure) => failure.retry_after.unwrap_or_default(),
            _ => Span::ZERO,
        }
    }
}

/// What happened, in words.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Failure::SchemaAbsent(text)
            | Failure::SchemaInvalid(text)
            | Failure::SchemaConflict(text)
            | Failure::Other(text) => text,
            Failure::Store(failure) => &failure.message,
        })
    }
}

/// A failed request to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFailure {
    /// What to make of it.
    pub kind: FailureKind,
    /// For people; without credentials.
    pub message: String,
    /// The store's own advice, where it gave any.
    pub retry_after: Option<Span>,
}

impl fmt::Display for StoreFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.retry_after {
            Some(wait) => write!(f, " (it asks to wait {wait})"),
            None => Ok(()),
        }
    }
}

impl From<wit::Failure> for Failure {
    fn from(failure: wit::Failure) -> Self {
        match failure {
            wit::Failure::SchemaAbsent(text) => Failure::SchemaAbsent(text),
            wit::Failure::SchemaInvalid(text) => Failure::SchemaInvalid(text),
            wit::Failure::SchemaConflict(text) => Failure::SchemaConflict(text),
            wit::Failure::Store(failure) => Failure::Store(failure.into()),
            wit::Failure::Other(text) => Failure::Other(text),
        }
    }
}

impl From<wit::StoreFailure> for StoreFailure {
    fn from(failure: wit::StoreFailure) -> Self {
        Self {
            kind: failure.kind,
            message: failure.message,
            retry_after: failure.retry_after.map(Span::from),
        }
    }
}
