//! Writes, and finding out what came of them.

use super::stream::{Activity, Confirmed, Ended, Intent, Mode, Purpose, Source};
use super::{Effect, RemoteSeen, Step};
use crate::contract::{Failure, FailureKind, ObjectInfo, Phase, RemoteState, StoreFailure};
use crate::planted::{self, Defect};
use crate::storage::Put;

impl Step<'_, '_> {
    /// Writes, after a last look at the marker: what is known of a stream that was deleted, or created anew, must not
    /// enter the store again. After that look, an object that someone replaces has another version.
    pub(super) fn begin_write(&mut self, intent: Intent) -> Option<()> {
        self.stream.intent = Some(intent);
        if planted::is(Defect::SkipsMarkerBeforeWrite) {
            return self.perform(Activity::Writing, Effect::Write);
        }
        self.check_marker(Purpose::Write)
    }

    pub(super) fn written(&mut self, put: Put) -> Option<()> {
        let fallback = self.stream.intent.as_ref()?.source.is_fallback();
        let expected = matches!(
            (self.stream.phase, fallback),
            (Phase::Pending, false) | (Phase::Awaiting, true)
        );
        if self.stream.activity != Activity::Writing || !expected {
            return None;
        }
        match put {
            // A store that tells no version is asked for it: the next write needs one.
            Put::Done(object) if object.version.is_none() => self.read_back(Ended::Interrupted),
            Put::Done(object) => self.confirm(object, true),
            Put::Exists if planted::is(Defect::TakesExistsForDone) => {
                let intent = self.stream.intent.as_ref()?;
                let object = ObjectInfo {
                    size: intent.document.bytes.len() as u64,
                    modified: self.now(),
                    version: None,
                };
                self.confirm(object, true)
            }
            Put::Ambiguous(_) if planted::is(Defect::WritesAgainBlindly) => {
                self.perform(Activity::Writing, Effect::Write)
            }
            Put::Exists => self.read_back(Ended::Exists),
            Put::Stale => self.read_back(Ended::Stale),
            Put::Ambiguous(failure) => self.read_back(Ended::Unknown(failure)),
            Put::Refused(failure) => {
                self.stream.intent = None;
                self.fail(Failure::Store(failure))
            }
        }
    }

    pub(super) fn read_back(&mut self, ended: Ended) -> Option<()> {
        if self.stream.phase == Phase::Gone {
            return None;
        }
        self.perform(Activity::ReadingBack(ended), Effect::Fetch)
    }

    /// The intent's content stands in the store, which answered so, or was read back.
    fn confirm(&mut self, object: ObjectInfo, answered: bool) -> Option<()> {
        let intent = self.stream.intent.take()?;
        let now = self.moment.now;
        let version = object.version.clone();
        let fallback = intent.source.is_fallback();
        self.stream.remote = RemoteState::Found { object, seen: now };
        self.stream.phase = if fallback {
            Phase::Provisional
        } else {
            Phase::Synced
        };
        self.stream.looks_left = if fallback {
            self.moment.rules.provisional_looks
        } else {
            0
        };
        self.stream.confirmed = Some(Confirmed {
            document: intent.document,
            version,
            source: intent.source,
        });
        // A peer may have published at the same time: what was written is compared again.
        self.stream.peers.compared = 0;
        self.stream.end_delay();
        // The node writes the same key without conditions, so what was just confirmed can be overwritten.
        self.stream.look = Some(now.plus(self.moment.rules.look_again));
        if planted::is(Defect::NeverLooksAgain) {
            self.stream.look = None;
        }
        self.succeed();
        self.stream.last_success = Some(now);
        // What took effect late may have done so after the stream was deleted.
        let in_doubt = intent.mode == Mode::Create || !answered;
        if in_doubt && !planted::is(Defect::SkipsMarkerAfterCreate) {
            return self.check_marker(Purpose::Created);
        }
        self.go_on_publishing()
    }

