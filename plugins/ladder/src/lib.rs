//! `ladder`, a fallback policy: climbs a list of rungs and takes the first that has something to stand on.
//!
//! # Settings
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `rungs` | `["peers", "empty", "skip"]` | what to publish, best first; at most 16 |
//! | `after` | `"0s"` | how long a schema must have been absent before a fallback is placed: a duration (`"2m"`), a number of checks (`3`), or `{ duration = "2m", checks = 3 }`, where both must have passed |
//!
//! # Rungs
//!
//! | rung | stands when | publishes |
//! |---|---|---|
//! | `peers` | another node's schema lies under the stream's peers prefix, or the base schema exists | the merge of them all |
//! | `base` | the layout has a base schema, and it exists | the base schema |
//! | `object:KEY` | the object exists; `{tenant}`, `{stream}` and `{node}` in KEY stand for the stream's own, and `{tenant}` holds only for a stream that has one | that object |
//! | `named:NAME` | the operator configured a default schema of this name for the stream | that schema |
//! | `empty` | always | a schema without fields: `{"fields":[],"metadata":{}}` |
//! | `skip` | always | nothing, this time |
//!
//! A schema under the peers prefix is an object whose name ends as the stream's own schema key does (`.schema` in the
//! parseable layout, `.schema.json` in the plain one).
//!
//! # What it answers
//!
//! Before `after` has passed: `skip`, with what is still missing. Then the first rung that stands. When none does:
//! `skip`, with what each of them lacked.
//!
//! **A rung that could not be checked ends the climb**, with `skip` and the cause: if the store failed while the peers
//! were listed, an empty schema must not be published in their place, since nodes merge what they find and a worse
//! fallback is hard to take back. The retry policy decides when to climb again. The same holds for a rung the policy
//! has no grant for, and for a spent budget: the answer names the grant or the bound that is missing, rather than
//! silently publishing less than the operator asked for. An object that is simply not there leads on to the next rung.
//!
//! Whether a choice is safe (fields that no peer has, internal streams, deleted ones) is the host's to judge, whatever
//! this policy says.
//!
//! # Grants
//!
//! `read` on what the rungs look at: `{root}/.stream/` in the parseable layout for `peers` and `base`, and the prefix
//! of every `object:KEY`.

mod climb;
mod rung;
mod settings;

pub use climb::EMPTY_SCHEMA;
pub use rung::Rung;
pub use settings::{After, Ladder};

tidegate_policy::export!(Ladder: Fallback);
