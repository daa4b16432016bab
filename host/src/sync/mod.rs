//! Decides what happens to each stream, and makes it happen.
//!
//! [`machine`] is pure and decides; an attempt ([`Core::attempt`]) performs what it wants; the agent says when.

mod ask;
mod attempt;
mod attempt_log;
mod causes;
mod core;
mod facts;
mod gate;
mod health;
mod journal;
mod known;
pub mod machine;
mod marker;
mod memory;
mod peers;
mod perform;
mod plan;
mod policy_writes;
mod publishers;
mod resolve;
mod scheduler;
mod story;
mod tracker;
pub mod verify;
mod world;

pub use attempt::{AttemptError, Occasion, Outcome, Planned};
pub use causes::Causes;
pub use core::{Core, Seen};
pub use gate::{Gate, Writes};
pub use health::{Failing, Health};
pub use journal::{Journal, JournalError, LedgerJournal, Rehearsal};
pub(crate) use journal::{record, restore};
pub use known::{MAX_LOOKED_UP, describe_unknown, knows_none};
pub use machine::{Level, Source};
pub use memory::Memory;
pub use plan::{Matcher, Plan, StreamPlan};
pub use policy_writes::PolicyWrites;
pub use resolve::{Resolution, ResolveError, Written};
pub use scheduler::{
    DEFAULT_ATTEMPTS_AT_ONCE, Faults, Observer, SPREAD_PER_STREAM, Scheduler, Tally, Wanted,
};
pub use story::{Call, Event, HostCall, MAX_STEPS, Story};
pub(crate) use tracker::signature;
