//! `[policies]`, and the bundled policies that chains name without a table.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::file::{self, File};
use super::problems::Found;
use super::reader::Reader;
use super::source::{Problem, suggest};
use super::streams::{RuleSettings, StreamSettings};
use crate::contract::Role;
use crate::policy::{ComponentSource, Grants, Instances, Limits, PolicySettings, builtin_names};
use crate::registry::{ReferenceError, RegistrySettings, SCHEME};
use crate::staging::Layout;
use crate::trust::Trust;

/// What stands before the name of a bundled policy.
const BUILTIN: &str = "builtin:";

/// From where components may come, and who must vouch for them.
pub(super) struct Origin {
    pub(super) registry: Arc<RegistrySettings>,
    pub(super) trust: Arc<Trust>,
}

/// Every policy that the file defines or a chain names, as far as nothing is wrong with it.
pub(super) fn settings(
    reader: &Reader<'_>,
    file: &File,
    origin: &Origin,
    streams: &StreamSettings,
    rules: &[RuleSettings],
    layout: &Layout,
    found: &Found,
) -> BTreeMap<String, PolicySettings> {
    let mut policies = BTreeMap::new();
    for (name, policy) in &file.policies {
        let defined = defined(reader, file, origin, name, policy, layout, found);
        policies.extend(defined.map(|policy| (name.clone(), policy)));
    }
    for (path, name) in named(streams, rules) {
        if policies.contains_key(name) || file.policies.contains_key(name) {
            continue;
        }
        if !builtin_names().any(|builtin| builtin == name) {
            let bundled: Vec<&str> = builtin_names().collect();
            let known = file.policies.keys().map(String::as_str).chain(bundled);
            let message = format!("no policy is named `{name}`; {}", suggest(name, known));
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            found.keep::<()>(Err(reader.problem(&path, message)));
            continue;
        }
        let component = ComponentSource::Builtin(name.clone());
        let policy = PolicySettings {
            grants: of_builtin(layout),
            ..PolicySettings::new(name, component)
        };
        policies.insert(name.clone(), quarantine(file, policy));
    }
    policies
}

/// The policies that the file defines, as far as they are read whole. While it is not known from where components may
/// come and who must vouch for them, only bundled ones.
pub(super) fn usable(
    file: &File,
    policies: &BTreeMap<String, PolicySettings>,
    origin_is_sound: bool,
    found: &Found,
) -> BTreeMap<String, PolicySettings> {
    let is_usable = |name: &str, policy: &PolicySettings| {
        file.policies.contains_key(name)
            && found.read_whole(&[&format!("policies.{name}")])
            && (origin_is_sound || matches!(policy.component, ComponentSource::Builtin(_)))
    };
    let policies = policies.iter();
    policies
        .filter(|(name, policy)| is_usable(name, policy))
        .map(|(name, policy)| (name.clone(), policy.clone()))
        .collect()
}

/// The names in all chains, each with its place; chains that a rule has from `[sync]` only once.
fn named<'a>(
    streams: &'a StreamSettings,
    rules: &'a [RuleSettings],
) -> impl Iterator<Item = (Vec<String>, &'a String)> {
    Role::ALL.into_iter().flat_map(move |role| {
        let general = chain(streams, role);
        let special = rules.iter().enumerate().filter_map(move |(at, rule)| {
            let names = chain(rule.settings.as_ref()?, role);
            (names != general).then(|| (vec!["rules".to_owned(), at.to_string()], names))
        });
        let all = std::iter::once((vec!["sync".to_owned()], general)).chain(special);
        all.flat_map(move |(table, names)| {
            names.iter().enumerate().map(move |(at, name)| {
                let mut path = table.clone();
                path.extend([role.name().to_owned(), at.to_string()]);
                (path, name)
            })
        })
    })
}

fn chain(streams: &StreamSettings, role: Role) -> &Vec<String> {
    match role {
        Role::Existence => &streams.existence,
        Role::Fallback => &streams.fallback,
        Role::Retry => &streams.retry,
    }
}

