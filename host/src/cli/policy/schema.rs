//! `tidegate policy schema`.

use clap::Args;

use super::super::{CommandError, exit, output};
use crate::sandbox::scenario::json_schema;

/// Print the JSON Schema of scenario files.
#[derive(Debug, Args)]
pub(super) struct Schema {}

impl Schema {
    pub(super) fn run(self) -> Result<u8, CommandError> {
        output::print(&json_schema())?;
        Ok(exit::SETTLED)
    }
}
