//! The rules of the machine, each in a world small enough to see whole.

use std::time::Duration;

use proptest::prelude::*;

use super::fixtures::*;
use super::stream::{Document, Intent, Mode, Source, Stream};
use super::{
    Effect, Event, HeadSeen, Level, Marker, MarkerSeen, Moment, Note, Peers, Proposal, RemoteSeen,
    Rules, Staged,
};
use crate::contract::{
    Choice, Failure, FailureKind, LocalState, ObjectInfo, Phase, Presence, RetryDecision,
    StoreFailure, Trigger, Version,
};
use crate::schema::Schema;
use crate::storage::Put;
use crate::time::Timestamp;

/// How the store treats the next write.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Honest,
    /// It takes effect and the answer is lost.
    AnswerLost,
    /// The request is lost.
    RequestLost,
    /// It takes effect, and the client's own retry is refused.
    RefusedAfterwards,
    /// It is refused as if something else stood there, for as many times in a row.
    Refused(u32),
    /// The object is deleted just before the request arrives.
    ObjectLost,
    Throttled,
}

/// What stands in the store under the stream's key.
#[derive(Clone, Debug, PartialEq)]
enum Stored {
    Schema(Schema),
    Garbage,
}

/// One stream's world: the store's side, the node's side, and what was ever written by us.
#[derive(Debug)]
struct World {
    stream: Stream,
    rules: Rules,
    now: Timestamp,
    staged: Option<Schema>,
    /// What a read of the staged file gives instead of that.
    read: Option<Staged>,
    stored: Option<(Stored, u64)>,
    marker: Option<u64>,
    marker_seen: bool,
    markers_reachable: bool,
    marker_key: &'static str,
    peers: Vec<Schema>,
    peers_complete: bool,
    peers_reachable: bool,
    presence: Presence,
    choice: Choice,
    decision: RetryDecision,
    fate: Fate,
    /// The store gives objects no version.
    versionless: bool,
    /// What becomes of the marker with the next write.
    marker_after_writes: Option<Option<u64>>,
    reachable: bool,
    versions: u64,
    signature: u64,
    violations: Vec<String>,
    puts: u32,
    entropy: u64,
    peers_asked: u32,
    policies_asked: u32,
    /// Requests about this node's object that are no writes: HEAD, GET.
    heads: u32,
    gets: u32,
    notes: Vec<Note>,
}

impl World {
    fn new() -> Self {
        Self {
            stream: Stream::unseen(),
            rules: Rules::default(),
            now: NOW,
            staged: None,
            read: None,
            stored: None,
            marker: Some(1_000),
            marker_seen: false,
            markers_reachable: true,
            marker_key: "n1.stream.json",
            peers: vec![],
            peers_complete: true,
            peers_reachable: true,
            presence: Presence::Present,
            choice: Choice::Peers,
            decision: RetryDecision::After(Duration::from_secs(1)),
            fate: Fate::Honest,
            versionless: false,
            marker_after_writes: None,
            reachable: true,
            versions: 0,
            signature: 1,
            violations: vec![],
            puts: 0,
            entropy: 3,
            peers_asked: 0,
            policies_asked: 0,
            heads: 0,
            gets: 0,
            notes: vec![],
        }
    }

    fn stage(mut self, fields: &str) -> Self {
        self.restage(fields);
        self
    }

    fn restage(&mut self, fields: &str) {
        self.staged = Some(schema(fields));
        self.signature += 1;
    }

    /// The node writes its own key, without conditions.
    fn store(&mut self, stored: Stored) {
        self.versions += 1;
        self.stored = Some((stored, self.versions));
    }

    fn storing(mut self, fields: &str) -> Self {
        self.store(Stored::Schema(schema(fields)));
        self
    }

    fn stored(&self) -> Option<Schema> {
        match &self.stored {
            Some((Stored::Schema(schema), _)) => Some(schema.clone()),
            _ => None,
        }
    }

    fn look(&mut self, trigger: Trigger) {
        let sighting = super::Sighting {
            signature: self.signature,
            ..sighting(0)
        };
        self.run(Event::Looked { trigger, sighting });
    }

    /// Runs an attempt to its end, and then a timer's worth of time passes.
    fn run(&mut self, mut event: Event) {
        for _ in 0..100 {
            let moment = Moment {
                now: self.now,
                entropy: self.entropy,
                rules: &self.rules,
            };
            let effects = self.stream.step(event, moment).unwrap();
            let mut answer = None;
            for effect in effects {
                if let Some(event) = self.perform(effect) {
                    assert!(answer.is_none(), "two effects that answer in one step");
                    answer = Some(event);
                }
            }
            match answer {
                Some(next) => event = next,
                None => {
                    self.now = self.now.plus(Duration::from_secs(1));
                    return;
                }
            }
        }
        panic!("an attempt that doesn't end: {:?}", self.stream);
    }

    /// The agent dies and comes back.
    fn restart(&mut self) {
        self.stream.activity = super::Activity::Resting;
        self.run(Event::Started);
    }

    fn ask<T>(&self, answer: T) -> Result<T, StoreFailure> {
        if self.reachable {
            Ok(answer)
        } else {
            Err(StoreFailure::new(FailureKind::Unavailable, "down"))
        }
    }

    fn ask_peers(&self) -> Result<Peers, StoreFailure> {
        if self.peers_reachable {
            self.ask(self.peers_now())
        } else {
            Err(StoreFailure::new(FailureKind::Timeout, "no listing"))
        }
    }

    fn marker_now(&self) -> MarkerSeen {
        self.marker.map_or(MarkerSeen::Gone, |created_at| {
            MarkerSeen::Present(Marker {
                key: self.marker_key.to_owned(),
                seen: self.now,
                ..marker(created_at)
            })
        })
    }

    fn peers_now(&self) -> Peers {
        let schemas = self.peers.iter().map(|schema| super::Peer {
            key: "peer".into(),
            schema: schema.clone(),
        });
        Peers {
            schemas: schemas.collect(),
            unreadable: vec![],
            complete: self.peers_complete,
        }
    }

    fn fetch(&self) -> RemoteSeen {
        match self.stored.clone() {
            None => RemoteSeen::Missing,
            Some((Stored::Schema(schema), version)) => RemoteSeen::WellFormed {
                object: ObjectInfo {
                    version: (!self.versionless).then(|| Version::new(version.to_string())),
                    ..object("")
                },
                schema,
            },
            Some((Stored::Garbage, version)) => RemoteSeen::Corrupt {
                object: object(&version.to_string()),
                reason: "garbage".into(),
            },
        }
    }

