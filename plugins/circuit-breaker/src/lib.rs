//! `circuit-breaker`, a retry policy: when the store fails for much of the node, all streams wait and one probes.
//!
//! It answers only while the store is in trouble, and abstains otherwise; so it stands before a policy for the ordinary
//! case: `retry = ["circuit-breaker", "backoff"]`.
//!
//! # Settings
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `threshold` | `0.5` | the share of the node's streams in whose latest attempt a request must have failed for the circuit to open; above 0, at most 1 |
//! | `min-streams` | `3` | how many streams must fail besides, so that a node with few streams does not open over one of them |
//! | `open-for` | `"30s"` | how long everyone waits when the circuit opens; each failed probe doubles it |
//! | `max-open` | `"5m"` | the longest that doubling leads to |
//! | `probe-for` | `"1m"` | how long the probing stream has for its attempt before another may take its place; more than the host's `sync.attempt_timeout` |
//!
//! # What it answers
//!
//! **Not the store's trouble** (an absent, invalid or conflicting schema, a lost race, anything else): `abstain`.
//!
//! **Closed**, the store failed for this stream: `abstain`, until `failing-streams` reaches both `min-streams` and
//! `threshold` of the node's streams. Then the circuit opens for `open-for`, spread by `facts.entropy` over its second
//! half so that nodes which share a store do not probe it in step. The stream that opens it becomes the probe.
//!
//! **Open.** The probe tries again when the open time is over. If that fails, the circuit stays open for twice as long,
//! up to `max-open`, and the probe tries again after that. Every other stream waits until the probe has had its time
//! (`probe-for`), and then for a part of the open time by its own entropy, so that those who waited do not return
//! together. When the probe is not heard of in its time (its stream was deleted, or failed in another way), the next
//! stream that fails takes its place. The store's own advice (`retry-after`) is a lower bound for every wait.
//!
//! **Closing.** A request to the store, of any stream, that succeeded after the circuit last opened closes it once the
//! open time is over, or at once when the failing share is below `threshold` again. The stream that finds it so removes
//! the state and abstains. A circuit that nobody has looked at for `max-open` after its probe's time, or that a clock
//! which stepped back left in the future, counts as closed.
//!
//! A retry policy is asked after an attempt and cannot hold one back, so a stream whose time has come does try once in
//! each open time; what the circuit spares the store is everything in between.
//!
//! # State
//!
//! One key, `circuit`, of the scope `this-node`, as JSON; times in milliseconds since the epoch:
//!
//! ```json
//! {"opened": 1800000000000, "until": 1800000030000, "openings": 1, "probe": "tenant/stream", "lease": 1800000090000}
//! ```
//!
//! `opened` is when the circuit last opened, `until` the end of the open time, `openings` how often in a row it opened
//! (the count behind the doubling), `probe` the stream that probes, and `lease` the end of its time. What can't be read
//! counts as closed and is replaced. When the state can't be had (`unavailable`, no host call left), it abstains.

mod circuit;
mod decide;
mod settings;

pub use circuit::Circuit;
pub use settings::CircuitBreaker;

tidegate_policy::export!(CircuitBreaker: Retry);
