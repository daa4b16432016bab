//! `tidegate policy key`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::super::{CommandError, SETTLED, output};
use crate::trust::SecretKey;

/// Make a key pair.
#[derive(Debug, Args)]
pub(super) struct Key {
    /// What it is called: the private key goes to NAME.pem, the public one to NAME.pub.pem
    #[arg(value_name = "NAME")]
    name: PathBuf,
    /// Print JSON: a documented, versioned contract
    #[arg(long)]
    json: bool,
}

/// `policy key --json`, version 1.
#[derive(Debug, Serialize)]
struct Document {
    version: u32,
    /// The private key's file.
    private: PathBuf,
    /// The public key's file.
    public: PathBuf,
    /// The public key as `trust.keys` takes it.
    key: String,
}

impl Key {
    pub(super) fn run(self) -> Result<u8, CommandError> {
        let key = SecretKey::generate()?;
        let (private, public) = key.write(&self.name)?;
        let document = Document {
            version: 1,
            private,
            public,
            key: key.public().to_string(),
        };
        let text = match self.json {
            true => serde_json::to_string_pretty(&document).map_err(anyhow::Error::new)? + "\n",
            false => format!(
                "{}: the private key, for `tidegate policy sign`; who has it signs in your name\n\
                 {}: the public key\nIn an operator's configuration:\n\n  [trust]\n  keys = [\"{}\"]\n",
                document.private.display(),
                document.public.display(),
                document.key
            ),
        };
        output::print(&text)?;
        Ok(SETTLED)
    }
}
