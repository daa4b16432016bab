//! Which chains and rules apply to which stream.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use globset::GlobMatcher;

use super::machine::Rules;
use crate::contract::Role;
use crate::policy::{Chain, Policy};
use crate::schema::Schema;
use crate::stream::StreamId;

/// What applies to a stream.
#[derive(Debug)]
pub struct StreamPlan {
    /// Who says whether its schema is there.
    pub existence: Chain,
    /// Who says what is published when it is not.
    pub fallback: Chain,
    /// Who says when a failed attempt is made again.
    pub retry: Chain,
    /// The operator's bounds and switches.
    pub rules: Rules,
    /// The operator's default schemas, by name.
    pub defaults: BTreeMap<String, Schema>,
    /// Nodes whose schemas are not compared with.
    pub ignore_peers: BTreeSet<String>,
}

impl StreamPlan {
    fn map(&self, exchange: &mut dyn FnMut(&Policy) -> Policy) -> Self {
        let mut chain = |chain: &Chain| chain.map(&mut *exchange);
        Self {
            existence: chain(&self.existence),
            fallback: chain(&self.fallback),
            retry: chain(&self.retry),
            rules: self.rules.clone(),
            defaults: self.defaults.clone(),
            ignore_peers: self.ignore_peers.clone(),
        }
    }

    /// The chain of a role.
    pub fn chain(&self, role: Role) -> &Chain {
        match role {
            Role::Existence => &self.existence,
            Role::Fallback => &self.fallback,
            Role::Retry => &self.retry,
        }
    }
}

/// Which streams a rule is for.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// Globs on the stream's name; any of them.
    pub streams: Vec<GlobMatcher>,
    /// Globs on the tenant; any of them. Empty: every stream, with or without a tenant.
    pub tenants: Vec<GlobMatcher>,
}

impl Matcher {
    /// Whether the rule is for this stream.
    pub fn matches(&self, stream: &StreamId) -> bool {
        let tenant = stream.tenant.as_deref().unwrap_or_default();
        self.streams.iter().any(|glob| glob.is_match(&*stream.name))
            && (self.tenants.is_empty() || self.tenants.iter().any(|glob| glob.is_match(tenant)))
    }
}

/// The operator's rules, in order, and what applies where none matches.
#[derive(Debug)]
pub struct Plan {
    /// The first that matches applies; `None` leaves its streams alone.
    pub rules: Vec<(Matcher, Option<Arc<StreamPlan>>)>,
    /// For all other streams.
    pub otherwise: Arc<StreamPlan>,
}

impl Plan {
    /// What applies to this stream; `None` leaves it alone.
    pub fn of(&self, stream: &StreamId) -> Option<&Arc<StreamPlan>> {
        let rule = self
            .rules
            .iter()
            .find(|(matcher, _)| matcher.matches(stream));
        rule.map_or(Some(&self.otherwise), |(_, plan)| plan.as_ref())
    }

    /// The same plan with each policy exchanged.
    #[must_use]
    pub fn map(&self, mut exchange: impl FnMut(&Policy) -> Policy) -> Self {
        let rules = self.rules.iter().map(|(matcher, plan)| {
            let plan = plan.as_ref().map(|plan| Arc::new(plan.map(&mut exchange)));
            (matcher.clone(), plan)
        });
        Self {
            rules: rules.collect(),
            otherwise: Arc::new(self.otherwise.map(&mut exchange)),
        }
    }

    /// Every plan, the general one last.
    pub fn all(&self) -> impl Iterator<Item = &Arc<StreamPlan>> {
        self.rules
            .iter()
            .filter_map(|(_, plan)| plan.as_ref())
            .chain([&self.otherwise])
    }
}
