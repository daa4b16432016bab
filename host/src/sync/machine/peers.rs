//! Compares this node's schema with those of the stream's other nodes. A node merges all schemas of a stream when it
//! starts, so schemas that can't be merged keep nodes from starting, no matter who published them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::stream::{Activity, Intent, Mode, Source, Stream};
use super::{Effect, Level, Peer, Peers, Resolved, Step};
use crate::contract::{Failure, Phase, StoreFailure};
use crate::planted::{self, Defect};
use crate::schema::{Conflict, Schema};
use crate::time::{Timestamp, millis};

/// What is known about whether the stream's nodes agree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// The fingerprint of this node's schema when it was last compared; 0 if it never was.
    pub compared: u64,
    /// When the schemas are compared next, apart from publishing.
    pub due: Option<Timestamp>,
    /// A publish before this time is not compared again, since the nodes agreed a short while ago.
    pub fresh_until: Option<Timestamp>,
    /// The conflict between nodes that the last comparison found. Only a comparison that finds none ends it.
    pub conflict: Option<String>,
    /// The keys of the other objects in it: one if this node's own object is part of it, two if not.
    pub parties: Vec<String>,
}

impl Comparison {
    fn is_own_conflict(&self) -> bool {
        self.conflict.is_some() && self.parties.len() == 1
    }
}

impl Step<'_, '_> {
    /// Compares a schema with the peers' before it is published.
    pub(super) fn compare_peers(&mut self, intent: Intent) -> Option<()> {
        if self.moment.rules.check_peers && !self.is_fresh() {
            self.perform(
                Activity::ComparingPeers(Box::new(intent)),
                Effect::GatherPeers,
            )
        } else {
            self.begin_write(intent)
        }
    }

    /// Whether the nodes agreed a short while ago.
    fn is_fresh(&self) -> bool {
        let peers = &self.stream.peers;
        // A time that is further ahead than any that is ever set was set before the clock was set back.
        peers.conflict.is_none()
            && peers.fresh_until.is_some_and(|until| {
                self.now() < until
                    && until.since(self.now()) <= self.moment.rules.check_peers_interval
            })
    }

    /// Compares what the nodes publish, this node included.
    pub(super) fn compare_nodes(&mut self) -> Option<()> {
        self.stream.peers.due = None;
        match self.stream.own_schema() {
            Some(schema) => self.perform(Activity::ComparingNodes(schema), Effect::GatherNodes),
            None => self.rest(),
        }
    }

    /// The operator, or the regular comparison of all nodes, wants the nodes compared now.
    pub(super) fn compare_requested(&mut self) -> Option<()> {
        self.must_rest()?;
        match self.stream.phase {
            Phase::Synced | Phase::Conflicted if self.moment.rules.check_peers => {
                self.compare_nodes()
            }
            // Its object may have come after it was looked up.
            Phase::Idle => self.check(),
            _ => self.rest(),
        }
    }

    /// An operator's way out of a conflict: the stored schema is replaced, and then compared with the peers.
    pub(super) fn resolved(&mut self, resolved: Resolved) -> Option<()> {
        self.must_rest()?;
        if self.stream.phase == Phase::Gone || self.stream.intent.is_some() {
            return None;
        }
        self.note(
            Level::Info,
            "an operator gave a field of the stored schema another type",
        );
        // What is staged now is read again: it may have the former type.
        self.stream.sighting.signature = 0;
        self.stream.captured = Some(resolved.captured);
        self.stream.captured_modified = None;
        self.stream.phase = Phase::Pending;
        self.begin_write(Intent {
            document: resolved.document,
            mode: Mode::Update(resolved.version),
            source: Source::Local,
        })
    }

    /// Plans a comparison when the stored schema has a meaning that was never compared.
    pub(super) fn plan_comparison(&mut self) {
        if self.stream.peers.conflict.is_some() {
            // It has planned the next one.
            return;
        }
        if !matches!(self.stream.phase, Phase::Synced | Phase::Conflicted)
            || !self.moment.rules.check_peers
            || planted::is(Defect::ComparesOnlyBeforeWrites)
        {
            self.stream.peers.due = None;
            return;
        }
        if !self.is_uncompared() {
            self.stream.peers.due = None;
            return;
        }
        let latest = self.now().plus(self.moment.rules.check_peers_interval);
        let fresh = self.stream.peers.fresh_until;
        let due = match (self.stream.peers.due, fresh) {
            (Some(due), _) => due,
            (None, Some(fresh)) if fresh > self.now() => fresh,
            // Not at once, since everything that was just read would be read again.
            (None, _) => self
                .now()
                .plus(self.jitter().max(self.moment.rules.min_delay)),
        };
        self.stream.peers.due = Some(due.min(latest));
    }

    /// Whether this node's schema has a meaning that was never compared with its peers.
    fn is_uncompared(&self) -> bool {
        let own = self.stream.own_schema();
        own.is_some_and(|own| own.fingerprint() != self.stream.peers.compared)
    }

