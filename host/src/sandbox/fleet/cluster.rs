//! One cluster, from its first node's start to the end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::counts::Counts;
use super::schemas::Versions;
use super::timeline::{Deed, Moment, Timeline};
use super::{Fleet, FleetError};
use crate::contract::{Phase, Trigger};
use crate::sandbox::store::{SimulatedStore, StoreBehaviour};
use crate::sandbox::{
    BEGINNING, Blueprint, Chronicle, Content, Dice, Event, Executor, SimulatedNode, World,
};
use crate::stream::StreamId;
use crate::sync::{self, Outcome};

/// Who writes what a node itself writes; its requests are none of the agents'.
const INGEST: &str = "";

/// How much virtual time passes between two looks at whether anybody still wants the result.
const STRIDE: Duration = Duration::from_secs(3600);

/// Plays one cluster of the fleet.
///
/// # Errors
///
/// An attempt could not be made, or the world came to a stop: defects of ours. Or `go_on` said that nobody waits.
pub(super) fn play(
    fleet: &Fleet,
    blueprint: &Blueprint,
    cluster: u32,
    go_on: &dyn Fn() -> bool,
) -> Result<Counts, FleetError> {
    let scenario = &fleet.scenario;
    let length = fleet.length;
    let nodes = fleet.nodes_of(cluster) as usize;
    let streams: Arc<[StreamId]> = (0..fleet.streams)
        .map(|number| StreamId::new(format!("s{number:02}")))
        .collect();
    let seed = Dice::of(fleet.seed, &format!("cluster {cluster}")).below(u64::MAX);
    let timeline = Timeline::draw(scenario, nodes, streams.len(), length, seed);
    let versions = Versions::new(timeline.versions);
    let tally = Arc::new(Mutex::new(Tally::new(length, nodes, &streams, &versions)));
    let witness = Arc::clone(&tally);
    let behaviour = StoreBehaviour {
        latency: scenario.latency.clone(),
        limits: scenario.limits,
        honours_conditions: true,
        faults: scenario.faults.clone(),
    };
    let chronicle = Chronicle::told_to(Box::new(move |at, event| {
        lock(&witness).hear(at, event);
    }));
    let mut world = World::told(seed, false, behaviour, chronicle);
    let members: Vec<_> = (0..nodes)
        .map(|number| world.add_node(&node_name(number), blueprint.clone()))
        .collect();
    for (node, skew) in members.iter().zip(&timeline.skews) {
        node.clock.set_skew(*skew);
    }
    lock(&tally).places = Some(Places {
        store: Arc::clone(&world.store),
        nodes: members.clone(),
    });
    for squeeze in scenario.squeezes.clone() {
        let (executor, store, usual) = (
            world.executor.clone(),
            Arc::clone(&world.store),
            scenario.limits,
        );
        world.spawn(async move {
            executor.at(squeeze.from).await;
            store.set_limits(Some(squeeze.limits));
            executor.at(squeeze.until).await;
            store.set_limits(usual);
        });
    }
    let stage = Stage {
        executor: world.executor.clone(),
        store: Arc::clone(&world.store),
        nodes: members,
        streams,
        versions,
        tally: Arc::clone(&tally),
    };
    world.spawn(stage.play(timeline.moments));
    let mut now = Duration::ZERO;
    while now < length {
        now = now.saturating_add(STRIDE).min(length);
        world.run_until(now).map_err(|stuck| FleetError::Stuck {
            cluster,
            source: stuck,
        })?;
        if let Some(defect) = lock(&tally).defect.take() {
            return Err(FleetError::Defect { cluster, defect });
        }
        if !go_on() {
            return Err(FleetError::Stopped);
        }
    }
    let counts = lock(&tally).end();
    // The tally holds the nodes, and they hold it.
    lock(&tally).places = None;
    Ok(counts)
}

