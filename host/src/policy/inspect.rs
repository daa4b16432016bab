//! What a component imports and exports, judged before anything of it runs.

use wasmtime::Engine;
use wasmtime::component::Component;

use super::cause::shown;
use super::load_error::{Import, LoadProblem, Offer};
use super::wasi::is_sealed;
use crate::contract::{ContractVersion, InterfaceNames, PACKAGE, Role};

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

    /// Whether the component may be linked, where these versions are spoken.
    pub(super) fn check(
        &self,
        spoken: &'static [ContractVersion],
        may_write: bool,
    ) -> Result<Fit, LoadProblem> {
        let version = self.version(spoken)?;
        let imports = self.imports(spoken, may_write);
        if imports.iter().any(|import| !import.offer.is_linked()) {
            return Err(LoadProblem::Imports(imports));
        }
        let lifecycle = version.names().lifecycle;
        if !self.exports(lifecycle) {
            return Err(LoadProblem::NoLifecycle(lifecycle));
        }
        match self.roles(&[version]) {
            roles if roles.is_empty() => Err(LoadProblem::NoRole),
            roles => Ok(Fit { version, roles }),
        }
    }

    /// The one version that all names are of. A component without any is judged as one of the newest.
    fn version(&self, spoken: &'static [ContractVersion]) -> Result<ContractVersion, LoadProblem> {
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for number in self.versions() {
            match spoken.iter().find(|version| version.number() == number) {
                Some(version) => known.push(*version),
                None => unknown.push(number),
            }
        }
        if !unknown.is_empty() {
            return Err(LoadProblem::UnknownVersion {
                found: unknown,
                spoken,
            });
        }
        match known.as_slice() {
            [] => Ok(ContractVersion::NEWEST),
            [version] => Ok(*version),
            _ => Err(LoadProblem::SeveralVersions(self.versions())),
        }
    }

    /// The versions of the contract that the names are of, each once.
    pub(super) fn versions(&self) -> Vec<String> {
        let mut versions: Vec<String> = self
            .imports
            .iter()
            .chain(&self.exports)
            .filter_map(|name| name.strip_prefix(PACKAGE))
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
    pub(super) fn imports(&self, spoken: &[ContractVersion], may_write: bool) -> Vec<Import> {
        let offer = |name: &str| {
            let any = |is: &dyn Fn(&InterfaceNames) -> bool| {
                spoken.iter().any(|version| is(version.names()))
            };
            if any(&|names| names.offered.contains(&name)) {
                Offer::Offered
            } else if any(&|names| names.writer == name) {
                match may_write {
                    true => Offer::Offered,
                    false => Offer::NeedsGrant,
                }
            } else if is_sealed(name) {
                Offer::Sealed
            } else {
                Offer::Unknown
            }
        };
        self.imports
            .iter()
            .map(|name| Import {
                name: shown(name),
                offer: offer(name),
            })
            .collect()
    }

    /// The roles whose interfaces are exported.
    pub(super) fn roles(&self, spoken: &[ContractVersion]) -> Vec<Role> {
        let fills = |role: &Role| {
            let mut names = spoken.iter().map(|version| version.names());
            names.any(|names| self.exports(names.of_role(*role)))
        };
        Role::ALL.into_iter().filter(fills).collect()
    }

    fn exports(&self, interface: &str) -> bool {
        self.exports.iter().any(|name| name == interface)
    }
}

/// What a component that may be linked is.
pub(super) struct Fit {
    /// The contract that it is built for.
    pub(super) version: ContractVersion,
    /// The roles that it fills.
    pub(super) roles: Vec<Role>,
}
