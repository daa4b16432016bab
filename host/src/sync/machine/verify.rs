//! Checks of the stored object: is it there, does it parse, does it hold what was confirmed?

use super::stream::{Activity, Confirmed, Document, Purpose, Source};
use super::{HeadSeen, Level, RemoteSeen, Repair, Step};
use crate::contract::{Failure, ObjectInfo, Phase, RemoteState, StoreFailure, Trigger};
use crate::planted::{self, Defect};
use crate::schema::Schema;

impl Step<'_, '_> {
    pub(super) fn headed(&mut self, seen: Result<HeadSeen, StoreFailure>) -> Option<()> {
        if self.stream.activity != Activity::Heading {
            return None;
        }
        if !matches!(
            self.stream.phase,
            Phase::Synced | Phase::Provisional | Phase::Abandoned | Phase::Awaiting
        ) {
            return None;
        }
        let now = self.moment.now;
        match seen {
            Err(failure) => self.unchecked(failure),
            Ok(HeadSeen::Missing) if planted::is(Defect::IgnoresMissing) => {
                self.stream.look = None;
                self.rest()
            }
            Ok(HeadSeen::Missing) => {
                self.stream.remote = RemoteState::Missing { seen: now };
                self.check_marker(Purpose::Missing)
            }
            Ok(HeadSeen::Found(object)) => {
                let known = self
                    .stream
                    .confirmed
                    .as_ref()
                    .and_then(|confirmed| confirmed.version.as_ref());
                let same = known.is_some() && known == object.version.as_ref()
                    || planted::is(Defect::TrustsAnyVersion);
                let settled = matches!(self.stream.phase, Phase::Synced | Phase::Provisional);
                if !same || !settled || self.stream.unanswered {
                    // The object may be another incarnation's.
                    return self.check_marker(Purpose::Verify);
                }
                self.stream.remote = RemoteState::Found { object, seen: now };
                self.stream.last_success = Some(now);
                self.look_on();
                self.rest()
            }
        }
    }

    /// The object is as it was. A provisional one is soon looked at again, some times.
    fn look_on(&mut self) {
        self.stream.look = None;
        if self.stream.phase == Phase::Provisional && self.stream.looks_left > 0 {
            self.stream.looks_left -= 1;
            self.stream.look = Some(self.moment.now.plus(self.moment.rules.look_again));
        }
    }

    /// The stored object could not be looked at. Only a stream whose object is known to be missing fails by that.
    fn unchecked(&mut self, failure: StoreFailure) -> Option<()> {
        match self.stream.phase {
            Phase::Awaiting => self.fail(Failure::Store(failure)),
            _ => self.look_later(&failure),
        }
    }

    /// The object changed since it was confirmed.
    pub(super) fn verified(&mut self, remote: Result<RemoteSeen, StoreFailure>) -> Option<()> {
        let remote = match remote {
            Err(failure) => return self.unchecked(failure),
            Ok(RemoteSeen::Missing) => return self.check_marker(Purpose::Missing),
            Ok(remote) => remote,
        };
        match (self.stream.phase, remote) {
            (Phase::Abandoned, RemoteSeen::WellFormed { object, schema }) => {
                let known = self.stream.captured.as_ref().or(self.stream.true_schema());
                match known.is_some_and(|document| schema.covers(&document.schema)) {
                    true => self.synced(schema, &object, Source::Store),
                    false => self.rest(),
                }
            }
            (Phase::Abandoned, RemoteSeen::Corrupt { .. }) => self.rest(),
            (Phase::Conflicted, remote) => self.conflict_over(remote),
            (Phase::Awaiting, _) if planted::is(Defect::RefusesWhatCameBack) => None,
            (Phase::Awaiting, remote) => self.back_again(remote),
            (Phase::Synced | Phase::Provisional, RemoteSeen::Corrupt { object, reason }) => {
                self.corrupt(&object, &reason)
            }
            (Phase::Synced, RemoteSeen::WellFormed { object, schema }) => {
                self.overwritten(&object, schema)
            }
            (Phase::Provisional, RemoteSeen::WellFormed { object, schema }) => {
                self.outgrown(&object, schema)
            }
            _ => None,
        }
    }

    fn conflict_over(&mut self, remote: RemoteSeen) -> Option<()> {
        self.compare_first();
        if self.stream.captured.is_some() {
            return self.recheck(Ok(remote));
        }
        match remote {
            RemoteSeen::Corrupt { object, reason } => self.corrupt(&object, &reason),
            _ if self.stream.true_schema().is_some() => {
                if let Some(document) = self.stream.true_schema().cloned() {
                    self.stream.capture(document);
                }
                self.stream.phase = Phase::Pending;
                self.fetch(Purpose::Publish)
            }
            RemoteSeen::WellFormed { object, schema } => {
                self.synced(schema, &object, Source::Store)
            }
            RemoteSeen::Missing => None,
        }
    }

    /// Somebody put an object back where ours was lost.
    fn back_again(&mut self, remote: RemoteSeen) -> Option<()> {
        let document = self.stream.restorable()?;
        // What clashes with the store's last content is still to be told as a conflict.
        if !self.stream.owes_more_than(&document.schema) {
            self.stream.capture(document);
        }
        self.stream.phase = Phase::Pending;
        self.compare(remote)
    }

