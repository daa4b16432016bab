//! What a verification finds.

use serde::Serialize;

use super::difference::{Change, FieldNote};
use crate::contract::{FailureKind, Phase, StoreFailure};
use crate::stream::StreamId;
use crate::time::Timestamp;

/// Something that a verification found about a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The stream, as `tenant` and `name`.
    #[serde(flatten)]
    pub stream: StreamId,
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    #[serde(flatten)]
    pub kind: Kind,
    /// What a repair made of it; left out where none was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repair: Option<Remedy>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// As it should be; the ledger takes it up at its next look.
    Info,
    /// Somebody should know.
    Warning,
    /// Something is lost or contradictory, or could not be checked.
    Error,
}

/// What was found, by its `kind` in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum Kind {
    /// The store has no object where the ledger knows of one, and the stream exists.
    Missing {
        /// The object's key.
        key: String,
        /// Whether the ledger holds the stream's own schema. A fallback is chosen anew instead of restored.
        restorable: bool,
    },
    /// The object is no schema.
    Corrupt {
        /// The object's key.
        key: String,
        /// What is wrong with it.
        reason: String,
        /// Whether the ledger holds the stream's own schema.
        restorable: bool,
    },
    /// The object is a schema that lacks something of what was confirmed.
    Overwritten {
        /// The object's key.
        key: String,
        /// Fields that are no longer there.
        lost: Vec<FieldNote>,
        /// Fields that are there and read otherwise.
        changed: Vec<Change>,
        /// Fields that these lists leave out.
        omitted: usize,
    },
    /// The object changed and is sound: it holds all that was confirmed, or the node's schema in place of our fallback.
    Drifted {
        /// The object's key.
        key: String,
        /// Fields that are new.
        gained: Vec<FieldNote>,
        /// Fields that read otherwise: they became nullable, got a type, or got metadata.
        changed: Vec<Change>,
        /// Fields of the fallback that are no longer there.
        lost: Vec<FieldNote>,
        /// Fields that these lists leave out.
        omitted: usize,
    },
    /// Two schemas of the stream can't be merged. Such a stream stops nodes from booting.
    Conflict {
        /// The field's dotted path; empty where the schemas as a whole clash.
        field: String,
        /// This node's side, or in a comparison of all nodes the one whose key comes first.
        ours: Side,
        /// The other side.
        theirs: Side,
    },
    /// The object of another node, or the base, is no schema. Query nodes read every one of them.
    CorruptPeer {
        /// Its key.
        key: String,
        /// Whose it is; `null` for the base.
        node: Option<String>,
        /// What is wrong with it.
        reason: String,
    },
    /// A request failed, so that nothing is known.
    Unreachable {
        /// The key or prefix that was asked for.
        key: String,
        /// How the request failed.
        failure: FailureKind,
        /// The same in words.
        message: String,
    },
    /// The stream's marker is no longer there: the stream was deleted, and nothing of it is restored.
    Gone,
    /// The stream was deleted and created anew under its name: nothing of the old one is restored.
    CreatedAnew {
        /// When, in milliseconds since the Unix epoch.
        created_at: Timestamp,
    },
    /// Something is left to do for the stream, so that what the store holds is not all that the node staged.
    Unsettled {
        /// Where the stream stands; `unseen` if it is staged and the ledger does not know it.
        phase: Phase,
        /// Why the last attempt failed; `null` if none did.
        failure: Option<String>,
    },
    /// The stream can't be checked, whatever the store says.
    Unverifiable {
        /// Why.
        reason: String,
    },
}

/// One side of a conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Side {
    /// The node; `null` for the base, which belongs to all nodes.
    pub node: Option<String>,
    /// The object's key; `null` for what this node staged and did not publish.
    pub key: Option<String>,
    /// What it has there: a type, or a metadata entry.
    pub has: String,
    /// How many nodes publish this very schema, the base among them.
    pub nodes: usize,
}

/// What a repair made of a finding, by its `result` in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Remedy {
    /// The store holds again what it should.
    Repaired,
    /// Nothing was to be restored, and the ledger now knows what the store holds.
    Noted,
    /// It is as it was.
    NotRepaired {
        /// Why.
        why: String,
    },
}

impl Kind {
    pub(super) fn unreachable(key: impl ToString, failure: StoreFailure) -> Self {
        Kind::Unreachable {
            key: key.to_string(),
            failure: failure.kind,
            message: failure.message,
        }
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Kind::Drifted { .. } => Severity::Info,
            Kind::CorruptPeer { .. } | Kind::Gone | Kind::CreatedAnew { .. } => Severity::Warning,
            Kind::Missing { .. }
            | Kind::Corrupt { .. }
            | Kind::Overwritten { .. }
            | Kind::Conflict { .. }
            | Kind::Unreachable { .. }
            | Kind::Unsettled { .. }
            | Kind::Unverifiable { .. } => Severity::Error,
        }
    }

    /// The kind's name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Missing { .. } => "missing",
            Kind::Corrupt { .. } => "corrupt",
            Kind::Overwritten { .. } => "overwritten",
            Kind::Drifted { .. } => "drifted",
            Kind::Conflict { .. } => "conflict",
            Kind::CorruptPeer { .. } => "corrupt-peer",
            Kind::Unreachable { .. } => "unreachable",
            Kind::Gone => "gone",
            Kind::CreatedAnew { .. } => "created-anew",
            Kind::Unsettled { .. } => "unsettled",
            Kind::Unverifiable { .. } => "unverifiable",
        }
    }

    /// Whether it is about this node's own object, so that a look at the stream does something about it.
    pub fn is_own(&self) -> bool {
        matches!(
            self,
            Kind::Missing { .. }
                | Kind::Corrupt { .. }
                | Kind::Overwritten { .. }
                | Kind::Drifted { .. }
                | Kind::Gone
                | Kind::CreatedAnew { .. }
        )
    }

    /// Whether something is lost that a repair can bring back.
    pub fn is_loss(&self) -> bool {
        matches!(
            self,
            Kind::Missing { .. } | Kind::Corrupt { .. } | Kind::Overwritten { .. }
        )
    }
}

impl Finding {
    pub(super) fn new(stream: &StreamId, kind: Kind) -> Self {
        Self {
            stream: stream.clone(),
            severity: kind.severity(),
            kind,
            repair: None,
        }
    }
}
