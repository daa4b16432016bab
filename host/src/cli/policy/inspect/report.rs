use serde::Serialize;

use super::settings::{self, Setting};
use crate::cli::output;
use crate::contract::Role;
use crate::digest::Digest;
use crate::policy::{Description, Import, Inspection, LoadProblem, SettingsProblem};

/// `policy inspect --json`, version 1.
#[derive(Debug, Serialize)]
pub(in crate::cli::policy) struct Report {
    version: u32,
    /// How it was named.
    pub(super) component: String,
    /// Whether a host would load it, given its grants and settings.
    pub(super) loads: bool,
    /// Why not.
    pub(super) problem: Option<String>,
    pub(super) sha256: Digest,
    pub(super) size: u64,
    pub(super) initial_memory: Option<u64>,
    /// The contract versions that its imports and exports name.
    pub(super) contracts: Vec<String>,
    pub(super) roles: Vec<Role>,
    pub(super) imports: Vec<Import>,
    pub(super) description: Option<Description>,
    /// What its settings schema says, key by key.
    pub(super) settings: Vec<Setting>,
    /// What it finds wrong with empty settings.
    pub(super) settings_wanted: Vec<SettingsProblem>,
    /// What starting it took.
    pub(super) start: Option<Start>,
}

#[derive(Debug, Serialize)]
pub(super) struct Start {
    pub(super) fuel: u64,
    pub(super) peak_memory: u64,
}

impl Report {
    pub(in crate::cli::policy) fn new(component: String, inspection: Inspection) -> Self {
        let schema = inspection
            .description
            .as_ref()
            .map(|description| description.settings_schema.as_str());
        Self {
            version: 1,
            component,
            loads: inspection.problem.is_none(),
            problem: inspection.problem.as_ref().map(in_words),
            sha256: inspection.digest,
            size: inspection.size,
            initial_memory: inspection.initial_memory,
            contracts: inspection.versions,
            roles: inspection.roles,
            imports: inspection.imports,
            settings: schema.map(settings::of_schema).unwrap_or_default(),
            description: inspection.description,
            settings_wanted: inspection.wanted,
            start: inspection.start.map(|usage| Start {
                fuel: usage.fuel,
                peak_memory: usage.peak_memory,
            }),
        }
    }
}

/// The problem; of many imports only those that are in the way, since all of them are told besides.
fn in_words(problem: &LoadProblem) -> String {
    match problem {
        LoadProblem::Imports(imports) => {
            let unknown = imports
                .iter()
                .filter(|import| !import.offer.is_linked())
                .map(|import| import.name.as_str());
            let names: Vec<&str> = unknown.collect();
            format!("no host offers what it imports: {}", names.join(", "))
        }
        problem => output::causes(problem),
    }
}
