//! Whether the nodes of a stream publish schemas that can be merged.

use std::collections::{BTreeSet, HashMap};

use super::finding::{Finding, Kind, Side};
use super::{Check, Subject, VerifyContext, unverifiable};
use crate::contract::{FailureKind, StoreFailure};
use crate::digest::Digest;
use crate::schema::{Conflict, Schema};
use crate::storage::RequestCounts;
use crate::stream::StreamId;
use crate::sync::machine::Stream;
use crate::sync::publishers::{MAX_LISTED, Published, Publisher, Publishers, peers_path};

/// The most conflicts that are reported of one stream at once: one of them stops nodes already.
pub const MAX_CONFLICTS: usize = 16;

/// Which part of the work of comparing all nodes is this node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// All of it.
    Whole,
    /// The streams for which [`is_my_turn`] in this round. Rounds are counted from the clock, so that all nodes are in
    /// the same one: `now / peers_interval`.
    Round(u64),
}

/// The outcome of [`check_peers`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeersCheck {
    /// Whether the schemas were compared: not when it is another node's turn, and not where comparisons are off.
    pub compared: bool,
    /// The requests that it took.
    pub requests: RequestCounts,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Compares the schemas of all nodes that publish the stream, and its base, each with each: one LIST, and one GET for
/// each ETag in it where it is this node's turn.
pub async fn check_peers(
    context: &VerifyContext<'_>,
    stream: &StreamId,
    share: Share,
) -> PeersCheck {
    let Some(ignored) = (context.ignored_peers)(stream) else {
        return PeersCheck::default();
    };
    let store = context.store.counted();
    let check = Check {
        context,
        store: &store,
    };
    let kinds = match context.layout.keys(context.node, stream) {
        Ok(keys) => {
            let subject = Subject {
                id: stream,
                keys: &keys,
            };
            check.all_peers(subject, ignored, share).await
        }
        Err(error) => Some(vec![unverifiable(error)]),
    };
    PeersCheck {
        compared: kinds.is_some(),
        requests: store.requests(),
        findings: kinds
            .unwrap_or_default()
            .into_iter()
            .map(|kind| Finding::new(stream, kind))
            .collect(),
    }
}

/// Whether this node is the one among `nodes` that does what only one of them has to do for the stream in this round,
/// by highest random weight (rendezvous hashing): all nodes come to the same answer without talking, the work is spread
/// evenly, and a node that comes or goes moves its own share only. The round makes sure that the share of a node that
/// is dead does not stay undone.
///
/// Nodes are named by anything that all of them call the same, as the keys of their schemas. A node that is not among
/// them has no turn.
pub fn is_my_turn<'n>(
    node: &str,
    stream: &StreamId,
    round: u64,
    nodes: impl IntoIterator<Item = &'n str>,
) -> bool {
    let weight = |node: &str| {
        let tenant = stream.tenant.as_deref().unwrap_or_default();
        // NUL stands in no name, so no two inputs read the same.
        Digest::of(format!("{round}\0{tenant}\0{}\0{node}", stream.name).as_bytes())
    };
    let heaviest = nodes.into_iter().max_by_key(|node| weight(node));
    heaviest == Some(node)
}

impl Check<'_, '_> {
    /// Whether this node's schema can be merged with each of the others. Where it does not stand in the store, what a
    /// repair would publish is compared.
    pub(super) async fn against_peers(
        &self,
        subject: Subject<'_>,
        known: &Stream,
        stored: Option<&Schema>,
    ) -> Vec<Kind> {
        let Some(ignored) = (self.context.ignored_peers)(subject.id) else {
            return Vec::new();
        };
        let unpublished = || known.true_schema().map(|document| &document.schema);
        let Some(own) = stored.or_else(unpublished) else {
            return Vec::new();
        };
        let publishers = match self.publishers(subject, ignored).await {
            Ok(publishers) => publishers,
            Err(kind) => return vec![kind],
        };
        let max = self.context.max_schema_size;
        let mut published = publishers.fetch(self.store, max, stored).await;
        let mut kinds = troubles(subject, &mut published);
        let meanings = distinct(published.schemas);
        let alike = meanings.iter().find(|meaning| meaning.schema == *own);
        let ours = Side {
            node: Some(self.context.node.as_str().to_owned()),
            key: stored.map(|_| subject.keys.schema.to_string()),
            has: String::new(),
            nodes: alike.map_or(1, |meaning| meaning.publishers.len()),
        };
        let clashes = meanings.iter().filter_map(|meaning| {
            let clash = own.merge(&meaning.schema).err()?;
            // Two incarnations of this node's own object are no conflict between nodes.
            let peer = meaning.publishers.iter().find(|peer| !peer.own)?;
            Some(Kind::Conflict {
                field: clash.field,
                ours: Side {
                    has: clash.ours,
                    ..ours.clone()
                },
                theirs: side(peer, clash.theirs, meaning.publishers.len()),
            })
        });
        kinds.extend(clashes.take(MAX_CONFLICTS));
        kinds
    }

