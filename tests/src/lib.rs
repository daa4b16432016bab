//! Support shared by the suites.

pub mod command;
pub mod s3;
pub mod stores;
