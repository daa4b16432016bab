//! `backoff`, a retry policy: exponential backoff with jitter, and rules by kind of failure.
//!
//! # Settings
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `initial` | `"1s"` | the delay after the first failure, before jitter |
//! | `factor` | `2.0` | what each further failure multiplies it by, 1 to 100 |
//! | `max` | `"5m"` | the longest delay |
//! | `jitter` | `"full"` | how the delay is spread: `"none"`, `"full"`, `"equal"`, `"decorrelated"` |
//! | `max-attempts` | none | give up after so many failed attempts in a row |
//! | `max-elapsed` | none | give up when attempts have failed for so long |
//! | `overrides` | see below | other rules by kind of failure |
//!
//! A rule under `overrides` has any of `initial`, `factor`, `max`, `jitter` (the rest as above), or an `action`:
//! `"on-change"` waits until the staged files or the configuration change (the host looks again hourly all the same),
//! `"abandon"` gives up at once. It replaces the built-in rule of its kind as a whole. In TOML, quote the names:
//!
//! ```toml
//! [policies.backoff]
//! component = "builtin:backoff"
//! [policies.backoff.settings]
//! max = "2m"
//! overrides."store.throttled" = { initial = "5s", jitter = "equal" }
//! overrides."schema-invalid" = { initial = "10s" }
//! ```
//!
//! | kind of failure | built-in rule |
//! |---|---|
//! | `schema-absent` | the general one, over the checks that found the schema absent |
//! | `schema-invalid` | `on-change`: the same file will not parse the next time either |
//! | `schema-conflict` | `on-change`: types agree only after someone changed one of them; the hourly look finds it when that happened in the store |
//! | `store.throttled`, `store.unavailable`, `store.timeout`, `store.precondition-failed`, `store.other`, `other` | the general one |
//! | `store.permission-denied`, `store.not-found` | the general one from `initial = "30s"` (from `max`, if that is shorter): only a person helps, and asking each second does not hurry them |
//!
//! # The delay
//!
//! For the *n*-th failure in a row, with *d* = min(`max`, `initial` · `factor`ⁿ⁻¹), after Marc Brooker, "Exponential
//! Backoff And Jitter", AWS Architecture Blog, 4 March 2015:
//!
//! | `jitter` | delay |
//! |---|---|
//! | `none` | *d* |
//! | `full` | evenly from 0 to *d* |
//! | `equal` | *d*/2, and evenly from 0 to *d*/2 more |
//! | `decorrelated` | min(`max`, evenly from `initial` to three times the previous delay), without *n* and `factor` |
//!
//! *n* is `facts.attempts`, and for `schema-absent` `facts.absences`. The spread comes from `facts.entropy` alone, so a
//! recorded decision replays exactly. At least 1 ms is always waited. The store's own advice (`retry-after`) is a lower
//! bound, above `max` too; the host's bounds (`sync.bounds`) clamp everything after that.
//!
//! # Giving up
//!
//! When `facts.attempts` reaches `max-attempts`, or attempts have failed for `max-elapsed`: `abandon`, with the limit
//! and the failure as its reason. Never for `schema-absent`, since a schema that was not owed at first may well come a
//! day later, and not for what a rule sends to `on-change`.

mod curve;
mod decide;
mod kind;
mod rule;
mod settings;

pub use curve::{Curve, Jitter};
pub use kind::Kind;
pub use rule::{Action, Overrides, Rule};
pub use settings::{Backoff, Response};

tidegate_policy::export!(Backoff: Retry);
