//! The durable state of one agent: a SQLite database in WAL mode that one agent writes and anyone may read beside it.
//!
//! # Why
//!
//! A restart must know what was confirmed, what was captured from staging and is gone there by now, and which write
//! was sent without an answer. All of it is one row a stream plus the documents that the row names; `explain` reads a
//! bounded history of attempts, and policies keep small values in it.
//!
//! # What a crash loses
//!
//! A request is answered when its transaction is on disk ([`Durability::PowerLoss`], the default: one `fsync` for all
//! requests that waited together), so neither a kill nor a power failure loses what was acknowledged. With
//! [`Durability::Kill`] a kill loses nothing and a power failure may lose the last moments; neither can corrupt the
//! file.
//!
//! # The tables
//!
#![doc = concat!("```sql\n", include_str!("schema.sql"), "```")]
//!
//! # Example
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tidegate::ledger::{Ledger, LedgerOptions, LedgerReader, Save, StreamRecord};
//! use tidegate::stream::{NodeId, StreamId};
//! use tidegate::time::Timestamp;
//!
//! let dir = tempfile::tempdir()?;
//! let path = dir.path().join("ledger.db");
//! let (node, now) = (NodeId::new("n1"), Timestamp::from_millis(1_795_375_771_829));
//!
//! let ledger = Ledger::open(&path, LedgerOptions::new("memory:///"), now)?;
//! let record = StreamRecord::new(node.clone(), StreamId::new("app"), now);
//! ledger.save(Save::new(record)).await?;
//!
//! let reader = LedgerReader::open(&path)?;
//! assert!(reader.stream(&node, &StreamId::new("app"))?.is_some());
//! # Ok(())
//! # }
//! ```

mod archive;
mod belongs;
mod error;
mod handle;
mod heartbeat;
mod history;
mod lock;
mod lookups;
mod migrate;
mod open;
mod policy;
mod reader;
mod record;
mod recover;
mod sql;
mod streams;
mod volume;
mod writer;
mod writes;

#[cfg(test)]
mod tests;

pub use archive::ARCHIVED_KEPT;
pub use belongs::adopt;
pub use error::LedgerError;
pub use handle::{Ledger, Save};
pub use heartbeat::{CheckResult, Condition, ConditionKind, Heartbeat, StoreCheck};
pub use lock::{Holder, holder};
pub use open::{Examined, examine};
pub use policy::{STATE_KEY_MAX, STATE_KEYS_MAX, STATE_VALUE_MAX, StateScope, Swap};
pub use reader::{LedgerReader, Meta, StreamFilter};
pub use record::{
    ArchivedCopy, AttemptRecord, DETAIL_MAX, Document, LastFailure, PolicyHealth, PolicyStatus,
    ProbeRecord, RecordedAttempt, STATE_MAX, SUMMARY_MAX, StreamRecord, Summary,
};
pub use recover::{RecoverReport, TableReport, recover};
pub use volume::{ROOM_MIN, Room, room};
pub use writes::{OPEN_WRITES_MAX, PolicyWrite, WriteId};

/// What an acknowledged request survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process, and a power failure as far as the disk keeps its word.
    #[default]
    PowerLoss,
    /// The end of the process. A power failure may undo the last moments, whole transactions at a time.
    Kill,
}

/// How a ledger is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerOptions {
    /// Which store it is about: the store's identity, without credentials. A ledger of another store is refused.
    pub store: String,
    /// How many attempts of each stream stay in the history.
    pub attempts_kept: u32,
    /// The most bytes of the history of all streams together; the oldest attempts go first.
    pub history_max: u64,
    /// What an acknowledged request survives.
    pub durability: Durability,
}

impl LedgerOptions {
    /// The default of `attempts_kept`.
    pub const ATTEMPTS_KEPT: u32 = 50;
    /// The default of `history_max`.
    pub const HISTORY_MAX: u64 = 256 << 20;

    /// The defaults, for the store of this URL.
    pub fn new(store: impl Into<String>) -> Self {
        Self {
            store: store.into(),
            attempts_kept: Self::ATTEMPTS_KEPT,
            history_max: Self::HISTORY_MAX,
            durability: Durability::default(),
        }
    }
}