    fn propose(&self, choice: &Choice) -> Proposal {
        if !self.reachable {
            return Proposal::Failed(StoreFailure::new(FailureKind::Unavailable, "down"));
        }
        let (schema, source) = match choice {
            Choice::Peers => {
                let merged = self
                    .peers
                    .iter()
                    .try_fold(Schema::empty(), |all, peer| all.merge(peer));
                match merged {
                    Ok(merged) => (merged, Source::Peers),
                    Err(conflict) => return Proposal::Refused(conflict.to_string()),
                }
            }
            Choice::Document(text) => (schema(text), Source::Document),
            Choice::Named(text) => (schema(text), Source::Named(text.clone())),
            Choice::Object(text) => (schema(text), Source::Object(text.clone())),
            other => panic!("{other:?}"),
        };
        Proposal::Schema {
            schema,
            source,
            peers: self.peers_now(),
            marker: self.marker_now(),
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::AskExistence(_) | Effect::AskFallback(_) | Effect::AskRetry(_) => {
                self.policies_asked += 1;
            }
            Effect::Head => self.heads += 1,
            Effect::Fetch => self.gets += 1,
            _ => {}
        }
        Some(match effect {
            Effect::Note(note) => {
                self.notes.push(note);
                return None;
            }
            Effect::ReadStaged => Event::Read(match &self.staged {
                _ if self.read.is_some() => self.read.clone()?,
                Some(schema) => Staged::WellFormed {
                    size: 1,
                    modified: self.now,
                    schema: schema.clone(),
                },
                None => Staged::Missing,
            }),
            Effect::AskExistence(_) => Event::Judged(match (&self.presence, &self.staged) {
                (Presence::Present, None) => Presence::Absent("nothing staged".into()),
                (presence, _) => presence.clone(),
            }),
            Effect::AskFallback(_) => Event::Chosen(self.choice.clone()),
            Effect::AskRetry(_) => Event::Decided(self.decision.clone()),
            Effect::CheckMarker(_) => {
                self.marker_seen = self.marker.is_some();
                Event::Marker(if self.markers_reachable {
                    self.ask(self.marker_now())
                } else {
                    Err(StoreFailure::new(FailureKind::Timeout, "no marker"))
                })
            }
            Effect::Fetch => Event::Fetched(self.ask(self.fetch())),
            Effect::Head => Event::Headed(self.ask(match &self.stored {
                None => HeadSeen::Missing,
                Some((_, version)) => HeadSeen::Found(object(&version.to_string())),
            })),
            Effect::GatherPeers => {
                self.peers_asked += 1;
                Event::Peers(self.ask_peers())
            }
            Effect::Resolve(choice) => Event::Proposed(self.propose(&choice)),
            Effect::Write => Event::Written(self.write()),
        })
    }

    /// A conditional write as an honest store does it, and what the client hears of it.
    fn write(&mut self) -> Put {
        let Intent {
            document,
            mode,
            source,
        } = self.stream.intent.clone().unwrap();
        self.puts += 1;
        self.judge_write(&document, &mode, &source);
        if let Some(marker) = self.marker_after_writes.take() {
            self.marker = marker;
        }
        let ambiguous = || Put::Ambiguous(StoreFailure::new(FailureKind::Timeout, "no answer"));
        let fate = std::mem::replace(&mut self.fate, Fate::Honest);
        match fate {
            Fate::RequestLost => return ambiguous(),
            Fate::Throttled => {
                return Put::Refused(StoreFailure::new(FailureKind::Throttled, "slow down"));
            }
            Fate::Refused(times) => {
                if times > 1 {
                    self.fate = Fate::Refused(times - 1);
                }
                return Put::Exists;
            }
            Fate::ObjectLost => self.stored = None,
            _ if !self.reachable => return ambiguous(),
            _ => {}
        }
        let standing = self
            .stored
            .as_ref()
            .map(|(_, version)| Version::new(version.to_string()));
        match (&mode, standing) {
            (Mode::Create, Some(_)) => return Put::Exists,
            (Mode::Update(read), standing) if standing.as_ref() != Some(read) => return Put::Stale,
            _ => {}
        }
        self.store(Stored::Schema(document.schema));
        match fate {
            Fate::AnswerLost => ambiguous(),
            Fate::RefusedAfterwards if mode == Mode::Create => Put::Exists,
            Fate::RefusedAfterwards => Put::Stale,
            _ => Put::Done(object(&self.versions.to_string())),
        }
    }

    /// What no write of ours may do, whatever the policies say.
    fn judge_write(&mut self, document: &Document, mode: &Mode, source: &Source) {
        if self.marker.is_none() {
            self.violations
                .push("a write for a stream that was deleted".into());
        }
        if source.is_fallback() && *mode != Mode::Create {
            self.violations.push("a fallback that is no Create".into());
        }
        if Schema::parse(&document.bytes).is_err() {
            self.violations
                .push("a document that does not parse".into());
        }
        let own_fallback = self
            .stream
            .confirmed
            .as_ref()
            .is_some_and(|confirmed| confirmed.source.is_fallback());
        if let (Mode::Update(read), Some((Stored::Schema(stored), version))) = (mode, &self.stored)
            && read.as_str() == version.to_string()
            && !document.schema.covers(stored)
            && !own_fallback
        {
            self.violations.push(format!(
                "an update that loses fields: {stored:?} → {:?}",
                document.schema
            ));
        }
    }

    fn assert_sound(&self) {
        assert!(self.violations.is_empty(), "{:?}", self.violations);
    }
}

fn absent() -> Presence {
    Presence::Absent("owed".into())
}

#[test]
fn a_staged_schema_is_created_where_nothing_stands() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    assert_eq!(world.stream.phase, Phase::Synced);
    assert_eq!(world.stored(), Some(schema("a:Utf8")));
    assert_eq!(
        world.stream.look,
        Some(NOW.plus(Duration::from_secs(60))),
        "looked at again after a write"
    );
}

#[test]
fn a_staged_schema_is_merged_into_what_stands() {
    let mut world = World::new().stage("a:Utf8").storing("b:Int64");
    world.look(Trigger::FirstSeen);
    assert_eq!(world.stored(), Some(schema("a:Utf8 b:Int64")));
}

#[test]
fn a_schema_that_the_store_covers_costs_no_write() {
    let mut world = World::new().stage("a:Utf8").storing("a:Utf8 b:Int64");
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 0));
}

#[test]
fn a_staged_schema_that_the_store_is_known_to_cover_costs_no_policy_call_and_no_request() {
    let mut world = World::new().stage("a:Utf8").storing("a:Utf8 b:Int64");
    world.look(Trigger::FirstSeen);
    let before = (world.policies_asked, world.heads, world.gets, world.puts);
    for fields in ["a:Utf8", "b:Int64", "b:Int64 a:Utf8", ""] {
        world.restage(fields);
        world.look(Trigger::Changed);
        let after = (world.policies_asked, world.heads, world.gets, world.puts);
        assert_eq!((world.stream.phase, after), (Phase::Synced, before));
    }
}

#[test]
fn a_verification_downloads_only_what_changed() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    let before = world.gets;
    world.look(Trigger::Verification);
    assert_eq!((world.heads, world.gets), (1, before));
    world.store(Stored::Schema(schema("a:Utf8 b:Utf8")));
    world.look(Trigger::Verification);
    assert_eq!((world.heads, world.gets), (2, before + 1));
}

#[test]
fn a_clash_of_types_is_named_and_writes_nothing() {
    let mut world = World::new().stage("a:Utf8").storing("a:Int64");
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Conflicted, 0));
    let failure = world.stream.last_failure.unwrap().to_string();
    assert!(
        failure.contains("`a`") && failure.contains("Utf8") && failure.contains("Int64"),
        "{failure}"
    );
    let told = |note: &Note| note.level == Level::Alert && failure.contains(&note.text);
    assert!(world.notes.iter().any(told), "{:?}", world.notes);
}

#[test]
fn a_conflict_ends_when_the_store_changes() {
    let mut world = World::new().stage("a:Utf8").storing("a:Int64");
    world.look(Trigger::FirstSeen);
    world.store(Stored::Schema(schema("b:Int64")));
    world.look(Trigger::Scheduled);
    assert_eq!(world.stream.phase, Phase::Synced);
    assert_eq!(world.stored(), Some(schema("a:Utf8 b:Int64")));
}

#[test]
fn a_write_of_unknown_outcome_is_read_back_before_anything_else() {
    for fate in [Fate::AnswerLost, Fate::RefusedAfterwards] {
        for stored in [None, Some("b:Int64")] {
            let mut world = World::new().stage("a:Utf8");
            stored
                .into_iter()
                .for_each(|fields| world.store(Stored::Schema(schema(fields))));
            world.fate = fate;
            world.look(Trigger::FirstSeen);
            assert_eq!(
                (world.stream.phase, world.puts),
                (Phase::Synced, 1),
                "{fate:?} {stored:?}"
            );
            assert_eq!(world.stream.attempts, 0);
        }
    }
}

