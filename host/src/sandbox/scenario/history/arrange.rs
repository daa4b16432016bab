//! From what happened, one entry after another, to who did what to which stream.

use std::collections::HashMap;
use std::time::Duration;

use super::{Act, Attempt, History, Index, Look, Staged, Write, is_marker};
use crate::contract::Phase;
use crate::sandbox::Event;
use crate::sandbox::clock::BEGINNING;
use crate::sandbox::scenario::model::{Deed, Step};
use crate::sandbox::store::Operation;
use crate::stream::StreamId;
use crate::sync::Outcome;

impl<'p> History<'p> {
    pub(super) fn read(&mut self) {
        let mut steps = self.scenario.steps.iter();
        for (index, entry) in self.played.entries.iter().enumerate() {
            match &entry.event {
                Event::World { .. } => {
                    if let Some(step) = steps.next() {
                        self.act(index, entry.at, step);
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
                    if let Some(stream) = self.name_of(stream) {
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

    fn act(&mut self, index: Index, at: Duration, step: &'p Step) {
        let (node, stream) = self.concerns(step);
        let deed = &step.deed;
        self.acts.push(Act {
            index,
            at,
            node,
            stream,
            deed,
        });
        let content = match deed {
            Deed::Stage(_, content) => Some(content.clone()),
            Deed::Tear(..) | Deed::Unreadable(..) | Deed::Unstage(_) | Deed::Remove(_) => None,
            _ => return,
        };
        if let (Some(node), Some(stream)) = (node, stream) {
            let log = self.staged.entry((node, stream)).or_default();
            log.push(Staged { index, at, content });
        }
    }

    /// The node and the stream that a step is about.
    fn concerns(&self, step: &'p Step) -> (Option<&'p str>, Option<&'p str>) {
        let mut nodes = self.scenario.nodes.iter();
        let node = nodes.find(|node| **node == step.node).map(String::as_str);
        let stream = step.deed.stream().and_then(|stream| self.name_of(stream));
        match &step.deed {
            Deed::Put(key, _) | Deed::Delete(key) => self.owner_of(key.as_ref()),
            deed => (node.filter(|_| deed.is_on_node()), stream),
        }
    }

    /// The node whose key this is, and the stream.
    fn owner_of(&self, key: &str) -> (Option<&'p str>, Option<&'p str>) {
        let own = self.pairs().find(|(.., of)| of.schema.as_ref() == key);
        let within = || self.pairs().find(|(.., of)| key.starts_with(&of.root));
        match own {
            Some((node, stream, _)) => (Some(node), Some(stream)),
            None => (None, within().map(|(_, stream, _)| stream)),
        }
    }

    fn name_of(&self, stream: &StreamId) -> Option<&'p str> {
        let mut known = self.scenario.streams.iter();
        known
            .find(|(_, id)| *id == stream)
            .map(|(name, _)| name.as_str())
    }

    /// An attempt's beginning is told by the node's own clock.
    fn began(&self, node: &str, ended: Duration, outcome: &Outcome) -> Option<Duration> {
        let mut skew = 0;
        let mut set = Duration::ZERO;
        for act in self.acts.iter().filter(|act| act.node == Some(node)) {
            if let Deed::Skew(millis) = act.deed {
                (skew, set) = (*millis, act.at);
            }
        }
        let right = outcome.story.at.as_millis().saturating_add_signed(-skew);
        let began = Duration::from_millis(right.saturating_sub(BEGINNING.as_millis()));
        (began >= set && began <= ended).then_some(began)
    }

    pub(super) fn find_writes(&mut self) {
        let mut looks: HashMap<(&str, &str), Vec<(Duration, Look)>> = HashMap::new();
        let mut writes = Vec::new();
        for &(index, request) in &self.requests {
            for (node, stream, keys) in self.pairs() {
                if node != request.by {
                    continue;
                }
                if request.operation == Operation::Get && is_marker(keys, &request.key) {
                    let key = request.key.as_str();
                    let own = [&keys.marker, &keys.stream_marker];
                    let is_own = own.into_iter().flatten().any(|own| own.as_ref() == key);
                    let of = looks.entry((node, stream)).or_default();
                    let before = of.last().is_some_and(|(_, look)| look.at_another);
                    let look = Look {
                        index,
                        at: request.at,
                        at_another: before || !is_own,
                    };
                    of.push((request.sent, look));
                }
                if request.operation.writes() && request.key == keys.schema.as_ref() {
                    let before = looks.get(&(node, stream));
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
            // A swap never places a fallback, though the attempt that sent it may still know one.
            write.fallback = write.request.change.is_some()
                && write.request.operation != Operation::Update
                && self
                    .attempts_of(write.node, write.stream)
                    .find(|attempt| attempt.index > write.index)
                    .filter(|attempt| attempt.index < until)
                    // An attempt that ended before it knew the outcome still has the source of what was stored before.
                    .filter(|attempt| attempt.outcome.phase == Phase::Provisional)
                    .and_then(|attempt| attempt.outcome.source.as_ref())
                    .is_some_and(|source| source.is_fallback());
        }
        self.writes = writes;
    }
}
