//! Support shared by the suites.

pub mod node;
pub mod s3;
pub mod stores;
