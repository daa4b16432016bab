//! Checks what the store holds against what the ledger confirmed.
//!
//! [`verify`] only looks: it writes neither to the store nor to the ledger, so that it works inside an agent and, with a
//! [`Rehearsal`](super::Rehearsal) over a [`LedgerReader`](crate::ledger::LedgerReader), beside one. A stream whose
//! object has the version that the ledger knows costs one HEAD. What it finds, [`repair`] puts right by way of the
//! machine, where no agent runs; an agent gives [`Report::to_look_at`] to its scheduler instead.
//!
//! Whether a stream's nodes agree among themselves is [`check_peers`]'s question; nodes share that work by
//! [`is_my_turn`].

mod difference;
mod finding;
mod own;
mod peers;
mod repair;
mod report;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeSet;
use std::fmt;

use futures::StreamExt;

use super::core::Core;
use super::journal::{Journal, JournalError};
use super::machine::Stream;
use crate::contract::Phase;
use crate::staging::{Layout, StreamKeys};
use crate::storage::Store;
use crate::stream::{NodeId, StreamId};
use crate::time::Clock;

pub use difference::{Change, FieldNote, MAX_FIELDS_LISTED};
pub use finding::{Finding, Kind, Remedy, Severity, Side};
pub use peers::{MAX_CONFLICTS, PeersCheck, Share, check_peers, is_my_turn};
pub use repair::repair;
pub use report::{REPORT_VERSION, Report};

/// Streams that are checked at once, unless the caller says otherwise. The store bounds the requests in flight by itself.
pub const DEFAULT_CHECKS_AT_ONCE: usize = 32;

/// How often a stream is looked at when the ledger's record of it changes meanwhile.
const MAX_LOOKS: u32 = 3;

/// The nodes that are left out when a stream's schemas are compared; `None` where they are not compared at all.
pub type IgnoredPeers<'a> =
    Box<dyn Fn(&StreamId) -> Option<&'a BTreeSet<String>> + Send + Sync + 'a>;

/// Called with each stream that was checked, and what was found.
pub type Watcher<'w> = dyn FnMut(&StreamId, &[Finding]) + Send + 'w;

/// What a verification works with.
pub struct VerifyContext<'a> {
    /// The node.
    pub node: &'a NodeId,
    /// Where schemas are published. Nothing is written there.
    pub store: &'a Store,
    /// Where keys are.
    pub layout: &'a Layout,
    /// What is remembered. Nothing is written there.
    pub journal: &'a dyn Journal,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Who is left out of comparisons.
    pub ignored_peers: IgnoredPeers<'a>,
    /// The largest schema that is read, in bytes.
    pub max_schema_size: u64,
    /// Streams that are checked at once.
    pub at_once: usize,
}

impl<'a> VerifyContext<'a> {
    /// The context of a node's agent.
    pub fn of(core: &'a Core) -> Self {
        Self {
            node: &core.node,
            store: &core.store,
            layout: &core.layout,
            journal: &*core.journal,
            clock: &*core.clock,
            ignored_peers: Box::new(|stream| {
                let plan = core.plan.of(stream)?;
                plan.rules.check_peers.then_some(&plan.ignore_peers)
            }),
            max_schema_size: core.max_schema_size,
            at_once: DEFAULT_CHECKS_AT_ONCE,
        }
    }
}

impl fmt::Debug for VerifyContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyContext")
            .field("node", self.node)
            .field("store", self.store)
            .finish_non_exhaustive()
    }
}

/// How much is checked of each stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This node's object: one HEAD, and a GET where it changed.
    Own,
    /// And whether it can be merged with what the other nodes publish: a LIST more, and a GET for each ETag in it that
    /// isn't this node's.
    WithPeers,
}

/// Checks those of the streams of which the ledger knows content in the store. Of the others, those that are not settled
/// are findings. A request that fails is a finding and keeps nothing else from being checked.
///
/// # Errors
///
/// The ledger can't be read.
pub async fn verify(
    context: &VerifyContext<'_>,
    streams: Vec<StreamId>,
    scope: Scope,
    watcher: &mut Watcher<'_>,
) -> Result<Report, JournalError> {
    let store = context.store.counted();
    let mut report = Report {
        version: REPORT_VERSION,
        node: context.node.clone(),
        checked: 0,
        requests: store.requests(),
        store: None,
        findings: Vec::new(),
    };
    let check = Check {
        context,
        store: &store,
    };
    let checks = streams.into_iter().map(|id| async {
        let looked = check.stream(&id, scope).await;
        (id, looked)
    });
    let mut checks = futures::stream::iter(checks).buffer_unordered(context.at_once.max(1));
    while let Some((id, looked)) = checks.next().await {
        let Looked { checked, kinds } = looked?;
        let findings: Vec<_> = kinds
            .into_iter()
            .map(|kind| Finding::new(&id, kind))
            .collect();
        report.checked += usize::from(checked);
        watcher(&id, &findings);
        report.findings.extend(findings);
    }
    drop(checks);
    report
        .findings
        .sort_by(|one, other| one.stream.cmp(&other.stream));
    report.requests = store.requests();
    Ok(report)
}

