//! Loading a policy: everything that can be refused is refused here, before the first decision.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::call::Idle;
use super::cause::shown;
use super::engine;
use super::grants::{GrantSet, Grants};
use super::guard::Guard;
use super::inspect::Names;
use super::limits::Limits;
use super::load_error::{Import, LoadError, LoadProblem};
use super::obtain::{Obtained, obtain};
use super::plan::Plan;
use super::runtime::Runtime;
use super::slots::Slots;
use super::source::{Compiled, ComponentSource, compile};
use crate::contract::{Description, Role};
use crate::digest::Digest;
use crate::registry::Reference;
use crate::time::Clock;
use crate::trust::{PublicKey, Trust, Voucher};

/// The largest description, in bytes of all its strings.
pub const MAX_DESCRIPTION: u64 = 64 << 10;

/// What a piece of metadata counts of [`MAX_DESCRIPTION`] besides its strings, so that empty ones are bounded too.
const METADATA_COST: usize = 16;

/// Whether a policy's instances live for one decision or for many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Instances {
    /// Each decision has an instance of its own.
    #[default]
    Fresh,
    /// Instances are configured once and asked many times: for guests that carry a language runtime.
    Reuse,
}

/// A policy as the configuration describes it.
#[derive(Clone, Debug)]
pub struct PolicySettings {
    /// Its name in the configuration, which its state and its reports go by.
    pub name: String,
    /// Where its component comes from.
    pub component: ComponentSource,
    /// What the component must be.
    pub sha256: Option<Digest>,
    /// Who must vouch for it.
    pub trust: Arc<Trust>,
    /// Whether its instances are reused.
    pub instances: Instances,
    /// Its own settings: a JSON object.
    pub settings: serde_json::Value,
    /// What one decision may use.
    pub limits: Limits,
    /// What it may read and write.
    pub grants: Grants,
    /// How many failures in a row, of those that blame it, quarantine it. 0 never does.
    pub quarantine_after: u32,
    /// For how long it is then not asked.
    pub quarantine_for: Duration,
}

impl PolicySettings {
    /// A policy with defaults: fresh instances, no settings, no grants, quarantined for 10 minutes after 5 failures.
    pub fn new(name: impl Into<String>, component: ComponentSource) -> Self {
        Self {
            name: name.into(),
            component,
            sha256: None,
            trust: Arc::default(),
            instances: Instances::Fresh,
            settings: serde_json::Value::Object(serde_json::Map::new()),
            limits: Limits::default(),
            grants: Grants::default(),
            quarantine_after: 5,
            quarantine_for: Duration::from_secs(600),
        }
    }
}

/// A policy that was compiled, checked and linked once, and makes instances in microseconds. Cheap to clone.
#[derive(Clone)]
pub struct Policy {
    pub(super) loaded: Arc<Loaded>,
    pub(super) own: Arc<Own>,
}

/// What all nodes of a process share of a policy.
pub(super) struct Loaded {
    pub(super) name: Arc<str>,
    pub(super) roles: Vec<Role>,
    imports: Vec<Import>,
    pub(super) plan: Plan,
    sha256: Digest,
    compile_time: Duration,
    pinned: Option<Reference>,
    voucher: Voucher,
    description: Description,
    settings: PolicySettings,
}

/// What a policy has on one node.
pub(super) struct Own {
    pub(super) slots: Slots,
    pub(super) instances: Instances,
    pub(super) idle: Mutex<Vec<Idle>>,
    guard: Guard,
}

impl Own {
    fn new(settings: &PolicySettings, slots: Slots, instances: Instances) -> Self {
        Self {
            slots,
            instances,
            idle: Mutex::default(),
            guard: Guard::new(settings.quarantine_after, settings.quarantine_for),
        }
    }
}

impl Policy {
    /// Its name in the configuration.
    pub fn name(&self) -> &Arc<str> {
        &self.loaded.name
    }

    /// What its fuel can be compared by, as [`Runtime::engine_hash`].
    pub fn engine_hash(&self) -> u64 {
        engine::compatibility(&self.loaded.plan.shared.engine)
    }

    /// Whether two handles are of one policy, loaded once.
    pub fn is(&self, other: &Policy) -> bool {
        Arc::ptr_eq(&self.loaded, &other.loaded)
    }

    /// The digest of its component.
    pub fn sha256(&self) -> Digest {
        self.loaded.sha256
    }

    /// How long compiling its component took, now or when it was put into the compile cache.
    pub fn compile_time(&self) -> Duration {
        self.loaded.compile_time
    }

    /// The reference that means its component for ever, where it came from a registry.
    pub fn pinned(&self) -> Option<&Reference> {
        self.loaded.pinned.as_ref()
    }

    /// The trusted key that vouches for its component; none where nobody had to.
    pub fn voucher(&self) -> Option<&PublicKey> {
        self.loaded.voucher.as_ref()
    }

