//! `presence`, an existence policy: the staged schema is there and quiet, or evidence says that it is owed.
//!
//! # Settings
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `settle` | `"1s"` | how long a staged file must have stood unchanged before it counts as there |
//! | `grace` | `"2m"` | a node's start-up time: no schema counts as absent until the host has known the node for so long |
//! | `evidence` | `"staged-data"` | what tells that a schema is owed: `"staged-data"`, data files that wait in staging, or `"always"`, the stream's mere existence |
//! | `watch` | `"2m 10s"` | how long data must have waited without a schema before the schema counts as absent; Parseable stages schemas every 60 s, so less than two rounds tells nothing |
//!
//! Durations are strings (`"250ms"`, `"30s"`, `"2m"`), each at most `"9m"`: the host takes ten minutes of `unsettled`
//! in a row as `not-expected`, so a longer wait would silently mean that.
//!
//! # What it answers
//!
//! **Something is staged.** A file that changed less than `settle` ago is `unsettled` for the rest of it; after that it
//! is `present`, *well-formed or not*. The host never uploads what does not parse: for a file that stayed ill-formed it
//! reports `schema-invalid` with the parser's message and asks the retry policy, which is what an operator needs to
//! see. For the same reason something unreadable (a directory, no permission) or too large is `present` at once:
//! calling it absent would put a fallback in the place of a file that is there.
//!
//! **Nothing is staged**, in this order:
//!
//! 1. *Is a schema owed?* With `evidence = "staged-data"` and no data file waiting: `not-expected`. Streams with a
//!    static schema (the attribute `static-schema` is `"true"`) never stage one and are always owed it in the store.
//! 2. *Does the store hold it?* From the ledger, or, when the ledger never looked, by one `object-reader.head` of the
//!    schema's key. If it does: `not-expected`. If the store fails, nothing is claimed: `unsettled` for 5 s, or for as
//!    long as the store advises. Without a grant for the key (or without a host call left) the store's side stays
//!    unknown and the evidence decides; the reason then says so, and the host still creates a fallback only where no
//!    object stands.
//! 3. *Is it too early?* Until `grace` has passed since the host first saw the node, and `watch` since the oldest data
//!    file that waits (since the node, with `"always"`; not at all for a static schema): `unsettled` for the rest.
//! 4. Otherwise `absent`, with the evidence as its reason.
//!
//! # Grants
//!
//! `read` on the stream's schema key (`{root}/.stream/` in the parseable layout), for step 2.

mod check;
mod settings;

pub use settings::{Evidence, SchemaPresence};

tidegate_policy::export!(SchemaPresence: Existence);
