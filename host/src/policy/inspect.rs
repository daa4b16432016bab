//! What a component imports and exports, judged before anything of it runs.

use wasmtime::Engine;
use wasmtime::component::Component;

use super::load_error::{Import, LoadProblem, Offer};
use crate::contract::{Role, v0_1};

/// The roles that a component fills.
///
/// Names are compared exactly: Wasmtime itself would take a component of another patch version for this one, and only
/// find at instantiation that a record has changed.
pub(super) fn inspect(
    engine: &Engine,
    component: &Component,
    may_write: bool,
) -> Result<Vec<Role>, LoadProblem> {
    let kind = component.component_type();
    let imports: Vec<&str> = kind.imports(engine).map(|(name, _)| name).collect();
    let exports: Vec<&str> = kind.exports(engine).map(|(name, _)| name).collect();
    check_versions(imports.iter().chain(&exports))?;
    check_imports(&imports, may_write)?;
    if !exports.contains(&v0_1::LIFECYCLE) {
        return Err(LoadProblem::NoLifecycle);
    }
    let roles: Vec<Role> = Role::ALL
        .into_iter()
        .filter(|role| exports.contains(&v0_1::role_interface(*role)))
        .collect();
    if roles.is_empty() {
        return Err(LoadProblem::NoRole);
    }
    Ok(roles)
}

fn check_versions<'a>(names: impl Iterator<Item = &'a &'a str>) -> Result<(), LoadProblem> {
    let mut unknown: Vec<String> = names
        .filter_map(|name| name.strip_prefix(v0_1::PACKAGE))
        .map(|name| {
            name.split_once('@')
                .map_or("without a version", |(_, version)| version)
        })
        .filter(|version| *version != v0_1::VERSION)
        .map(str::to_owned)
        .collect();
    unknown.sort();
    unknown.dedup();
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(LoadProblem::UnknownVersion(unknown)),
    }
}

fn check_imports(names: &[&str], may_write: bool) -> Result<(), LoadProblem> {
    let imports: Vec<Import> = names
        .iter()
        .map(|name| Import {
            name: (*name).to_owned(),
            offer: match *name {
                name if v0_1::OFFERED.contains(&name) => Offer::Offered,
                v0_1::WRITER if may_write => Offer::Offered,
                v0_1::WRITER => Offer::NeedsGrant,
                _ => Offer::Unknown,
            },
        })
        .collect();
    match imports.iter().all(|import| import.offer == Offer::Offered) {
        true => Ok(()),
        false => Err(LoadProblem::Imports(imports)),
    }
}
