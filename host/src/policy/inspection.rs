//! What a component is, for whoever chooses, makes or debugs one: all that can be told of it, also when it is refused.

use std::sync::Arc;
use std::time::Duration;

use wasmparser::{Parser, Payload};

use super::grants::{GrantSet, Grants};
use super::inspect::Names;
use super::limits::{Limits, MAX_INSTANCES};
use super::load_error::{Import, LoadProblem};
use super::plan::Plan;
use super::report::Usage;
use super::runtime::Runtime;
use crate::contract::{Description, Role, SettingsProblem};
use crate::digest::Digest;

/// What starting a component may use while it is inspected: more than by default, since an interpreter's start takes
/// more, and whoever inspects it wants to learn how much.
const FUEL: u64 = 5_000_000_000;
const MEMORY: u64 = 512 << 20;
const DEADLINE: Duration = Duration::from_secs(60);

/// All that can be told of a component. What is behind the first problem stays empty.
#[derive(Debug)]
pub struct Inspection {
    /// Its SHA-256.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// What its core memories hold before anything runs, in bytes; `None` where it can't be parsed.
    pub initial_memory: Option<u64>,
    /// The versions of the contract that its imports and exports name.
    pub versions: Vec<String>,
    /// The roles that it fills.
    pub roles: Vec<Role>,
    /// What it imports.
    pub imports: Vec<Import>,
    /// What it says about itself.
    pub description: Option<Description>,
    /// What making an instance, `describe` and `configure` with empty settings took; `None` where it came to none.
    pub start: Option<Usage>,
    /// What it finds wrong with empty settings: it can be used, but not without settings.
    pub wanted: Vec<SettingsProblem>,
    /// Why it would not load, whatever its settings and grants.
    pub problem: Option<LoadProblem>,
}

impl Runtime {
    /// Tells all that can be told of a component, by the rules that [`load`](Self::load) has. Whatever the bytes are,
    /// there is an answer. Grants are not wanting here: what needs one is among the
    /// [`imports`](Inspection::imports).
    pub async fn inspect(&self, component: Arc<[u8]>) -> Inspection {
        let mut inspection = Inspection {
            digest: Digest::of(&component),
            size: component.len() as u64,
            initial_memory: initial_memory(&component),
            versions: Vec::new(),
            roles: Vec::new(),
            imports: Vec::new(),
            description: None,
            start: None,
            wanted: Vec::new(),
            problem: None,
        };
        match self.look_into(component, &mut inspection).await {
            Ok(()) => {}
            Err(LoadProblem::Settings(wanted)) => inspection.wanted = wanted_in_words(wanted),
            Err(problem) => inspection.problem = Some(problem),
        }
        inspection
    }

    async fn look_into(
        &self,
        component: Arc<[u8]>,
        inspection: &mut Inspection,
    ) -> Result<(), LoadProblem> {
        let component = self.compile(component, None).await?.built.component;
        let names = Names::of(&self.0.engine, &component);
        inspection.versions = names.versions();
        inspection.imports = names.imports(self.0.spoken, false);
        inspection.roles = names.roles(self.0.spoken);
        let fit = names.check(self.0.spoken, true)?;
        let limits = Limits {
            fuel: FUEL,
            memory: MEMORY,
            deadline: DEADLINE,
            instances: MAX_INSTANCES,
            ..Limits::default()
        };
        // Any prefix: nothing is written before a decision, and no decision is made here.
        let grants = Grants {
            write: vec!["inspected/".to_owned()],
            ..Grants::default()
        };
        let grants = GrantSet::parse(&grants).map_err(LoadProblem::Grants)?;
        let settings = serde_json::Value::Object(serde_json::Map::new());
        let shared = Arc::clone(&self.0);
        let plan = Plan::link(shared, &component, &fit, &settings, &limits, grants)?;
        let rehearsal = plan.rehearse().await;
        inspection.description = rehearsal.description;
        inspection.start = Some(rehearsal.usage);
        rehearsal.outcome
    }
}

/// At least one problem: whoever refuses without a word refuses all the same.
fn wanted_in_words(wanted: Vec<SettingsProblem>) -> Vec<SettingsProblem> {
    match wanted.is_empty() {
        false => wanted,
        true => vec![SettingsProblem {
            pointer: String::new(),
            message: "it does not say why".to_owned(),
        }],
    }
}

/// What all core memories that the component's modules define hold at first, in bytes.
fn initial_memory(component: &[u8]) -> Option<u64> {
    /// Bytes of a page, as a power of two.
    const PAGE: u32 = 16;
    let mut sum: u64 = 0;
    for payload in Parser::new(0).parse_all(component) {
        if let Payload::MemorySection(memories) = payload.ok()? {
            for memory in memories {
                let memory = memory.ok()?;
                let page = 1u64.checked_shl(memory.page_size_log2.unwrap_or(PAGE));
                sum = sum.saturating_add(memory.initial.saturating_mul(page.unwrap_or(u64::MAX)));
            }
        }
    }
    Some(sum)
}
