//! The outcome of a verification, and its JSON contract.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};

use super::finding::{Finding, Severity};
use crate::storage::RequestCounts;
use crate::stream::{NodeId, StreamId};

/// What a verification found.
///
/// As JSON, `tidegate verify --json` prints:
///
/// ```json
/// {
///   "version": 1,
///   "node": "n1",
///   "checked": 12,
///   "requests": {"heads": 12, "gets": 1, "lists": 0, "puts": 0, "total": 13},
///   "store": null,
///   "findings": [
///     {
///       "tenant": null,
///       "name": "app",
///       "severity": "error",
///       "kind": "missing",
///       "key": "app/.stream/.ingestor.n1.schema",
///       "restorable": true,
///       "repair": {"result": "repaired"}
///     }
///   ]
/// }
/// ```
///
/// `kind` says which further keys a finding has: [`Kind`](super::Kind) documents each. `repair` is there after
/// `--repair` only; its `result` is `repaired`, `noted` or `not-repaired`, the last with `why`. A new key may appear
/// within a version; a key or a word that changes its meaning makes a new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The contract's version.
    pub version: u32,
    /// The node whose streams were checked.
    pub node: NodeId,
    /// How many streams were checked: those of which the ledger knows content in the store.
    pub checked: usize,
    /// The requests that it took, those of repairs included.
    #[serde(serialize_with = "requests")]
    pub requests: RequestCounts,
    /// What is wrong with the store as a whole: it gives no answer, or knows none of the node's streams.
    pub store: Option<String>,
    /// By stream.
    pub findings: Vec<Finding>,
}

/// The version of the JSON that reports are written as.
pub const REPORT_VERSION: u32 = 1;

impl Report {
    /// The findings that no repair has settled.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        use super::Remedy::{Noted, Repaired};
        self.findings
            .iter()
            .filter(|finding| !matches!(finding.repair, Some(Repaired | Noted)))
    }

    /// Whether a stream was found in the store as the ledger knows it, or with changes that are sound.
    pub fn recognizes_a_stream(&self) -> bool {
        use super::Kind::{CreatedAnew, Gone, Missing, Unreachable, Unverifiable};
        let strange = self.findings.iter().filter(|finding| {
            matches!(
                finding.kind,
                Gone | Missing { .. }
                    | CreatedAnew { .. }
                    | Unreachable { .. }
                    | Unverifiable { .. }
            )
        });
        let strange: BTreeSet<_> = strange.map(|finding| &finding.stream).collect();
        self.checked > strange.len()
    }

    /// The worst of the open findings; `None` when there are none.
    pub fn worst(&self) -> Option<Severity> {
        self.open().map(|finding| finding.severity).max()
    }

    /// The streams that a look with [`Trigger::Verification`](crate::contract::Trigger::Verification) does something
    /// about, each once: the agent gives them to its scheduler.
    pub fn to_look_at(&self) -> impl Iterator<Item = &StreamId> {
        let mut last = None;
        self.findings
            .iter()
            .filter(|finding| finding.kind.is_own())
            .map(|finding| &finding.stream)
            .filter(move |stream| last.replace(*stream) != Some(*stream))
    }
}

fn requests<S: Serializer>(counts: &RequestCounts, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Requests {
        heads: u64,
        gets: u64,
        lists: u64,
        puts: u64,
        total: u64,
    }
    let requests = Requests {
        heads: counts.heads,
        gets: counts.gets,
        lists: counts.lists,
        puts: counts.puts,
        total: counts.total(),
    };
    requests.serialize(serializer)
}