/// A verification under way.
#[derive(Clone, Copy, Debug)]
struct Check<'c, 'a> {
    context: &'c VerifyContext<'a>,
    /// The context's store, counting what this verification asks.
    store: &'c Store,
}

/// A stream and its keys.
#[derive(Clone, Copy, Debug)]
struct Subject<'a> {
    id: &'a StreamId,
    keys: &'a StreamKeys,
}

/// What came of a look at a stream.
struct Looked {
    /// Whether the store was compared with what the ledger knows.
    checked: bool,
    kinds: Vec<Kind>,
}

impl Looked {
    fn at(kinds: Vec<Kind>) -> Self {
        Self {
            checked: true,
            kinds,
        }
    }

    /// The ledger knows of nothing in the store that could be checked.
    fn passed_over(known: &Stream) -> Self {
        Self {
            checked: false,
            kinds: unsettled(known).into_iter().collect(),
        }
    }
}

impl Check<'_, '_> {
    async fn stream(&self, id: &StreamId, scope: Scope) -> Result<Looked, JournalError> {
        let mut known = match self.recall(id).await? {
            Ok(known) if is_known(&known) => known,
            Ok(known) => return Ok(Looked::passed_over(&known)),
            Err(unreadable) => return Ok(Looked::at(vec![unreadable])),
        };
        let keys = match self.context.layout.keys(self.context.node, id) {
            Ok(keys) => keys,
            Err(error) => return Ok(Looked::at(vec![unverifiable(error)])),
        };
        let subject = Subject { id, keys: &keys };
        for look in 1.. {
            let mut kinds = self.examine(subject, &known, scope).await;
            let is_error = |kind: &Kind| kind.severity() == Severity::Error;
            if !kinds.iter().any(is_error) {
                kinds.extend(unsettled(&known));
            }
            if kinds.is_empty() || look == MAX_LOOKS {
                return Ok(Looked::at(kinds));
            }
            // An agent may have written since the record was read: what it wrote is not a finding.
            match self.recall(id).await? {
                Ok(now) if now == known => return Ok(Looked::at(kinds)),
                Ok(now) if is_known(&now) => known = now,
                Ok(now) => return Ok(Looked::passed_over(&now)),
                Err(_) => return Ok(Looked::at(kinds)),
            }
        }
        Ok(Looked::passed_over(&known))
    }

    async fn examine(&self, subject: Subject<'_>, known: &Stream, scope: Scope) -> Vec<Kind> {
        let own = self.own(subject, known).await;
        let mut kinds = own.kinds;
        let nothing_to_compare = |kind: &Kind| {
            matches!(
                kind,
                Kind::Gone | Kind::CreatedAnew { .. } | Kind::Unreachable { .. }
            )
        };
        if scope == Scope::WithPeers && !kinds.iter().any(nothing_to_compare) {
            kinds.extend(
                self.against_peers(subject, known, own.stored.as_ref())
                    .await,
            );
        }
        kinds
    }

    /// What the ledger knows of a stream; the error is a finding.
    async fn recall(&self, id: &StreamId) -> Result<Result<Stream, Kind>, JournalError> {
        match self.context.journal.load(id).await {
            Ok(known) => Ok(Ok(known.unwrap_or_else(Stream::unseen))),
            Err(error @ JournalError::Record { .. }) => Ok(Err(unverifiable(error))),
            Err(error) => Err(error),
        }
    }
}

/// Whether there is something to compare the store with, or at least an object that may be corrupt. What became idle
/// after its object went missing counts: its schema is still owed to the store.
fn is_known(stream: &Stream) -> bool {
    let met = matches!(stream.phase, Phase::Conflicted | Phase::Abandoned);
    stream.phase != Phase::Gone && (stream.confirmed.is_some() || met)
}

/// What is left to do for a stream, if anything is.
fn unsettled(stream: &Stream) -> Option<Kind> {
    (!stream.is_settled()).then(|| Kind::Unsettled {
        phase: stream.phase,
        failure: stream.last_failure.as_ref().map(ToString::to_string),
    })
}

fn unverifiable(error: impl fmt::Display) -> Kind {
    Kind::Unverifiable {
        reason: error.to_string(),
    }
}
