//! What a call leaves behind: its verdict, what it used, and what it did, for `explain`, the ledger and replay.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cause::CallFailure;
use super::state::StateSwap;
pub use crate::contract::LogLevel;
use crate::contract::{Choice, Failure, Presence, RetryDecision, Role};

/// What a policy is asked.
#[derive(Clone, Copy, Debug)]
pub enum Question<'a> {
    /// Is the stream's schema there, and if not, should it be?
    Existence,
    /// What is published when it is absent?
    Fallback {
        /// What the existence policy gave as its reason.
        reason: &'a str,
    },
    /// An attempt failed: when is the next one?
    Retry {
        /// Why it failed.
        failure: &'a Failure,
    },
}

impl Question<'_> {
    /// The role that answers it.
    pub fn role(&self) -> Role {
        match self {
            Question::Existence => Role::Existence,
            Question::Fallback { .. } => Role::Fallback,
            Question::Retry { .. } => Role::Retry,
        }
    }
}

/// What a policy answered, within the contract's bounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// An existence policy's.
    Existence(Presence),
    /// A fallback policy's.
    Fallback(Choice),
    /// A retry policy's.
    Retry(RetryDecision),
}

impl Verdict {
    /// Its name in the contract.
    pub fn kind(&self) -> &'static str {
        match self {
            Verdict::Existence(Presence::Present) => "present",
            Verdict::Existence(Presence::Absent(_)) => "absent",
            Verdict::Existence(Presence::NotExpected(_)) => "not-expected",
            Verdict::Existence(Presence::Unsettled(_)) => "unsettled",
            Verdict::Fallback(Choice::Skip(_)) => "skip",
            Verdict::Fallback(Choice::Named(_)) => "named",
            Verdict::Fallback(Choice::Object(_)) => "object",
            Verdict::Fallback(Choice::Peers) => "peers",
            Verdict::Fallback(Choice::Document(_)) => "document",
            Verdict::Retry(RetryDecision::After(_)) => "after",
            Verdict::Retry(RetryDecision::OnChange) => "on-change",
            Verdict::Retry(RetryDecision::Abandon(_)) => "abandon",
            Verdict::Existence(Presence::Abstain)
            | Verdict::Fallback(Choice::Abstain)
            | Verdict::Retry(RetryDecision::Abstain) => "abstain",
        }
    }

    /// Whether the policy leaves it to the next one in the chain.
    pub fn is_abstain(&self) -> bool {
        matches!(
            self,
            Verdict::Existence(Presence::Abstain)
                | Verdict::Fallback(Choice::Abstain)
                | Verdict::Retry(RetryDecision::Abstain)
        )
    }
}

/// One policy asked once.
#[derive(Clone, Debug)]
pub struct CallReport {
    /// The policy's name in the configuration.
    pub policy: Arc<str>,
    /// What it was asked for.
    pub role: Role,
    /// Its verdict, or why there is none.
    pub verdict: Result<Verdict, CallFailure>,
    /// What the call used.
    pub usage: Usage,
    /// Its host calls in order, the first [`MAX_NOTES`] of them.
    pub host_calls: Vec<HostCallNote>,
    /// The keys of its state that it read or changed; to be committed together with the verdict. Empty without one.
    pub state: Vec<StateSwap>,
    /// Its log lines. Whoever takes the report writes them to the log, with stream, role and policy beside them.
    pub logs: Vec<LogLine>,
}

impl CallReport {
    /// A policy that was not asked.
    pub(super) fn unasked(policy: Arc<str>, role: Role, failure: CallFailure) -> Self {
        Self {
            policy,
            role,
            verdict: Err(failure),
            usage: Usage::default(),
            host_calls: Vec::new(),
            state: Vec::new(),
            logs: Vec::new(),
        }
    }
}

/// What a call used of its [`Limits`](super::Limits).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Fuel. Comparable only between runtimes of the same [`engine_hash`](super::Runtime::engine_hash), and not exact
    /// after a trap or a deadline.
    pub fuel: u64,
    /// Wall-clock time from the slot on.
    pub elapsed: Duration,
    /// The part of it in which the policy was really running.
    pub running: Duration,
    /// The part of it that passed in host calls.
    pub in_host: Duration,
    /// Host calls made.
    pub host_calls: u32,
    /// Bytes that they returned.
    pub bytes_returned: u64,
    /// Bytes that they were handed.
    pub bytes_accepted: u64,
    /// The most bytes of linear memory held.
    pub peak_memory: u64,
    /// Bytes of log lines kept.
    pub log_bytes: u64,
}

/// The most host calls that a report describes.
pub const MAX_NOTES: usize = 64;

/// One host call, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCallNote {
    /// Interface and function, as in `object-reader.head`.
    pub function: &'static str,
    /// The key, prefix or name that it was about; 1 KiB at most, control characters escaped.
    pub subject: String,
    /// What came of it.
    pub outcome: HostCallOutcome,
    /// How long it took.
    pub elapsed: Duration,
}

/// What came of a host call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostCallOutcome {
    /// It had not returned when the call ended.
    Unfinished,
    /// It returned this many bytes.
    Done(u64),
    /// It was answered with one of the contract's errors, by its name there.
    Refused(&'static str),
    /// What stands behind it failed. Carries the cause.
    Failed(String),
}

/// A line that a policy wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// How loud it is.
    pub level: LogLevel,
    /// Its text, control characters escaped.
    pub message: String,
}
