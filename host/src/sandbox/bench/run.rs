//! Loads, collects, measures.

use std::sync::Arc;
use std::time::Duration;

use super::collect::collect;
use super::error::BenchError;
use super::measure::measure;
use super::report::{Loading, Report, RoleReport};
use super::standard;
use super::subject::{beyond_defaults, bundled, kept_or_empty, loading, roomy, roomy_runtime};
use super::task::{Task, thinned};
use crate::contract::Role;
use crate::digest::Digest;
use crate::policy::{CompileCache, ComponentSource, Policy, Runtime};
use crate::sandbox::scenario::Scenario;
use crate::time::Clock;

/// The most decisions of a role that are measured, spread evenly over those that scenarios ask: each is to be made often.
const MOST_TASKS: usize = 256;

/// What is measured.
#[derive(Clone, Debug)]
pub struct Bench {
    /// The component.
    pub component: ComponentSource,
    /// By which decisions.
    pub under: Under,
    /// For how long decisions are made, all roles together. Compiling and playing come on top.
    pub length: Duration,
    /// Where compiled components are kept. With `None`, what is measured is compiled each time.
    pub cache: Option<CompileCache>,
}

/// By which decisions a policy is measured.
#[derive(Clone, Debug)]
pub enum Under {
    /// The ones that come with Tidegate.
    Standard {
        /// The policy's settings: a JSON object.
        settings: serde_json::Value,
    },
    /// All that the policy is asked in these scenarios, with the settings and limits of there.
    Scenarios {
        /// The scenarios.
        scenarios: Vec<Scenario>,
        /// In place of which policy it stands; of those that have the component already without.
        name: Option<String>,
    },
}

/// What goes on, for people who wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// Components are compiled.
    Compiling,
    /// So many scenarios of all were played.
    Playing(usize, usize),
    /// Decisions of a role are made; this part of the time is over.
    Measuring(Role, f64),
}

/// Measures a policy beside the bundled one of each role that it is asked for.
///
/// # Errors
///
/// When a component or a scenario can't be used, or there is nothing to measure. A policy that fails in decisions is
/// measured all the same, and the report says so.
pub async fn bench(
    bench: Bench,
    clock: Arc<dyn Clock>,
    mut progress: impl FnMut(Progress),
) -> Result<Report, BenchError> {
    progress(Progress::Compiling);
    let component = bench.component;
    let named = component.to_string();
    let bytes = component.read().await.map_err(|source| BenchError::Read {
        component: named.clone(),
        source,
    })?;
    let digest = Digest::of(&bytes);
    let (_dir, cache) = kept_or_empty(bench.cache, &clock)?;
    let (settings, loading, runtime, tasks) = match bench.under {
        Under::Standard { settings } => {
            let settings = roomy("measured", component, settings);
            let loading = loading(&settings, &clock, &cache).await?;
            let runtime = roomy_runtime(&clock, &cache)?;
            (settings, loading, runtime, None)
        }
        Under::Scenarios { scenarios, name } => {
            let runtime = roomy_runtime(&clock, &cache)?;
            let all = scenarios.len();
            let mut played = 0;
            let told = || {
                played += 1;
                progress(Progress::Playing(played, all));
            };
            let name = name.as_deref();
            let tasks = collect(scenarios, &component, digest, name, &runtime, told).await?;
            progress(Progress::Compiling);
            // With settings that it takes.
            let settings = tasks
                .first()
                .map(|task| task.policy.settings().settings.clone());
            let settings = roomy("measured", component, settings.unwrap_or_default());
            let loading = loading(&settings, &clock, &cache).await?;
            (settings, loading, runtime, Some(tasks))
        }
    };
    let policy = runtime.load(&settings).await?;
    let beyond_defaults = beyond_defaults(&settings, &runtime).await;
    let by_role = by_role(&policy, tasks);
    let length = bench.length / u32::try_from(by_role.len()).unwrap_or(1).max(1);
    let mut roles = Vec::new();
    for (role, tasks) in by_role {
        let (beside, bundled, bundled_loading) = beside(role, &runtime, &clock, &cache).await?;
        let told = |part| progress(Progress::Measuring(role, part));
        let pair = measure(&tasks, &bundled, &clock, length, told).await;
        roles.push(RoleReport {
            role,
            beside,
            decisions: tasks.len(),
            policy: pair.policy,
            bundled: pair.bundled,
            bundled_loading,
        });
    }
    let description = policy.description();
    Ok(Report {
        component: named,
        name: description.name.clone(),
        version: description.version.clone(),
        sha256: digest,
        size: bytes.len() as u64,
        loading,
        beyond_defaults: beyond_defaults.map(|error| in_words(&error)),
        roles,
    })
}

/// The bundled policy of a role, by its name, with its defaults.
async fn beside(
    role: Role,
    runtime: &Runtime,
    clock: &Arc<dyn Clock>,
    cache: &CompileCache,
) -> Result<(&'static str, Policy, Loading), BenchError> {
    let name = bundled(role);
    let component = ComponentSource::Builtin(name.to_owned());
    let settings = roomy(name, component, serde_json::json!({}));
    let loading = loading(&settings, clock, cache).await?;
    Ok((name, runtime.load(&settings).await?, loading))
}

/// The decisions of each role that there are any of, in the order of roles.
fn by_role(policy: &Policy, tasks: Option<Vec<Task>>) -> Vec<(Role, Vec<Task>)> {
    let Some(mut tasks) = tasks else {
        let fills = Role::ALL
            .into_iter()
            .filter(|role| policy.roles().contains(role));
        return fills
            .map(|role| (role, standard::tasks(policy, role)))
            .collect();
    };
    Role::ALL
        .into_iter()
        .map(|role| {
            let of_role = tasks.extract_if(.., |task| task.role() == role).collect();
            (role, thinned(of_role, MOST_TASKS))
        })
        .filter(|(_, tasks)| !tasks.is_empty())
        .collect()
}

/// What an error says, and its causes.
fn in_words(error: &crate::policy::LoadError) -> String {
    let mut text = error.problem.to_string();
    let mut cause = std::error::Error::source(&error.problem);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
