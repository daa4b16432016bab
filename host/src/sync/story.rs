//! What happened in one attempt, for `tidegate explain`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::machine::Level;
use crate::contract::{Facts, Phase, Role, Trigger};
use crate::policy::{CallReport, HostCallOutcome, Verdict};
use crate::text::counted;
use crate::time::{Timestamp, in_short};

/// The most steps that a story tells; what comes behind is counted.
pub const MAX_STEPS: usize = 64;

/// One attempt of one stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Story {
    /// When it began.
    pub at: Timestamp,
    /// Why the host looked.
    pub trigger: Trigger,
    /// Where the stream stood before.
    pub before: Phase,
    /// Where it stands now.
    pub after: Phase,
    /// What the policies were told when they were first asked; `None` when none was.
    pub facts: Option<Box<Facts>>,
    /// What happened, in order.
    pub steps: Vec<Event>,
    /// Steps that are not told.
    pub omitted: u32,
    /// When the stream is looked at next, whatever staging does.
    pub next: Option<Timestamp>,
    /// Why then.
    pub why: String,
}

/// One step of a story.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "step")]
pub enum Event {
    /// The staged file was read.
    Staged {
        /// What was found.
        found: String,
    },
    /// Policies were asked.
    Asked {
        /// For what.
        role: Role,
        /// Who answered; `None` when the host's default stood in.
        by: Option<String>,
        /// The verdict's name in the contract; `None` when the host's default stood in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
        /// The verdict that counts, for people.
        verdict: String,
        /// Each policy that was asked, in the chain's order.
        calls: Vec<Call>,
    },
    /// The host made a request of its own.
    Request {
        /// What for: `GET`, `HEAD`, `LIST`, `CREATE`, `UPDATE`.
        method: String,
        /// The key or prefix.
        key: String,
        /// What came of it.
        outcome: String,
    },
    /// The host had something to say.
    Note {
        /// How loud.
        level: Level,
        /// What.
        text: String,
    },
}

/// One policy, asked once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The policy's name in the configuration.
    pub policy: String,
    /// Its verdict, or why there is none.
    pub verdict: String,
    /// Whether the call failed.
    pub failed: bool,
    /// The name of the cause of a call that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Fuel it used.
    pub fuel: u64,
    /// Microseconds it took, host calls included.
    pub elapsed_us: u64,
    /// Bytes of memory it held at most.
    pub peak_memory: u64,
    /// Its host calls.
    pub host_calls: Vec<HostCall>,
    /// Its log lines.
    pub log: Vec<String>,
}

/// One host call of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostCall {
    /// Interface and function.
    pub function: String,
    /// The key, prefix or name.
    pub subject: String,
    /// What came of it.
    pub outcome: String,
    /// Microseconds it took.
    pub elapsed_us: u64,
}

impl Story {
    /// An attempt that begins.
    pub fn new(at: Timestamp, trigger: Trigger, phase: Phase) -> Self {
        Self {
            at,
            trigger,
            before: phase,
            after: phase,
            facts: None,
            steps: Vec::new(),
            omitted: 0,
            next: None,
            why: String::new(),
        }
    }

    /// Adds a step.
    pub fn tell(&mut self, event: Event) {
        if self.steps.len() < MAX_STEPS {
            self.steps.push(event)
        } else {
            self.omitted += 1
        }
    }

    /// Adds a request of the host's own.
    pub fn request(&mut self, method: &str, key: impl Into<String>, outcome: impl Into<String>) {
        self.tell(Event::Request {
            method: method.to_owned(),
            key: key.into(),
            outcome: outcome.into(),
        });
    }

    /// What the policies said, in order: `existence (presence): present`.
    pub fn verdicts(&self) -> Vec<String> {
        let verdict = |step: &Event| match step {
            Event::Asked {
                role, by, verdict, ..
            } => Some(format!(
                "{role} ({}): {verdict}",
                by.as_deref().unwrap_or("the host")
            )),
            _ => None,
        };
        self.steps.iter().filter_map(verdict).collect()
    }

    /// Whether anything happened that is worth keeping.
    pub fn is_worth_telling(&self) -> bool {
        self.before != self.after || !self.steps.is_empty()
    }