#[test]
fn a_create_that_is_refused_where_nothing_stands_is_tried_three_times_more() {
    for (refusals, phase, puts) in [(3, Phase::Synced, 4), (4, Phase::Pending, 4)] {
        let mut world = World::new().stage("a:Utf8");
        world.fate = Fate::Refused(refusals);
        world.look(Trigger::FirstSeen);
        assert_eq!(
            (world.stream.phase, world.puts),
            (phase, puts),
            "{refusals}"
        );
    }
}

#[test]
fn a_fallback_that_is_refused_where_nothing_stands_is_tried_three_times_more() {
    let mut world = World::new();
    (world.presence, world.peers) = (absent(), vec![schema("p:Utf8")]);
    world.fate = Fate::Refused(4);
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Awaiting, 4));
    assert_eq!(world.stream.attempts, 1);
    world.fate = Fate::Refused(3);
    world.look(Trigger::Scheduled);
    assert_eq!((world.stream.phase, world.puts), (Phase::Provisional, 8));
}

#[test]
fn a_refused_create_is_not_tried_again_for_a_stream_that_was_deleted() {
    let mut world = World::new().stage("a:Utf8");
    world.fate = Fate::Refused(1);
    world.marker_after_writes = Some(None);
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Gone, 1));
    world.assert_sound();
}

#[test]
fn an_object_that_was_deleted_between_read_and_write_is_created_anew() {
    let mut world = World::new().stage("a:Utf8").storing("b:Int64");
    world.fate = Fate::ObjectLost;
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 2));
    assert_eq!(world.stored(), Some(schema("a:Utf8")));
    assert_eq!(world.stream.attempts, 0);
}

#[test]
fn a_write_that_was_never_done_is_left_to_the_retry_policy() {
    for stored in [None, Some("b:Int64")] {
        let mut world = World::new().stage("a:Utf8");
        stored
            .into_iter()
            .for_each(|fields| world.store(Stored::Schema(schema(fields))));
        world.fate = Fate::RequestLost;
        world.look(Trigger::FirstSeen);
        assert_eq!(
            (world.stream.phase, world.puts, world.stream.attempts),
            (Phase::Pending, 1, 1),
            "{stored:?}"
        );
        assert_eq!(world.stream.intent, None, "its outcome is known by now");
        world.look(Trigger::Scheduled);
        assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 2));
    }
}

#[test]
fn a_fallback_whose_answer_was_lost_is_still_ours() {
    for fate in [Fate::AnswerLost, Fate::RefusedAfterwards] {
        let mut world = World::new();
        (world.presence, world.peers) = (absent(), vec![schema("p:Utf8")]);
        world.fate = fate;
        world.look(Trigger::FirstSeen);
        assert_eq!((world.stream.phase, world.puts), (Phase::Provisional, 1));
        assert_eq!(world.stream.source(), Some(&Source::Peers));
    }
}

#[test]
fn an_object_without_a_version_is_never_replaced() {
    let mut world = World::new().stage("a:Utf8").storing("b:Int64");
    world.versionless = true;
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Pending, 0));
    let failure = world.stream.last_failure.unwrap().to_string();
    assert!(failure.contains("no version"), "{failure}");
}

#[test]
fn an_intent_survives_a_restart_and_is_read_back_first() {
    for took_effect in [false, true] {
        let mut world = World::new();
        world.stream = Stream {
            intent: Some(intent("a:Utf8", Mode::Create, Source::Local)),
            ..doing(Phase::Pending, super::Activity::Writing)
        };
        if took_effect {
            world.store(Stored::Schema(schema("a:Utf8")));
        }
        world.restart();
        assert_eq!(
            (world.stream.phase, world.puts),
            (Phase::Synced, u32::from(!took_effect))
        );
        assert_eq!(world.stored(), Some(schema("a:Utf8")));
    }
}

#[test]
fn a_failed_read_back_keeps_the_intent() {
    let mut world = World::new().stage("a:Utf8");
    world.stream = Stream {
        intent: Some(intent("a:Utf8", Mode::Create, Source::Local)),
        sighting: super::Sighting {
            signature: world.signature,
            ..sighting(0)
        },
        ..doing(Phase::Pending, super::Activity::Resting)
    };
    world.reachable = false;
    world.restart();
    assert!(world.stream.intent.is_some());
    assert_eq!((world.stream.attempts, world.puts), (1, 0));
    world.reachable = true;
    world.look(Trigger::Scheduled);
    assert_eq!(world.stream.phase, Phase::Synced);
}

#[test]
fn what_is_staged_while_an_outcome_is_unknown_is_read_when_it_is_known() {
    let mut world = World::new().storing("a:Utf8");
    world.stream = Stream {
        phase: Phase::Pending,
        captured: Some(document("a:Utf8")),
        intent: Some(intent("a:Utf8", Mode::Create, Source::Local)),
        ..Stream::unseen()
    };
    world.restage("a:Utf8 b:Utf8");
    world.reachable = false;
    world.look(Trigger::Changed);
    assert!(world.stream.intent.is_some());
    world.reachable = true;
    world.look(Trigger::Scheduled);
    assert_eq!(world.stream.phase, Phase::Synced);
    assert_eq!(world.stored(), Some(schema("a:Utf8 b:Utf8")));
    world.assert_sound();
}

#[test]
fn nothing_is_written_for_a_stream_without_a_marker() {
    for presence in [Presence::Present, absent()] {
        let mut world = World::new().stage("a:Utf8");
        world.marker = None;
        world.presence = presence;
        world.peers = vec![schema("a:Utf8")];
        if world.presence != Presence::Present {
            world.staged = None;
        }
        world.look(Trigger::FirstSeen);
        assert_eq!((world.stream.phase, world.puts), (Phase::Gone, 0));
        assert_eq!(
            world.stream.captured, None,
            "nothing is kept that could come back"
        );
    }
}

#[test]
fn a_stream_that_is_deleted_during_a_create_is_gone() {
    for presence in [Presence::Present, absent()] {
        let mut world = World::new();
        (world.presence, world.peers) = (presence, vec![schema("a:Utf8")]);
        if world.presence == Presence::Present {
            world.restage("a:Utf8");
        }
        world.marker_after_writes = Some(None);
        world.look(Trigger::FirstSeen);
        assert_eq!((world.stream.phase, world.puts), (Phase::Gone, 1));
        assert!(world.notes.iter().any(
            |note| note.level == Level::Warning && note.text.contains("deleted from the store")
        ));
    }
}

#[test]
fn nothing_is_written_while_the_marker_cannot_be_asked_for() {
    let mut world = World::new().stage("a:Utf8");
    world.markers_reachable = false;
    world.look(Trigger::FirstSeen);
    world.look(Trigger::Scheduled);
    assert_eq!((world.stream.phase, world.puts), (Phase::Pending, 0));
    world.stream.incarnation = Some(marker(1_000));
    world.look(Trigger::Scheduled);
    assert_eq!((world.stream.phase, world.puts), (Phase::Pending, 0));
    assert_eq!(world.stream.intent, None, "no request was made");
    world.markers_reachable = true;
    world.look(Trigger::Scheduled);
    assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 1));
}

#[test]
fn a_deleted_stream_is_looked_for_again_and_comes_back_as_a_new_one() {
    let mut world = World::new().stage("a:Utf8");
    world.marker = None;
    world.look(Trigger::FirstSeen);
    assert_eq!(world.stream.phase, Phase::Gone);
    let recheck = world.rules.recheck;
    assert_eq!(world.stream.wake, Some(NOW.plus(recheck)));
    world.now = NOW.plus(recheck);
    world.look(Trigger::Scheduled);
    assert_eq!(world.stream.phase, Phase::Gone);
    world.marker = Some(world.now.as_millis());
    world.look(Trigger::Scheduled);
    assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 1));
}

