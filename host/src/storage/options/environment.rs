//! What environment variables may decide about a store: only what nothing that is written has settled.

use std::collections::BTreeMap;

use super::{Address, Family, Group, Kind, Spec, find, relations, specs, tables};

/// A variable that is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    /// Its name.
    pub(crate) name: String,
    pub(crate) value: String,
    /// What its value must look like.
    pub(crate) kind: Kind,
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

/// Variables that the HTTP client reads on its own. Of each two the first one that is set counts, even if it is empty.
const PROXIES: [([&str; 2], Kind); 4] = [
    (["HTTP_PROXY", "http_proxy"], Kind::ProxyVariable),
    (["HTTPS_PROXY", "https_proxy"], Kind::ProxyVariable),
    (["ALL_PROXY", "all_proxy"], Kind::ProxyVariable),
    (["NO_PROXY", "no_proxy"], Kind::ProxyExcludes),
];

/// The files of CA certificates that the HTTP client takes instead of the system's.
const CA_FILE: &str = "SSL_CERT_FILE";
/// The directories of such files.
const CA_DIRS: &str = "SSL_CERT_DIR";

/// Finds the variables that concern the store, which `named_by` names: `store.url`, or a variable. `written` has the
/// options that are settled, by their own names, each with where that is written.
pub(crate) fn settle(
    address: &Address,
    named_by: &str,
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
            if let Some(by) = settled(address, named_by, spec, written, &taken) {
                layer.unused.push((variable, by));
                continue;
            }
            layer.used.push(Variable {
                name: variable.clone(),
                value,
                kind: spec.kind,
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
    let mut hidden = Vec::new();
    let mut read = |name: &str, value: Option<String>, kind| {
        layer.used.extend(value.map(|value| Variable {
            name: name.to_owned(),
            value,
            kind,
            option: None,
        }));
    };
    match address.family {
        Family::Gcs if !has_credentials => {
            for name in ["GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP"] {
                read(name, set(name), Kind::Host);
            }
        }
        Family::Azure => {
            if has("use_emulator") {
                const NAME: &str = "AZURITE_BLOB_STORAGE_URL";
                read(NAME, set(NAME), Kind::Url);
            }
            if !has_credentials {
                const NAME: &str = "IDENTITY_HEADER";
                read(NAME, set(NAME), Kind::Token);
            }
        }
        _ => {}
    }
    let speaks_http = address.family.prefix().is_some();
    if speaks_http && !has("disable_system_certificates") {
        // An empty name is one of a file that does not exist.
        read(CA_FILE, env(CA_FILE), Kind::CaFile);
        read(CA_DIRS, set(CA_DIRS), Kind::CaDirs);
    }
    if speaks_http && !has("proxy_url") {
        for ([first, second], kind) in PROXIES {
            match env(first) {
                Some(value) => {
                    read(first, Some(value).filter(|value| !value.is_empty()), kind);
                    hidden.extend(set(second).map(|_| (second, first)));
                }
                None => read(second, set(second), kind),
            }
        }
    }
    let hidden = hidden.into_iter();
    layer
        .unused
        .extend(hidden.map(|(name, by)| (name.to_owned(), by.to_owned())));
    layer
}

/// The variable of the environment that gives the option of this name, if one does.
pub(crate) fn variable_of(family: Family, name: &str) -> Option<String> {
    let spec = find(family, name)?;
    variables(family, spec).into_iter().next()
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
    named_by: &str,
    spec: &Spec,
    written: &BTreeMap<&'static str, String>,
    taken: &[(&'static str, String)],
) -> Option<String> {
    if spec.name() == tables::TIMEOUT {
        return Some("sync.attempt_timeout".to_owned());
    }
    if address.settles(spec) || (address.names_server() && spec.group == Group::WithAddress) {
        return Some(named_by.to_owned());
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
