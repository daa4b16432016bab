//! A world in which everything is under control: time, the store, the staging directories, every fault. The agents in it
//! are the real ones, with the same machine, the same policies and the same engine as in production; one seed
//! reproduces every byte of what they do.

pub mod bench;
mod chronicle;
mod clock;
mod dice;
mod executor;
pub mod explore;
pub mod fleet;
mod memory;
mod node;
pub mod record;
pub mod replay;
pub mod scenario;
mod staging;
pub mod store;
mod world;

pub use chronicle::{Chronicle, Entry, Event, MAX_ENTRIES, Witness};
pub use clock::{BEGINNING, VirtualClock, since_beginning};
pub use dice::Dice;
pub use executor::{Executor, Sleep, Stuck};
pub use memory::SimulatedMemory;
pub use node::{Blueprint, SimulatedNode};
pub use staging::{Content, SimulatedStaging};
pub use world::World;
