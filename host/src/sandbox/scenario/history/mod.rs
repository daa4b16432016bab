//! What happened, arranged so that properties can be judged: what stood where at any time, who wrote what and knew what.

mod arrange;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;

use super::model::{Deed, Scenario};
use super::play::{NodeEnd, Played};
use super::settle::settling_time;
use crate::agent::Loaded;
use crate::config::Settings;
use crate::sandbox::Stuck;
use crate::sandbox::store::{Fault, Outcome as Answer, Request};
use crate::schema::Schema;
use crate::staging::{KeyKind, Layout, StreamKeys};
use crate::stream::{NodeId, StreamId};
use crate::sync::Outcome;
use crate::sync::machine::{Rules, Stream};
use crate::time::millis;

/// Where something stands in the order of all that happened.
pub(super) type Index = usize;

/// All that happened in a world.
pub(super) struct History<'p> {
    pub(super) scenario: &'p Scenario,
    policies: &'p Loaded,
    pub(super) played: &'p Played,
    pub(super) places: Places<'p>,
    /// What the world did.
    pub(super) acts: Vec<Act<'p>>,
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

/// Something that the world did.
pub(super) struct Act<'p> {
    pub(super) index: Index,
    pub(super) at: Duration,
    /// The node that it is about: one with an agent, which alone notices.
    pub(super) node: Option<&'p str>,
    /// The stream that it is about.
    pub(super) stream: Option<&'p str>,
    pub(super) deed: &'p Deed,
}

/// The keys of a world.
pub(super) struct Places<'p> {
    layout: &'p Layout,
}

impl Places<'_> {
    /// The keys of a stream on a node, which may be one without an agent.
    fn keys(&self, node: &str, stream: &StreamId) -> Option<StreamKeys> {
        self.layout.keys(&NodeId::new(node), stream).ok()
    }

    /// Whether streams have markers.
    pub(super) fn have_markers(&self) -> bool {
        self.keys("n", &StreamId::new("s"))
            .is_some_and(|keys| keys.marker.is_some())
    }
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
    /// Whether it, or an earlier one, was at another node's marker.
    pub(super) at_another: bool,
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
    pub(super) fn new(scenario: &'p Scenario, policies: &'p Loaded, played: &'p Played) -> Self {
        let layout = &scenario.settings.staging.layout;
        let places = Places { layout };
        let mut keys = BTreeMap::new();
        for node in &scenario.nodes {
            for (name, stream) in &scenario.streams {
                if let Some(of) = places.keys(node, stream) {
                    keys.insert((node.as_str(), name.as_str()), of);
                }
            }
        }
        let mut history = Self {
            scenario,
            policies,
            played,
            places,
            acts: Vec::new(),
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

    pub(super) fn settings(&self) -> &Settings {
        &self.scenario.settings
    }

    pub(super) fn rules(&self, stream: &str) -> &Rules {
        let plan = &self.policies.plan;
        let id = self.scenario.streams.get(stream);
        let of = id.and_then(|id| plan.of(id));
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
        let first = self.scenario.nodes.first();
        let keys = first.and_then(|node| self.keys(node, stream));
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
        let deletions = self.acts.iter().filter(|act| {
            act.index < index
                && act.stream == Some(stream)
                && matches!(act.deed, Deed::DeleteStream(_))
        });
        deletions
            .map(|act| act.index)
            .next_back()
            .unwrap_or_default()
    }

    /// When the stream was last created before this.
    pub(super) fn created_before(&self, stream: &str, index: Index) -> Option<Duration> {
        let creations = self.acts.iter().filter(|act| {
            act.index < index
                && act.stream == Some(stream)
                && matches!(act.deed, Deed::CreateStream(_))
        });
        creations.map(|act| act.at).next_back()
    }

    /// Whether a file that was staged then is older than its stream, so that it is held back.
    pub(super) fn is_left_over(&self, stream: &str, staged: Duration, index: Index) -> bool {
        let created = self.created_before(stream, index).unwrap_or_default();
        let tolerance = self.rules(stream).clock_tolerance;
        self.places.have_markers() && staged.saturating_add(tolerance) < created
    }

    /// Whether the node's clock is then ahead of the others' by more than clocks may differ.
    pub(super) fn is_ahead(&self, node: &str, stream: &str, index: Index) -> bool {
        let acts = self.acts.iter();
        let mut skews = acts.filter_map(|act| match act.deed {
            Deed::Skew(millis) if act.node == Some(node) && act.index < index => Some(*millis),
            _ => None,
        });
        let tolerance = crate::time::millis(self.rules(stream).clock_tolerance);
        skews
            .next_back()
            .is_some_and(|ahead| u64::try_from(ahead).is_ok_and(|ahead| ahead > tolerance))
    }

    /// When the node's agent started, crashed or was told to stop.
    pub(super) fn lives(&self, node: &str) -> Vec<(Index, Duration, bool)> {
        let mut up = false;
        let mut changes = Vec::new();
        for act in self.acts.iter().filter(|act| act.node == Some(node)) {
            let now = match act.deed {
                Deed::Start => true,
                Deed::Crash | Deed::Stop => false,
                _ => continue,
            };
            if up != now || matches!(act.deed, Deed::Crash) {
                changes.push((act.index, act.at, now));
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

    /// How long nothing disturbs the world at its end, and how long that must be for every stream to have settled; both
    /// in whole milliseconds, as scenarios are written.
    pub(super) fn rest(&self) -> (Duration, Duration) {
        let rest = self.scenario.until.saturating_sub(self.scenario.quiet());
        let needed = settling_time(self.settings(), self.policies);
        let whole = |length| Duration::from_millis(millis(length));
        (whole(rest), whole(needed))
    }

    /// Whether a rule may apply to a request for one of a stream's keys.
    pub(super) fn may_meet(&self, fault: &Fault, stream: &str) -> bool {
        let Some(glob) = &fault.keys else {
            return true;
        };
        let of_stream = self.keys.iter().filter(|((_, name), _)| *name == stream);
        let own = of_stream.clone().flat_map(|(_, keys)| {
            let marker = keys.marker.as_ref().map(Path::as_ref);
            let base = keys.base.as_ref().map(Path::as_ref);
            let listed = keys.peers_prefix.trim_end_matches('/');
            [Some(keys.schema.as_ref()), marker, base, Some(listed)]
        });
        let roots: Vec<_> = of_stream.map(|(_, keys)| keys.root.as_str()).collect();
        let asked = self
            .requests
            .iter()
            .map(|(_, request)| request.key.as_str());
        let asked = asked.filter(|key| roots.iter().any(|root| key.starts_with(root)));
        own.flatten().chain(asked).any(|key| glob.is_match(key))
    }

    /// Whether the store did what it was asked and said so.
    pub(super) fn was_told(&self, request: &Request) -> bool {
        request.outcome == Answer::Done
            && request.at.saturating_sub(request.sent) * 2 < self.settings().store.request_timeout
    }
}

/// How a key of a stream's prefix counts, whichever node's it is.
fn is_marker(keys: &StreamKeys, key: &str) -> bool {
    let Ok(path) = Path::parse(key) else {
        return false;
    };
    matches!(keys.classify(&path), KeyKind::OwnMarker | KeyKind::Marker)
}