    /// What it says about itself.
    pub fn description(&self) -> &Description {
        &self.loaded.description
    }

    /// The roles that it fills.
    pub fn roles(&self) -> &[Role] {
        &self.loaded.roles
    }

    /// What it imports, all of it there.
    pub fn imports(&self) -> &[Import] {
        &self.loaded.imports
    }

    /// The contract that it is built for.
    pub fn contract_version(&self) -> &'static str {
        self.loaded.plan.exports.version().number()
    }

    /// Its limits.
    pub fn limits(&self) -> &Limits {
        &self.loaded.plan.limits
    }

    /// What keeps it from being asked when it fails too often. All chains that it is part of share it.
    pub fn guard(&self) -> &Guard {
        &self.own.guard
    }

    /// How the configuration describes it.
    pub fn settings(&self) -> &PolicySettings {
        &self.loaded.settings
    }

    /// The same policy on another node of this process: with slots, a guard and idle instances of that node's own.
    #[must_use]
    pub fn on_node(&self, slots: &Slots, instances: Instances) -> Self {
        Self {
            loaded: Arc::clone(&self.loaded),
            own: Arc::new(Own::new(&self.loaded.settings, slots.clone(), instances)),
        }
    }

    /// What its deadlines are measured by.
    pub(super) fn clock(&self) -> &dyn Clock {
        &**self.own.slots.clock()
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("name", &self.loaded.name)
            .field("sha256", &self.loaded.sha256)
            .field("roles", &self.loaded.roles)
            .finish_non_exhaustive()
    }
}

impl Runtime {
    /// Loads a policy: reads, pins, compiles, checks what it imports and exports, links it, and makes one instance to
    /// see that it describes itself, takes its settings and has the shape of the contract.
    ///
    /// # Errors
    ///
    /// When anything of that fails; nothing of the policy is kept.
    pub async fn load(&self, settings: &PolicySettings) -> Result<Policy, LoadError> {
        self.try_load(settings).await.map_err(|problem| LoadError {
            policy: settings.name.clone(),
            component: settings.component.to_string(),
            problem,
        })
    }

    async fn try_load(&self, settings: &PolicySettings) -> Result<Policy, LoadProblem> {
        if let Some(problem) = settings.limits.problem() {
            return Err(LoadProblem::Limits(problem));
        }
        if !settings.settings.is_object() {
            return Err(LoadProblem::SettingsShape);
        }
        let grants = GrantSet::parse(&settings.grants).map_err(LoadProblem::Grants)?;
        let Obtained {
            component,
            pinned,
            voucher,
        } = obtain(settings).await?;
        let compiled = self.compile(component, settings.sha256).await?;
        let Compiled { digest, built } = compiled;
        let names = Names::of(&self.0.engine, &built.component);
        let may_write = !grants.write.is_empty();
        let fit = names.check(self.0.spoken, may_write)?;
        let plan = Plan::link(
            Arc::clone(&self.0),
            &built.component,
            &fit,
            &settings.settings,
            &settings.limits,
            grants,
        )?;
        let rehearsal = plan.rehearse().await;
        rehearsal.outcome?;
        let description = rehearsal.description.unwrap_or_default();
        let own = Own::new(settings, self.0.slots.clone(), settings.instances);
        Ok(Policy {
            loaded: Arc::new(Loaded {
                name: settings.name.as_str().into(),
                roles: fit.roles,
                imports: names.imports(self.0.spoken, may_write),
                plan,
                sha256: digest,
                compile_time: built.took,
                pinned,
                voucher,
                description,
                settings: settings.clone(),
            }),
            own: Arc::new(own),
        })
    }

    /// Compiles a component, off the threads that tasks run on.
    pub(super) async fn compile(
        &self,
        component: Arc<[u8]>,
        pin: Option<Digest>,
    ) -> Result<Compiled, LoadProblem> {
        let shared = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || {
            compile(
                &shared.engine,
                &shared.known,
                shared.cache.as_ref(),
                &component,
                pin,
            )
        })
        .await
        .map_err(|error| LoadProblem::Compile(error.into()))?
    }
}

/// The description with its control characters escaped, or why it can't be taken.
pub(super) fn within_bounds(told: Description) -> Result<Description, LoadProblem> {
    let metadata: usize = told
        .metadata
        .iter()
        .map(|(name, value)| name.len() + value.len() + METADATA_COST)
        .sum();
    let size = told.name.len()
        + told.version.len()
        + told.summary.len()
        + told.settings_schema.len()
        + metadata;
    if size as u64 > MAX_DESCRIPTION {
        return Err(LoadProblem::DescriptionTooLarge(size as u64));
    }
    Ok(Description {
        name: shown(&told.name),
        version: shown(&told.version),
        summary: shown(&told.summary),
        settings_schema: told.settings_schema,
        metadata: told
            .metadata
            .iter()
            .map(|(name, value)| (shown(name), shown(value)))
            .collect(),
    })
}
