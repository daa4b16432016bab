//! How long a stream may take to settle.

use std::time::Duration;

use crate::agent::Loaded;
use crate::config::Settings;

/// The longest that a world is undisturbed before every stream must have settled: all the waits of a stream, one behind
/// the other.
pub fn settling_time(settings: &Settings, policies: &Loaded) -> Duration {
    let longest = policies
        .plan
        .all()
        .map(|plan| {
            let rules = &plan.rules;
            // A timer that was set in the last moment of trouble, the verdicts that it is too early to tell, and one
            // more timer for what they end in.
            (rules.longest_wait() * 2)
                .saturating_add(rules.max_unsettled)
                .saturating_add(rules.look_again * (1 + rules.provisional_looks))
        })
        .max()
        .unwrap_or_default();
    // A verification finds what no timer looks for, and what it finds may take a timer again.
    let verification = settings.verify.interval.unwrap_or_default();
    // The requests under way may hang, some after another.
    let requests = settings.store.request_timeout * 10;
    longest
        .saturating_add(verification * 2)
        .saturating_add(requests)
        .saturating_add(settings.start_jitter)
        .saturating_add(settings.scan_interval * 4)
}