fn defined(
    reader: &Reader<'_>,
    file: &File,
    origin: &Origin,
    name: &str,
    policy: &file::Policy,
    layout: &Layout,
    found: &Found,
) -> Option<PolicySettings> {
    let component = found.keep(component(reader, origin, name, policy));
    let sha256 = policy.sha256.as_deref().map(str::parse).transpose();
    let sha256 = found.keep(
        sha256.map_err(|message: String| reader.problem(&["policies", name, "sha256"], message)),
    );
    let limits = limits(policy.limits.as_ref());
    let limits = found.keep(match limits.problem() {
        Some(problem) => Err(reader.problem(&["policies", name, "limits"], problem)),
        None => Ok(limits),
    });
    let (component, sha256, limits) = (component?, sha256?, limits?);
    let bundled = matches!(component, ComponentSource::Builtin(_));
    let grants = match &policy.grants {
        Some(grants) => Grants {
            read: grants.read.clone(),
            write: grants.write.clone(),
        },
        None if bundled => of_builtin(layout),
        None => Grants::default(),
    };
    let settings = PolicySettings {
        sha256,
        instances: match policy.instances {
            Some(file::Instances::Reuse) => Instances::Reuse,
            Some(file::Instances::Fresh) | None => Instances::Fresh,
        },
        settings: serde_json::Value::Object(policy.settings.clone()),
        limits,
        grants,
        trust: Arc::clone(&origin.trust),
        ..PolicySettings::new(name, component)
    };
    Some(quarantine(file, settings))
}

fn component(
    reader: &Reader<'_>,
    origin: &Origin,
    name: &str,
    policy: &file::Policy,
) -> Result<ComponentSource, Problem> {
    let place = ["policies", name, "component"];
    match policy.component.strip_prefix(BUILTIN) {
        Some(builtin) if builtin_names().any(|known| known == builtin) => {
            Ok(ComponentSource::Builtin(builtin.to_owned()))
        }
        Some(builtin) => {
            let message = format!(
                "no bundled policy is named `{builtin}`; {}",
                suggest(builtin, builtin_names())
            );
            Err(reader.problem(&place, message))
        }
        None if policy.component.starts_with(SCHEME) => {
            let reference = policy.component.parse();
            let reference = reference
                .map_err(|error: ReferenceError| reader.problem(&place, error.to_string()))?;
            let registry = Arc::clone(&origin.registry);
            Ok(ComponentSource::Registry(reference, registry))
        }
        None => {
            let path = reader.written_path(&place, Path::new(&policy.component))?;
            Ok(ComponentSource::File(path))
        }
    }
}

fn quarantine(file: &File, settings: PolicySettings) -> PolicySettings {
    let sync = file.sync.as_ref();
    PolicySettings {
        quarantine_after: sync
            .and_then(|sync| sync.quarantine_after)
            .unwrap_or(settings.quarantine_after),
        quarantine_for: sync
            .and_then(|sync| sync.quarantine_for)
            .map_or(settings.quarantine_for, |length| length.0),
        ..settings
    }
}

/// What a bundled policy may read unless the operator says otherwise: where the stream's schemas are.
fn of_builtin(layout: &Layout) -> Grants {
    let prefix = if layout.mode().is_some() {
        "{root}/.stream/"
    } else {
        "{root}/"
    };
    Grants {
        read: vec![prefix.to_owned()],
        write: Vec::new(),
    }
}

fn limits(limits: Option<&file::Limits>) -> Limits {
    let defaults = Limits::default();
    let Some(limits) = limits else {
        return defaults;
    };
    Limits {
        fuel: limits.fuel.unwrap_or(defaults.fuel),
        memory: limits.memory.map_or(defaults.memory, |size| size.0),
        deadline: limits.deadline.map_or(defaults.deadline, |length| length.0),
        host_calls: limits.host_calls.unwrap_or(defaults.host_calls),
        bytes_returned: limits
            .bytes_returned
            .map_or(defaults.bytes_returned, |size| size.0),
        bytes_accepted: limits
            .bytes_accepted
            .map_or(defaults.bytes_accepted, |size| size.0),
        log_bytes: limits.log_bytes.map_or(defaults.log_bytes, |size| size.0),
        instances: limits.instances.unwrap_or(defaults.instances),
        memories: limits.memories.unwrap_or(defaults.memories),
        tables: limits.tables.unwrap_or(defaults.tables),
        table_elements: limits.table_elements.unwrap_or(defaults.table_elements),
    }
}
