//! Decides what happens to each stream, and makes it happen.

pub mod machine;
