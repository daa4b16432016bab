//! The decisions that scenarios ask of a policy.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::BenchError;
use super::task::Task;
use crate::agent::load_policies;
use crate::digest::Digest;
use crate::policy::{ComponentSource, Decision, Instances, Recorder, Runtime};
use crate::sandbox::scenario::{Scenario, play_recorded};

/// The most decisions that are kept of a scenario. Playing it takes as long as it takes all the same.
const MOST_KEPT: usize = 4_096;

/// What the decisions of a scenario may hold in memory, in bytes.
const MOST_HELD: usize = 64 << 20;

/// Keeps the decisions of the policies that are measured.
#[derive(Debug)]
struct Collector {
    names: BTreeSet<String>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    tasks: Vec<Task>,
    held: usize,
}

impl Recorder for Collector {
    fn record(&self, decision: Box<Decision>) {
        if !decision.complete || !self.names.contains(&**decision.policy.name()) {
            return;
        }
        // Decisions are added one by one, so a panic elsewhere does not spoil them.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let weight = decision.weight();
        if kept.tasks.len() < MOST_KEPT && kept.held + weight <= MOST_HELD {
            kept.held += weight;
            kept.tasks.push(Task::from(*decision));
        }
    }
}

/// Plays the scenarios, each with this component in place of the policies of this name, or where it stands already.
pub(super) async fn collect(
    scenarios: Vec<Scenario>,
    component: &ComponentSource,
    digest: Digest,
    name: Option<&str>,
    runtime: &Runtime,
    mut played: impl FnMut(),
) -> Result<Vec<Task>, BenchError> {
    let mut tasks = Vec::new();
    let mut found = false;
    for mut scenario in scenarios {
        let names = measured_names(&mut scenario, component, digest, name).await;
        found |= !names.is_empty();
        if !names.is_empty() {
            tasks.extend(decisions(scenario, names, runtime).await?);
        }
        played();
    }
    match (found, name) {
        (false, Some(name)) => Err(BenchError::NoSuchName(name.to_owned())),
        (false, None) => Err(BenchError::NotThere(component.to_string())),
        (true, _) if tasks.is_empty() => Err(BenchError::NeverAsked),
        (true, _) => Ok(tasks),
    }
}

/// The names under which the scenario's configuration has the component.
async fn measured_names(
    scenario: &mut Scenario,
    component: &ComponentSource,
    digest: Digest,
    name: Option<&str>,
) -> BTreeSet<String> {
    let settings = Arc::make_mut(&mut scenario.settings);
    if let Some(name) = name {
        let Some(policy) = settings.policies.get_mut(name) else {
            return BTreeSet::new();
        };
        policy.component = component.clone();
        policy.sha256 = None;
        return BTreeSet::from([name.to_owned()]);
    }
    let mut names = BTreeSet::new();
    for (name, policy) in &settings.policies {
        let bytes = policy.component.read().await;
        if bytes.is_ok_and(|bytes| Digest::of(&bytes) == digest) {
            names.insert(name.clone());
        }
    }
    names
}

async fn decisions(
    scenario: Scenario,
    names: BTreeSet<String>,
    runtime: &Runtime,
) -> Result<Vec<Task>, BenchError> {
    let policies = load_policies(runtime.clone(), &scenario.settings)
        .await
        .map_err(|error| BenchError::Scenario {
            scenario: scenario.name.clone(),
            source: Box::new(error),
        })?;
    let collector = Arc::new(Collector {
        names,
        kept: Mutex::default(),
    });
    let recorder = Arc::clone(&collector);
    let playing = tokio::task::spawn_blocking(move || {
        play_recorded(&scenario, &policies, Some(Instances::Fresh), Some(recorder));
    });
    playing.await.map_err(BenchError::Defect)?;
    let mut kept = collector
        .kept
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut kept.tasks))
}
