//! Tries seeds, on as many threads as there are processors.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Plan, examine, generate};
use crate::config::Problem;
use crate::sandbox::Blueprint;
use crate::sandbox::scenario::Violation;

/// A seed in whose world something did not hold.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The plan of the seed.
    pub plan: Plan,
    /// What did not hold; at least one.
    pub violations: Vec<Violation>,
}

/// What is looked through.
#[derive(Clone, Debug)]
pub struct Search {
    /// The seeds.
    pub seeds: Range<u64>,
    /// How many worlds run side by side.
    pub threads: usize,
    /// No seed is begun once so many have been found.
    pub enough: usize,
}

impl Search {
    /// Looks through the seeds; `tried` hears of each. What is found, in order of the seeds.
    ///
    /// # Errors
    ///
    /// A seed's plan is no scenario: it takes longer than one may.
    pub fn run(
        &self,
        blueprint: &Blueprint,
        tried: &(dyn Fn() + Sync),
    ) -> Result<Vec<Finding>, Problem> {
        let next = AtomicU64::new(self.seeds.start);
        let found = Mutex::new(Vec::new());
        let work = || {
            loop {
                let count = held(&found).len();
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if count >= self.enough || seed >= self.seeds.end {
                    return;
                }
                if let Some(result) = try_seed(seed, blueprint).transpose() {
                    held(&found).push(result);
                }
                tried();
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.threads.max(1) {
                scope.spawn(work);
            }
            work();
        });
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut found = found.into_iter().collect::<Result<Vec<_>, _>>()?;
        found.sort_by_key(|finding: &Finding| finding.plan.seed);
        Ok(found)
    }
}

/// What was found so far; a thread that panics adds nothing half-way.
fn held<T>(found: &Mutex<T>) -> MutexGuard<'_, T> {
    found.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The world of one seed.
pub(super) fn try_seed(seed: u64, blueprint: &Blueprint) -> Result<Option<Finding>, Problem> {
    let plan = generate(seed, blueprint);
    let violations = examine(&plan, blueprint)?;
    Ok((!violations.is_empty()).then_some(Finding { plan, violations }))
}
