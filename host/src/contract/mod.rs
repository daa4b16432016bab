//! The words of the contract between host and policies, as the host's own types.
//!
//! They mean what `wit/` says; each supported version of the contract has a bindings module and converts between its
//! generated types and these.

mod facts;
mod failure;
mod verdict;

pub mod v0_1;

pub use facts::{
    Facts, LocalFile, LocalState, ObjectInfo, Phase, RemoteState, StoreHealth, Trigger, Version,
};
pub use failure::{Failure, FailureKind, StoreFailure};
pub use verdict::{Choice, Presence, RetryDecision, Role};
