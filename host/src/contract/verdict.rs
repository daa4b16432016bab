use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a policy is asked for.
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
pub enum Role {
    /// Is the stream's schema there, and if not, should it be?
    Existence,
    /// What do we publish when it is absent?
    Fallback,
    /// An attempt failed: when is the next one?
    Retry,
}

impl Role {
    /// All roles, in the order in which an attempt asks them.
    pub const ALL: [Role; 3] = [Role::Existence, Role::Fallback, Role::Retry];

    /// The role's name in the contract and in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Role::Existence => "existence",
            Role::Fallback => "fallback",
            Role::Retry => "retry",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An existence policy's verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "verdict", content = "value")]
pub enum Presence {
    /// The local schema is there: sync it.
    Present,
    /// It ought to be there and is not. Carries the reason.
    Absent(String),
    /// Nothing is owed yet. Carries the reason.
    NotExpected(String),
    /// Too early to tell: look again after this long.
    Unsettled(Duration),
    /// Ask the next policy in the chain.
    Abstain,
}

/// A fallback policy's verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "verdict", content = "value")]
pub enum Choice {
    /// Publish nothing. Carries the reason.
    Skip(String),
    /// The operator's default schema of this name.
    Named(String),
    /// The schema in this object.
    Object(String),
    /// The merge of the peers and the base.
    Peers,
    /// This document.
    Document(String),
    /// Ask the next policy in the chain.
    Abstain,
}

/// A retry policy's verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "verdict", content = "value")]
pub enum RetryDecision {
    /// After this long.
    After(Duration),
    /// Only when something changes.
    OnChange,
    /// Never by itself. Carries the reason.
    Abandon(String),
    /// Ask the next policy in the chain.
    Abstain,
}