#[test]
fn a_stream_created_anew_takes_nothing_from_its_predecessor() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    world.stored = None;
    world.marker = Some(NOW.as_millis() + 60_000);
    world.look(Trigger::Verification);
    assert_eq!(world.puts, 1, "the old staged file is held");
    assert_ne!(world.stream.phase, Phase::Synced);
    assert_eq!(world.stored(), None);
    world.now = NOW.plus(Duration::from_secs(120));
    world.restage("b:Int64");
    world.look(Trigger::Changed);
    assert_eq!(world.stored(), Some(schema("b:Int64")));
}

#[test]
fn a_staged_file_older_than_a_stream_that_is_new_to_us_is_held() {
    let mut world = World::new().stage("old:Utf8");
    world.marker = Some(NOW.as_millis() + 60_000);
    world.look(Trigger::FirstSeen);
    assert_eq!((world.puts, world.stored()), (0, None));
    let told = |note: &Note| note.level == Level::Warning && note.text.contains("held");
    assert!(world.notes.iter().any(told), "{:?}", world.notes);
    world.now = NOW.plus(Duration::from_secs(120));
    world.restage("new:Utf8");
    world.look(Trigger::Changed);
    assert_eq!(world.stored(), Some(schema("new:Utf8")));
}

#[test]
fn nothing_of_a_deleted_stream_is_merged_into_its_successor() {
    for (stored, repair) in [
        (Stored::Schema(schema("b:Int64")), false),
        (Stored::Schema(schema("a:Int64")), false),
        (Stored::Garbage, true),
    ] {
        let mut world = World::new().stage("a:Utf8");
        world.look(Trigger::FirstSeen);
        world.rules.repair = repair;
        (world.staged, world.presence) = (None, Presence::NotExpected("quiet".into()));
        world.marker = Some(NOW.as_millis() + 60_000);
        world.store(stored.clone());
        world.look(Trigger::Verification);
        assert_eq!(
            (world.puts, world.stored.as_ref().map(|(stored, _)| stored)),
            (1, Some(&stored)),
            "only the old incarnation was published"
        );
        assert_ne!(world.stream.phase, Phase::Conflicted);
        assert_eq!(world.stream.true_schema(), None);
    }
}

#[test]
fn another_nodes_marker_tells_of_a_new_stream_only_when_it_is_younger_than_our_last_look() {
    for (age, puts, phase) in [(-500_i64, 2, Phase::Synced), (60_000, 1, Phase::Idle)] {
        let mut world = World::new().stage("a:Utf8");
        world.look(Trigger::FirstSeen);
        let created_at = NOW.as_millis().saturating_add_signed(age);
        (world.marker_key, world.marker) = ("n2.stream.json", Some(created_at));
        (world.staged, world.presence) = (None, Presence::NotExpected("quiet".into()));
        world.now = NOW.plus(Duration::from_secs(120));
        world.rules.repair = true;
        world.stored = None;
        world.look(Trigger::Verification);
        assert_eq!((world.puts, world.stream.phase), (puts, phase), "{age}");
    }
}

#[test]
fn a_fallback_of_a_stream_created_anew_starts_from_scratch() {
    let mut world = World::new();
    (world.presence, world.peers_complete) = (absent(), false);
    world.look(Trigger::FirstSeen);
    world.look(Trigger::Requested);
    assert_eq!(world.stream.absences, 2);
    (world.marker, world.peers_complete) = (Some(NOW.as_millis() + 60_000), true);
    world.look(Trigger::Requested);
    assert_eq!(world.stream.phase, Phase::Provisional);
    let told = |note: &Note| note.level == Level::Warning && note.text.contains("created anew");
    assert!(world.notes.iter().any(told), "{:?}", world.notes);
}

#[test]
fn a_stream_created_anew_behind_our_back_ends_a_conflict() {
    for successor in ["b:Int64", "a:Boolean"] {
        let mut world = World::new().stage("a:Utf8").storing("a:Int64");
        world.look(Trigger::FirstSeen);
        assert_eq!(world.stream.phase, Phase::Conflicted);
        (world.staged, world.presence) = (None, Presence::NotExpected("quiet".into()));
        world.marker = Some(NOW.as_millis() + 60_000);
        world.store(Stored::Schema(schema(successor)));
        world.look(Trigger::Verification);
        assert_eq!(
            (world.stream.phase, world.puts, world.stream.captured),
            (Phase::Idle, 0, None)
        );
    }
}

#[test]
fn a_verification_keeps_a_conflict_with_what_was_staged_since() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    world.restage("a:Int64");
    world.look(Trigger::Changed);
    assert_eq!(world.stream.phase, Phase::Conflicted);
    world.look(Trigger::Verification);
    assert_eq!(world.stream.phase, Phase::Conflicted);
    assert_eq!(
        world.stream.captured.map(|document| document.schema),
        Some(schema("a:Int64"))
    );
}

#[test]
fn a_fallback_never_replaces_an_object() {
    for stored in [Stored::Schema(schema("z:Utf8")), Stored::Garbage] {
        let mut world = World::new();
        world.presence = absent();
        world.peers = vec![schema("a:Utf8")];
        world.store(stored.clone());
        world.look(Trigger::FirstSeen);
        assert_eq!(
            world.stored.as_ref().map(|(stored, _)| stored),
            Some(&stored)
        );
        let expected = if stored == Stored::Garbage {
            Phase::Conflicted
        } else {
            Phase::Synced
        };
        assert_eq!(world.stream.phase, expected);
    }
}

#[test]
fn a_fallback_that_brings_new_fields_is_refused_unless_the_operator_lifts_it() {
    for (lifted, puts) in [(false, 0), (true, 1)] {
        let mut world = World::new();
        world.presence = absent();
        world.choice = Choice::Document("new:Utf8".into());
        world.rules.allow_new_fields = lifted;
        world.look(Trigger::FirstSeen);
        assert_eq!(world.puts, puts);
    }
}

#[test]
fn only_named_schemas_and_documents_may_ever_bring_new_fields() {
    for (choice, puts) in [
        (Choice::Named("new:Utf8".into()), 1),
        (Choice::Object("new:Utf8".into()), 0),
    ] {
        let mut world = World::new();
        (world.presence, world.choice) = (absent(), choice.clone());
        world.rules.allow_new_fields = true;
        world.look(Trigger::FirstSeen);
        assert_eq!(world.puts, puts, "{choice:?}");
        let told = |note: &Note| note.level == Level::Warning && note.text.contains("`new`");
        assert_eq!(world.notes.iter().any(told), puts == 0, "{:?}", world.notes);
    }
}

#[test]
fn streams_of_the_nodes_own_never_get_a_named_schema() {
    for (internal, phase) in [(true, Phase::Awaiting), (false, Phase::Provisional)] {
        let mut world = World::new();
        (world.presence, world.choice) = (absent(), Choice::Named("p:Utf8".into()));
        (world.rules.internal, world.peers) = (internal, vec![schema("p:Utf8")]);
        world.look(Trigger::FirstSeen);
        assert_eq!(
            (world.stream.phase, world.puts),
            (phase, u32::from(!internal))
        );
    }
}

#[test]
fn no_fallback_is_placed_while_a_schema_is_staged() {
    let mut world = World::new().stage("a:Utf8");
    (world.presence, world.peers) = (absent(), vec![schema("p:Utf8")]);
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Awaiting, 0));
}

#[test]
fn a_lifted_fallback_still_may_not_contradict_the_peers() {
    let mut world = World::new();
    world.presence = absent();
    world.choice = Choice::Document("a:Utf8".into());
    world.rules.allow_new_fields = true;
    world.peers = vec![schema("a:Int64")];
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Awaiting, 0));
}

