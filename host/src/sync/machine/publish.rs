//! Publishing a captured schema: read, then create, or merge and swap.

use super::stream::{Activity, Confirmed, Document, Intent, Mode, Purpose, Remote, Source, Stream};
use super::{Effect, Level, Marker, MarkerSeen, Peers, RemoteSeen, Repair, Step};
use crate::contract::{
    Failure, FailureKind, LocalState, ObjectInfo, Phase, RemoteState, StoreFailure, Trigger,
};
use crate::planted::{self, Defect};
use crate::schema::{Conflict, Schema};
use crate::text::counted;

/// What is wrong with a stream that the store never had.
const UNKNOWN: &str =
    "the store does not know this stream: it has no marker of it, so nothing is published";

impl Step<'_, '_> {
    /// Begins to publish the captured schema. Which incarnation of the stream this is must be known first.
    pub(super) fn publish(&mut self) -> Option<()> {
        match self.stream.incarnation {
            None => self.check_marker(Purpose::Publish),
            Some(_) => self.fetch(Purpose::Publish),
        }
    }

    pub(super) fn fetch(&mut self, purpose: Purpose) -> Option<()> {
        self.perform(Activity::Fetching(purpose), Effect::Fetch)
    }

    pub(super) fn check_marker(&mut self, purpose: Purpose) -> Option<()> {
        self.perform(
            Activity::CheckingMarker(purpose),
            Effect::CheckMarker(purpose),
        )
    }

    pub(super) fn marker(&mut self, seen: Result<MarkerSeen, StoreFailure>) -> Option<()> {
        let Activity::CheckingMarker(purpose) = self.stream.activity else {
            return None;
        };
        let revived = self.stream.phase == Phase::Gone;
        if revived != (purpose == Purpose::Revive) {
            return None;
        }
        let seen = match seen {
            Ok(seen) => seen,
            Err(failure) => return self.marker_unknown(purpose, failure),
        };
        match seen {
            MarkerSeen::Gone
                if purpose == Purpose::Write && planted::is(Defect::WritesThoughGone) => {}
            MarkerSeen::Gone => return self.without_marker(purpose),
            MarkerSeen::Present(marker) => {
                if revived && planted::is(Defect::NeverRevives) {
                    return self.rest();
                }
                if revived || self.is_anew(&marker) {
                    return self.begin_anew(marker);
                }
                self.keep_marker(marker);
            }
            MarkerSeen::NotNeeded if revived => return None,
            MarkerSeen::NotNeeded => {}
        }
        let was_unknown = self.stream.phase == Phase::Unknown;
        if was_unknown {
            self.stream.phase = Phase::Pending;
        }
        // A write that took effect late has done so by the time that the object is looked at again.
        self.stream.unanswered &= purpose != Purpose::Verify;
        match purpose {
            Purpose::Publish if self.holds_leftover() => self.hold(),
            Purpose::Vanished if self.holds_leftover() => self.hold(),
            Purpose::Publish => self.fetch(Purpose::Publish),
            Purpose::Write => self.perform(Activity::Writing, Effect::Write),
            Purpose::Missing => self.missing(),
            Purpose::Invalid => self.invalid(),
            Purpose::Verify => self.fetch(Purpose::Verify),
            Purpose::Created => self.go_on_publishing(),
            Purpose::Vanished if was_unknown && self.stream.captured.is_some() => self.publish(),
            Purpose::Vanished => self.rest(),
            Purpose::Held => self.read_staged(Trigger::Scheduled),
            Purpose::Adopt => self.fetch(Purpose::Adopt),
            Purpose::Revive => self.rest(),
        }
    }

    fn marker_unknown(&mut self, purpose: Purpose, failure: StoreFailure) -> Option<()> {
        // The write was not begun, so there is nothing to read back.
        if purpose == Purpose::Write {
            self.stream.intent = None;
        }
        match self.stream.phase {
            _ if purpose == Purpose::Vanished => {
                let soon = self.now().plus(self.moment.rules.look_again);
                self.look_later(&failure)?;
                self.stream.look = self.stream.look.map(|at| at.min(soon));
                Some(())
            }
            Phase::Unseen if purpose == Purpose::Adopt => self.fail(Failure::Store(failure)),
            _ if purpose == Purpose::Held => {
                self.look_at_held_again();
                self.look_later(&failure)
            }
            Phase::Unknown | Phase::Pending | Phase::Awaiting => self.fail(Failure::Store(failure)),
            Phase::Gone => {
                self.stream.wake = Some(self.now().plus(self.moment.rules.recheck));
                self.rest()
            }
            _ => {
                // The look after a Create is still owed. An object of no known version is looked at by way of the marker.
                if let (Purpose::Created, Some(confirmed)) = (purpose, &mut self.stream.confirmed) {
                    confirmed.version = None;
                }
                self.look_later(&failure)
            }
        }
    }

