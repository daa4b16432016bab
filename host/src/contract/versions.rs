//! The versions of the contract that this host speaks, side by side.
//!
//! A version is a folder with the same four parts: the names of its interfaces, its bindings, its imports in terms of
//! [`Imports`], its exports in terms of [`Facts`] and verdicts. It is joined in here, and nowhere else.

use std::fmt;
use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre, Linker};

use super::description::{Description, SettingsProblem};
use super::imports::Imports;
#[cfg(test)]
use super::tests::v0_2;
use super::{Choice, Facts, Failure, Presence, RetryDecision, Role, v0_1};

/// The package, as it stands in front of every interface's name.
pub(crate) const PACKAGE: &str = "tidegate:policy/";

/// A version of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractVersion {
    /// `wit/0.1`.
    V0_1,
    /// One that shows how the next will be joined in.
    #[cfg(test)]
    V0_2,
}

/// What a version calls its interfaces.
#[derive(Debug)]
pub(crate) struct InterfaceNames {
    /// The package's version.
    pub(crate) version: &'static str,
    /// What every policy exports.
    pub(crate) lifecycle: &'static str,
    /// What the host offers to every policy.
    pub(crate) offered: &'static [&'static str],
    /// What the host offers to policies with a write grant only.
    pub(crate) writer: &'static str,
    /// What a component exports to fill a role.
    pub(crate) existence: &'static str,
    /// The same.
    pub(crate) fallback: &'static str,
    /// The same.
    pub(crate) retry: &'static str,
}

impl InterfaceNames {
    /// What a component exports to fill the role.
    pub(crate) fn of_role(&self, role: Role) -> &'static str {
        match role {
            Role::Existence => self.existence,
            Role::Fallback => self.fallback,
            Role::Retry => self.retry,
        }
    }
}

impl ContractVersion {
    /// All that this host speaks, the oldest first.
    pub const SPOKEN: &'static [Self] = &[Self::V0_1];
    /// The one that a policy is best built for.
    pub const NEWEST: Self = Self::V0_1;

    /// The one of this number, where this host speaks it.
    pub fn spoken(number: &str) -> Option<Self> {
        let mut all = Self::SPOKEN.iter().copied();
        all.find(|version| version.number() == number)
    }

    /// These versions' numbers, for people.
    pub(crate) fn list(versions: &[Self]) -> String {
        let numbers: Vec<&str> = versions.iter().map(|version| version.number()).collect();
        numbers.join(", ")
    }

    /// The package's version, as it stands in its names.
    pub fn number(self) -> &'static str {
        self.names().version
    }

    /// What it calls its interfaces.
    pub(crate) fn names(self) -> &'static InterfaceNames {
        match self {
            Self::V0_1 => &v0_1::NAMES,
            #[cfg(test)]
            Self::V0_2 => &v0_2::NAMES,
        }
    }

    /// Adds its imports; those that write only where that was granted.
    pub(crate) fn add_to_linker<T: Imports>(
        self,
        linker: &mut Linker<T>,
        writer: bool,
    ) -> wasmtime::Result<()> {
        match self {
            Self::V0_1 => v0_1::add_to_linker(linker, writer),
            #[cfg(test)]
            Self::V0_2 => v0_2::add_to_linker(linker),
        }
    }

    /// Finds a component's exports.
    pub(crate) fn find_exports<T: 'static>(
        self,
        pre: &InstancePre<T>,
        roles: &[Role],
    ) -> wasmtime::Result<Exports> {
        Ok(match self {
            Self::V0_1 => Exports::V0_1(Arc::new(v0_1::Exports::find(pre, roles)?)),
            #[cfg(test)]
            Self::V0_2 => Exports::V0_2(Arc::new(v0_2::Exports::find(pre, roles)?)),
        })
    }
}

impl fmt::Display for ContractVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number())
    }
}

/// Where a component's exports are, found once when it is loaded.
#[derive(Clone)]
pub(crate) enum Exports {
    V0_1(Arc<v0_1::Exports>),
    #[cfg(test)]
    V0_2(Arc<v0_2::Exports>),
}

impl Exports {
    /// The exports of one instance.
    pub(crate) fn of(&self, instance: Instance) -> Guest {
        match self {
            Self::V0_1(exports) => Guest::V0_1(v0_1::Guest::new(Arc::clone(exports), instance)),
            #[cfg(test)]
            Self::V0_2(exports) => Guest::V0_2(v0_2::Guest::new(Arc::clone(exports), instance)),
        }
    }

    /// The version that they are of.
    pub(crate) fn version(&self) -> ContractVersion {
        match self {
            Self::V0_1(_) => ContractVersion::V0_1,
            #[cfg(test)]
            Self::V0_2(_) => ContractVersion::V0_2,
        }
    }
}

/// One instance, in the host's own words. The outer errors are traps, the inner ones the guest's own.
pub(crate) enum Guest {
    V0_1(v0_1::Guest),
    #[cfg(test)]
    V0_2(v0_2::Guest),
}

impl Guest {
    /// Finds the roles' functions, which compares every type with the contract's.
    pub(crate) fn probe<T: Send>(&mut self, store: &mut Store<T>) -> wasmtime::Result<()> {
        match self {
            Self::V0_1(guest) => guest.probe(store),
            #[cfg(test)]
            Self::V0_2(guest) => guest.probe(store),
        }
    }

    /// Asks the policy who it is.
    pub(crate) async fn describe<T: Send>(
        &mut self,
        store: &mut Store<T>,
    ) -> wasmtime::Result<Description> {
        match self {
            Self::V0_1(guest) => guest.describe(store).await,
            #[cfg(test)]
            Self::V0_2(guest) => guest.describe(store).await,
        }
    }

    /// Gives the instance its settings.
    pub(crate) async fn configure<T: Send>(
        &mut self,
        store: &mut Store<T>,
        settings: &str,
    ) -> wasmtime::Result<Result<(), Vec<SettingsProblem>>> {
        match self {
            Self::V0_1(guest) => guest.configure(store, settings).await,
            #[cfg(test)]
            Self::V0_2(guest) => guest.configure(store, settings).await,
        }
    }

    /// Asks whether the schema is there.
    pub(crate) async fn check<T: Send>(
        &mut self,
        store: &mut Store<T>,
        facts: &Facts,
    ) -> wasmtime::Result<Result<Presence, String>> {
        match self {
            Self::V0_1(guest) => guest.check(store, facts).await,
            #[cfg(test)]
            Self::V0_2(guest) => guest.check(store, facts).await,
        }
    }

    /// Asks what is published in its place.
    pub(crate) async fn choose<T: Send>(
        &mut self,
        store: &mut Store<T>,
        facts: &Facts,
        reason: &str,
    ) -> wasmtime::Result<Result<Choice, String>> {
        match self {
            Self::V0_1(guest) => guest.choose(store, facts, reason).await,
            #[cfg(test)]
            Self::V0_2(guest) => guest.choose(store, facts, reason).await,
        }
    }

    /// Asks when the next attempt is.
    pub(crate) async fn decide<T: Send>(
        &mut self,
        store: &mut Store<T>,
        facts: &Facts,
        failure: &Failure,
    ) -> wasmtime::Result<Result<RetryDecision, String>> {
        match self {
            Self::V0_1(guest) => guest.decide(store, facts, failure).await,
            #[cfg(test)]
            Self::V0_2(guest) => guest.decide(store, facts, failure).await,
        }
    }
}