#[test]
fn no_fallback_is_placed_while_the_peers_are_not_wholly_known() {
    let mut world = World::new();
    world.presence = absent();
    world.peers_complete = false;
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Awaiting, 0));
}

#[test]
fn no_fallback_is_placed_where_the_true_schema_is_known() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    (world.staged, world.stored, world.presence) = (None, None, absent());
    world.peers = vec![schema("a:Utf8")];
    world.signature += 1;
    world.look(Trigger::Verification);
    assert_eq!((world.stream.phase, world.puts), (Phase::Awaiting, 1));
    assert!(
        world
            .stream
            .last_failure
            .unwrap()
            .to_string()
            .contains("--repair")
    );
}

#[test]
fn the_true_schema_takes_over_a_fallback_by_compare_and_swap() {
    let mut world = World::new();
    world.presence = absent();
    world.peers = vec![schema("p:Utf8")];
    world.look(Trigger::FirstSeen);
    assert_eq!(
        (world.stream.phase, world.stored()),
        (Phase::Provisional, Some(schema("p:Utf8")))
    );
    world.presence = Presence::Present;
    world.restage("a:Utf8");
    world.look(Trigger::Changed);
    assert_eq!(
        (world.stream.phase, world.stored()),
        (Phase::Synced, Some(schema("a:Utf8 p:Utf8")))
    );
}

#[test]
fn a_fallback_is_looked_at_five_times_a_minute_apart() {
    let mut world = World::new();
    (world.presence, world.peers) = (absent(), vec![schema("p:Utf8")]);
    world.look(Trigger::FirstSeen);
    let mut looks = vec![];
    let mut last = NOW;
    while let Some(look) = world.stream.look {
        looks.push(look.since(last).as_secs());
        (world.now, last) = (look, look);
        world.look(Trigger::Scheduled);
        assert_eq!(world.stream.phase, Phase::Provisional);
        assert!(looks.len() < 10, "looks without an end");
    }
    assert_eq!(looks, [60; 6], "after the write, and five times more");
}

#[test]
fn a_fallback_that_the_node_replaced_is_no_longer_provisional() {
    let mut world = World::new();
    (world.presence, world.peers) = (absent(), vec![schema("p:Utf8")]);
    world.look(Trigger::FirstSeen);
    world.store(Stored::Schema(schema("a:Utf8")));
    world.look(Trigger::Scheduled);
    assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 1));
    assert_eq!(world.stream.source(), Some(&Source::Store));
}

#[test]
fn a_fallback_that_somebody_changed_is_never_replaced_where_the_types_differ() {
    let mut world = World::new();
    (world.presence, world.choice) = (absent(), Choice::Document("a:Int64".into()));
    world.rules.allow_new_fields = true;
    world.look(Trigger::FirstSeen);
    assert_eq!(world.stream.phase, Phase::Provisional);
    world.store(Stored::Schema(schema("a:Int64 b:Utf8")));
    world.presence = Presence::Present;
    world.restage("a:Utf8");
    world.look(Trigger::Changed);
    assert_eq!((world.stream.phase, world.puts), (Phase::Conflicted, 1));
}

#[test]
fn a_fallback_stands_while_it_is_not_known_who_took_it_up() {
    for reachable in [true, false] {
        let mut world = World::new();
        (world.presence, world.choice) = (absent(), Choice::Document("a:Int64".into()));
        world.rules.allow_new_fields = true;
        world.look(Trigger::FirstSeen);
        world.presence = Presence::Present;
        (world.peers_complete, world.peers_reachable) = (false, reachable);
        world.restage("a:Utf8");
        world.look(Trigger::Changed);
        assert_eq!((world.stream.phase, world.puts), (Phase::Pending, 1));
        (world.peers_complete, world.peers_reachable) = (true, true);
        world.look(Trigger::Scheduled);
        assert_eq!(world.stored(), Some(schema("a:Utf8")));
    }
}

#[test]
fn a_fallback_that_contradicts_the_true_schema_gives_way_unless_others_took_it_up() {
    for (peers, phase, stored) in [
        (vec![], Phase::Synced, "a:Utf8"),
        (vec![schema("b:Int64")], Phase::Synced, "a:Utf8 b:Int64"),
        (
            vec![schema("a:Int64")],
            Phase::Conflicted,
            "a:Int64 b:Int64",
        ),
    ] {
        let mut world = World::new();
        world.presence = absent();
        world.choice = Choice::Document("a:Int64 b:Int64".into());
        world.rules.allow_new_fields = true;
        world.look(Trigger::FirstSeen);
        assert_eq!(world.stream.phase, Phase::Provisional);
        (world.presence, world.peers) = (Presence::Present, peers);
        world.restage("a:Utf8");
        world.look(Trigger::Changed);
        assert_eq!(
            (world.stream.phase, world.stored()),
            (phase, Some(schema(stored)))
        );
    }
}

#[test]
fn the_true_schema_in_place_of_a_fallback_may_not_contradict_a_peer_either() {
    let mut world = World::new();
    (world.presence, world.choice) = (absent(), Choice::Document("a:Int64".into()));
    world.rules.allow_new_fields = true;
    world.look(Trigger::FirstSeen);
    (world.presence, world.peers) = (Presence::Present, vec![schema("d:Int64")]);
    world.restage("a:Utf8 d:Utf8");
    world.look(Trigger::Changed);
    assert_eq!((world.stream.phase, world.puts), (Phase::Conflicted, 1));
    let failure = world.stream.last_failure.unwrap().to_string();
    assert!(
        failure.contains("the peer peer") && failure.contains("`d`"),
        "{failure}"
    );
}

#[test]
fn a_peer_of_another_type_is_named_and_nothing_is_written() {
    let mut world = World::new().stage("a:Utf8");
    world.peers = vec![schema("a:Int64")];
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Conflicted, 0));
    assert!(
        world
            .stream
            .last_failure
            .unwrap()
            .to_string()
            .contains("the peer peer")
    );
}

#[test]
fn new_fields_are_compared_with_the_peers_once_in_an_interval_and_on_each_node_at_another_time() {
    const MINUTE: Duration = Duration::from_secs(60);
    // Every minute the stream gets a field. The interval is 5 minutes, and 5 to 7.5 are between two comparisons.
    let compared = |entropy| {
        let mut world = World::new();
        world.entropy = entropy;
        let mut minutes = vec![];
        for minute in 0..16 {
            let before = world.peers_asked;
            world.restage(&format!("a:Utf8 f{minute}:Utf8"));
            world.look(Trigger::Changed);
            world.now = NOW.plus(MINUTE * (minute + 1));
            if world.peers_asked > before {
                minutes.push(minute);
            }
        }
        assert_eq!(world.puts, 16);
        minutes
    };
    assert_eq!(compared(0), [0, 5, 10, 15]);
    assert_eq!(compared(150_000), [0, 8]);

    // A clock that was set back by years does not put the next comparison off until then.
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    world.now = Timestamp::from_millis(NOW.as_millis() / 2);
    world.restage("a:Utf8 b:Utf8");
    world.look(Trigger::Changed);
    assert_eq!(world.peers_asked, 2);
}

#[test]
fn an_abandoned_stream_begins_again_with_what_it_captured() {
    for presence in [
        Presence::Absent("nothing staged".into()),
        Presence::NotExpected("nothing staged".into()),
    ] {
        let mut world = World::new().stage("a:Utf8");
        world.reachable = false;
        world.decision = RetryDecision::Abandon("enough".into());
        world.look(Trigger::FirstSeen);
        assert_eq!(world.stream.phase, Phase::Abandoned);
        // The node deletes what it staged, and the store comes back.
        world.staged = None;
        world.presence = presence;
        world.reachable = true;
        world.look(Trigger::Requested);
        assert_eq!(world.stream.phase, Phase::Synced);
        assert_eq!(world.stored(), Some(schema("a:Utf8")));
        assert_eq!(world.stream.attempts, 0);
    }
}

