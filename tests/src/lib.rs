//! Support shared by the suites.

pub mod s3;
pub mod stores;
