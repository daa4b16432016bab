//! Keeps an ingest node's schema files in step with an object store.
//!
//! Every judgement call is made by a *sync policy*, a sandboxed WebAssembly component; the host guarantees safety that
//! no verdict can break.

pub mod agent;
pub mod author;
pub mod cli;
pub mod config;
pub mod contract;
pub mod digest;
mod files;
pub mod ledger;
mod planted;
pub mod policy;
pub mod registry;
pub mod sandbox;
pub mod schema;
pub mod staging;
pub mod storage;
pub mod stream;
pub mod sync;
pub mod tasks;
mod text;
pub mod time;
mod transport;
pub mod trust;