#[test]
fn peers_are_compared_once_in_the_interval_and_only_when_something_new_is_published() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    assert_eq!(world.peers_asked, 1);
    world.restage("a:Utf8");
    world.look(Trigger::Changed);
    world.restage("a:Utf8 b:Utf8");
    world.look(Trigger::Changed);
    assert_eq!((world.peers_asked, world.puts), (1, 2), "just now");
    world.now = NOW.plus(world.rules.longest_peers_interval());
    world.look(Trigger::Requested);
    assert_eq!(world.peers_asked, 1, "nothing new");
    world.restage("a:Utf8 c:Utf8");
    world.look(Trigger::Changed);
    assert_eq!((world.peers_asked, world.puts), (2, 3));
    world.now = NOW;
    world.restage("a:Utf8 d:Utf8");
    world.look(Trigger::Changed);
    assert_eq!(world.peers_asked, 3, "the clock stepped back");
}

#[test]
fn peers_are_left_alone_where_the_operator_says_so() {
    let mut world = World::new().stage("a:Utf8");
    (world.rules.check_peers, world.peers) = (false, vec![schema("a:Int64")]);
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.peers_asked), (Phase::Synced, 0));
}

#[test]
fn peers_that_cannot_be_listed_are_told_and_block_nobody() {
    let mut world = World::new().stage("a:Utf8");
    world.peers_reachable = false;
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 1));
    let told = |note: &Note| note.level == Level::Warning && note.text.contains("no listing");
    assert!(world.notes.iter().any(told), "{:?}", world.notes);
}

#[test]
fn what_the_node_overwrote_is_merged_back() {
    let mut world = World::new().stage("a:Utf8").storing("b:Int64");
    world.look(Trigger::FirstSeen);
    world.store(Stored::Schema(schema("c:Utf8")));
    world.look(Trigger::Scheduled);
    assert_eq!(
        (world.stream.phase, world.stored()),
        (Phase::Synced, Some(schema("a:Utf8 b:Int64 c:Utf8")))
    );
    let told = |note: &Note| note.level == Level::Alert && note.text.contains("overwritten");
    assert!(world.notes.iter().any(told), "{:?}", world.notes);
}

#[test]
fn a_missing_object_is_restored_only_by_repair() {
    for (repair, phase) in [(false, Phase::Awaiting), (true, Phase::Synced)] {
        let mut world = World::new().stage("a:Utf8");
        world.look(Trigger::FirstSeen);
        (world.staged, world.stored) = (None, None);
        world.rules.repair = repair;
        world.look(Trigger::Verification);
        world.look(Trigger::Verification);
        assert_eq!(
            (world.stream.phase, world.stored().is_some()),
            (phase, repair)
        );
    }
}

#[test]
fn what_went_missing_while_repairs_were_off_comes_back_when_they_are_on() {
    for presence in [absent(), Presence::NotExpected("quiet".into())] {
        let mut world = World::new().stage("a:Utf8");
        world.look(Trigger::FirstSeen);
        (world.staged, world.stored, world.presence) = (None, None, presence);
        world.look(Trigger::Verification);
        assert!(matches!(world.stream.phase, Phase::Awaiting | Phase::Idle));
        world.rules.repair = true;
        world.look(Trigger::Verification);
        assert_eq!(
            (world.stream.phase, world.stored()),
            (Phase::Synced, Some(schema("a:Utf8")))
        );
    }
}

#[test]
fn a_repair_brings_back_what_was_staged_since_as_well() {
    for stored in [None, Some(Stored::Garbage)] {
        let mut world = World::new().stage("a:Utf8");
        world.look(Trigger::FirstSeen);
        world.fate = Fate::Throttled;
        world.restage("a:Utf8 b:Int64");
        world.look(Trigger::Changed);
        assert_eq!(world.stream.phase, Phase::Pending);
        (world.staged, world.stored) = (None, None);
        stored.into_iter().for_each(|stored| world.store(stored));
        world.rules.repair = true;
        world.look(Trigger::Verification);
        assert_eq!(
            (world.stream.phase, world.stored()),
            (Phase::Synced, Some(schema("a:Utf8 b:Int64")))
        );
    }
}

#[test]
fn a_repair_that_would_contradict_the_peers_writes_nothing() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    (world.staged, world.stored) = (None, None);
    world.peers = vec![schema("a:Int64")];
    world.now = world.now.plus(Duration::from_secs(3_600));
    world.rules.repair = true;
    world.look(Trigger::Verification);
    assert_eq!(
        (world.stream.phase, world.puts, world.stored()),
        (Phase::Conflicted, 1, None)
    );
}

#[test]
fn a_corrupt_object_is_replaced_only_by_repair() {
    for (repair, phase) in [(false, Phase::Conflicted), (true, Phase::Synced)] {
        let mut world = World::new().stage("a:Utf8");
        world.look(Trigger::FirstSeen);
        world.store(Stored::Garbage);
        world.rules.repair = repair;
        world.look(Trigger::Verification);
        assert_eq!(
            (world.stream.phase, world.stored().is_some()),
            (phase, repair)
        );
    }
}

#[test]
fn delays_are_clamped_and_unsettled_verdicts_add_up() {
    let mut world = World::new().stage("a:Utf8");
    world.presence = Presence::Unsettled(Duration::from_millis(1));
    world.look(Trigger::FirstSeen);
    assert_eq!(world.stream.wake, Some(NOW.plus(world.rules.min_delay)));
    world.presence = Presence::Unsettled(Duration::from_secs(3600));
    world.look(Trigger::Scheduled);
    assert_eq!(world.stream.phase, Phase::Idle, "over ten minutes in all");

    let mut world = World::new().stage("a:Utf8");
    (world.reachable, world.decision) = (false, RetryDecision::After(Duration::from_secs(86_400)));
    world.look(Trigger::FirstSeen);
    assert_eq!(world.stream.wake, Some(NOW.plus(world.rules.max_delay)));
}

#[test]
fn unsettled_verdicts_add_up_to_ten_minutes_in_a_row() {
    let minutes = |minutes: u64| Presence::Unsettled(Duration::from_secs(minutes * 60));
    let mut world = World::new();
    (world.presence, world.choice) = (minutes(6), Choice::Skip("no".into()));
    world.look(Trigger::FirstSeen);
    world.presence = absent();
    world.look(Trigger::Requested);
    for part in [6, 4] {
        world.presence = minutes(part);
        world.look(Trigger::Requested);
        assert_eq!(world.stream.phase, Phase::Awaiting, "begun anew in between");
    }
    world.presence = minutes(0);
    world.look(Trigger::Requested);
    assert_eq!(world.stream.phase, Phase::Idle, "the shortest delay more");
    let told = |note: &Note| note.level == Level::Warning && note.text.contains("unsettled for");
    assert!(world.notes.iter().any(told), "{:?}", world.notes);
}

#[test]
fn without_a_retry_policy_the_delay_is_drawn_between_the_bounds() {
    let rules = Rules::default();
    let delays = (0..2_000_u64).map(|number| {
        let moment = Moment {
            now: NOW,
            entropy: number * 7_919,
            rules: &rules,
        };
        let failure = Failure::Other("down".into());
        let mut stream = doing(Phase::Pending, super::Activity::AskingRetry(failure));
        let decided = Event::Decided(RetryDecision::Abstain);
        stream.step(decided, moment).unwrap();
        assert_eq!(stream.phase, Phase::Pending, "never abandoned");
        stream.wake.unwrap().since(NOW)
    });
    let delays: Vec<_> = delays.collect();
    let (shortest, longest) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
    assert!(*shortest >= rules.min_delay && *shortest < rules.max_delay / 100);
    assert!(*longest <= rules.max_delay && *longest > rules.max_delay / 100 * 99);
}

