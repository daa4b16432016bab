//! The rig: a machine whose effects are performed against a store and a node that are made up.

use super::*;

/// How the store treats the next write.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fate {
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
pub(super) enum Stored {
    Schema(Schema),
    Garbage,
}

/// One stream's world: the store's side, the node's side, and what was ever written by us.
#[derive(Debug)]
pub(super) struct World {
    pub(super) stream: Stream,
    pub(super) rules: Rules,
    pub(super) now: Timestamp,
    pub(super) staged: Option<Schema>,
    /// When it was staged.
    staged_at: Timestamp,
    /// What a read of the staged file gives instead of that.
    pub(super) read: Option<Staged>,
    pub(super) stored: Option<(Stored, u64)>,
    pub(super) marker: Option<u64>,
    marker_seen: bool,
    pub(super) markers_reachable: bool,
    pub(super) marker_key: &'static str,
    pub(super) peers: Vec<Schema>,
    pub(super) peers_complete: bool,
    pub(super) unreadable_peers: Vec<(String, String)>,
    pub(super) peers_reachable: bool,
    pub(super) presence: Presence,
    pub(super) choice: Choice,
    pub(super) decision: RetryDecision,
    pub(super) fate: Fate,
    /// The store gives objects no version.
    pub(super) versionless: bool,
    /// What becomes of the marker with the next write.
    pub(super) marker_after_writes: Option<Option<u64>>,
    pub(super) reachable: bool,
    pub(super) versions: u64,
    pub(super) signature: u64,
    pub(super) violations: Vec<String>,
    pub(super) puts: u32,
    pub(super) entropy: u64,
    pub(super) peers_asked: u32,
    pub(super) policies_asked: u32,
    /// Requests about this node's object that are no writes: HEAD, GET.
    pub(super) heads: u32,
    pub(super) gets: u32,
    pub(super) notes: Vec<Note>,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            stream: Stream::unseen(),
            rules: Rules::default(),
            now: NOW,
            staged: None,
            staged_at: NOW,
            read: None,
            stored: None,
            marker: Some(1_000),
            marker_seen: false,
            markers_reachable: true,
            marker_key: "n1.stream.json",
            peers: vec![],
            peers_complete: true,
            unreadable_peers: vec![],
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

    pub(super) fn stage(mut self, fields: &str) -> Self {
        self.restage(fields);
        self
    }

    pub(super) fn restage(&mut self, fields: &str) {
        self.staged = Some(schema(fields));
        self.staged_at = self.now;
        self.signature += 1;
    }

    pub(super) fn unstage(&mut self) {
        self.staged = None;
        self.signature += 1;
    }

    /// The node writes its own key, without conditions.
    pub(super) fn store(&mut self, stored: Stored) {
        self.versions += 1;
        self.stored = Some((stored, self.versions));
    }

    pub(super) fn storing(mut self, fields: &str) -> Self {
        self.store(Stored::Schema(schema(fields)));
        self
    }

    pub(super) fn stored(&self) -> Option<Schema> {
        match &self.stored {
            Some((Stored::Schema(schema), _)) => Some(schema.clone()),
            _ => None,
        }
    }

    pub(super) fn look(&mut self, trigger: Trigger) {
        let sighting = Sighting {
            signature: self.signature,
            ..sighting(0)
        };
        self.run(Event::Looked { trigger, sighting });
    }

    /// Runs an attempt to its end, and then a timer's worth of time passes.
    pub(super) fn run(&mut self, mut event: Event) {
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
    pub(super) fn restart(&mut self) {
        self.stream.activity = Activity::Resting;
        self.run(Event::Started);
    }

    fn ask<T>(&self, answer: T) -> Result<T, StoreFailure> {
        if self.reachable {
            Ok(answer)
        } else {
            Err(StoreFailure::new(FailureKind::Unavailable, "down"))
        }
    }

    fn ask_peers(&self, peers: Peers) -> Result<Peers, StoreFailure> {
        if self.peers_reachable {
            self.ask(peers)
        } else {
            Err(StoreFailure::new(FailureKind::Timeout, "no listing"))
        }
    }

    fn marker_now(&self) -> MarkerSeen {
        self.marker.map_or(MarkerSeen::Gone, |created_at| {
            MarkerSeen::Present(Marker {
                key: self.marker_key.to_owned(),
                seen: self.now,
                first_seen: self.now,
                ..marker(created_at)
            })
        })
    }

    fn peers_now(&self) -> Peers {
        let schemas = self.peers.iter().enumerate().map(|(number, schema)| Peer {
            key: format!("peer{number}"),
            node: Some(format!("n{}", number + 2)),
            schema: schema.clone(),
        });
        Peers {
            own: "n1".to_owned(),
            schemas: schemas.collect(),
            unreadable: self.unreadable_peers.clone(),
            complete: self.peers_complete,
            stored: None,
        }
    }

    fn nodes_now(&self) -> Peers {
        let stored = match &self.stored {
            Some((Stored::Schema(schema), _)) => Some(schema.clone()),
            _ => None,
        };
        Peers {
            stored,
            ..self.peers_now()
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
                    modified: self.staged_at,
                    schema: schema.clone(),
                },
                None => Staged::Missing,
            }),
            Effect::AskExistence(_) => Event::Judged(match (&self.presence, &self.staged) {
                (Presence::Present, None) if self.read.is_none() => {
                    Presence::Absent("nothing staged".into())
                }
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
                Event::Peers(self.ask_peers(self.peers_now()))
            }
            Effect::GatherNodes => {
                self.peers_asked += 1;
                Event::Peers(self.ask_peers(self.nodes_now()))
            }
            Effect::Resolve(choice) => Event::Proposed(self.propose(&choice)),
            Effect::Write => Event::Written(self.write()),
        })
    }

    pub(super) fn assert_sound(&self) {
        assert!(self.violations.is_empty(), "{:?}", self.violations);
    }
}

pub(super) fn absent() -> Presence {
    Presence::Absent("owed".into())
}
