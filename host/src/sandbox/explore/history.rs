//! What happened, arranged so that properties can be judged: what stood where at any time, who wrote what and knew what.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;

use super::plan::{Action, Plan};
use super::play::{NodeEnd, Places, Played, is_marker};
use crate::config::Settings;
use crate::sandbox::clock::BEGINNING;
use crate::sandbox::store::{Operation, Outcome as Answer, Request};
use crate::sandbox::{Blueprint, Event, Stuck};
use crate::schema::Schema;
use crate::staging::StreamKeys;
use crate::sync::Outcome;
use crate::sync::machine::{Rules, Stream};

/// Where something stands in the order of all that happened.
pub(super) type Index = usize;

/// All that happened in a world.
pub(super) struct History<'p> {
    pub(super) plan: &'p Plan,
    pub(super) blueprint: &'p Blueprint,
    pub(super) played: &'p Played,
    pub(super) places: Places,
    pub(super) actions: Vec<(Index, Duration, &'p Action)>,
    pub(super) requests: Vec<(Index, &'p Request)>,
    pub(super) attempts: Vec<Attempt<'p>>,
    pub(super) writes: Vec<Write<'p>>,
    keys: BTreeMap<(&'p str, &'p str), StreamKeys>,
    /// What stood under each key, from when on.
    contents: HashMap<&'p str, Vec<(Index, Option<&'p Bytes>)>>,
    /// What was staged on each node for each stream, from when on.
    staged: HashMap<(&'p str, &'p str), Vec<Staged>>,
    parsed: RefCell<HashMap<Bytes, Option<Schema>>>,
}

/// An attempt that ended.
pub(super) struct Attempt<'p> {
    pub(super) index: Index,
    pub(super) at: Duration,
    pub(super) node: &'p str,
    pub(super) stream: &'p str,
    pub(super) outcome: &'p Outcome,
    /// When it began; `None` where the node's clock was set meanwhile.
    pub(super) began: Option<Duration>,
}

/// An agent's request to write under the key that its node has for a stream.
pub(super) struct Write<'p> {
    pub(super) index: Index,
    pub(super) node: &'p str,
    pub(super) stream: &'p str,
    pub(super) request: &'p Request,
    /// The node's last look for the marker that was sent before it.
    pub(super) look: Option<Look>,
    /// Whether a later attempt knew it as a fallback of its own.
    pub(super) fallback: bool,
}

/// An agent looked for a stream's marker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) index: Index,
    pub(super) at: Duration,
}

/// What is staged from a moment on.
#[derive(Clone, Debug)]
pub(super) struct Staged {
    pub(super) index: Index,
    pub(super) at: Duration,
    /// A whole file's content.
    pub(super) content: Option<Bytes>,
}

impl<'p> History<'p> {
    pub(super) fn new(plan: &'p Plan, blueprint: &'p Blueprint, played: &'p Played) -> Self {
        let places = Places::new(blueprint);
        let mut keys = BTreeMap::new();
        for node in &plan.nodes {
            for stream in &plan.streams {
                if let Some(of) = places.keys(node, stream) {
                    keys.insert((node.as_str(), stream.as_str()), of);
                }
            }
        }
        let mut history = Self {
            plan,
            blueprint,
            played,
            places,
            actions: Vec::new(),
            requests: Vec::new(),
            attempts: Vec::new(),
            writes: Vec::new(),
            keys,
            contents: HashMap::new(),
            staged: HashMap::new(),
            parsed: RefCell::default(),
        };
        history.read();
        history.find_writes();
        history
    }

    fn read(&mut self) {
        let mut moments = self.plan.timeline.iter();
        for (index, entry) in self.played.entries.iter().enumerate() {
            match &entry.event {
                Event::World { .. } => {
                    if let Some(moment) = moments.next() {
                        self.act(index, entry.at, &moment.action);
                    }
                }
                Event::Request(request) => {
                    self.requests.push((index, request));
                    if let Some(change) = &request.change {
                        let log = self.contents.entry(&request.key).or_default();
                        log.push((index, change.after.as_ref()));
                    }
                }
                Event::Attempt {
                    node,
                    stream,
                    outcome,
                    ..
                } => {
                    let began = self.began(node, entry.at, outcome);
                    let stream = self.plan.streams.iter().find(|name| **name == *stream.name);
                    if let Some(stream) = stream {
                        self.attempts.push(Attempt {
                            index,
                            at: entry.at,
                            node,
                            stream,
                            outcome,
                            began,
                        });
                    }
                }
                Event::Defect { .. } | Event::Ended { .. } => {}
            }
        }
    }