#[test]
fn a_clock_that_stepped_back_over_a_restart_keeps_no_stream_waiting() {
    let mut world = World::new();
    world.stream.wake = Some(NOW.plus(Duration::from_secs(30 * 86_400)));
    world.restart();
    assert!(world.stream.wake.unwrap() <= NOW.plus(world.rules.recheck.max(world.rules.max_delay)));
}

#[test]
fn a_skip_while_nothing_failed_never_abandons() {
    let mut world = World::new();
    (world.presence, world.choice) = (absent(), Choice::Skip("no rung holds".into()));
    world.decision = RetryDecision::Abandon("enough".into());
    world.look(Trigger::FirstSeen);
    assert_eq!(
        (world.stream.phase, world.stream.attempts),
        (Phase::Awaiting, 0)
    );
}

#[test]
fn an_abandoned_stream_comes_back_when_asked_or_when_its_schema_changes() {
    for asked in [true, false] {
        let mut world = World::new().stage("a:Utf8");
        (world.reachable, world.decision) = (false, RetryDecision::Abandon("enough".into()));
        world.look(Trigger::FirstSeen);
        assert_eq!(world.stream.phase, Phase::Abandoned);
        assert_eq!(world.stream.next_wake(), None, "nothing is tried by itself");
        let told = |note: &Note| note.level == Level::Alert && note.text.contains("enough");
        assert!(world.notes.iter().any(told), "{:?}", world.notes);
        world.reachable = true;
        world.restage("a:Utf8");
        world.look(Trigger::Changed);
        assert_eq!(world.stream.phase, Phase::Abandoned, "nothing new");
        if asked {
            world.look(Trigger::Requested);
        } else {
            world.restage("a:Utf8 b:Int64");
            world.look(Trigger::Changed);
        }
        assert_eq!(world.stream.phase, Phase::Synced);
    }
}

#[test]
fn what_was_abandoned_starts_to_count_anew_when_asked() {
    let mut world = World::new().stage("a:Utf8");
    world.reachable = false;
    world.look(Trigger::FirstSeen);
    world.decision = RetryDecision::Abandon("enough".into());
    world.look(Trigger::Requested);
    assert_eq!(
        (world.stream.phase, world.stream.attempts),
        (Phase::Abandoned, 2)
    );
    assert_eq!(world.stream.next_wake(), None, "nothing is tried by itself");
    world.decision = RetryDecision::After(Duration::from_secs(1));
    world.look(Trigger::Requested);
    assert_eq!(
        (world.stream.phase, world.stream.attempts),
        (Phase::Pending, 1)
    );
}

#[test]
fn waiting_for_a_change_ends_with_the_hourly_recheck_at_the_latest() {
    let mut world = World::new().stage("a:Utf8");
    (world.reachable, world.decision) = (false, RetryDecision::OnChange);
    world.look(Trigger::FirstSeen);
    assert_eq!(
        world.stream.wake,
        Some(NOW.plus(Duration::from_secs(3_600)))
    );
}

#[test]
fn a_bad_staged_file_is_told_and_takes_nothing_from_what_the_store_holds() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    world.read = Some(Staged::IllFormed {
        size: 3,
        modified: world.now,
        reason: "not JSON".into(),
    });
    (world.signature, world.decision) = (99, RetryDecision::Abandon("enough".into()));
    world.look(Trigger::Changed);
    assert_eq!((world.stream.phase, world.puts), (Phase::Synced, 1));
    assert!(world.stream.wake.is_some(), "looked at again all the same");
    let told = |note: &Note| note.level == Level::Warning && note.text.contains("not JSON");
    assert!(world.notes.iter().any(told), "{:?}", world.notes);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_read_again_soon() {
    for trigger in [Trigger::Scheduled, Trigger::Changed] {
        let mut world = World::new().stage("a:Utf8");
        world.read = Some(Staged::Torn);
        world.look(Trigger::FirstSeen);
        assert_eq!(world.stream.wake, Some(NOW.plus(world.rules.min_delay)));
        assert_eq!((world.stream.attempts, world.puts), (0, 0));
        world.read = None;
        world.look(trigger);
        assert_eq!(world.stream.phase, Phase::Synced, "{trigger:?}");
    }
}

#[test]
fn what_was_captured_goes_on_though_nothing_is_staged_any_more() {
    for presence in [absent(), Presence::NotExpected("quiet".into())] {
        let mut world = World::new().stage("a:Utf8");
        world.fate = Fate::Throttled;
        world.look(Trigger::FirstSeen);
        assert_eq!(world.stream.phase, Phase::Pending);
        (world.staged, world.presence) = (None, presence);
        world.signature += 1;
        world.look(Trigger::Changed);
        assert_eq!(
            (world.stream.phase, world.stored()),
            (Phase::Synced, Some(schema("a:Utf8")))
        );
        assert_eq!(world.stream.attempts, 0, "a success ends the count");
    }
}

#[test]
fn nothing_is_owed_once_the_staging_directory_is_gone() {
    let mut world = World::new();
    (world.presence, world.choice) = (absent(), Choice::Skip("no".into()));
    world.look(Trigger::FirstSeen);
    assert_eq!(world.stream.phase, Phase::Awaiting);
    world.run(Event::StagingGone);
    assert_eq!(
        (world.stream.phase, world.stream.next_wake()),
        (Phase::Idle, None)
    );
}

#[test]
fn an_operator_who_asks_has_the_store_looked_at() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    world.stored = None;
    world.look(Trigger::Requested);
    let told = |note: &Note| note.level == Level::Alert && note.text.contains("missing");
    assert!(world.notes.iter().any(told), "{:?}", world.notes);
}

#[test]
fn a_check_that_fails_is_no_failed_attempt_and_is_made_again() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    (world.now, world.reachable) = (NOW.plus(Duration::from_secs(60)), false);
    world.look(Trigger::Scheduled);
    assert_eq!(
        (world.stream.phase, world.stream.attempts),
        (Phase::Synced, 0)
    );
    let next = NOW.plus(Duration::from_secs(60) + world.rules.max_delay);
    assert_eq!(world.stream.look, Some(next));
}

#[test]
fn the_outcome_of_an_unknown_write_is_asked_for_before_anything_else_at_any_look() {
    for trigger in [
        Trigger::FirstSeen,
        Trigger::Changed,
        Trigger::Scheduled,
        Trigger::Requested,
        Trigger::Verification,
    ] {
        let mut stream = Stream {
            intent: Some(intent("a:Utf8", Mode::Create, Source::Local)),
            ..doing(Phase::Pending, super::Activity::Resting)
        };
        let rules = Rules::default();
        let moment = Moment {
            now: NOW,
            entropy: 0,
            rules: &rules,
        };
        let looked = Event::Looked {
            trigger,
            sighting: sighting(99),
        };
        let effects = stream.step(looked, moment).unwrap();
        assert_eq!(effects, [Effect::Fetch], "{trigger:?}");
    }
}

#[test]
fn a_verification_ends_abandonment_only_where_the_store_holds_what_was_staged() {
    for (stored, phase) in [
        ("a:Utf8 b:Utf8", Phase::Synced),
        ("b:Utf8", Phase::Abandoned),
    ] {
        let mut world = World::new().stage("a:Utf8");
        (world.reachable, world.decision) = (false, RetryDecision::Abandon("enough".into()));
        world.look(Trigger::FirstSeen);
        world.reachable = true;
        world.store(Stored::Schema(schema(stored)));
        world.look(Trigger::Verification);
        assert_eq!((world.stream.phase, world.puts), (phase, 0), "{stored}");
    }
}

