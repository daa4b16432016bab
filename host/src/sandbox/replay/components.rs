//! The policies that decide again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::error::{ReplayError, Unfit};
use crate::contract::ContractVersion;
use crate::digest::Digest;
use crate::policy::{ComponentSource, LoadProblem, Policy, PolicySettings, Runtime};
use crate::registry::ReferenceError;
use crate::sandbox::record::read::Recorded;
use crate::sandbox::record::{Component, PolicyLine};

/// A component that decides in the place of a policy's own.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// The policy's name in the recording.
    pub policy: String,
    /// What decides.
    pub component: ComponentSource,
}

/// Policies as they were recorded, each loaded once.
pub(super) struct Components {
    runtime: Runtime,
    replacements: Vec<Replacement>,
    loaded: Vec<(PolicyLine, Policy)>,
    /// The policies that the recording has: what each was recorded with, and what decided now.
    seen: BTreeMap<String, (Digest, Option<Digest>)>,
}

impl Components {
    pub(super) fn new(runtime: Runtime, replacements: Vec<Replacement>) -> Self {
        Self {
            runtime,
            replacements,
            loaded: Vec::new(),
            seen: BTreeMap::new(),
        }
    }

    /// Notes that the recording has the policy.
    pub(super) fn note(&mut self, policy: &PolicyLine) {
        if !self.seen.contains_key(&policy.name) {
            self.seen.insert(policy.name.clone(), (policy.sha256, None));
        }
    }

    /// The policy that makes this decision again. Its instances are fresh: what reused ones remembered is not recorded.
    pub(super) async fn of(&mut self, recorded: &Recorded) -> Result<Policy, Unfit> {
        let line = &*recorded.policy;
        let known = self.loaded.iter().find(|(known, _)| is_same(known, line));
        let policy = match known {
            Some((_, policy)) => policy.clone(),
            None => {
                let policy = self.load(recorded).await?;
                self.loaded.push((line.clone(), policy.clone()));
                policy
            }
        };
        if let Some((_, now)) = self.seen.get_mut(&line.name) {
            *now = Some(policy.sha256());
        }
        let role = recorded.decision.question.role();
        match policy.roles().contains(&role) {
            true => Ok(policy),
            false => Err(Unfit::Role {
                path: recorded.path.to_path_buf(),
                line: recorded.line,
                policy: line.name.clone(),
                role,
            }),
        }
    }

    async fn load(&self, recorded: &Recorded) -> Result<Policy, Unfit> {
        let line = &*recorded.policy;
        let path = || recorded.path.to_path_buf();
        if ContractVersion::spoken(&line.contract).is_none() {
            return Err(Unfit::Contract {
                path: path(),
                line: recorded.line,
                policy: line.name.clone(),
                found: line.contract.clone(),
            });
        }
        let unlike = |why: String| Unfit::Component {
            path: path(),
            line: recorded.line,
            policy: line.name.clone(),
            component: in_words(&line.component),
            sha256: line.sha256,
            why,
        };
        let replaced = self
            .replacements
            .iter()
            .rfind(|other| other.policy == line.name);
        let (component, pin) = match (replaced, &line.component) {
            (Some(other), _) => (other.component.clone(), None),
            (None, Component::Builtin(name)) => {
                (ComponentSource::Builtin(name.clone()), Some(line.sha256))
            }
            (None, Component::File(file)) => (
                ComponentSource::File(PathBuf::from(file)),
                Some(line.sha256),
            ),
            (None, Component::Registry(text)) => {
                let reference = text
                    .parse()
                    .map_err(|error: ReferenceError| unlike(error.to_string()))?;
                (
                    ComponentSource::Registry(reference, Arc::default()),
                    Some(line.sha256),
                )
            }
            (None, Component::Bytes) => return Err(unlike("it was no file".to_owned())),
        };
        let settings = PolicySettings {
            sha256: pin,
            settings: line.settings.clone(),
            limits: line.limits.clone(),
            grants: line.grants.clone(),
            ..PolicySettings::new(line.name.as_str(), component)
        };
        let loaded = self.runtime.load(&settings).await;
        loaded.map_err(|error| match &error.problem {
            LoadProblem::DigestMismatch { found, .. } if pin.is_some() => {
                unlike(format!("the one here is of SHA-256 {found}"))
            }
            LoadProblem::Read { source, .. } if pin.is_some() => {
                unlike(format!("it can't be read ({source})"))
            }
            LoadProblem::Registry(error) if pin.is_some() => {
                unlike(format!("it can't be had ({error})"))
            }
            LoadProblem::UnknownBuiltin(_) if pin.is_some() => {
                unlike("this tidegate does not have it".to_owned())
            }
            _ => Unfit::Load {
                path: path(),
                line: recorded.line,
                source: Box::new(error),
            },
        })
    }

    /// What decided in the place of what, by the policies' names.
    pub(super) fn replaced(&self) -> Result<Vec<(String, Digest, Digest)>, ReplayError> {
        let stray = self
            .replacements
            .iter()
            .find(|other| !self.seen.contains_key(&other.policy));
        if let Some(stray) = stray {
            let there: Vec<_> = self.seen.keys().map(|name| format!("`{name}`")).collect();
            return Err(ReplayError::NoSuchPolicy {
                name: stray.policy.clone(),
                there: match there.is_empty() {
                    true => "none at all".to_owned(),
                    false => there.join(", "),
                },
            });
        }
        let other = |(name, (before, now)): (&String, &(Digest, Option<Digest>))| {
            let now = (*now)?;
            (*before != now).then(|| (name.clone(), *before, now))
        };
        Ok(self.seen.iter().filter_map(other).collect())
    }
}

/// Whether two files tell of the same policy; each numbers its own.
fn is_same(one: &PolicyLine, other: &PolicyLine) -> bool {
    PolicyLine {
        id: other.id,
        ..one.clone()
    } == *other
}

fn in_words(component: &Component) -> String {
    match component {
        Component::Builtin(name) => format!("builtin:{name}"),
        Component::File(path) => format!("`{path}`"),
        Component::Registry(reference) => format!("`{reference}`"),
        Component::Bytes => "a component".to_owned(),
    }
}
