//! The WASM host: loads policies, asks them within bounds, and survives whatever they do.
//!
//! A [`Runtime`] is made once. [`Runtime::load`] compiles, checks and links a [`Policy`] once; each question then takes
//! a fresh instance of it, in microseconds, and throws it away. A [`Chain`] asks several policies for one role, and
//! passes over those that fail. What a policy reaches outside is a [`World`].
//!
//! No call here fails: a policy that traps, loops or answers nonsense leaves a [`CallReport`] that says so.

mod builtin;
mod cache;
mod call;
mod cause;
mod chain;
mod deadline;
mod engine;
mod grants;
mod guard;
mod host;
mod inspect;
mod inspection;
mod instance;
mod limits;
mod load;
mod load_error;
mod obtain;
mod plan;
mod record;
mod report;
mod runtime;
mod slots;
mod source;
mod state;
#[cfg(test)]
pub(crate) mod tests;
mod verdict;
mod wasi;
mod world;

#[cfg(test)]
pub(crate) use tests::remembering;

pub use crate::contract::Description;
pub use builtin::builtin_names;
pub use cache::CompileCache;
pub use cause::{CallFailure, Cause};
pub(crate) use cause::{joined, shown};
pub use chain::{Asked, Chain, WrongRole};
pub use engine::Allocation;
pub use grants::{GrantValues, Grants};
pub use guard::{Guard, GuardStatus, Standing};
pub use inspection::Inspection;
pub use limits::{
    LOG_LINE_COST, Limits, MAX_INSTANCES, MAX_MEMORIES, MAX_MEMORY, MAX_TABLE_ELEMENTS, MAX_TABLES,
};
pub use load::{Instances, MAX_DESCRIPTION, Policy, PolicySettings};
pub use load_error::{Import, LoadError, LoadProblem, Offer, SettingsProblem};
pub use obtain::{read_component, read_signatures, signature_file};
pub use record::{
    Answer, Ask, AskedFor, Content, Decision, MAX_RECORDED_CALLS, Recorder, WorldCall,
};
pub use report::{
    CallReport, HostCallNote, HostCallOutcome, LogLevel, LogLine, MAX_NOTES, Question, Usage,
    Verdict,
};
pub use runtime::{Runtime, RuntimeError, RuntimeSettings};
pub use slots::Slots;
pub use source::{ComponentSource, MAX_COMPONENT};
pub use state::StateSwap;
pub use verdict::{MAX_DOCUMENT, MAX_REASON};
pub use world::{
    Entry, Page, ReadFailure, StagedFile, StagingFailure, StateScope, World, WriteFailure,
    WriteMode,
};