#[test]
fn policies_are_told_since_when_the_host_has_seen_the_staged_file() {
    let mut world = World::new().stage("a:Utf8");
    world.look(Trigger::FirstSeen);
    let LocalState::File(file) = &world.stream.local else {
        panic!("{:?}", world.stream.local);
    };
    assert_eq!(file.stable_since, world.stream.sighting.stable_since);
    assert_eq!(file.stable_since, NOW);
}

#[test]
fn a_fallback_that_went_missing_is_chosen_anew() {
    let mut world = World::new();
    (world.presence, world.peers) = (absent(), vec![schema("p:Utf8")]);
    world.rules.repair = true;
    world.look(Trigger::FirstSeen);
    (world.stored, world.peers) = (None, vec![schema("q:Utf8")]);
    world.look(Trigger::Verification);
    assert_eq!(
        (world.stream.phase, world.stored()),
        (Phase::Provisional, Some(schema("q:Utf8")))
    );
    (world.stored, world.choice) = (None, Choice::Skip("no".into()));
    world.look(Trigger::Verification);
    assert_eq!(world.stream.phase, Phase::Awaiting);
    assert_eq!(
        world.stream.source(),
        None,
        "nothing is known to stand there"
    );
}

#[test]
fn restaging_the_same_schema_does_not_cut_a_delay_short() {
    let mut world = World::new().stage("a:Utf8 b:Int64");
    world.fate = Fate::Throttled;
    world.look(Trigger::FirstSeen);
    assert_eq!((world.stream.phase, world.puts), (Phase::Pending, 1));
    world.restage("b:Int64 a:Utf8");
    world.look(Trigger::Changed);
    assert_eq!(world.puts, 1);
    world.look(Trigger::Scheduled);
    assert_eq!(world.stream.phase, Phase::Synced);
}

#[test]
fn an_ill_formed_file_leaves_the_phase_and_the_store_alone() {
    let mut world = World::new();
    world.stream.local = LocalState::Missing;
    let sighting = super::Sighting {
        signature: 9,
        ..sighting(0)
    };
    let rules = Rules::default();
    let moment = Moment {
        now: NOW,
        entropy: 0,
        rules: &rules,
    };
    world
        .stream
        .step(
            Event::Looked {
                trigger: Trigger::FirstSeen,
                sighting,
            },
            moment,
        )
        .unwrap();
    let torn = Staged::IllFormed {
        size: 3,
        modified: NOW,
        reason: "line 1: not JSON".into(),
    };
    world.stream.step(Event::Read(torn), moment).unwrap();
    let effects = world
        .stream
        .step(Event::Judged(Presence::Present), moment)
        .unwrap();
    assert!(
        matches!(effects.last(), Some(Effect::AskRetry(failure)) if failure.to_string().contains("not JSON"))
    );
    assert_eq!(world.stream.phase, Phase::Pending);
}

#[derive(Clone, Debug)]
enum Move {
    Stage(&'static str),
    Unstage,
    NodeWrites(&'static str),
    NodeLosesIt,
    Corrupts,
    DeleteStream,
    CreateStream,
    Reachable(bool),
    Fate(Fate),
    Say(Presence),
    Choose(Choice),
    Decide(RetryDecision),
    Peers(Vec<&'static str>),
    Look(Trigger),
    Restart,
}

const FIELDS: [&str; 5] = ["a:Utf8", "a:Int64", "b:Utf8", "a:Utf8 c:Boolean", ""];

fn fields() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&FIELDS[..])
}

fn a_move() -> impl Strategy<Value = Move> {
    let reason = || "because".to_owned();
    let fates = [
        Fate::AnswerLost,
        Fate::RequestLost,
        Fate::RefusedAfterwards,
        Fate::Throttled,
    ];
    let triggers = [
        Trigger::Changed,
        Trigger::Scheduled,
        Trigger::Requested,
        Trigger::Verification,
    ];
    let sayings = [
        Presence::Present,
        Presence::Absent(reason()),
        Presence::NotExpected(reason()),
        Presence::Unsettled(Duration::from_secs(7)),
    ];
    let decisions = [
        RetryDecision::After(Duration::ZERO),
        RetryDecision::OnChange,
        RetryDecision::Abandon(reason()),
        RetryDecision::Abstain,
    ];
    let choice = prop_oneof![
        Just(Choice::Peers),
        Just(Choice::Skip(reason())),
        fields().prop_map(|fields| Choice::Document(fields.into()))
    ];
    prop_oneof![
        3 => fields().prop_map(Move::Stage),
        1 => Just(Move::Unstage),
        2 => fields().prop_map(Move::NodeWrites),
        1 => Just(Move::NodeLosesIt),
        1 => Just(Move::Corrupts),
        1 => Just(Move::DeleteStream),
        1 => Just(Move::CreateStream),
        1 => any::<bool>().prop_map(Move::Reachable),
        3 => proptest::sample::select(fates.to_vec()).prop_map(Move::Fate),
        2 => proptest::sample::select(sayings.to_vec()).prop_map(Move::Say),
        1 => choice.prop_map(Move::Choose),
        1 => proptest::sample::select(decisions.to_vec()).prop_map(Move::Decide),
        1 => proptest::collection::vec(fields(), 0..3).prop_map(Move::Peers),
        8 => proptest::sample::select(triggers.to_vec()).prop_map(Move::Look),
        2 => Just(Move::Restart),
    ]
}

fn play(world: &mut World, step: Move) {
    match step {
        Move::Stage(fields) => world.restage(fields),
        Move::Unstage => (world.staged, world.signature) = (None, world.signature + 1),
        Move::NodeWrites(fields) => world.store(Stored::Schema(schema(fields))),
        Move::NodeLosesIt => world.stored = None,
        Move::Corrupts => world.store(Stored::Garbage),
        Move::DeleteStream => (world.marker, world.stored) = (None, None),
        Move::CreateStream => world.marker = Some(world.now.as_millis()),
        Move::Reachable(reachable) => world.reachable = reachable,
        Move::Fate(fate) => world.fate = fate,
        Move::Say(presence) => world.presence = presence,
        Move::Choose(choice) => world.choice = choice,
        Move::Decide(decision) => world.decision = decision,
        Move::Peers(peers) => world.peers = peers.into_iter().map(schema).collect(),
        Move::Look(trigger) => world.look(trigger),
        Move::Restart => world.restart(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn whatever_happens_nothing_is_lost_and_faults_end_in_a_settled_stream(
        moves in proptest::collection::vec(a_move(), 1..60),
        repair in any::<bool>(),
        allow_new_fields in any::<bool>(),
    ) {
        let mut world = World::new();
        world.rules = Rules { repair, allow_new_fields, ..Rules::default() };
        world.look(Trigger::FirstSeen);
        for step in moves {
            play(&mut world, step);
            world.assert_sound();
        }

        // The faults stop, and a schema that everybody can merge is staged for a stream that exists.
        world.marker.get_or_insert(1_000);
        (world.reachable, world.fate, world.presence) = (true, Fate::Honest, Presence::Present);
        (world.peers, world.stored) = (vec![], None);
        world.decision = RetryDecision::After(Duration::from_secs(1));
        world.restage("fresh:Utf8");
        for trigger in [Trigger::Requested, Trigger::Scheduled, Trigger::Requested, Trigger::Scheduled] {
            world.look(trigger);
        }
        world.assert_sound();
        prop_assert_eq!(world.stream.phase, Phase::Synced);
        prop_assert!(world.stored().unwrap().covers(&schema("fresh:Utf8")));
    }
}
