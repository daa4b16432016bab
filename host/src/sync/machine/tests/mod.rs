//! The rules of the machine, each in a world small enough to see whole.

mod abandoning;
mod delays;
mod fallbacks;
mod incarnations;
mod outcomes;
mod peers;
mod properties;
mod provisional;
mod publishing;
mod staging;
mod verification;
mod world;
mod writes;

use std::time::Duration;

use super::fixtures::*;
use super::stream::{Document, Intent, Mode, Purpose, Source, Stream};
use super::{
    Activity, Effect, Event, HeadSeen, Level, Marker, MarkerSeen, Moment, Note, Peer, Peers,
    Proposal, RemoteSeen, Repair, Rules, Sighting, Staged,
};
use crate::contract::{
    Choice, Failure, FailureKind, LocalState, ObjectInfo, Phase, Presence, RetryDecision,
    StoreFailure, Trigger, Version,
};
use crate::schema::Schema;
use crate::storage::Put;
use crate::time::Timestamp;
use world::{Fate, Stored, World, absent};
