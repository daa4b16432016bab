//! A version that does not exist, to show how the next one is joined in.

pub(crate) mod v0_2;
