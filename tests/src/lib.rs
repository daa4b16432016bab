//! Support shared by the suites.

pub mod clock;
pub mod command;
pub mod guests;
pub mod meddling;
pub mod node;
pub mod place;
pub mod registry;
pub mod s3;
pub mod stores;
pub mod stub;
