use clap::Args;
use serde::Serialize;

use super::super::super::output::{self, Paint, Table, Tone};
use super::super::super::{CommandError, SETTLED, log};
use super::{Registry, in_kib};
use crate::digest::Digest;
use crate::registry::{Kept, MAX_TAGS, Reference, Tags, kept, tags};

/// List components.
#[derive(Debug, Args)]
pub(in crate::cli::policy) struct List {
    /// A repository, or one tag of it: oci://host[:port]/name[:tag]. What the cache has without one
    #[arg(value_name = "REF")]
    reference: Option<Reference>,
    #[command(flatten)]
    registry: Registry,
    /// Print JSON: a documented, versioned contract
    #[arg(long)]
    json: bool,
}

/// `policy list --json`, version 1.
#[derive(Debug, Serialize)]
struct Document<T> {
    version: u32,
    components: Vec<T>,
    /// Whether the repository has more tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<bool>,
}

#[derive(Debug, Serialize)]
struct InCache {
    reference: String,
    digest: String,
    sha256: Digest,
    size: u64,
    name: Option<String>,
    policy_version: Option<String>,
    signed: bool,
}

#[derive(Debug, Serialize)]
struct InRegistry {
    reference: String,
    tag: String,
    digest: Option<String>,
}

impl List {
    pub(in crate::cli::policy) async fn run(self, log: &log::Options) -> Result<u8, CommandError> {
        log.start(None, "warn")?;
        let (settings, _) = self.registry.settings(self.reference.as_ref())?;
        let text = match &self.reference {
            Some(reference) => self.of_registry(tags(reference, &settings).await?, reference)?,
            None => self.of_cache(kept(&settings).await?)?,
        };
        output::print(&text)?;
        Ok(SETTLED)
    }

    fn of_cache(&self, kept: Vec<Kept>) -> Result<String, CommandError> {
        if self.json {
            let components = kept.into_iter().map(|kept| InCache {
                reference: kept.reference,
                digest: format!("sha256:{}", kept.digest),
                sha256: kept.sha256,
                size: kept.size,
                name: kept.name,
                policy_version: kept.version,
                signed: kept.signed,
            });
            return json(components.collect(), None);
        }
        if kept.is_empty() {
            return Ok("nothing was pulled yet\n".to_owned());
        }
        let mut table = Table::new(&["REFERENCE", "DIGEST", "SIZE", "POLICY", "SIGNED"]);
        for kept in kept {
            let policy = [kept.name, kept.version].into_iter().flatten();
            let policy: Vec<_> = policy.collect();
            let cells = [
                // A reference with a digest needs no second one.
                kept.reference
                    .split_once('@')
                    .map_or(kept.reference.as_str(), |(name, _)| name)
                    .to_owned(),
                format!("sha256:{}", kept.digest),
                in_kib(kept.size),
                match policy.is_empty() {
                    true => "–".to_owned(),
                    false => policy.join(" "),
                },
                if kept.signed { "yes" } else { "no" }.to_owned(),
            ];
            table.row(cells.map(|cell| (Tone::Plain, cell)).to_vec());
        }
        Ok(table.render(Paint::stdout()))
    }

    fn of_registry(&self, found: Tags, reference: &Reference) -> Result<String, CommandError> {
        let Tags { tags, more } = found;
        if self.json {
            let components = tags.into_iter().map(|tag| InRegistry {
                tag: tag.reference.tag().unwrap_or_default().to_owned(),
                digest: tag.digest.map(|digest| format!("sha256:{digest}")),
                reference: match tag.digest {
                    Some(digest) => tag.reference.pinned(digest).to_string(),
                    None => tag.reference.to_string(),
                },
            });
            return json(components.collect(), Some(more));
        }
        if tags.is_empty() {
            return Ok(format!("{reference} has no tags\n"));
        }
        let mut table = Table::new(&["REFERENCE", "DIGEST"]);
        for tag in tags {
            let digest = tag.digest.map(|digest| format!("sha256:{digest}"));
            table.row(vec![
                (Tone::Plain, tag.reference.to_string()),
                (Tone::Plain, digest.unwrap_or_else(|| "not said".to_owned())),
            ]);
        }
        let mut text = table.render(Paint::stdout());
        if more {
            text.push_str(&format!("and more: only the first {MAX_TAGS} are shown\n"));
        }
        Ok(text)
    }
}

fn json<T: Serialize>(components: Vec<T>, more: Option<bool>) -> Result<String, CommandError> {
    let document = Document {
        version: 1,
        components,
        more,
    };
    Ok(serde_json::to_string_pretty(&document).map_err(anyhow::Error::new)? + "\n")
}
