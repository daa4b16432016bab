//! A configuration whose node is simulated.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What of `[store]` says where the store is, and who may use it.
const PLACE_OF_STORE: [&str; 5] = ["url", "from", "ca_file", "options", "option_files"];

/// Gives the staging directory and the store places that mean nothing, whatever is written.
pub(super) fn replace_places(file: &mut DeTable<'_>) {
    let mut names_its_node = true;
    if let Some(staging) = table(file, "staging") {
        set(staging, "dir", "staging");
        names_its_node = match staging.get("layout").map(Spanned::get_ref) {
            Some(DeValue::String(layout)) => layout == "parseable",
            _ => true,
        };
    }
    // The other layouts take the node's name from the configuration.
    if !names_its_node && let Some(node) = table(file, "node") {
        set(node, "id", "simulated");
    }
    if let Some(store) = table(file, "store") {
        for key in PLACE_OF_STORE {
            store.remove(key);
        }
        set(store, "url", "memory:///");
    }
}

/// The table of this name, made where there is none. What is no table is left for the shape to refuse.
fn table<'f, 't>(file: &'f mut DeTable<'t>, name: &'static str) -> Option<&'f mut DeTable<'t>> {
    let value = file
        .entry(Spanned::new(0..0, Cow::Borrowed(name)))
        .or_insert_with(|| Spanned::new(0..0, DeValue::Table(DeTable::new())));
    match value.get_mut() {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

fn set(table: &mut DeTable<'_>, key: &'static str, value: &'static str) {
    let value = DeValue::String(Cow::Borrowed(value));
    table.insert(
        Spanned::new(0..0, Cow::Borrowed(key)),
        Spanned::new(0..0, value),
    );
}