    fn act(&mut self, index: Index, at: Duration, action: &'p Action) {
        self.actions.push((index, at, action));
        let content = match action {
            Action::Stage { content, .. } => Some(content.bytes()),
            Action::Tear { .. } | Action::Unstage { .. } | Action::Remove { .. } => None,
            _ => return,
        };
        if let (Some(node), Some(stream)) = (action.node(), action.stream()) {
            let log = self.staged.entry((node, stream)).or_default();
            log.push(Staged { index, at, content });
        }
    }

    /// An attempt's beginning is told by the node's own clock.
    fn began(&self, node: &str, ended: Duration, outcome: &Outcome) -> Option<Duration> {
        let mut skew = 0;
        let mut set = Duration::ZERO;
        for (_, at, action) in &self.actions {
            if let Action::Skew { node: of, millis } = action
                && of == node
            {
                (skew, set) = (*millis, *at);
            }
        }
        let right = outcome.story.at.as_millis().saturating_add_signed(-skew);
        let began = Duration::from_millis(right.saturating_sub(BEGINNING.as_millis()));
        (began >= set && began <= ended).then_some(began)
    }

    fn find_writes(&mut self) {
        let mut looks: HashMap<(&str, &str), Vec<(Duration, Look)>> = HashMap::new();
        let mut writes = Vec::new();
        for &(index, request) in &self.requests {
            let Some(node) = self.plan.nodes.iter().find(|id| **id == request.by) else {
                continue;
            };
            for stream in &self.plan.streams {
                let Some(keys) = self.keys.get(&(node.as_str(), stream.as_str())) else {
                    continue;
                };
                if request.operation == Operation::Get && is_marker(keys, &request.key) {
                    let look = Look {
                        index,
                        at: request.at,
                    };
                    let of = looks.entry((node, stream)).or_default();
                    of.push((request.sent, look));
                }
                if request.operation.writes() && request.key == keys.schema.as_ref() {
                    let before = looks.get(&(node.as_str(), stream.as_str()));
                    let before = before.into_iter().flatten();
                    let look = before
                        .filter(|(sent, look)| *sent <= request.sent && look.at <= request.sent)
                        .map(|(_, look)| *look)
                        .last();
                    writes.push(Write {
                        index,
                        node,
                        stream,
                        request,
                        look,
                        fallback: false,
                    });
                }
            }
        }
        for at in 0..writes.len() {
            let (known, rest) = writes.split_at_mut(at + 1);
            let Some(write) = known.last_mut() else {
                continue;
            };
            let same = |other: &Write<'_>| other.node == write.node && other.stream == write.stream;
            let next = rest.iter().find(|other| same(other));
            let until = next.map_or(Index::MAX, |next| next.index);
            write.fallback = write.request.change.is_some()
                && self
                    .attempts_of(write.node, write.stream)
                    .find(|attempt| attempt.index > write.index)
                    .filter(|attempt| attempt.index < until)
                    .and_then(|attempt| attempt.outcome.source.as_ref())
                    .is_some_and(|source| source.is_fallback());
        }
        self.writes = writes;
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.blueprint.settings
    }

    pub(super) fn rules(&self, stream: &str) -> &Rules {
        let plan = &self.blueprint.policies.plan;
        let of = plan.of(&self.places.stream(stream));
        &of.unwrap_or(&plan.otherwise).rules
    }

    pub(super) fn keys(&self, node: &str, stream: &str) -> Option<&StreamKeys> {
        let mut of = self.keys.iter();
        of.find(|((id, name), _)| *id == node && *name == stream)
            .map(|(_, keys)| keys)
    }

