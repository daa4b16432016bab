//! The words of the contract between host and policies, as the host's own types.
//!
//! They mean what `wit/` says; each supported version of the contract is a folder that converts between its generated
//! types and these. All versions meet in [`ContractVersion`], and nothing else of the host knows the difference.

mod description;
mod facts;
mod failure;
mod imports;
mod outside;
#[cfg(test)]
mod tests;
mod v0_1;
mod verdict;
mod versions;

pub use description::{Description, SettingsProblem};
pub use facts::{
    Facts, LocalFile, LocalState, ObjectInfo, Phase, RemoteState, StoreHealth, Trigger, Version,
};
pub(crate) use facts::{MAX_FACTS, facts_size};
pub use failure::{Failure, FailureKind, StoreFailure};
pub(crate) use imports::{Answered, Log, ObjectReader, ObjectWriter, Staging, State};
pub use outside::{Entry, LogLevel, Page, StagedFile, StateScope, WriteMode};
pub(crate) use outside::{ReadError, StagingError, StateError, WriteError};
pub use verdict::{Choice, Presence, RetryDecision, Role};
pub use versions::ContractVersion;
pub(crate) use versions::{Exports, Guest, InterfaceNames, PACKAGE};
