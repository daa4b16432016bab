//! The checks that ask the store.

use object_store::path::Path;

use super::report::Report;
use crate::agent::verdict;
use crate::cli::{STORE, output};
use crate::config::Settings;
use crate::contract::StoreFailure;
use crate::storage::{Store, probe};
use crate::stream::NodeId;
use crate::sync::Writes;
use crate::time::SystemEntropy;

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
    // Peers are found by listing, so listing must work.
    if let Err(failure) = store.list(&Path::from(".tidegate"), 1).await {
        report.failed("store", format!("{id} {}", in_words(&failure)), STORE);
        report.skipped("store writes", "not tried while it can't be read");
        return;
    }
    report.ok("store", format!("{id} answers and may be read"));
    let nobody = NodeId::new(NOBODY);
    let found = match probe(store, node.unwrap_or(&nobody), &SystemEntropy).await {
        Ok(found) => found,
        Err(failure) => {
            report.failed("store writes", in_words(&failure), STORE);
            return;
        }
    };
    match verdict(store, found, settings.store.conditional_writes) {
        Ok(Writes::Conditional) => report.ok(
            "store writes",
            format!("it {found}, one after another and in a race"),
        ),
        Ok(_) => report.warning(
            "store writes",
            format!(
                "it {found}: `best-effort` accepts that, every write is read back, and races can be lost"
            ),
        ),
        Err(error) => report.failed("store writes", output::causes(&error), STORE),
    }
}

fn in_words(failure: &StoreFailure) -> String {
    // The failure itself says what is wrong and what to do.
    format!("can't be used\n{failure}")
}
