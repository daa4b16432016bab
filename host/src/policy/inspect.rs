//! What a component imports and exports, judged before anything of it runs.

use wasmtime::Engine;
use wasmtime::component::Component;

use super::cause::shown;
use super::load_error::{Import, LoadProblem, Offer};
use crate::contract::{Role, v0_1};

/// The names of what a component imports and exports.
///
/// Names are compared exactly: Wasmtime itself would take a component of another patch version for this one, and only
/// find at instantiation that a record has changed.
pub(super) struct Names {
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Names {
    pub(super) fn of(engine: &Engine, component: &Component) -> Self {
        let kind = component.component_type();
        Self {
            imports: kind.imports(engine).map(|(name, _)| name.into()).collect(),
            exports: kind.exports(engine).map(|(name, _)| name.into()).collect(),
        }
    }

    /// The roles that the component fills, when it may be linked.
    pub(super) fn check(&self, may_write: bool) -> Result<Vec<Role>, LoadProblem> {
        let mut unknown = self.versions();
        unknown.retain(|version| version != v0_1::VERSION);
        if !unknown.is_empty() {
            return Err(LoadProblem::UnknownVersion(unknown));
        }
        let imports = self.imports(may_write);
        if imports.iter().any(|import| !import.offer.is_linked()) {
            return Err(LoadProblem::Imports(imports));
        }
        if !self.exports(v0_1::LIFECYCLE) {
            return Err(LoadProblem::NoLifecycle);
        }
        match self.roles() {
            roles if roles.is_empty() => Err(LoadProblem::NoRole),
            roles => Ok(roles),
        }
    }

    /// The versions of the contract that the names are of, each once.
    pub(super) fn versions(&self) -> Vec<String> {
        let mut versions: Vec<String> = self
            .imports
            .iter()
            .chain(&self.exports)
            .filter_map(|name| name.strip_prefix(v0_1::PACKAGE))
            .map(|name| {
                name.split_once('@')
                    .map_or("without a version", |(_, version)| version)
            })
            .map(shown)
            .collect();
        versions.sort();
        versions.dedup();
        versions
    }

    /// All imports, and whether the host has them.
    pub(super) fn imports(&self, may_write: bool) -> Vec<Import> {
        self.imports
            .iter()
            .map(|name| Import {
                name: shown(name),
                offer: match name.as_str() {
                    name if v0_1::OFFERED.contains(&name) => Offer::Offered,
                    v0_1::WRITER if may_write => Offer::Offered,
                    v0_1::WRITER => Offer::NeedsGrant,
                    _ => Offer::Unknown,
                },
            })
            .collect()
    }

    /// The roles whose interfaces are exported.
    pub(super) fn roles(&self) -> Vec<Role> {
        Role::ALL
            .into_iter()
            .filter(|role| self.exports(v0_1::role_interface(*role)))
            .collect()
    }

    fn exports(&self, interface: &str) -> bool {
        self.exports.iter().any(|name| name == interface)
    }
}