    /// Whether something went wrong that people should find, though the stream may be as it was.
    pub fn alarms(&self) -> bool {
        self.steps.iter().any(|step| match step {
            Event::Asked { calls, .. } => calls.iter().any(|call| call.failed),
            Event::Note { level, .. } => *level > Level::Info,
            Event::Staged { .. } | Event::Request { .. } => false,
        })
    }

    /// One line.
    pub fn summary(&self) -> String {
        let last = self.steps.iter().rev().find_map(|step| match step {
            Event::Note { text, .. } => Some(text.clone()),
            Event::Request {
                method,
                key,
                outcome,
            } if matches!(&**method, "CREATE" | "UPDATE") => {
                Some(format!("{} {key}: {outcome}", method.to_lowercase()))
            }
            Event::Asked { role, verdict, .. } => Some(format!("{role}: {verdict}")),
            _ => None,
        });
        let last = last.unwrap_or_else(|| "looked".to_owned());
        match self.before == self.after {
            true => format!("{}: {last}", self.after),
            false => format!("{} → {}: {last}", self.before, self.after),
        }
    }

    /// The story as JSON, as the ledger keeps it.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Call {
    /// What a report tells.
    pub fn of(report: &CallReport) -> Self {
        let micros = |length: Duration| u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
        let host_calls = report.host_calls.iter().map(|note| HostCall {
            function: note.function.to_owned(),
            subject: note.subject.clone(),
            outcome: match &note.outcome {
                HostCallOutcome::Unfinished => "unfinished".to_owned(),
                HostCallOutcome::Done(bytes) => counted(*bytes, "byte"),
                HostCallOutcome::Refused(error) => (*error).to_owned(),
                HostCallOutcome::Failed(cause) => format!("failed: {cause}"),
            },
            elapsed_us: micros(note.elapsed),
        });
        Self {
            policy: report.policy.to_string(),
            verdict: match &report.verdict {
                Ok(verdict) => in_words(verdict),
                Err(failure) => failure.to_string(),
            },
            failed: report.verdict.is_err(),
            cause: report
                .verdict
                .as_ref()
                .err()
                .map(|failure| failure.cause.name().to_owned()),
            fuel: report.usage.fuel,
            elapsed_us: micros(report.usage.elapsed),
            peak_memory: report.usage.peak_memory,
            host_calls: host_calls.collect(),
            log: report
                .logs
                .iter()
                .map(|line| line.message.clone())
                .collect(),
        }
    }
}

/// A verdict for people.
pub(super) fn in_words(verdict: &Verdict) -> String {
    use crate::contract::{Choice, Presence, RetryDecision};
    match verdict {
        Verdict::Existence(Presence::Present) => "present".to_owned(),
        Verdict::Existence(Presence::Absent(reason)) => format!("absent: {reason}"),
        Verdict::Existence(Presence::NotExpected(reason)) => format!("not expected: {reason}"),
        Verdict::Existence(Presence::Unsettled(delay)) => {
            format!("unsettled, look again in {}", in_short(*delay))
        }
        Verdict::Fallback(Choice::Skip(reason)) => format!("skip: {reason}"),
        Verdict::Fallback(Choice::Named(name)) => format!("the default schema `{name}`"),
        Verdict::Fallback(Choice::Object(key)) => format!("the schema in {key}"),
        Verdict::Fallback(Choice::Peers) => "the peers' merge".to_owned(),
        Verdict::Fallback(Choice::Document(text)) => {
            format!("a document of {}", counted(text.len(), "byte"))
        }
        Verdict::Retry(RetryDecision::After(delay)) => format!("again in {}", in_short(*delay)),
        Verdict::Retry(RetryDecision::OnChange) => "again when something changes".to_owned(),
        Verdict::Retry(RetryDecision::Abandon(reason)) => format!("give up: {reason}"),
        Verdict::Existence(Presence::Abstain)
        | Verdict::Fallback(Choice::Abstain)
        | Verdict::Retry(RetryDecision::Abstain) => "abstain".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_is_bounded_and_counts_what_it_leaves_out() {
        let mut story = Story::new(Timestamp::default(), Trigger::Changed, Phase::Unseen);
        for _ in 0..MAX_STEPS + 3 {
            story.request("GET", "k", "missing");
        }
        assert_eq!((story.steps.len(), story.omitted), (MAX_STEPS, 3));
    }
}