    /// A repair puts back what stood there, though something else is staged.
    pub(super) fn go_on_publishing(&mut self) -> Option<()> {
        let confirmed = self.stream.confirmed.as_ref();
        let owes_more = confirmed
            .is_some_and(|confirmed| self.stream.owes_more_than(&confirmed.document.schema));
        if self.stream.phase == Phase::Synced && owes_more {
            self.stream.phase = Phase::Pending;
            return self.publish();
        }
        match self.stream.phase {
            Phase::Synced => self.settle(),
            _ => self.rest(),
        }
    }

    /// What stands there tells how the write ended.
    pub(super) fn read_was(
        &mut self,
        ended: Ended,
        remote: Result<RemoteSeen, StoreFailure>,
    ) -> Option<()> {
        if self.stream.phase == Phase::Gone {
            return None;
        }
        let intent = self.stream.intent.clone()?;
        match remote {
            // The intent stays: it is read back first thing at the next attempt.
            Err(failure) => self.fail(Failure::Store(failure)),
            Ok(RemoteSeen::WellFormed { object, schema })
                if schema.fingerprint() == intent.document.schema.fingerprint() =>
            {
                // The node may have published the same by itself, and a Create of ours may still come.
                let may_come = matches!(ended, Ended::Unknown(_) | Ended::Interrupted);
                self.stream.unanswered |= intent.mode == Mode::Create && may_come;
                self.confirm(object, false)
            }
            Ok(RemoteSeen::Missing) => self.nothing_there(ended, &intent),
            Ok(remote) if self.stream.phase == Phase::Awaiting => self.object_found(remote),
            Ok(remote) => match ended {
                Ended::Unknown(failure) if is_unchanged(&remote, &intent.mode) => {
                    self.stream.intent = None;
                    self.fail(Failure::Store(failure))
                }
                Ended::Interrupted if self.stream.captured.is_none() => self.object_found(remote),
                Ended::Interrupted => {
                    self.stream.intent = None;
                    self.compare(remote)
                }
                _ => self.lost_race(remote),
            },
        }
    }

    fn nothing_there(&mut self, ended: Ended, intent: &Intent) -> Option<()> {
        match ended {
            Ended::Exists => {
                self.stream.phantom_refusals = self.stream.phantom_refusals.saturating_add(1);
                if self.stream.phantom_refusals <= self.moment.rules.max_phantom_refusals {
                    return self.check_marker(Purpose::Write);
                }
                self.stream.intent = None;
                self.stream.phantom_refusals = 0;
                self.fail(Failure::Store(StoreFailure::new(
                    FailureKind::PreconditionFailed,
                    "the store says that the object exists, and that it doesn't",
                )))
            }
            Ended::Unknown(failure) => {
                self.stream.intent = None;
                self.stream.unanswered |= intent.mode == Mode::Create;
                self.fail(Failure::Store(failure))
            }
            Ended::Stale => self.lost_race(RemoteSeen::Missing),
            Ended::Interrupted => {
                self.stream.intent = None;
                self.stream.unanswered |= intent.mode == Mode::Create;
                if self.stream.phase == Phase::Pending && !intent.source.is_fallback() {
                    return self.compare(RemoteSeen::Missing);
                }
                self.stream.wake = Some(self.moment.now);
                self.rest()
            }
        }
    }

    /// Something stands where a fallback was to be placed: it is not ours, and it stays.
    fn object_found(&mut self, remote: RemoteSeen) -> Option<()> {
        self.stream.intent = None;
        match remote {
            RemoteSeen::WellFormed { object, schema } => {
                self.synced(schema, &object, Source::Store)
            }
            RemoteSeen::Corrupt { reason, .. } => {
                self.conflicted(format!("the stored object is corrupt: {reason}"))
            }
            RemoteSeen::Missing => None,
        }
    }
}

fn is_unchanged(remote: &RemoteSeen, mode: &Mode) -> bool {
    let (
        Mode::Update(read),
        RemoteSeen::WellFormed { object, .. } | RemoteSeen::Corrupt { object, .. },
    ) = (mode, remote)
    else {
        return false;
    };
    object.version.as_ref() == Some(read)
}
