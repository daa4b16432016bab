//! `tidegate check`: everything that can be known before the agent runs. Changes neither staging, store
//! nor ledger, and works beside an agent; opening a `file://` store prepares its scratch directory.

mod access;
mod clamped;
mod environment;
mod examine;
mod online;
mod report;

use std::sync::Arc;

use clap::Args;

use self::report::Report;
use super::known::{self, Known};
use super::output::{self, Paint};
use super::{CommandError, Config, STORE, USAGE, environment, first_look, log};
use crate::config::{Settings, Source, Usable};
use crate::storage::Store;
use crate::stream::NodeId;
use crate::time::SystemClock;

/// Check a configuration.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    config: Config,
    /// Ask the store too: whether it answers, takes the credentials, and honours conditional writes, one after another
    /// and in a race. Writes a few tiny objects under .tidegate/ and deletes them
    #[arg(long)]
    online: bool,
    /// Print JSON: a documented, versioned contract
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) async fn run(self, log: &log::Options) -> Result<u8, CommandError> {
        log.start(None, "error")?;
        let source = self.config.source()?;
        let mut report = Report::new(source.path().display().to_string());
        match Settings::examine(&source, &environment) {
            Ok(settings) => {
                report.ok("configuration", source.path().display().to_string());
                self.examine(&source, &settings, &mut report).await;
            }
            Err(refused) => {
                for problem in refused.problems.iter() {
                    report.problem("configuration", problem, USAGE);
                }
                examine_usable(&source, &refused.usable, &mut report).await;
            }
        }
        let text = if self.json {
            let mut text = serde_json::to_string_pretty(&report).map_err(anyhow::Error::new)?;
            text.push('\n');
            text
        } else {
            report.for_people(Paint::stdout())
        };
        output::print(&text)?;
        Ok(report.code())
    }

    async fn examine(&self, source: &Source, settings: &Settings, report: &mut Report) {
        environment::variables(&settings.store_environment, report);
        let node = examine::staging(source, &settings.staging, report);
        examine::layout(settings, node.as_ref(), report);
        if let Some(look) = node
            .as_ref()
            .and_then(|node| first_look::ahead(settings, node))
        {
            report.warning("start", look.to_string());
        }
        let store = match Store::open(&settings.store, Arc::new(SystemClock::new())) {
            Ok(store) => Some(store),
            Err(error) => {
                examine::refused("store", source, Some(settings), error.into(), report);
                None
            }
        };
        if let Some(store) = &store {
            match self.online {
                true => online::ask(store, node.as_ref(), settings, report).await,
                false => report.ok(
                    "store",
                    format!("{} (not asked; `--online` does)", store.id().as_str()),
                ),
            }
        }
        if let Some(node) = &node {
            access::store(settings, node, report);
        }
        if let (Some(store), Some(node), true) = (
            &store,
            &node,
            self.online && report.code() == super::SETTLED,
        ) {
            streams(store, node, settings, report).await;
        }
        examine::ledger(source, settings, store.as_ref(), self.online, report).await;
        access::cache(source, settings, report);
        clamped::delays(source, settings, report);
        examine::policies(source, settings, report).await;
    }
}

/// Whether the store knows the streams that are staged. A directory that can't be read was reported before.
async fn streams(store: &Store, node: &NodeId, settings: &Settings, report: &mut Report) {
    let Ok(staged) = known::staged(node, settings) else {
        return;
    };
    match known::ask(store, node, settings, &staged).await {
        Ok(Known::Some) => report.ok("streams", "the store knows streams of this node"),
        Ok(Known::None(text)) => report.failed("streams", text, STORE),
        Ok(Known::NotAsked) => {}
        Err(failure) => report.failed("streams", failure.to_string(), STORE),
    }
}

/// Examines the parts of a configuration that nothing is wrong with, so that what is wrong with them shows at the same
/// time. Doesn't ask the store, and doesn't look at the chains: both depend on more than one part.
async fn examine_usable(source: &Source, usable: &Usable, report: &mut Report) {
    if let Some((_, variables)) = &usable.store {
        environment::variables(variables, report);
    }
    if let Some(staging) = &usable.staging {
        examine::staging(source, staging, report);
    }
    examine::ledger_of(source, usable, report);
    examine::policies_of(source, usable, report).await;
    report.skipped("all else", "not looked at while the configuration is wrong");
}
