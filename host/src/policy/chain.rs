//! Several policies for one role: the first that does not abstain decides.

use std::sync::Arc;

use super::cause::{CallFailure, Cause};
use super::grants::GrantValues;
use super::load::Policy;
use super::record::Recorder;
use super::report::{CallReport, Question, Verdict};
use super::world::World;
use crate::contract::{Facts, Role};

/// The policies for one role, in the order in which they are asked.
#[derive(Clone, Debug)]
pub struct Chain {
    role: Role,
    policies: Vec<Policy>,
}

/// A policy that does not fill the role of the chain it is put into.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("policy `{policy}` does not fill the role {role}: it fills {fills}")]
pub struct WrongRole {
    /// The policy.
    pub policy: Arc<str>,
    /// The chain's role.
    pub role: Role,
    /// What the policy fills, in words.
    pub fills: String,
}

/// What came of asking a chain.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The first verdict that does not abstain; without one, the host's default for the role stands.
    pub verdict: Option<Verdict>,
    /// The policy that gave it.
    pub by: Option<Arc<str>>,
    /// Every policy that was asked, or passed over in quarantine, in order.
    pub reports: Vec<CallReport>,
}

impl Chain {
    /// A chain of these policies. An empty one always leaves it to the host.
    ///
    /// # Errors
    ///
    /// When a policy does not fill the role.
    pub fn new(role: Role, policies: Vec<Policy>) -> Result<Self, WrongRole> {
        match policies
            .iter()
            .find(|policy| !policy.roles().contains(&role))
        {
            Some(policy) => Err(WrongRole {
                policy: Arc::clone(policy.name()),
                role,
                fills: policy
                    .roles()
                    .iter()
                    .map(|role| role.name())
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
            None => Ok(Self { role, policies }),
        }
    }

    /// The same chain with each policy exchanged.
    #[must_use]
    pub fn map(&self, exchange: impl FnMut(&Policy) -> Policy) -> Self {
        Self {
            role: self.role,
            policies: self.policies.iter().map(exchange).collect(),
        }
    }

    /// The role that the chain fills.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The policies, in the order in which they are asked.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// Asks one policy after another until one decides. One that fails or is quarantined counts as abstaining. Each
    /// has a world of its own, by its name: its state is nobody else's. The recorder is given every decision of a
    /// policy that was really asked.
    pub async fn ask(
        &self,
        question: Question<'_>,
        facts: &Facts,
        world: &(dyn Fn(&Arc<str>) -> Arc<dyn World> + Sync),
        values: &GrantValues,
        recorder: Option<&dyn Recorder>,
    ) -> Asked {
        let mut reports = Vec::with_capacity(self.policies.len());
        for policy in &self.policies {
            let report = policy
                .ask_guarded(
                    question,
                    facts,
                    world(policy.name()),
                    values.clone(),
                    recorder,
                )
                .await;
            let verdict = report.verdict.as_ref().ok();
            let verdict = verdict.filter(|verdict| !verdict.is_abstain()).cloned();
            reports.push(report);
            if verdict.is_some() {
                return Asked {
                    verdict,
                    by: Some(Arc::clone(policy.name())),
                    reports,
                };
            }
        }
        Asked {
            verdict: None,
            by: None,
            reports,
        }
    }
}

impl Policy {
    /// Asks the policy if its guard lets it, and tells the guard what came of it.
    async fn ask_guarded(
        &self,
        question: Question<'_>,
        facts: &Facts,
        world: Arc<dyn World>,
        values: GrantValues,
        recorder: Option<&dyn Recorder>,
    ) -> CallReport {
        let clock = self.clock();
        let Some(pass) = self.guard().admit(clock.monotonic()) else {
            let failure = CallFailure::new(
                Cause::Quarantined,
                "it failed too often in a row and is not asked for now",
            );
            return CallReport::unasked(Arc::clone(self.name()), question.role(), failure);
        };
        let report = self
            .ask_recorded(question, facts, world, values, recorder)
            .await;
        let failure = report.verdict.as_ref().err();
        let cause = failure.map(|failure| failure.cause);
        if pass.settle(cause, clock.monotonic())
            && let Some(failure) = failure
        {
            tracing::warn!(policy = %self.name(), last = %failure, "policy quarantined: it failed too often in a row");
        }
        report
    }
}
