//! What the tests of policies need: facts, settings, and a host in memory.

mod facts;
mod host;
mod settings;

pub use facts::{NOW, facts, object, staged_file, store_failure};
pub use host::FakeHost;
pub use settings::{assert_schema_fits, problems, settings};