fn node_name(number: usize) -> String {
    format!("n{number:04}")
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    // Sums are never half-made in a way that matters.
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the nodes do what the timeline says.
struct Stage {
    executor: Executor,
    store: Arc<SimulatedStore>,
    nodes: Vec<Arc<SimulatedNode>>,
    streams: Arc<[StreamId]>,
    versions: Versions,
    tally: Arc<Mutex<Tally>>,
}

impl Stage {
    async fn play(self, moments: Vec<Moment>) {
        let mut next: Vec<Vec<Duration>> = vec![Vec::new(); self.nodes.len()];
        for (at, node, _) in moments.iter().rev() {
            if let Some(times) = next.get_mut(*node) {
                times.push(*at);
            }
        }
        for (at, number, deed) in moments {
            self.executor.at(at).await;
            let (Some(node), Some(times)) = (self.nodes.get(number), next.get_mut(number)) else {
                continue;
            };
            times.pop();
            // Until then a look at its directory would show what the last one showed.
            let quiet = times.last().copied().unwrap_or(Duration::MAX);
            node.staging.announce(Some(quiet));
            match deed {
                Deed::Start => self.start(at, number, node),
                Deed::Stage { stream, version } => {
                    let Some(id) = self.streams.get(stream) else {
                        continue;
                    };
                    let content = Content::Whole(self.versions.staged(version));
                    node.staging.put_schema(id, content);
                    lock(&self.tally).changed(at, number, stream, version);
                }
            }
        }
    }

    fn start(&self, at: Duration, number: usize, node: &Arc<SimulatedNode>) {
        for (at_stream, id) in self.streams.iter().enumerate() {
            node.staging.set_data_files(id, 1);
            lock(&self.tally).appeared(at, number, at_stream);
            // The node itself puts a marker there when it makes a stream.
            if let Ok(keys) = node.layout().keys(&node.id, id)
                && let Some(marker) = keys.marker
            {
                let text = format!(r#"{{"created-at":"{BEGINNING}","stream_type":"UserDefined"}}"#);
                self.store.put(INGEST, &marker, Bytes::from(text));
            }
        }
        node.start();
    }
}

/// Where a stream's object is looked up when an attempt says that it holds the schema.
struct Places {
    store: Arc<SimulatedStore>,
    nodes: Vec<Arc<SimulatedNode>>,
}

/// What is counted while a cluster plays.
struct Tally {
    counts: Counts,
    streams: Arc<[StreamId]>,
    versions: Versions,
    /// Node by node.
    known: Vec<Known>,
    places: Option<Places>,
    defect: Option<String>,
}

/// What is known of one stream of one node.
#[derive(Clone, Debug, Default)]
struct Known {
    phase: Option<Phase>,
    attempts: usize,
    /// Versions that are staged and were not seen in the store yet, with the time of their change.
    open: Vec<(usize, Duration)>,
}

impl Tally {
    fn new(length: Duration, nodes: usize, streams: &Arc<[StreamId]>, versions: &Versions) -> Self {
        Self {
            counts: Counts::new(length),
            known: vec![Known::default(); nodes * streams.len()],
            streams: Arc::clone(streams),
            versions: versions.clone(),
            places: None,
            defect: None,
        }
    }

    fn hear(&mut self, at: Duration, event: Event) {
        match event {
            Event::Request(request) if request.by == INGEST => {}
            Event::Request(request) => self.counts.request(&request),
            Event::Attempt {
                node,
                stream,
                outcome,
                ..
            } => self.attempted(at, &node, &stream, &outcome),
            Event::Defect {
                node, stream, text, ..
            } => {
                let of = stream.map(|stream| format!("stream {stream} of "));
                self.defect.get_or_insert_with(|| {
                    format!("{}node {node}: {text}", of.unwrap_or_default())
                });
            }
            Event::Ended { .. } => self.counts.ended += 1,
            Event::World { .. } => {}
        }
    }

    fn appeared(&mut self, at: Duration, node: usize, stream: usize) {
        let place = node * self.streams.len() + stream;
        if let Some(known) = self.known.get_mut(place) {
            known.phase = Some(Phase::Unseen);
            self.counts.streams += 1;
            self.counts.phase(at, None, Phase::Unseen);
        }
    }

    fn changed(&mut self, at: Duration, node: usize, stream: usize, version: usize) {
        let place = node * self.streams.len() + stream;
        if let Some(known) = self.known.get_mut(place) {
            known.open.push((version, at));
            self.counts.changes += 1;
        }
    }

    fn attempted(&mut self, at: Duration, node: &str, stream: &StreamId, outcome: &Outcome) {
        let number = node
            .get(1..)
            .and_then(|number| number.parse::<usize>().ok());
        let at_stream = self.streams.binary_search(stream).ok();
        let (Some(number), Some(at_stream)) = (number, at_stream) else {
            return;
        };
        for step in &outcome.story.steps {
            if let sync::Event::Asked { calls, .. } = step {
                for call in calls {
                    self.counts.decisions += 1;
                    self.counts.failed_decisions += u64::from(call.failed);
                    self.counts.fuel = self.counts.fuel.saturating_add(call.fuel);
                }
            }
        }
        let place = number * self.streams.len() + at_stream;
        let Some(known) = self.known.get_mut(place) else {
            return;
        };
        match outcome.story.trigger {
            Trigger::Verification => self.counts.verifications += 1,
            _ => known.attempts += 1,
        }
        if known.phase != Some(outcome.phase) {
            self.counts.phase(at, known.phase, outcome.phase);
            known.phase = Some(outcome.phase);
        }
        if outcome.phase != Phase::Synced || known.open.is_empty() {
            return;
        }
        let stored = self.places.as_ref().and_then(|places| {
            let node = places.nodes.get(number)?;
            let keys = node.layout().keys(&node.id, stream).ok()?;
            places.store.read(&keys.schema)
        });
        if let Some(stored) = stored {
            let (versions, spread) = (&self.versions, &mut self.counts.convergence);
            known.open.retain(|(version, since)| {
                let holds = versions.holds(&stored, *version);
                if holds {
                    spread.add(at.saturating_sub(*since));
                }
                !holds
            });
        }
    }

    fn end(&mut self) -> Counts {
        for known in &self.known {
            let Some(phase) = known.phase else {
                continue;
            };
            let last = self.counts.attempts.len().saturating_sub(1);
            if let Some(count) = self.counts.attempts.get_mut(known.attempts.min(last)) {
                *count += 1;
            }
            self.counts.unsettled += u64::from(!phase.is_settled());
            self.counts.unconverged += known.open.len() as u64;
        }
        self.counts.clone()
    }
}