    fn is_anew(&self, marker: &Marker) -> bool {
        if planted::is(Defect::KeepsOldIncarnation) {
            return false;
        }
        self.stream
            .incarnation
            .as_ref()
            .is_some_and(|known| known.is_succeeded_by(marker))
    }

    /// Keeps the marker of the stream's present incarnation.
    pub(super) fn keep_marker(&mut self, marker: Marker) {
        let first_seen = match &self.stream.incarnation {
            Some(known) => known.first_seen,
            None => marker.first_seen,
        };
        self.stream.incarnation = Some(Marker {
            first_seen,
            ..marker
        });
    }

    /// The store has no marker. Only a stream that was seen there can have been deleted.
    pub(super) fn without_marker(&mut self, purpose: Purpose) -> Option<()> {
        if self.stream.incarnation.is_some() || self.stream.phase == Phase::Gone {
            return self.gone();
        }
        match purpose {
            Purpose::Vanished => self.drop_unknown(),
            // Nothing is owed to it, so the store need not know it. It may be very new.
            Purpose::Adopt => {
                self.idle();
                self.stream.look = Some(self.now().plus(self.moment.rules.recheck));
                self.rest()
            }
            // Whichever look comes first once the directory is gone: no later one is sure to be about that.
            _ if !self.stream.sighting.is_staged() => self.drop_unknown(),
            _ => self.unknown(),
        }
    }

    /// The stream is staged and the store never had it: the store may be the wrong one, or the stream very new.
    fn unknown(&mut self) -> Option<()> {
        let failure = Failure::Other(UNKNOWN.to_owned());
        if self.stream.last_failure.as_ref() != Some(&failure) {
            self.note(Level::Warning, UNKNOWN);
        }
        self.stream.phase = Phase::Unknown;
        self.stream.intent = None;
        self.fail(failure)
    }

    /// Neither the store nor the node has the stream.
    fn drop_unknown(&mut self) -> Option<()> {
        self.note(
            Level::Info,
            "nothing is staged for the stream any more, and the store never had it",
        );
        (self.stream.captured, self.stream.captured_modified) = (None, None);
        self.stream.phase = Phase::Idle;
        self.stream.wake = None;
        self.succeed();
        self.rest()
    }

    /// The stream was deleted: cancel everything, and never bring it back.
    pub(super) fn gone(&mut self) -> Option<()> {
        if self.stream.phase != Phase::Gone {
            self.note(
                Level::Warning,
                "the stream was deleted from the store; what is staged for it is left alone",
            );
        }
        let wake = self.now().plus(self.moment.rules.recheck);
        *self.stream = Stream {
            phase: Phase::Gone,
            incarnation: self.stream.incarnation.take(),
            sighting: std::mem::take(&mut self.stream.sighting),
            last_success: self.stream.last_success,
            wake: Some(wake),
            ..Stream::unseen()
        };
        self.rest()
    }

    /// The stream was created again under its name: nothing of the old one may enter the new one.
    pub(super) fn begin_anew(&mut self, marker: Marker) -> Option<()> {
        self.note(
            Level::Warning,
            format!("the stream was created anew at {}", marker.created_at),
        );
        // What was staged for the new one before this was noticed is its own.
        let captured_modified = self.stream.captured_modified;
        let captured_modified = captured_modified.filter(|at| !self.is_older(*at, &marker));
        let captured = self.stream.captured.take();
        *self.stream = Stream {
            captured: captured.filter(|_| captured_modified.is_some()),
            captured_modified,
            incarnation: Some(marker),
            sighting: std::mem::take(&mut self.stream.sighting),
            ..Stream::unseen()
        };
        self.read_staged(Trigger::FirstSeen)
    }

    fn holds_leftover(&self) -> bool {
        let captured = self.stream.captured_modified;
        let marker = self.stream.incarnation.as_ref();
        marker
            .zip(captured)
            .is_some_and(|(marker, modified)| self.is_older(modified, marker))
    }

    fn hold(&mut self) -> Option<()> {
        (self.stream.captured, self.stream.captured_modified) = (None, None);
        self.stream.phase = Phase::Unseen;
        self.read_staged(Trigger::Changed)
    }

