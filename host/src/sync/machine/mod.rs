//! The life of one stream as a pure state machine: no I/O, no clock, no randomness.
//!
//! [`Stream::step`] takes an [`Event`] and gives [`Effect`]s. The executor performs effects against the real world and
//! the sandbox against a simulated one; what they find comes back as the next event. At most one effect that answers
//! is under way at a time, so the order of events is the order of effects.
//!
//! The table is the specification; a test walks every phase and every event and fails where this code and the table
//! differ.
#![doc = include_str!("TABLE.md")]

mod effect;
mod event;
mod fallback;
#[cfg(test)]
mod fixtures;
mod look;
mod peers;
mod publish;
mod retry;
mod rules;
mod stream;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod tests;
mod verify;
mod write;

pub use effect::{Effect, Level, Note};
pub use event::{
    Event, HeadSeen, Marker, MarkerSeen, Peer, Peers, Proposal, RemoteSeen, Resolved, Sighting,
    Staged,
};
pub use peers::Comparison;
pub use rules::{Repair, Rules};
pub use stream::{
    Activity, Confirmed, Document, Ended, Intent, Mode, Purpose, Remote, Source, Stream,
};

use crate::contract::Trigger;
use crate::planted::{self, Defect};
use crate::time::Timestamp;

/// What a step may depend on besides the stream and the event: everything that could make two runs differ.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The wall clock.
    pub now: Timestamp,
    /// A fresh random word.
    pub entropy: u64,
    /// The operator's rules for this stream.
    pub rules: &'a Rules,
}

/// The machine was given an event that nothing it does can answer with: a defect of the caller, never of the world.
#[derive(Debug, thiserror::Error)]
#[error("a stream that is {phase} and {activity} can't take the event `{event}`")]
pub struct Unexpected {
    phase: crate::contract::Phase,
    activity: &'static str,
    event: &'static str,
}

impl Stream {
    /// Takes the event and gives the effects to perform, in order. The state must be durable before a
    /// [`Effect::Write`] is performed.
    ///
    /// # Errors
    /// When the stream can't take the event now. The caller must load the stream anew then.
    pub fn step(&mut self, event: Event, moment: Moment<'_>) -> Result<Vec<Effect>, Unexpected> {
        let unexpected = Unexpected {
            phase: self.phase,
            activity: self.activity.name(),
            event: event.name(),
        };
        let mut effects = Vec::new();
        let mut step = Step {
            stream: self,
            moment,
            effects: &mut effects,
        };
        match step.take(event) {
            Some(()) => Ok(effects),
            None => Err(unexpected),
        }
    }
}

/// One step in the making. Handlers answer `None` where the table has no row.
struct Step<'s, 'm> {
    stream: &'s mut Stream,
    moment: Moment<'m>,
    effects: &'s mut Vec<Effect>,
}

impl Step<'_, '_> {
    fn take(&mut self, event: Event) -> Option<()> {
        match event {
            Event::Started => self.started(),
            Event::Looked { trigger, sighting } => self.looked(trigger, sighting),
            Event::StagingGone => self.staging_gone(),
            Event::CompareNodes => self.compare_requested(),
            Event::Resolved(resolved) => self.resolved(*resolved),
            Event::Read(staged) => self.read(staged),
            Event::Judged(presence) => self.judged(presence),
            Event::Marker(marker) => self.marker(marker),
            Event::Fetched(remote) => self.fetched(remote),
            Event::Headed(seen) => self.headed(seen),
            Event::Peers(peers) => self.peers(peers),
            Event::Chosen(choice) => self.chosen(choice),
            Event::Proposed(proposal) => self.proposed(proposal),
            Event::Written(put) => self.written(put),
            Event::Decided(decision) => self.decided(decision),
        }
    }

    fn now(&self) -> Timestamp {
        self.moment.now
    }

    /// Begins an activity and asks for the effect that ends it.
    fn perform(&mut self, activity: Activity, effect: Effect) -> Option<()> {
        self.stream.activity = activity;
        self.effects.push(effect);
        Some(())
    }

    /// Nothing more to do until the next look, unless the last one had to wait for the outcome of a write.
    fn rest(&mut self) -> Option<()> {
        if self.stream.intent.is_none()
            && std::mem::take(&mut self.stream.unread)
            && !planted::is(Defect::ForgetsUnread)
        {
            return self.read_staged(Trigger::Changed);
        }
        self.plan_comparison();
        self.stream.activity = Activity::Resting;
        Some(())
    }

    fn note(&mut self, level: Level, text: impl Into<String>) {
        self.effects.push(Effect::Note(Note {
            level,
            text: text.into(),
        }));
    }
}
