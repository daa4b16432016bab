use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::super::super::{CommandError, SETTLED, log, output};
use super::super::whole::write_new;
use super::{Registry, in_kib};
use crate::digest::Digest;
use crate::policy::signature_file;
use crate::registry::{Fetched, Origin, Reference, fetch};
use crate::trust::Signatures;

/// Pull a component.
#[derive(Debug, Args)]
pub(in crate::cli::policy) struct Pull {
    /// What: oci://host[:port]/name:tag, or with @sha256:…
    #[arg(value_name = "REF")]
    reference: Reference,
    /// Write the component to this file too, and its signatures to FILE.sig; neither may be there
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    registry: Registry,
    /// Print JSON: a documented, versioned contract
    #[arg(long)]
    json: bool,
}

/// `policy pull --json`, version 1.
#[derive(Debug, Serialize)]
struct Document {
    version: u32,
    /// The reference with its digest.
    reference: String,
    /// The component's own digest.
    sha256: Digest,
    size: u64,
    /// The keys that signed it; whether they are trusted is not said by that.
    signed_by: Vec<String>,
    origin: &'static str,
}

impl Pull {
    pub(in crate::cli::policy) async fn run(self, log: &log::Options) -> Result<u8, CommandError> {
        log.start(None, "warn")?;
        let (settings, trust) = self.registry.settings(Some(&self.reference))?;
        let fetched = fetch(&self.reference, &settings).await?;
        let unfit = |error| CommandError::Unfit(format!("{}: {error}", self.reference));
        let signature = fetched.signature.as_deref();
        trust.check(&fetched.component, signature).map_err(unfit)?;
        let signed_by = match signature {
            Some(text) => {
                let signatures: Signatures = text.parse().map_err(unfit)?;
                signatures.check(&fetched.component).map_err(unfit)?;
                signatures.keys().map(ToString::to_string).collect()
            }
            None => Vec::new(),
        };
        match &self.output {
            Some(output) => write(output, &fetched)?,
            None if fetched.origin == Origin::Unkept => {
                let nowhere = "the component was pulled, and there is nothing to keep it: mend the cache, or give `--output FILE`";
                return Err(anyhow::anyhow!(nowhere).into());
            }
            None => {}
        }
        let document = Document {
            version: 1,
            reference: fetched.pinned.to_string(),
            sha256: Digest::of(&fetched.component),
            size: fetched.component.len() as u64,
            signed_by,
            origin: match fetched.origin {
                Origin::Registry => "registry",
                Origin::Unkept => "registry-unkept",
                Origin::Cache => "cache",
                Origin::Fallback => "cache-fallback",
            },
        };
        let text = match self.json {
            true => serde_json::to_string_pretty(&document).map_err(anyhow::Error::new)? + "\n",
            false => in_words(&document, fetched.origin),
        };
        output::print(&text)?;
        Ok(SETTLED)
    }
}

fn write(output: &Path, fetched: &Fetched) -> Result<(), CommandError> {
    let beside = signature_file(output);
    if fetched.signature.is_none() && beside.exists() {
        return Err(CommandError::Usage(format!(
            "{} is there already, of another component: remove it, or name another file",
            beside.display()
        )));
    }
    write_new(output, &fetched.component)?;
    if let Some(signature) = &fetched.signature
        && let Err(error) = write_new(&beside, signature.as_bytes())
    {
        let _ = std::fs::remove_file(output);
        return Err(error);
    }
    Ok(())
}

fn in_words(document: &Document, origin: Origin) -> String {
    let signed = match document.signed_by.is_empty() {
        true => "not signed".to_owned(),
        false => format!("signed by {}", document.signed_by.join(", ")),
    };
    let from = match origin {
        Origin::Registry => "pulled",
        Origin::Unkept => "pulled and not kept",
        Origin::Cache => "already in the cache",
        Origin::Fallback => "from the cache, as the registry gives no answer",
    };
    format!(
        "{from}: {}, sha256 {}, {signed}\nIn a configuration:\n\n  component = \"{}\"\n",
        in_kib(document.size),
        document.sha256,
        document.reference
    )
}