    /// Whether all can be merged with all; `None` when it is another node's turn to find out.
    async fn all_peers(
        &self,
        subject: Subject<'_>,
        ignored: &BTreeSet<String>,
        share: Share,
    ) -> Option<Vec<Kind>> {
        let publishers = match self.publishers(subject, ignored).await {
            Ok(publishers) => publishers,
            Err(kind) => return Some(vec![kind]),
        };
        if let Share::Round(round) = share {
            let nodes = publishers
                .iter()
                .filter(|publisher| publisher.node.is_some());
            let keys = nodes.map(|publisher| publisher.key.as_ref());
            if !is_my_turn(subject.keys.schema.as_ref(), subject.id, round, keys) {
                return None;
            }
        }
        let max = self.context.max_schema_size;
        let mut published = publishers.fetch(self.store, max, None).await;
        let mut kinds = troubles(subject, &mut published);
        kinds.extend(clashes(&distinct(published.schemas)));
        Some(kinds)
    }

    async fn publishers(
        &self,
        subject: Subject<'_>,
        ignored: &BTreeSet<String>,
    ) -> Result<Publishers, Kind> {
        let keys = subject.keys;
        match self.store.list(&peers_path(keys), MAX_LISTED).await {
            Ok(listing) => Ok(Publishers::of(listing, keys, self.context.node, ignored)),
            Err(failure) => Err(Kind::unreachable(&keys.peers_prefix, failure)),
        }
    }
}

/// What kept schemas from being compared. This node's own object is judged elsewhere.
fn troubles(subject: Subject<'_>, published: &mut Published) -> Vec<Kind> {
    let corrupt = published.corrupt.drain(..).filter(|(peer, _)| !peer.own);
    let corrupt = corrupt.map(|(peer, reason)| Kind::CorruptPeer {
        key: peer.key.to_string(),
        node: peer.node,
        reason,
    });
    let failed = published
        .failed
        .drain(..)
        .map(|(peer, failure)| Kind::unreachable(peer.key, failure));
    let cut = (!published.whole).then(|| {
        let message = format!("more than {MAX_LISTED} objects stand there: some were not compared");
        Kind::unreachable(
            &subject.keys.peers_prefix,
            StoreFailure::new(FailureKind::Other, message),
        )
    });
    corrupt.chain(failed).chain(cut).collect()
}

/// A schema with all that publish it, however they write it.
struct Meaning {
    schema: Schema,
    publishers: Vec<Publisher>,
}

fn distinct(schemas: Vec<(Schema, Vec<Publisher>)>) -> Vec<Meaning> {
    let mut places = HashMap::new();
    let mut meanings: Vec<Meaning> = Vec::new();
    for (schema, publishers) in schemas {
        let at = *places.entry(schema.fingerprint()).or_insert(meanings.len());
        match meanings.get_mut(at) {
            Some(meaning) => meaning.publishers.extend(publishers),
            None => meanings.push(Meaning { schema, publishers }),
        }
    }
    meanings
}

/// Each pair that can't be merged, up to [`MAX_CONFLICTS`]. As long as nothing clashes, every schema meets the union of
/// those before it instead of each of them.
fn clashes(meanings: &[Meaning]) -> Vec<Kind> {
    let mut found = Vec::new();
    let mut union = Schema::empty();
    let mut outside: Vec<&Meaning> = Vec::new();
    for (at, meaning) in meanings.iter().enumerate() {
        let before = found.len();
        let merged = union.merge(&meaning.schema);
        let met: Vec<&Meaning> = match &merged {
            Ok(_) => outside.clone(),
            Err(_) => meanings.iter().take(at).collect(),
        };
        for earlier in met {
            if let Err(clash) = earlier.schema.merge(&meaning.schema) {
                found.extend(between(earlier, meaning, clash));
            }
            if found.len() >= MAX_CONFLICTS {
                return found;
            }
        }
        match merged {
            Ok(merged) => union = merged,
            Err(_) if found.len() > before => outside.push(meaning),
            // Any two of them can be merged, and all together have too many fields: more of them only have more.
            Err(clash) => {
                let first = meanings.first();
                found.extend(first.and_then(|first| between(first, meaning, clash)));
                return found;
            }
        }
    }
    found
}

fn between(earlier: &Meaning, later: &Meaning, clash: Conflict) -> Option<Kind> {
    Some(Kind::Conflict {
        field: clash.field,
        ours: side(
            earlier.publishers.first()?,
            clash.ours,
            earlier.publishers.len(),
        ),
        theirs: side(
            later.publishers.first()?,
            clash.theirs,
            later.publishers.len(),
        ),
    })
}

fn side(publisher: &Publisher, has: String, nodes: usize) -> Side {
    Side {
        node: publisher.node.clone(),
        key: Some(publisher.key.to_string()),
        has,
        nodes,
    }
}