    pub(super) fn fetched(&mut self, remote: Result<RemoteSeen, StoreFailure>) -> Option<()> {
        // Policies take a missing object for one that was lost: nothing says so of a stream that is idle.
        let adopts = self.stream.activity == Activity::Fetching(Purpose::Adopt);
        if let Ok(remote) = &remote
            && !(adopts && *remote == RemoteSeen::Missing)
        {
            self.stream.remote = match remote {
                RemoteSeen::Missing => RemoteState::Missing {
                    seen: self.moment.now,
                },
                RemoteSeen::WellFormed { object, .. } | RemoteSeen::Corrupt { object, .. } => {
                    RemoteState::Found {
                        object: object.clone(),
                        seen: self.moment.now,
                    }
                }
            };
        }
        match std::mem::take(&mut self.stream.activity) {
            Activity::ReadingBack(ended) => self.read_was(ended, remote),
            Activity::Fetching(Purpose::Publish) => match (self.stream.phase, remote) {
                (Phase::Pending, Err(failure)) => self.fail(Failure::Store(failure)),
                (Phase::Pending, Ok(remote)) => self.compare(remote),
                (Phase::Conflicted, remote) => self.recheck(remote),
                _ => None,
            },
            Activity::Fetching(Purpose::Verify) => self.verified(remote),
            Activity::Fetching(Purpose::Adopt) => self.adopt(remote),
            _ => None,
        }
    }

    /// Nothing is staged for the stream; what the store holds of it was published before any agent looked. It is
    /// protected and compared like what the agent publishes.
    fn adopt(&mut self, remote: Result<RemoteSeen, StoreFailure>) -> Option<()> {
        if !matches!(self.stream.phase, Phase::Unseen | Phase::Idle) {
            return None;
        }
        match remote {
            Err(failure) if self.stream.phase == Phase::Unseen => {
                self.fail(Failure::Store(failure))
            }
            Err(failure) => self.look_later(&failure),
            Ok(RemoteSeen::Missing) => {
                self.idle();
                self.rest()
            }
            Ok(RemoteSeen::WellFormed { object, schema }) => {
                self.synced(schema, &object, Source::Store)
            }
            Ok(RemoteSeen::Corrupt { object, reason }) => self.corrupt(&object, &reason),
        }
    }

    /// A pending schema meets what the store holds.
    pub(super) fn compare(&mut self, remote: RemoteSeen) -> Option<()> {
        let captured = self.stream.captured.clone()?;
        match remote {
            RemoteSeen::Missing => self.compare_peers(Intent {
                document: captured,
                mode: Mode::Create,
                source: Source::Local,
            }),
            RemoteSeen::WellFormed { object, schema } if schema.covers(&captured.schema) => {
                self.synced(schema, &object, Source::Store)
            }
            RemoteSeen::WellFormed { object, schema } => match schema.merge(&captured.schema) {
                Ok(_) if planted::is(Defect::SkipsMerge) => {
                    self.swap(&object, captured.schema, Source::Local)
                }
                Ok(merged) => self.swap(&object, merged, Source::Local),
                Err(_) if self.is_own_fallback(&object) => {
                    let remote = Box::new(Remote { object, schema });
                    self.perform(Activity::ReplacingFallback(remote), Effect::GatherPeers)
                }
                Err(conflict) => self.conflicted(self.differs(&conflict)),
            },
            RemoteSeen::Corrupt { object, reason } => self.corrupt(&object, &reason),
        }
    }

    /// Prepares the compare-and-swap of the object that was read.
    pub(super) fn swap(
        &mut self,
        object: &ObjectInfo,
        schema: Schema,
        source: Source,
    ) -> Option<()> {
        let Some(version) = object.version.clone() else {
            return self.fail(Failure::Other(
                "the store gives its objects no version, so none of them can be replaced safely"
                    .to_owned(),
            ));
        };
        self.compare_peers(Intent {
            document: Document::new(schema),
            mode: Mode::Update(version),
            source,
        })
    }

    fn is_own_fallback(&self, object: &ObjectInfo) -> bool {
        self.stream.confirmed.as_ref().is_some_and(|confirmed| {
            confirmed.source.is_fallback()
                && confirmed.version.is_some()
                && confirmed.version == object.version
        })
    }

