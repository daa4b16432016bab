//! Asks the chains, commits what policies keep, and fills in the host's defaults.

use std::sync::Arc;

use super::attempt::Attempt;
use super::policy_writes::LateWrites;
use super::story::{self, Call, in_words};
use super::world::PolicyWorld;
use crate::contract::{Choice, Failure, LocalState, Presence, RetryDecision, Role};
use crate::ledger::{StateScope, Swap};
use crate::policy::{self, CallReport, GrantValues, LogLevel, Question, Verdict, World};

/// How often a decision is made again because another one changed the state that it had read.
const MAX_ROUNDS: u32 = 4;

impl Attempt<'_> {
    /// Is the schema there? Without a verdict: yes for a well-formed local file, else nothing is expected. Never
    /// absent, since that could place a fallback.
    pub(super) async fn ask_existence(&mut self) -> Presence {
        match self.ask(Question::Existence).await {
            Some(Verdict::Existence(presence)) => presence,
            _ if matches!(&self.stream.local, LocalState::File(file) if file.well_formed) => {
                Presence::Present
            }
            _ => Presence::NotExpected(
                "no existence policy decided, and no well-formed schema is staged".to_owned(),
            ),
        }
    }

    /// What is published? Without a verdict: nothing.
    pub(super) async fn ask_fallback(&mut self, reason: &str) -> Choice {
        match self.ask(Question::Fallback { reason }).await {
            Some(Verdict::Fallback(choice)) => choice,
            _ => Choice::Abstain,
        }
    }

    /// When is the next attempt? Without a verdict the machine has a delay of its own.
    pub(super) async fn ask_retry(&mut self, failure: &Failure) -> RetryDecision {
        match self.ask(Question::Retry { failure }).await {
            Some(Verdict::Retry(decision)) => decision,
            _ => RetryDecision::Abstain,
        }
    }

    async fn ask(&mut self, question: Question<'_>) -> Option<Verdict> {
        let role = question.role();
        let plan = Arc::clone(&self.plan);
        for round in 1..=MAX_ROUNDS {
            let facts = self
                .core
                .facts(self.id, &self.stream, &plan, &self.keys, self.trigger);
            let values = GrantValues::new(self.keys.root.trim_end_matches('/'), &facts);
            let writes = Arc::new(LateWrites::default());
            let world = |policy: &Arc<str>| -> Arc<dyn World> {
                let (policy, writes) = (Arc::clone(policy), Arc::clone(&writes));
                Arc::new(PolicyWorld::new(self.core, self.id, policy, writes))
            };
            let recorder = self.core.recorder.as_deref();
            let chain = plan.chain(role);
            // In a place of its own: most attempts ask nothing, and none should carry what a decision needs.
            let asked = Box::pin(chain.ask(question, &facts, &world, &values, recorder)).await;
            self.story.facts.get_or_insert_with(|| Box::new(facts));
            self.report(role, &asked.reports);
            let committed = self.commit(&asked.reports).await;
            self.story.tell(story::Event::Asked {
                role,
                by: asked.by.as_ref().map(ToString::to_string),
                kind: asked
                    .verdict
                    .as_ref()
                    .map(|verdict| verdict.kind().to_owned()),
                verdict: asked
                    .verdict
                    .as_ref()
                    .map_or_else(|| "the host's default".to_owned(), in_words),
                calls: asked.reports.iter().map(Call::of).collect(),
            });
            self.await_writes(&writes).await;
            if committed {
                return asked.verdict;
            }
            tracing::debug!(stream = %self.id, %role, round, "another decision changed the state that this one read");
        }
        tracing::warn!(stream = %self.id, %role, "decisions kept changing each other's state; the host's default stands");
        None
    }

    /// Tells the log what the policies said, and what went wrong with them.
    fn report(&self, role: Role, reports: &[CallReport]) {
        let stream = self.id;
        for report in reports {
            let policy = &report.policy;
            for line in &report.logs {
                match line.level {
                    LogLevel::Trace => tracing::trace!(%stream, %role, %policy, "{}", line.message),
                    LogLevel::Debug => tracing::debug!(%stream, %role, %policy, "{}", line.message),
                    LogLevel::Info => tracing::info!(%stream, %role, %policy, "{}", line.message),
                    LogLevel::Warn => tracing::warn!(%stream, %role, %policy, "{}", line.message),
                    LogLevel::Error => tracing::error!(%stream, %role, %policy, "{}", line.message),
                }
            }
            if let Err(failure) = &report.verdict {
                let cause = failure.cause.name();
                let name = format!("policy {policy}, {cause}");
                let (message, now) = (failure.to_string(), self.core.clock.monotonic());
                match self.core.causes.is_new(&name, stream, &message, now) {
                    true => {
                        tracing::warn!(%stream, %role, %policy, cause, "policy failed: {failure}")
                    }
                    false => {
                        tracing::debug!(%stream, %role, %policy, cause, "policy failed: {failure}")
                    }
                }
            }
        }
    }

    /// Commits the state changes of those that answered, together. False when another decision came first.
    async fn commit(&self, reports: &[CallReport]) -> bool {
        let answered = reports.iter().filter(|report| report.verdict.is_ok());
        let swaps: Vec<_> = answered
            .flat_map(|report| report.state.iter().map(move |swap| (report, swap)))
            .map(|(report, swap)| Swap {
                policy: report.policy.to_string(),
                scope: StateScope {
                    node: self.core.node.clone(),
                    stream: (swap.scope == policy::StateScope::Stream).then(|| self.id.clone()),
                },
                key: swap.key.clone(),
                expected: swap.before.clone(),
                value: swap.after.clone(),
            })
            .collect();
        if swaps.iter().all(|swap| swap.expected == swap.value) {
            return true;
        }
        match self.core.journal.commit_state(swaps).await {
            Ok(committed) => committed,
            Err(error) => {
                tracing::error!(stream = %self.id, "the policies' state could not be kept: {error}");
                true
            }
        }
    }
}
