//! Decisions as they were made, for whoever keeps them: everything that a policy was told and answered, so that the same
//! decision can be made again without a store, a staging directory or a ledger.

mod call;
mod content;
mod world;

use super::cause::CallFailure;
use super::grants::GrantValues;
use super::load::Policy;
use super::report::{CallReport, LogLine, Question, Usage, Verdict};
use super::state::StateSwap;
use super::world::World;
use crate::contract::{Facts, Failure, Role};

pub use call::{Answer, Ask, WorldCall};
pub use content::Content;
pub(super) use world::RecordingWorld;

/// What a decision's calls into its world may hold in memory, in bytes. Of a decision over it nothing is recorded.
pub const MAX_RECORDED_CALLS: usize = 16 << 20;

/// Keeps decisions.
pub trait Recorder: std::fmt::Debug + Send + Sync {
    /// Takes one finished decision. It stands in the way of every decision of the node: it must not wait, neither for
    /// a disk nor for room, and has nobody to tell that it failed.
    fn record(&self, decision: Box<Decision>);
}

/// One policy asked once, with all that it depended on.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The policy: its component, its settings, its limits and grants.
    pub policy: Policy,
    /// What it was asked.
    pub question: AskedFor,
    /// What it was told.
    pub facts: Facts,
    /// What its grants stood for.
    pub values: GrantValues,
    /// What its imports asked of the world behind them, in order.
    pub calls: Vec<WorldCall>,
    /// Whether all calls are there: they are not when they outgrew [`MAX_RECORDED_CALLS`].
    pub complete: bool,
    /// What it answered, or why it did not.
    pub verdict: Result<Verdict, CallFailure>,
    /// What it used.
    pub usage: Usage,
    /// What it read and changed of its state.
    pub state: Vec<StateSwap>,
    /// What it wrote to the log.
    pub logs: Vec<LogLine>,
}

/// What stands for a decision's facts and its other small parts in [`Decision::weight`].
const DECISION_COST: usize = 4 << 10;

impl Decision {
    /// About what it holds in memory, in bytes.
    pub fn weight(&self) -> usize {
        let logs = self.logs.iter().map(|line| line.message.len());
        let state = self.state.iter().map(|swap| {
            let held = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
            swap.key.len() + held(&swap.before) + held(&swap.after)
        });
        let verdict = match &self.verdict {
            Ok(Verdict::Fallback(crate::contract::Choice::Document(document))) => document.len(),
            _ => 0,
        };
        let calls = self.calls.iter().map(WorldCall::weight);
        DECISION_COST + verdict + calls.chain(logs).chain(state).sum::<usize>()
    }
}

/// A [`Question`] that owns its words.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", tag = "role")]
pub enum AskedFor {
    /// Is the schema there?
    Existence,
    /// What is published when it is absent?
    Fallback {
        /// What the existence policy gave as its reason.
        reason: String,
    },
    /// When is the next attempt?
    Retry {
        /// Why this one failed.
        failure: Failure,
    },
}

impl AskedFor {
    /// The question.
    pub fn question(&self) -> Question<'_> {
        match self {
            AskedFor::Existence => Question::Existence,
            AskedFor::Fallback { reason } => Question::Fallback { reason },
            AskedFor::Retry { failure } => Question::Retry { failure },
        }
    }

    /// The role that answers it.
    pub fn role(&self) -> Role {
        self.question().role()
    }
}

impl From<Question<'_>> for AskedFor {
    fn from(question: Question<'_>) -> Self {
        match question {
            Question::Existence => AskedFor::Existence,
            Question::Fallback { reason } => AskedFor::Fallback {
                reason: reason.to_owned(),
            },
            Question::Retry { failure } => AskedFor::Retry {
                failure: failure.clone(),
            },
        }
    }
}

impl Policy {
    /// Asks the policy, and hands the decision to the recorder where there is one. Without one it costs nothing.
    pub(super) async fn ask_recorded(
        &self,
        question: Question<'_>,
        facts: &Facts,
        world: std::sync::Arc<dyn World>,
        values: GrantValues,
        recorder: Option<&dyn Recorder>,
    ) -> CallReport {
        let Some(recorder) = recorder else {
            return self.ask(question, facts, world, values).await;
        };
        let world = std::sync::Arc::new(RecordingWorld::new(world));
        let seen = std::sync::Arc::clone(&world);
        let report = self.ask(question, facts, seen, values.clone()).await;
        let (calls, complete) = world.take();
        recorder.record(Box::new(Decision {
            policy: self.clone(),
            question: question.into(),
            facts: facts.clone(),
            values,
            calls,
            complete,
            verdict: report.verdict.clone(),
            usage: report.usage,
            state: report.state.clone(),
            logs: report.logs.clone(),
        }));
        report
    }
}