    /// A random part of half the interval: nodes that publish a new field together must not list each other's schemas
    /// together.
    fn jitter(&self) -> Duration {
        let half = millis(self.moment.rules.check_peers_interval / 2);
        Duration::from_millis(self.moment.entropy % half.saturating_add(1))
    }

    /// How long to wait before a comparison is repeated.
    fn until_next_comparison(&self) -> Duration {
        let rules = self.moment.rules;
        (rules.check_peers_interval / 2 + self.jitter()).max(rules.min_delay)
    }

    /// Records a comparison of `schema` with all peers. Returns whether this node is part of a conflict: of one that was
    /// found before, if not all peers could be read.
    pub(super) fn compared(&mut self, schema: &Schema, peers: &Peers) -> bool {
        self.warn_unreadable(peers);
        let found = conflict_with(schema, peers).or_else(|| conflict_among(peers));
        let half = self.moment.rules.check_peers_interval / 2;
        self.stream.peers.fresh_until = Some(self.now().plus(half + self.jitter()));
        self.stream.peers.due = None;
        let known = &self.stream.peers;
        let is_unread = |key: &String| peers.unreadable.iter().any(|(unread, _)| unread == key);
        let unread = !peers.complete || known.parties.iter().any(is_unread);
        if found.is_none() && unread {
            // What was not read may hold a conflict, and holds the one that was found there before.
            return known.is_own_conflict();
        }
        self.stream.peers.compared = schema.fingerprint();
        let (text, parties) = found.unzip();
        match &text {
            Some(text) if self.stream.peers.conflict.as_ref() != Some(text) => {
                self.note(Level::Alert, text.clone());
            }
            None if self.stream.peers.conflict.is_some() => {
                let text = match peers.schemas.is_empty() {
                    true => "no other node's schema of the stream is stored any more",
                    false => "the stream's nodes agree again",
                };
                self.note(Level::Info, text);
            }
            _ => {}
        }
        self.stream.peers.conflict = text;
        self.stream.peers.parties = parties.unwrap_or_default();
        self.stream.peers.is_own_conflict()
    }

    pub(super) fn peers(&mut self, peers: Result<Peers, StoreFailure>) -> Option<()> {
        match (
            std::mem::take(&mut self.stream.activity),
            self.stream.phase,
            peers,
        ) {
            (Activity::ComparingPeers(intent), Phase::Pending, Ok(peers)) => {
                if self.compared(&intent.document.schema, &peers) {
                    return self.nodes_conflict();
                }
                self.begin_write(*intent)
            }
            (Activity::ComparingPeers(intent), Phase::Pending, Err(failure)) => {
                self.note(
                    Level::Warning,
                    format!("the peers could not be compared: {failure}"),
                );
                self.begin_write(*intent)
            }
            (Activity::ReplacingFallback(remote), Phase::Pending, Ok(peers)) => {
                self.replace_fallback(*remote, &peers)
            }
            (Activity::ReplacingFallback(_), Phase::Pending, Err(failure)) => {
                self.fail(Failure::Store(failure))
            }
            (Activity::ComparingNodes(known), Phase::Synced | Phase::Conflicted, Ok(peers)) => {
                self.nodes_compared(known, &peers)
            }
            (Activity::ComparingNodes(_), Phase::Synced | Phase::Conflicted, Err(failure)) => {
                self.note(
                    Level::Warning,
                    format!("the nodes could not be compared: {failure}"),
                );
                self.plan_next_comparison();
                self.rest()
            }
            _ => None,
        }
    }

    /// Judges a comparison of all nodes: by what is stored of this one, or by `known` if that could not be read.
    fn nodes_compared(&mut self, known: Schema, peers: &Peers) -> Option<()> {
        let before = self.stream.peers.conflict.clone();
        let confirmed = self.stream.confirmed.as_ref();
        let drifted = peers.stored.as_ref().filter(|stored| {
            confirmed.is_none_or(|it| it.document.schema.fingerprint() != stored.fingerprint())
        });
        let has_drifted = drifted.is_some();
        let schema = drifted.unwrap_or(&known);
        let seen = schema.fingerprint();
        self.compared(schema, peers);
        match (&self.stream.peers.conflict, self.stream.phase) {
            // The policies know of it, and their delay goes on.
            (Some(text), Phase::Conflicted)
                if before.as_ref() == Some(text) && self.is_failing_by(text) =>
            {
                self.plan_next_comparison();
                self.rest()
            }
            (Some(_), _) => self.nodes_conflict(),
            // Any other conflict is judged by the next look at the store.
            (None, Phase::Conflicted) if before.is_some() => self.check(),
            (None, Phase::Synced) if has_drifted => self.check(),
            (None, _) => {
                if self.stream.peers.compared == seen {
                    // What is known clashes with what is stored: it is compared again when that changes.
                    self.stream.peers.compared = known.fingerprint();
                }
                self.rest()
            }
        }
    }

    fn is_failing_by(&self, text: &str) -> bool {
        matches!(&self.stream.last_failure, Some(Failure::SchemaConflict(last)) if last == text)
    }

    fn plan_next_comparison(&mut self) {
        let wait = self.until_next_comparison();
        self.stream.peers.due = Some(self.now().plus(wait));
    }

