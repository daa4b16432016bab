//! What happens to the staging directory while the agent runs, and how far the agent is.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::scene::{PARTS, Scene};
use crate::contract::{Failure, Phase};
use crate::stream::StreamId;
use crate::sync::{Event, Outcome};
use crate::time::Clock;

/// How long the demo takes at most.
const LIMIT: Duration = Duration::from_secs(18);

/// A pause between what the agent did and what the node does next, so that eyes can follow.
const BEAT: Duration = Duration::from_millis(700);

/// What the agent made of the streams so far.
#[derive(Debug, Default)]
pub(super) struct Progress {
    streams: Mutex<BTreeMap<String, Seen>>,
    changed: Notify,
}

/// What is known of one stream.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) phase: Phase,
    pub(super) failure: Option<Failure>,
    /// Whether a policy waits to see whether its schema comes.
    pub(super) unsettled: bool,
    /// Whether an object was replaced by compare-and-swap.
    pub(super) swapped: bool,
}

impl Progress {
    /// Takes in an attempt that ended.
    pub(super) fn saw(&self, id: &StreamId, outcome: &Outcome) {
        let swapped = outcome
            .story
            .steps
            .iter()
            .any(|step| matches!(step, Event::Request { method, .. } if method == "UPDATE"));
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let before = streams.get(&*id.name);
        let seen = Seen {
            phase: outcome.phase,
            failure: outcome.failure.clone(),
            unsettled: outcome.unsettled,
            swapped: swapped || before.is_some_and(|before| before.swapped),
        };
        streams.insert(id.name.to_string(), seen);
        self.changed.notify_one();
    }

    /// What is known of a stream.
    pub(super) fn of(&self, stream: &str) -> Option<Seen> {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.get(stream).cloned()
    }

    /// Whether the stream has come to its end.
    fn has_ended(&self, stream: &str, ends: Phase) -> bool {
        self.of(stream).is_some_and(|seen| {
            let failed_as_told = ends == Phase::Synced || seen.failure.is_some();
            seen.phase == ends && failed_as_told
        })
    }

    async fn until(&self, holds: impl Fn(&Self) -> bool) {
        while !holds(self) {
            self.changed.notified().await;
        }
    }
}

/// Plays until every stream has come to its end, or the time is over. One waiter at a time.
pub(super) async fn play(
    scene: &Scene,
    progress: &Arc<Progress>,
    clock: &Arc<dyn Clock>,
    tell: &dyn Fn(&str, &str),
) -> io::Result<()> {
    let acts = async {
        progress
            .until(|progress| progress.of("orders").is_some_and(|seen| seen.unsettled))
            .await;
        clock.sleep(BEAT).await;
        tell("orders", "the node stages the schema at last");
        scene.bring_orders()?;
        progress
            .until(|progress| progress.has_ended("web", Phase::Synced))
            .await;
        clock.sleep(BEAT).await;
        tell("web", "the node stages a new field, `referrer`");
        scene.grow_web()?;
        progress
            .until(|progress| {
                progress
                    .of("payments")
                    .is_some_and(|seen| seen.phase == Phase::Provisional)
            })
            .await;
        clock.sleep(BEAT).await;
        tell("payments", "the node stages the schema at last");
        scene.bring_payments()?;
        progress
            .until(|progress| {
                let swapped = |stream| progress.of(stream).is_some_and(|seen| seen.swapped);
                let ended = |part: &super::scene::Part| progress.has_ended(part.stream, part.ends);
                swapped("web") && swapped("payments") && PARTS.iter().all(ended)
            })
            .await;
        Ok(())
    };
    tokio::select! {
        played = acts => played,
        () = clock.sleep(LIMIT) => Ok(()),
    }
}
