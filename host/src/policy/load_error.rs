//! Why a policy is refused when it is loaded.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::builtin::builtin_names;
use super::cause::CallFailure;
use super::source::MAX_COMPONENT;
use crate::contract::ContractVersion;
pub use crate::contract::SettingsProblem;
use crate::digest::Digest;
use crate::registry::RegistryError;
use crate::trust::TrustError;

/// A policy that was refused. Nothing of it will run.
#[derive(Debug)]
pub struct LoadError {
    /// The policy's name in the configuration.
    pub policy: String,
    /// Where its component comes from.
    pub component: String,
    /// What is wrong.
    pub problem: LoadProblem,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "policy `{}` ({}): {}",
            self.policy, self.component, self.problem
        )
    }
}

impl Error for LoadError {
    /// The problem is part of this error's own words, so only its cause follows.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.problem.source()
    }
}

type Cause = Box<dyn Error + Send + Sync>;

/// What is wrong with a policy.
#[derive(Debug, thiserror::Error)]
pub enum LoadProblem {
    /// No bundled policy has this name.
    #[error(
        "no bundled policy is named `{0}`: there are {names}",
        names = builtin_names().collect::<Vec<_>>().join(", ")
    )]
    UnknownBuiltin(String),
    /// The file can't be read.
    #[error("can't read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It can't be had from its registry.
    #[error(transparent)]
    Registry(Box<RegistryError>),
    /// Nobody who is trusted vouches for it.
    #[error(transparent)]
    Untrusted(#[from] TrustError),
    /// The component is over [`MAX_COMPONENT`].
    #[error("the component is over {} MiB: build it for size", MAX_COMPONENT >> 20)]
    TooLarge,
    /// The component is not the one that the configuration pins.
    #[error("its SHA-256 is {found}, but `sha256` pins {expected}")]
    DigestMismatch {
        /// The pin.
        expected: Digest,
        /// What was found.
        found: Digest,
    },
    /// No WebAssembly.
    #[error("it is no WebAssembly binary: name a `.wasm` component")]
    NotWasm,
    /// A core module in place of a component.
    #[error(
        "it is a core module, not a component: turn it into one with `wasm-tools component new`"
    )]
    CoreModule,
    /// It can't be compiled.
    #[error("the component is damaged or needs a WebAssembly feature that policies don't have")]
    Compile(#[source] Cause),
    /// It is built for a contract that this host does not speak.
    #[error(
        "it is built for the contract {}, and this host speaks {}: build it against the latter",
        found.join(", "),
        ContractVersion::list(spoken)
    )]
    UnknownVersion {
        /// What it names.
        found: Vec<String>,
        /// What this host speaks.
        spoken: &'static [ContractVersion],
    },
    /// Its imports and exports are of several contracts.
    #[error("it is built for the contracts {} at once: build it against one of them", .0.join(" and "))]
    SeveralVersions(Vec<String>),
    /// It imports what the host does not offer it.
    #[error("it imports what it is not offered:{}", list_imports(.0))]
    Imports(Vec<Import>),
    /// It lacks the interface that every policy exports.
    #[error("it does not export `{0}`, which every policy does")]
    NoLifecycle(&'static str),
    /// It exports no role.
    #[error("it exports none of the roles existence, fallback and retry")]
    NoRole,
    /// An import or export has another shape than the contract's.
    #[error("it does not fit the contract {version}")]
    Shape {
        /// The contract that it is built for.
        version: ContractVersion,
        /// Where it differs.
        source: Cause,
    },
    /// A grant's template is wrong.
    #[error("{0}")]
    Grants(String),
    /// A limit is wrong.
    #[error("{0}")]
    Limits(String),
    /// No instance could be made, or it failed where it must not.
    #[error("it failed in {during}")]
    Failed {
        /// What the policy was doing.
        during: &'static str,
        /// How it failed.
        source: CallFailure,
    },
    /// Its description is over [`MAX_DESCRIPTION`](super::MAX_DESCRIPTION).
    #[error("its description has {0} bytes; 64 KiB are the most")]
    DescriptionTooLarge(u64),
    /// `settings` is no JSON object.
    #[error("its settings must be a table")]
    SettingsShape,
    /// The policy refuses its settings.
    #[error("it refuses its settings:{}", list_problems(.0))]
    Settings(Vec<SettingsProblem>),
}

impl From<RegistryError> for LoadProblem {
    fn from(error: RegistryError) -> Self {
        LoadProblem::Registry(Box::new(error))
    }
}

impl LoadProblem {
    pub(super) fn shape(version: ContractVersion, error: wasmtime::Error) -> Self {
        LoadProblem::Shape {
            version,
            source: error.into(),
        }
    }
}

/// An interface that a component imports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Import {
    /// Its name; control characters are escaped.
    pub name: String,
    /// Whether the host has it.
    pub offer: Offer,
}

/// Whether the host offers an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Offer {
    /// Yes.
    Offered,
    /// Only with `grants.write`.
    NeedsGrant,
    /// It is part of WASI: it is there, with nothing inside.
    Sealed,
    /// No.
    Unknown,
}

impl Offer {
    /// Whether a component that imports it can be linked as things are.
    pub fn is_linked(self) -> bool {
        matches!(self, Offer::Offered | Offer::Sealed)
    }
}

fn list_imports(imports: &[Import]) -> String {
    imports
        .iter()
        .map(|import| {
            let offer = match import.offer {
                Offer::Offered => "offered",
                Offer::NeedsGrant => "needs a grant: name a prefix in `grants.write`",
                Offer::Sealed => "sealed",
                Offer::Unknown if import.name.starts_with("wasi:") => {
                    "unknown: of WASI there are cli, clocks, filesystem, io, random and sockets 0.2, sealed"
                }
                Offer::Unknown => "unknown",
            };
            format!("\n  {} ({offer})", import.name)
        })
        .collect()
}

fn list_problems(problems: &[SettingsProblem]) -> String {
    if problems.is_empty() {
        return " it does not say why".to_owned();
    }
    problems
        .iter()
        .map(|problem| match problem.pointer.as_str() {
            "" => format!("\n  {}", problem.message),
            pointer => format!("\n  {pointer}: {}", problem.message),
        })
        .collect()
}