    /// The true schema contradicts our own fallback: its fields give way, unless another object holds them by now.
    pub(super) fn replace_fallback(&mut self, remote: Remote, peers: &Peers) -> Option<()> {
        let captured = self.stream.captured.clone()?;
        if !peers.complete {
            return self.fail(Failure::Other(
                "the peers' listing is incomplete".to_owned(),
            ));
        }
        let kept = remote.schema.intersect_union(&peers.known());
        match kept.merge(&captured.schema) {
            Ok(merged) => {
                if self.compared(&merged, peers) {
                    return self.nodes_conflict();
                }
                self.swap(&remote.object, merged, Source::Local)
            }
            Err(conflict) => self.conflicted(format!(
                "staged schema and the fallback that peers took up: {conflict}"
            )),
        }
    }

    /// The store holds the schema or more.
    pub(super) fn synced(
        &mut self,
        schema: Schema,
        object: &ObjectInfo,
        source: Source,
    ) -> Option<()> {
        self.stream.phase = Phase::Synced;
        self.stream.intent = None;
        self.stream.confirmed = Some(Confirmed {
            document: Document::new(schema),
            version: object.version.clone(),
            source,
        });
        self.stream.end_delay();
        // A Create of ours that came late may stand in a stream that was deleted: only the marker tells.
        let again = self.now().plus(self.moment.rules.look_again);
        self.stream.look = self.stream.unanswered.then_some(again);
        self.succeed();
        self.stream.last_success = Some(self.moment.now);
        self.settle()
    }

    /// The stored schema and the captured one clash.
    fn differs(&self, conflict: &Conflict) -> String {
        match &self.stream.local {
            LocalState::Missing => format!(
                "the stored schema differs from what this node staged or stored last: {conflict}; if the stored type is \
                 right, `tidegate resolve` accepts it"
            ),
            _ => format!("stored and staged schema differ: {conflict}"),
        }
    }

    pub(super) fn conflicted(&mut self, text: String) -> Option<()> {
        self.stream.phase = Phase::Conflicted;
        self.stream.intent = None;
        self.note(Level::Alert, text.clone());
        self.fail(Failure::SchemaConflict(text))
    }

    /// The stored object is no schema. Only a repair replaces it, by the same compare-and-swap as any other write.
    pub(super) fn corrupt(&mut self, object: &ObjectInfo, reason: &str) -> Option<()> {
        match (self.moment.rules.repair, self.stream.restorable()) {
            (Repair::All, Some(document)) => {
                self.note(
                    Level::Alert,
                    format!("the stored object is corrupt and will be restored: {reason}"),
                );
                self.stream.phase = Phase::Pending;
                // What was captured and clashes with it stays: it is still to be told as a conflict.
                if !self.stream.owes_more_than(&document.schema) {
                    self.stream.capture(document.clone());
                }
                self.swap(object, document.schema, Source::Local)
            }
            _ => self.conflicted(format!("the stored object is corrupt: {reason}")),
        }
    }

    /// A conflict is judged anew from the staged file and the store, never from the ledger.
    pub(super) fn recheck(&mut self, remote: Result<RemoteSeen, StoreFailure>) -> Option<()> {
        let captured = self.stream.captured.as_ref()?.schema.clone();
        match remote {
            Err(failure) => self.fail(Failure::Store(failure)),
            Ok(RemoteSeen::Corrupt { object, reason }) => self.corrupt(&object, &reason),
            Ok(RemoteSeen::WellFormed { schema, object })
                if !self.is_own_fallback(&object) && schema.merge(&captured).is_err() =>
            {
                let text = match schema.merge(&captured) {
                    Err(conflict) => self.differs(&conflict),
                    Ok(_) => return None,
                };
                self.fail(Failure::SchemaConflict(text))
            }
            Ok(_) => {
                self.compare_first();
                self.stream.phase = Phase::Pending;
                self.stream.lost_races = 0;
                self.fetch(Purpose::Publish)
            }
        }
    }

    pub(super) fn lost_race(&mut self, remote: RemoteSeen) -> Option<()> {
        self.stream.intent = None;
        if let (true, RemoteSeen::WellFormed { object, .. }, Some(captured)) = (
            planted::is(Defect::LosesRaceAndOverwrites),
            &remote,
            self.stream.captured.clone(),
        ) {
            return self.swap(object, captured.schema, Source::Local);
        }
        self.stream.lost_races = self.stream.lost_races.saturating_add(1);
        if self.stream.lost_races > self.moment.rules.max_lost_races {
            let lost = self.stream.lost_races;
            self.stream.lost_races = 0;
            return self.fail(Failure::Store(StoreFailure::new(
                FailureKind::PreconditionFailed,
                format!(
                    "lost {} in a row for the object: each time the store said that it had changed meanwhile; if nothing \
                     else writes it, look for a rule of the store that forbids changes",
                    counted(lost, "race")
                ),
            )));
        }
        self.compare(remote)
    }
}
