use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::super::super::{CommandError, SETTLED, log, output};
use super::{Registry, in_kib};
use crate::agent::{AgentError, user_compile_cache};
use crate::digest::Digest;
use crate::policy::{
    ComponentSource, Description, Grants, LoadProblem, Policy, PolicySettings, Runtime,
    RuntimeSettings, read_component, read_signatures,
};
use crate::registry::{DESCRIPTION, Reference, SIGNATURE, TITLE, VERSION, push};
use crate::trust::{PublicKey, Signatures};

/// Push a component.
#[derive(Debug, Args)]
pub(in crate::cli::policy) struct Push {
    /// The component; with `FILE.sig` beside it, where `policy sign` wrote one
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where to: oci://host[:port]/name:tag
    #[arg(value_name = "REF")]
    reference: Reference,
    #[command(flatten)]
    registry: Registry,
    /// Print JSON: a documented, versioned contract
    #[arg(long)]
    json: bool,
}

/// `policy push --json`, version 1.
#[derive(Debug, Serialize)]
struct Document {
    version: u32,
    /// The reference with its digest.
    reference: String,
    /// The component's own digest.
    sha256: Digest,
    size: u64,
    /// The keys whose signatures went along.
    signed_by: Vec<String>,
    /// Whether the registry did not have all of it already.
    sent: bool,
}

impl Push {
    pub(in crate::cli::policy) async fn run(self, log: &log::Options) -> Result<u8, CommandError> {
        log.start(None, "warn")?;
        let (settings, _) = self.registry.settings(Some(&self.reference))?;
        let component = read_component(&self.file).map_err(|error| self.unreadable(error))?;
        let (signatures, text) = match read_signatures(&self.file) {
            Ok(text) => (self.checked(&component, &text)?, Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => (Vec::new(), None),
            Err(error) => return Err(self.unreadable(error)),
        };
        let description = self.description(&component).await?;
        let mut annotations = BTreeMap::new();
        if let Some(description) = description {
            annotations.insert(TITLE.to_owned(), description.name);
            annotations.insert(VERSION.to_owned(), description.version);
            annotations.insert(DESCRIPTION.to_owned(), description.summary);
        }
        annotations.extend(text.map(|text| (SIGNATURE.to_owned(), text)));
        let (sha256, size) = (Digest::of(&component), component.len() as u64);
        let pushed = push(&self.reference, component.into(), annotations, &settings).await?;
        let document = Document {
            version: 1,
            reference: pushed.pinned.to_string(),
            sha256,
            size,
            signed_by: signatures.iter().map(ToString::to_string).collect(),
            sent: pushed.sent,
        };
        let text = match self.json {
            true => serde_json::to_string_pretty(&document).map_err(anyhow::Error::new)? + "\n",
            false => self.in_words(&document),
        };
        output::print(&text)?;
        Ok(SETTLED)
    }

    /// The keys of the signatures, if each is of this component: nobody else could use what is pushed with another.
    fn checked(&self, component: &[u8], text: &str) -> Result<Vec<PublicKey>, CommandError> {
        let unfit = |error| {
            let file = self.file.display();
            CommandError::Unfit(format!("{file}.sig: {error}; or remove the file"))
        };
        let signatures: Signatures = text.parse().map_err(unfit)?;
        signatures.check(component).map_err(unfit)?;
        Ok(signatures.keys().copied().collect())
    }

    /// What the component says about itself. One that no operator could load is not pushed.
    async fn description(&self, component: &[u8]) -> Result<Option<Description>, CommandError> {
        let runtime = Runtime::new(RuntimeSettings {
            slots: 1,
            idle: 0,
            cache: user_compile_cache(),
            ..RuntimeSettings::default()
        })
        .map_err(AgentError::from)?;
        let name = self.file.file_stem().unwrap_or_default().to_string_lossy();
        let settings = PolicySettings {
            // Whether it may write is the operator's matter.
            grants: Grants {
                read: Vec::new(),
                write: vec!["policies/".to_owned()],
            },
            ..PolicySettings::new(name, ComponentSource::Bytes(component.into()))
        };
        match runtime
            .load(&settings)
            .await
            .as_ref()
            .map(Policy::description)
        {
            Ok(description) => Ok(Some(description.clone())),
            // Some settings have no default.
            Err(error) if matches!(error.problem, LoadProblem::Settings(_)) => Ok(None),
            Err(error) => Err(CommandError::Unfit(format!(
                "{} can't be pushed as a policy: {}",
                self.file.display(),
                crate::cli::output::causes(&error.problem)
            ))),
        }
    }

    fn unreadable(&self, error: std::io::Error) -> CommandError {
        CommandError::Usage(format!("can't read {}: {error}", self.file.display()))
    }

    fn in_words(&self, document: &Document) -> String {
        let signed = match document.signed_by.is_empty() {
            true => "not signed".to_owned(),
            false => format!("signed by {}", document.signed_by.join(", ")),
        };
        let done = match document.sent {
            true => "pushed",
            false => "the registry has it already:",
        };
        format!(
            "{done} {}, {}, {signed}\nIn a configuration:\n\n  component = \"{}\"\n",
            self.file.display(),
            in_kib(document.size),
            document.reference
        )
    }
}