    /// Every node with every stream.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'p str, &'p str, &StreamKeys)> {
        self.keys
            .iter()
            .map(|((node, stream), keys)| (*node, *stream, keys))
    }

    pub(super) fn attempts_of<'a>(
        &'a self,
        node: &'a str,
        stream: &'a str,
    ) -> impl Iterator<Item = &'a Attempt<'p>> {
        self.attempts
            .iter()
            .filter(move |attempt| attempt.node == node && attempt.stream == stream)
    }

    /// The requests of a node's agent, in the order in which the store took them up.
    pub(super) fn requests_of<'a>(
        &'a self,
        node: &'a str,
    ) -> impl Iterator<Item = (Index, &'p Request)> + 'a {
        let requests = self.requests.iter();
        requests
            .filter(move |(_, request)| request.by == node)
            .copied()
    }

    pub(super) fn end_of(&self, node: &str, stream: &str) -> Option<&'p Stream> {
        self.node_end(node)?.streams.get(stream)
    }

    pub(super) fn node_end(&self, node: &str) -> Option<&'p NodeEnd> {
        self.played.ends.get(node)
    }

    pub(super) fn stuck(&self) -> Option<Stuck> {
        self.played.stuck
    }

    /// What stood under the key right before this.
    pub(super) fn content_at(&self, key: &str, index: Index) -> Option<&'p Bytes> {
        let log = self.contents.get(key)?;
        let behind = log.partition_point(|(at, _)| *at < index);
        log.get(behind.checked_sub(1)?)?.1
    }

    pub(super) fn content_at_end(&self, key: &str) -> Option<&'p Bytes> {
        self.contents.get(key)?.last()?.1
    }

    /// What stood there at any time, and from when on.
    pub(super) fn contents(&self, key: &str) -> &[(Index, Option<&'p Bytes>)] {
        self.contents.get(key).map_or(&[], Vec::as_slice)
    }

    /// All keys under which anything ever stood.
    pub(super) fn all_keys(&self) -> impl Iterator<Item = &'p str> {
        self.contents.keys().copied()
    }

    /// What was staged right before this.
    pub(super) fn staged_at(&self, node: &str, stream: &str, index: Index) -> Option<&Staged> {
        let log = self.stagings(node, stream);
        let behind = log.partition_point(|staged| staged.index < index);
        log.get(behind.checked_sub(1)?)
    }

    pub(super) fn stagings(&self, node: &str, stream: &str) -> &[Staged] {
        let mut of = self.staged.iter();
        of.find(|((id, name), _)| *id == node && *name == stream)
            .map_or(&[], |(_, log)| log.as_slice())
    }

    /// Whether the stream existed right before this: while any marker of it stands, where there are markers.
    pub(super) fn exists_at(&self, stream: &str, index: Index) -> bool {
        if !self.places.have_markers() {
            return true;
        }
        let keys = self
            .plan
            .nodes
            .first()
            .and_then(|node| self.keys(node, stream));
        keys.is_some_and(|keys| {
            self.all_keys()
                .any(|key| is_marker(keys, key) && self.content_at(key, index).is_some())
        })
    }

    /// When the stream's life began that went on at this moment: behind its last deletion before.
    pub(super) fn era_at(&self, stream: &str, index: Index) -> Index {
        // Without markers nothing tells one life of a stream from the next.
        if !self.places.have_markers() {
            return 0;
        }
        let deletions = self.actions.iter().filter(|(at, _, action)| {
            *at < index && matches!(action, Action::DeleteStream { stream: of } if of == stream)
        });
        deletions
            .map(|(at, _, _)| *at)
            .next_back()
            .unwrap_or_default()
    }

    /// When the stream was last created before this, and how often it had been.
    pub(super) fn created_before(&self, stream: &str, index: Index) -> Option<Duration> {
        let creations = self.actions.iter().filter(|(at, _, action)| {
            *at < index && matches!(action, Action::CreateStream { stream: of, .. } if of == stream)
        });
        creations.map(|(_, at, _)| *at).next_back()
    }

    /// When the node's agent started, crashed or was told to stop.
    pub(super) fn lives(&self, node: &str) -> Vec<(Index, Duration, bool)> {
        let mut up = true;
        let mut changes = vec![(0, Duration::ZERO, true)];
        for (index, at, action) in &self.actions {
            if action.node() != Some(node) {
                continue;
            }
            let now = match action {
                Action::Start { .. } => true,
                Action::Crash { .. } | Action::Stop { .. } => false,
                _ => continue,
            };
            if up != now || matches!(action, Action::Crash { .. }) {
                changes.push((*index, *at, now));
            }
            up = now;
        }
        changes
    }

    /// How often the node's agent had begun by then.
    pub(super) fn life_at(&self, node: &str, time: Duration) -> usize {
        let lives = self.lives(node);
        lives
            .iter()
            .filter(|(_, at, up)| *up && *at <= time)
            .count()
    }

    /// The bytes as a schema, if they are one.
    pub(super) fn schema(&self, bytes: &Bytes) -> Option<Schema> {
        let mut parsed = self.parsed.borrow_mut();
        parsed
            .entry(bytes.clone())
            .or_insert_with(|| Schema::parse(bytes).ok())
            .clone()
    }

    /// Whether the store did what it was asked and said so.
    pub(super) fn was_told(&self, request: &Request) -> bool {
        request.outcome == Answer::Done
            && request.at.saturating_sub(request.sent) * 2 < self.settings().store.request_timeout
    }
}
