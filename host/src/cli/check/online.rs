//! The checks that ask the store.

use object_store::path::Path;

use super::report::Report;
use crate::agent::verdict;
use crate::cli::{STORE, output};
use crate::config::Settings;
use crate::contract::{FailureKind, StoreFailure};
use crate::staging::{Staging, StagingDir};
use crate::storage::{Store, probe};
use crate::stream::NodeId;
use crate::sync::Writes;
use crate::time::SystemEntropy;

/// Where the agent's own objects are.
const OWN: &str = ".tidegate";

/// What the probe's objects stand under where the node is not known yet.
const NOBODY: &str = "check";

/// Asks whether the store answers, takes the credentials, and does what it must.
pub(super) async fn ask(
    store: &Store,
    node: Option<&NodeId>,
    settings: &Settings,
    report: &mut Report,
) {
    let id = store.id().as_str();
    // What the agent lists: the other nodes' schemas of a stream.
    let prefix = staged_prefix(node, settings).unwrap_or_else(|| Path::from(OWN));
    let denied = match store.list(&prefix, 1).await {
        Ok(_) => None,
        Err(failure) if failure.kind == FailureKind::PermissionDenied => Some(failure),
        Err(failure) => return unusable(id, &failure, report),
    };
    let nobody = NodeId::new(NOBODY);
    let probed = probe(store, node.unwrap_or(&nobody), &SystemEntropy).await;
    match (&denied, &probed) {
        (None, _) => report.ok("store", format!("{id} answers and may be read")),
        // Nothing is allowed, or the credentials are not accepted at all.
        (Some(denied), Err(failure)) if failure.kind == FailureKind::PermissionDenied => {
            return unusable(id, denied, report);
        }
        // As for the agent, which publishes, and can't compare.
        (Some(denied), _) => report.warning(
            "store",
            format!(
                "{id} may not be listed, so this node's schemas can't be compared with those of other nodes, and a conflict \
                 with them is not noticed: allow these credentials to list\n{denied}"
            ),
        ),
    }
    let probe = match probed {
        Ok(probe) => probe,
        Err(failure) => {
            report.failed("store writes", in_words(&failure), STORE);
            return;
        }
    };
    let found = probe.support;
    let answer = match &probe.rejection {
        Some(failure) => format!("\nits answer to a conditional write: {failure}"),
        None => String::new(),
    };
    match verdict(store, found, settings.store.conditional_writes) {
        Ok(Writes::Conditional) => report.ok(
            "store writes",
            format!("it {found}, one after another and in a race"),
        ),
        Ok(_) => report.warning(
            "store writes",
            format!(
                "it {found}: `best-effort` accepts that, every write is read back, and races can be lost{answer}"
            ),
        ),
        Err(error) => report.failed(
            "store writes",
            format!("{}{answer}", output::causes(&error)),
            STORE,
        ),
    }
    if let Some(failure) = &probe.left {
        report.warning(
            "store deletes",
            format!(
                "the objects of this check could not be deleted. They do no harm, and each check leaves more of them: allow \
                 these credentials to delete under {OWN}/probe/\n{failure}"
            ),
        );
    }
}

/// Where the schemas of a staged stream are.
fn staged_prefix(node: Option<&NodeId>, settings: &Settings) -> Option<Path> {
    let node = node?;
    let staging = StagingDir::open_beside(settings.staging.clone()).ok()?;
    let mut first = None;
    // A directory that can't be read was reported with the staging directory.
    let _ = staging.scan(node, &mut |staged| {
        first.get_or_insert(staged.stream);
    });
    let keys = settings.staging.layout.keys(node, &first?).ok()?;
    Path::parse(keys.peers_prefix.trim_end_matches('/')).ok()
}

fn unusable(id: &str, failure: &StoreFailure, report: &mut Report) {
    report.failed("store", format!("{id} {}", in_words(failure)), STORE);
    report.skipped("store writes", "not tried while it can't be read");
}

fn in_words(failure: &StoreFailure) -> String {
    // The failure itself says what is wrong and what to do.
    format!("can't be used\n{failure}")
}
