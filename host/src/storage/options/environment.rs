//! What environment variables may decide about a store: only what nothing that is written has settled.

use std::collections::BTreeMap;

use super::{Address, Family, Group, Kind, Spec, find, relations, specs, tables};

/// A variable that is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    /// Its name.
    pub(crate) name: String,
    pub(crate) value: String,
    /// What its value must look like; `None` where the library that reads it takes anything.
    pub(crate) kind: Option<Kind>,
    /// The option that it gives; `None` where a library reads the variable itself.
    pub(crate) option: Option<&'static str>,
}

/// What of the environment concerns a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layer {
    /// The variables that are used.
    pub(crate) used: Vec<Variable>,
    /// The variables that are not, each with what settles it.
    pub(crate) unused: Vec<(String, String)>,
}

/// Variables that libraries read on their own for every store that speaks HTTP.
const PROXIES: [&str; 8] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// Finds the variables that concern the store. `written` has the options that are settled, by their own names, each
/// with where that is written.
pub(crate) fn settle(
    address: &Address,
    written: &BTreeMap<&'static str, String>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Layer {
    let mut layer = Layer::default();
    // Programs treat an empty variable as one that is not set.
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let mut taken = Vec::new();
    for spec in specs(address.family) {
        for variable in variables(address.family, spec) {
            let Some(value) = set(&variable) else {
                continue;
            };
            if let Some(by) = settled(address, spec, written, &taken) {
                layer.unused.push((variable, by));
                continue;
            }
            layer.used.push(Variable {
                name: variable.clone(),
                value,
                kind: Some(spec.kind),
                option: Some(spec.name()),
            });
            taken.push((spec.name(), variable));
        }
    }
    let has =
        |name: &str| written.contains_key(name) || taken.iter().any(|(taken, _)| *taken == name);
    let has_credentials = written
        .keys()
        .copied()
        .chain(taken.iter().map(|(name, _)| *name))
        .filter_map(|name| find(address.family, name))
        .any(|spec| spec.group == Group::Credentials);
    let mut read = |name: &str, kind| {
        if let Some(value) = set(name) {
            layer.used.push(Variable {
                name: name.to_owned(),
                value,
                kind,
                option: None,
            });
        }
    };
    match address.family {
        Family::Gcs if !has_credentials => {
            for name in ["GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP"] {
                read(name, Some(Kind::Host));
            }
        }
        Family::Azure => {
            if has("use_emulator") {
                read("AZURITE_BLOB_STORAGE_URL", Some(Kind::Url));
            }
            if !has_credentials {
                read("IDENTITY_HEADER", Some(Kind::Token));
            }
        }
        _ => {}
    }
    if address.family.prefix().is_some() && !has("proxy_url") {
        for name in PROXIES {
            read(name, None);
        }
    }
    layer
}

/// The variables that give this option, the one that counts first at the start.
fn variables(family: Family, spec: &Spec) -> Vec<String> {
    let Some(prefix) = family.prefix() else {
        return Vec::new();
    };
    let is_client = tables::CLIENT.contains(spec);
    let mut names: Vec<String> = spec
        .names
        .iter()
        .filter_map(|name| match name.starts_with(prefix) {
            true => Some((*name).to_owned()),
            false if is_client => Some(format!("{prefix}{name}")),
            false => None,
        })
        .map(|name| name.to_ascii_uppercase())
        .collect();
    // Two names that the SDKs of the clouds have, without a prefix.
    match (family, spec.name()) {
        (Family::Gcs, "service_account") => names.push("SERVICE_ACCOUNT".to_owned()),
        (Family::Azure, "msi_endpoint") => names.push("IDENTITY_ENDPOINT".to_owned()),
        _ => {}
    }
    names
}

/// What settles this option, other than this variable. `None` if nothing does.
fn settled(
    address: &Address,
    spec: &Spec,
    written: &BTreeMap<&'static str, String>,
    taken: &[(&'static str, String)],
) -> Option<String> {
    if spec.name() == tables::TIMEOUT {
        return Some("sync.attempt_timeout".to_owned());
    }
    if address.settles(spec) || (address.names_server() && spec.group == Group::WithAddress) {
        return Some("store.url".to_owned());
    }
    if let Some(by) = written.get(spec.name()) {
        return Some(by.clone());
    }
    let by_group = written.iter().find(|(name, _)| {
        find(address.family, name).is_some_and(|found| found.group.settles(spec.group))
    });
    if let Some((_, by)) = by_group {
        return Some(by.clone());
    }
    // Of two variables that say the same, the first counts.
    taken
        .iter()
        .find(|(name, _)| {
            *name == spec.name() || relations::exclude(address.family, name, spec.name())
        })
        .map(|(_, variable)| variable.clone())
}