    /// The stored object holds the schema, but the stream is only in order when its nodes agree.
    pub(super) fn settle(&mut self) -> Option<()> {
        if !self.moment.rules.check_peers || planted::is(Defect::ForgetsNodesConflict) {
            self.stream.peers.conflict = None;
            self.stream.peers.parties.clear();
            return self.rest();
        }
        let peers = &self.stream.peers;
        let is_due = peers.due.is_some_and(|due| due <= self.now());
        match peers.conflict.is_some() {
            true if is_due || self.is_uncompared() => {
                self.stream.phase = Phase::Conflicted;
                self.compare_nodes()
            }
            true => self.nodes_conflict(),
            false
                if is_due
                    && self.is_uncompared()
                    && !planted::is(Defect::ComparesOnlyBeforeWrites) =>
            {
                self.compare_nodes()
            }
            false => self.rest(),
        }
    }

    /// Records that the nodes disagree. They are compared again after the interval, no matter what the retry policies
    /// say.
    pub(super) fn nodes_conflict(&mut self) -> Option<()> {
        let text = self.stream.peers.conflict.clone()?;
        self.stream.phase = Phase::Conflicted;
        self.stream.intent = None;
        self.plan_next_comparison();
        self.fail(Failure::SchemaConflict(text))
    }

    /// Only a comparison ends a conflict between nodes, so the next look begins with one.
    pub(super) fn compare_first(&mut self) {
        if self.stream.peers.conflict.is_some() {
            self.compare_now();
        }
    }

    /// What was never compared is compared by this attempt, if it finds the schema stored.
    pub(super) fn compare_now(&mut self) {
        self.stream.peers.due = Some(self.now());
    }

    pub(super) fn warn_unreadable(&mut self, peers: &Peers) {
        for (key, cause) in &peers.unreadable {
            self.note(
                Level::Warning,
                format!("the schema of a peer, {key}, can't be read: {cause}"),
            );
        }
    }
}

impl Stream {
    /// Whether a comparison with the stream's other nodes is planned, and none was made a short while ago.
    pub fn is_to_be_compared(&self) -> bool {
        let Some(due) = self.peers.due else {
            return false;
        };
        let fresh = self.peers.fresh_until;
        self.phase == Phase::Synced && fresh.is_none_or(|fresh| fresh < due)
    }

    /// This node's schema, stored or about to be. A fallback is not this node's, nor is what was captured and clashes
    /// with what is stored.
    pub(super) fn own_schema(&self) -> Option<Schema> {
        let own = self.true_schema()?;
        let captured = self.captured.as_ref();
        let merged = captured
            .filter(|captured| *captured != own && !own.schema.covers(&captured.schema))
            .and_then(|captured| own.schema.merge(&captured.schema).ok());
        Some(merged.unwrap_or_else(|| own.schema.clone()))
    }
}

/// The first conflict between this node's schema and a peer's.
fn conflict_with(schema: &Schema, peers: &Peers) -> Option<(String, Vec<String>)> {
    distinct(peers).into_iter().find_map(|peer| {
        let conflict = schema.merge(&peer.schema).err()?;
        let own = format!("this node ({})", peers.own);
        let text = describe(&own, &publisher(peer), &conflict);
        Some((text, vec![peer.key.clone()]))
    })
}

/// The first conflict between two peers.
fn conflict_among(peers: &Peers) -> Option<(String, Vec<String>)> {
    let distinct = distinct(peers);
    let mut union = Schema::empty();
    for (at, peer) in distinct.iter().enumerate() {
        match union.merge(&peer.schema) {
            Ok(merged) => union = merged,
            Err(_) => {
                return distinct.iter().take(at).find_map(|earlier| {
                    let conflict = earlier.schema.merge(&peer.schema).err()?;
                    let text = describe(&publisher(earlier), &publisher(peer), &conflict);
                    Some((text, vec![earlier.key.clone(), peer.key.clone()]))
                });
            }
        }
    }
    None
}

/// One peer for each schema. Most nodes of a stream publish the same one, which was fetched once.
fn distinct(peers: &Peers) -> Vec<&Peer> {
    let mut known: Vec<&Peer> = Vec::new();
    for peer in &peers.schemas {
        if !known
            .iter()
            .any(|other| other.schema.is_shared(&peer.schema))
        {
            known.push(peer);
        }
    }
    known
}

fn publisher(peer: &Peer) -> String {
    match &peer.node {
        Some(node) => format!("node {node}"),
        None => format!("the base schema ({})", peer.key),
    }
}

fn describe(one: &str, other: &str, conflict: &Conflict) -> String {
    let Conflict {
        field,
        ours,
        theirs,
    } = conflict;
    let subject = match field.as_str() {
        "" => "the schemas".to_owned(),
        field => format!("the field `{field}`"),
    };
    format!(
        "nodes disagree about {subject}: {ours} on {one}, {theirs} on {other}; a node that restarts now will not start \
         (`tidegate resolve` changes the type in a node's own schema)"
    )
}
