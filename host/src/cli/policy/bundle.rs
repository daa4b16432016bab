//! `tidegate policy bundle`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::super::{CommandError, SETTLED, output};
use crate::author::bundle::{Bundled, Relation, Repository};

/// Build the policies that Tidegate brings along, in its repository.
#[derive(Debug, Args)]
pub(super) struct Bundle {
    /// Compare the manifests with the sources and the committed components; build nothing
    #[arg(long, conflicts_with = "out")]
    check: bool,
    /// Build below this directory instead, and say which components came out as they are committed
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Bundle {
    pub(super) async fn run(self) -> Result<u8, CommandError> {
        // Compilers take their time, and signals are heard meanwhile.
        let text = tokio::task::spawn_blocking(move || self.perform())
            .await
            .map_err(anyhow::Error::new)??;
        output::print(&text)?;
        Ok(SETTLED)
    }

    fn perform(&self) -> Result<String, CommandError> {
        let repository = Repository::around(Path::new("."))?;
        if self.check {
            repository.check()?;
            return Ok("components, manifests and sources agree\n".to_owned());
        }
        let bundled = repository.build(self.out.as_deref(), |doing| {
            output::complain(&format!("{doing}\n"));
        })?;
        let words = match self.out {
            Some(_) => [
                "same as committed",
                "differs from the committed one",
                "is not committed",
            ],
            None => ["as it was", "changed", "new"],
        };
        Ok(bundled.iter().map(|bundled| line(bundled, words)).collect())
    }
}

fn line(bundled: &Bundled, [same, different, new]: [&str; 3]) -> String {
    let relation = match bundled.relation {
        Relation::Same => same,
        Relation::Different => different,
        Relation::New => new,
    };
    format!("{:>8} bytes  {}  {relation}\n", bundled.size, bundled.file)
}
