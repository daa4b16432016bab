//! Loads the policies of a configuration and puts them into chains.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::AgentError;
use crate::config::{Settings, StreamSettings};
use crate::contract::Role;
use crate::policy::{Chain, Instances, Policy, Runtime, RuntimeSettings, Slots};
use crate::sync::{Plan, StreamPlan};
use crate::time::Clock;

/// The policies of a configuration, ready to be asked.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What runs them.
    pub runtime: Runtime,
    /// All of them, by name.
    pub policies: BTreeMap<String, Policy>,
    /// Which are asked about which stream.
    pub plan: Arc<Plan>,
}

impl Loaded {
    /// The same policies on another node of this process, with that node's own slots and clock; `instances` overrides
    /// what each policy's settings say.
    #[must_use]
    pub fn on_node(&self, slots: &Slots, instances: Option<Instances>) -> Self {
        let moved: BTreeMap<_, _> = self
            .policies
            .iter()
            .map(|(name, policy)| {
                let instances = instances.unwrap_or(policy.settings().instances);
                (name.clone(), policy.on_node(slots, instances))
            })
            .collect();
        let plan = self.plan.map(|policy| {
            // Chains hold policies of the map alone, and all chains of a node share each policy's guard.
            moved.get(&**policy.name()).unwrap_or(policy).clone()
        });
        Self {
            runtime: self.runtime.clone(),
            policies: moved,
            plan: Arc::new(plan),
        }
    }
}

/// The policy runtime's settings, from the configuration. Without `runtime.cache`, nothing is kept: see
/// [`with_compile_cache`](super::with_compile_cache).
pub fn runtime_settings(settings: &Settings, clock: Arc<dyn Clock>) -> RuntimeSettings {
    RuntimeSettings {
        slots: settings.runtime.slots,
        idle: settings.runtime.idle,
        cache: settings.runtime.compile_cache(),
        clock,
        ..RuntimeSettings::default()
    }
}

/// Loads every policy that the configuration names, each once.
///
/// # Errors
///
/// The first policy that can't be loaded or does not fill its role.
pub async fn load_policies(runtime: Runtime, settings: &Settings) -> Result<Loaded, AgentError> {
    let mut policies = BTreeMap::new();
    for (name, policy) in &settings.policies {
        policies.insert(name.clone(), runtime.load(policy).await?);
    }
    let rules = settings.rules.iter().map(|rule| {
        let plan = rule
            .settings
            .as_ref()
            .map(|settings| plan_of(settings, &policies))
            .transpose()?;
        Ok((rule.matcher.clone(), plan))
    });
    let plan = Plan {
        rules: rules.collect::<Result<_, AgentError>>()?,
        otherwise: plan_of(&settings.streams, &policies)?,
    };
    Ok(Loaded {
        runtime,
        policies,
        plan: Arc::new(plan),
    })
}

fn plan_of(
    settings: &StreamSettings,
    policies: &BTreeMap<String, Policy>,
) -> Result<Arc<StreamPlan>, AgentError> {
    let chain = |role, names: &[String]| {
        // The configuration has made sure that every name has a policy.
        Chain::new(
            role,
            names
                .iter()
                .filter_map(|name| policies.get(name))
                .cloned()
                .collect(),
        )
    };
    Ok(Arc::new(StreamPlan {
        existence: chain(Role::Existence, &settings.existence)?,
        fallback: chain(Role::Fallback, &settings.fallback)?,
        retry: chain(Role::Retry, &settings.retry)?,
        rules: settings.rules.clone(),
        defaults: settings.schemas.clone(),
        ignore_peers: settings.ignore_peers.clone(),
    }))
}
