//! `tidegate policy schema`.

use std::io::Write;

use clap::Args;

use super::super::{CommandError, exit};
use crate::sandbox::scenario::json_schema;

/// Print the JSON Schema of scenario files.
#[derive(Debug, Args)]
pub(super) struct Schema {}

impl Schema {
    pub(super) fn run(self) -> Result<u8, CommandError> {
        std::io::stdout().write_all(json_schema().as_bytes())?;
        Ok(exit::SETTLED)
    }
}
