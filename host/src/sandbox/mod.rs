//! Where policies are tried without a node: their recorded decisions, made again.

pub mod record;
pub mod replay;