    fn overwritten(&mut self, object: &ObjectInfo, schema: Schema) -> Option<()> {
        let confirmed = self.stream.confirmed.clone()?;
        if schema.covers(&confirmed.document.schema) {
            let same = schema.fingerprint() == confirmed.document.schema.fingerprint();
            let source = if same {
                confirmed.source
            } else {
                Source::Store
            };
            return self.synced(schema, object, source);
        }
        self.note(
            Level::Alert,
            "the stored schema was overwritten and lost fields that it held",
        );
        self.stream.phase = Phase::Pending;
        // What was staged last may hold fields that the last confirmed content doesn't.
        let wanted = match &self.stream.captured {
            Some(captured) => match confirmed.document.schema.merge(&captured.schema) {
                Ok(merged) => Document::new(merged),
                Err(_) => captured.clone(),
            },
            None => confirmed.document,
        };
        self.stream.capture(wanted);
        self.compare(RemoteSeen::WellFormed {
            object: object.clone(),
            schema,
        })
    }

    /// Something replaced our fallback.
    fn outgrown(&mut self, object: &ObjectInfo, schema: Schema) -> Option<()> {
        let confirmed = self.stream.confirmed.as_mut()?;
        if schema.fingerprint() == confirmed.document.schema.fingerprint() {
            confirmed.version = object.version.clone();
            self.stream.last_success = Some(self.moment.now);
            self.look_on();
            return self.rest();
        }
        match &self.stream.captured {
            None => self.synced(schema, object, Source::Store),
            Some(_) => {
                self.stream.phase = Phase::Pending;
                self.compare(RemoteSeen::WellFormed {
                    object: object.clone(),
                    schema,
                })
            }
        }
    }

    /// Whether an object that is missing is put back. Where streams have no markers, one exists while it is staged.
    fn may_restore(&self) -> bool {
        match self.moment.rules.repair {
            Repair::Off => false,
            Repair::Missing => {
                self.stream.incarnation.is_some() || self.stream.sighting.is_staged()
            }
            Repair::All => true,
        }
    }

    /// The object is missing and the stream exists.
    pub(super) fn missing(&mut self) -> Option<()> {
        // What is stored again later may meet other peers.
        self.stream.peers.compared = 0;
        match self.stream.phase {
            Phase::Synced | Phase::Provisional => {
                self.note(Level::Alert, "the stored object is missing");
                match (self.may_restore(), self.stream.restorable()) {
                    (true, Some(document)) => {
                        self.stream.phase = Phase::Pending;
                        self.stream.capture(document);
                        self.compare(RemoteSeen::Missing)
                    }
                    _ => {
                        self.stream.phase = Phase::Awaiting;
                        self.stream.look = None;
                        if planted::is(Defect::ForgetsConfirmed) {
                            (self.stream.confirmed, self.stream.captured) = (None, None);
                        }
                        if self.stream.source().is_some_and(Source::is_fallback) {
                            self.stream.confirmed = None;
                        }
                        self.read_staged(Trigger::Verification)
                    }
                }
            }
            Phase::Conflicted => {
                self.stream.phase = if self.stream.captured.is_some() {
                    Phase::Pending
                } else {
                    Phase::Awaiting
                };
                self.check()
            }
            Phase::Abandoned => self.rest(),
            Phase::Awaiting => self.stay_lost(),
            Phase::Pending => self.fail(Failure::Other("the stored object is missing".to_owned())),
            _ => None,
        }
    }
}

impl super::Stream {
    /// The stream's own schema, as far as it was ever seen: what the store last held, else what was captured. A
    /// fallback is none.
    pub fn true_schema(&self) -> Option<&Document> {
        let confirmed = self
            .confirmed
            .as_ref()
            .filter(|Confirmed { source, .. }| !source.is_fallback());
        confirmed
            .map(|confirmed| &confirmed.document)
            .or(self.captured.as_ref())
    }

    /// Takes a document as what is to be published. Its content may come from several sources, unless it is what was
    /// captured from a file.
    pub(super) fn capture(&mut self, document: Document) {
        let known = self.captured.as_ref();
        if known.is_none_or(|captured| captured.digest != document.digest) {
            self.captured_modified = None;
        }
        self.captured = Some(document);
    }

    /// Whether the store may hold a schema of the stream that no attempt has looked at.
    pub(super) fn may_be_stored(&self) -> bool {
        self.remote == RemoteState::Unknown && self.held.is_none() && self.sighting.is_staged()
    }

    /// Whether the store has a marker of the stream; `None` if it was not asked, or did not say.
    pub fn is_known(&self) -> Option<bool> {
        let asked_in_vain = self.phase == Phase::Idle && self.may_be_stored();
        match self.incarnation {
            Some(_) => Some(true),
            None => (asked_in_vain || self.phase == Phase::Unknown).then_some(false),
        }
    }

    /// Whether the store was seen to hold nothing where the stream's own schema once stood.
    pub(super) fn has_lost_its_object(&self) -> bool {
        matches!(self.remote, RemoteState::Missing { .. }) && self.true_schema().is_some()
    }

    /// Whether something was captured that this schema does not hold.
    pub(super) fn owes_more_than(&self, schema: &Schema) -> bool {
        let captured = self.captured.as_ref();
        captured.is_some_and(|captured| !schema.covers(&captured.schema))
    }

    /// What a repair publishes: the stream's own schema, with what was captured since the store last held it. Where
    /// the two can't be merged, what stood in the store comes back first.
    pub(super) fn restorable(&self) -> Option<Document> {
        let own = self.true_schema()?;
        let captured = self.captured.as_ref();
        let merged = captured.and_then(|captured| own.schema.merge(&captured.schema).ok());
        Some(merged.map_or_else(|| own.clone(), Document::new))
    }
}
