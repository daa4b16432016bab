//! `tidegate policy sign`.

use std::io::ErrorKind;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use wasmparser::Parser;

use super::super::{CommandError, SETTLED, output};
use super::whole;
use crate::digest::Digest;
use crate::policy::{read_component, read_signatures, signature_file};
use crate::trust::{SecretKey, Signatures};

/// Sign a component.
#[derive(Debug, Args)]
pub(super) struct Sign {
    /// The component. The signature is written to FILE.sig; signatures of it by other keys stay there
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The private key: a PEM file from `policy key` or `openssl genpkey -algorithm ed25519`
    #[arg(long, value_name = "KEY.pem")]
    key: PathBuf,
    /// Print JSON: a documented, versioned contract
    #[arg(long)]
    json: bool,
}

/// `policy sign --json`, version 1.
#[derive(Debug, Serialize)]
struct Document {
    version: u32,
    /// Where the signatures are.
    signature: PathBuf,
    /// The component's digest.
    sha256: Digest,
    /// All keys that it is signed by now, the last one new.
    signed_by: Vec<String>,
}

impl Sign {
    pub(super) fn run(self) -> Result<u8, CommandError> {
        let unreadable = |error: std::io::Error| {
            CommandError::Usage(format!("can't read {}: {error}", self.file.display()))
        };
        let key = SecretKey::read(&self.key)?;
        let component = read_component(&self.file).map_err(unreadable)?;
        if !Parser::is_component(&component) {
            return Err(CommandError::Usage(format!(
                "{} is no WebAssembly component, and nothing else is signed",
                self.file.display()
            )));
        }
        let mut signatures: Signatures = match read_signatures(&self.file) {
            // What can't be read can't be kept.
            Ok(text) => text.parse().unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::NotFound => Signatures::default(),
            Err(error) => return Err(unreadable(error)),
        };
        signatures
            .sign(&component, &key)
            .map_err(|error| CommandError::Usage(error.to_string()))?;
        let path = signature_file(&self.file);
        whole::write(&path, signatures.to_string().as_bytes())?;
        let document = Document {
            version: 1,
            sha256: Digest::of(&component),
            signed_by: signatures.keys().map(ToString::to_string).collect(),
            signature: path,
        };
        let text = match self.json {
            true => serde_json::to_string_pretty(&document).map_err(anyhow::Error::new)? + "\n",
            false => format!(
                "{}: signed by {}\n",
                document.signature.display(),
                document.signed_by.join(", ")
            ),
        };
        output::print(&text)?;
        Ok(SETTLED)
    }
}
