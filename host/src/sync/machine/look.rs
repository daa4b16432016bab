//! Looks at staging, and the existence verdict.

use super::stream::{Activity, Document, Ended, Purpose, Stream, Timer};
use super::{Effect, Level, Marker, Repair, Sighting, Staged, Step};
use crate::contract::{Failure, LocalFile, LocalState, Phase, Presence, Trigger};
use crate::planted::{self, Defect};
use crate::schema::Schema;
use crate::text::counted;
use crate::time::{Timestamp, in_full};

impl Step<'_, '_> {
    pub(super) fn started(&mut self) -> Option<()> {
        self.must_rest()?;
        // Clocks jump: what was persisted before a step backwards must not keep the stream waiting for years.
        let latest = self.now().plus(self.moment.rules.longest_wait());
        let stream = &mut *self.stream;
        for timer in [&mut stream.wake, &mut stream.look] {
            *timer = timer.map(|at| at.min(latest));
        }
        // The operator may have made the interval shorter.
        let latest = self.moment.now.plus(self.moment.rules.check_peers_interval);
        stream.peers.due = stream.peers.due.map(|at| at.min(latest));
        if planted::is(Defect::ForgetsIntent) {
            self.stream.intent = None;
        }
        match self.stream.intent {
            Some(_) => self.read_back(Ended::Interrupted),
            None => self.rest(),
        }
    }

    pub(super) fn looked(&mut self, trigger: Trigger, sighting: Sighting) -> Option<()> {
        self.must_rest()?;
        let file_changed = sighting.signature != self.stream.sighting.signature;
        let data_came = sighting.data_files > 0 && self.stream.sighting.data_files == 0;
        let is_staged = sighting.is_staged();
        self.stream.sighting = sighting;
        if self.stream.phase == Phase::Gone {
            return self.perform(
                Activity::CheckingMarker(Purpose::Revive),
                Effect::CheckMarker(Purpose::Revive),
            );
        }
        if trigger == Trigger::Requested && self.stream.phase == Phase::Abandoned {
            self.begin_again();
        }
        if self.stream.intent.is_some() {
            self.stream.unread |= file_changed || data_came;
            if trigger == Trigger::Scheduled && !planted::is(Defect::KeepsTimer) {
                // It would be over again at once, however long the policies want to wait.
                let timer = self.stream.take_timer();
                self.stream.unread |= timer == Some(Timer::Wake) && self.stream.is_unsettled();
            }
            return self.read_back(Ended::Interrupted);
        }
        if trigger == Trigger::Requested {
            self.compare_now();
        }
        match trigger {
            // A verification may take the place of the look that a change had asked for: nobody asks for it again.
            Trigger::Verification if is_staged && (file_changed || data_came) => {
                self.read_staged(trigger)
            }
            Trigger::Verification => self.check(),
            Trigger::FirstSeen | Trigger::Requested => self.read_staged(trigger),
            Trigger::Changed | Trigger::Scheduled if file_changed || data_came => {
                self.read_staged(trigger)
            }
            Trigger::Scheduled => self.timer_fired(),
            Trigger::Changed => self.rest(),
        }
    }

    /// A timer is over and staging is as it was.
    fn timer_fired(&mut self) -> Option<()> {
        match self.stream.take_timer() {
            Some(Timer::Wake) => self.go_on(),
            Some(Timer::Look) => self.check(),
            Some(Timer::Compare) => self.compare_requested(),
            None => self.rest(),
        }
    }

    /// A policy's delay is over.
    fn go_on(&mut self) -> Option<()> {
        match self.stream.phase {
            _ if self.stream.held.is_some() => self.check_marker(Purpose::Held),
            // It was too early to tell what is staged now: that is not what was captured.
            _ if self.stream.is_unsettled() => self.read_staged(Trigger::Scheduled),
            Phase::Unknown | Phase::Pending | Phase::Conflicted
                if self.stream.captured.is_some() =>
            {
                self.publish()
            }
            Phase::Conflicted => self.check(),
            _ => self.read_staged(Trigger::Scheduled),
        }
    }

    /// Looks at the stored object, where there should be one.
    pub(super) fn check(&mut self) -> Option<()> {
        match self.stream.phase {
            Phase::Synced | Phase::Provisional | Phase::Abandoned => {
                self.perform(Activity::Heading, Effect::Head)
            }
            Phase::Conflicted => self.check_marker(Purpose::Verify),
            Phase::Unknown | Phase::Pending if self.stream.captured.is_some() => self.publish(),
            // An object that went missing left the stream here while repairs were off.
            Phase::Unseen | Phase::Idle | Phase::Awaiting | Phase::Pending
                if self.moment.rules.repair != Repair::Off =>
            {
                match self.stream.restorable() {
                    Some(document) => {
                        self.stream.phase = Phase::Pending;
                        self.stream.capture(document);
                        self.publish()
                    }
                    None => self.check_without_object(),
                }
            }
            _ => self.check_without_object(),
        }
    }

    /// Nothing is known to be stored. Whether anything is owed does not change while staging does not.
    fn check_without_object(&mut self) -> Option<()> {
        match self.stream.phase {
            Phase::Idle if self.stream.may_be_stored() => self.look_up(),
            _ => self.read_staged(Trigger::Verification),
        }
    }

    pub(super) fn read_staged(&mut self, trigger: Trigger) -> Option<()> {
        self.perform(Activity::ReadingStaged(trigger), Effect::ReadStaged)
    }

    pub(super) fn staging_gone(&mut self) -> Option<()> {
        self.must_rest()?;
        self.stream.sighting = Sighting::default();
        self.stream.local = LocalState::Missing;
        if planted::is(Defect::ForgetsCaptured) {
            self.stream.captured = None;
        }
        if self.stream.intent.is_some() {
            return self.read_back(Ended::Interrupted);
        }
        if self.stream.phase == Phase::Unseen && self.owes_captured() {
            return self.publish_captured();
        }
        // What the store once held and lost is owed to it, staged or not.
        let owed = self.stream.phase == Phase::Awaiting && self.stream.has_lost_its_object();
        if matches!(
            self.stream.phase,
            Phase::Unseen | Phase::Idle | Phase::Awaiting
        ) && !owed
        {
            self.idle();
            return self.rest();
        }
        match self.stream.phase {
            // A node removes the directory of a stream that was deleted.
            Phase::Unknown
            | Phase::Awaiting
            | Phase::Pending
            | Phase::Provisional
            | Phase::Synced
            | Phase::Conflicted
            | Phase::Abandoned => self.check_marker(Purpose::Vanished),
            Phase::Unseen | Phase::Idle | Phase::Gone => self.rest(),
        }
    }

    pub(super) fn read(&mut self, staged: Staged) -> Option<()> {
        let Activity::ReadingStaged(trigger) = self.stream.activity else {
            return None;
        };
        if self.stream.phase == Phase::Gone {
            return None;
        }
        let meaning_before = meaning(&self.stream.local);
        let published_unseen = self.may_be_published_unseen();
        let held_before = self.stream.held.take();
        let mut found = None;
        let file = |size, modified, fingerprint, stable_since| {
            LocalState::File(LocalFile {
                size,
                modified,
                stable_since,
                fingerprint,
                well_formed: fingerprint != 0,
            })
        };
        let stable_since = self.stream.sighting.stable_since;
        self.stream.local = match staged {
            Staged::Torn => {
                // Zero is no file's signature: whatever the next scan sees counts as changed.
                self.stream.sighting.signature = 0;
                let again = self.now().plus(self.moment.rules.min_delay);
                self.stream.wake = Some(again);
                // The other timers wait as well, or the file would be read again at once.
                self.stream.look = self.stream.look.map(|look| look.max(again));
                self.stream.peers.due = self.stream.peers.due.map(|due| due.max(again));
                return self.rest();
            }
            Staged::Missing => LocalState::Missing,
            Staged::Unreadable(reason) => LocalState::Unreadable(reason),
            Staged::TooLarge(size) => LocalState::TooLarge(size),
            Staged::IllFormed { modified, .. } | Staged::WellFormed { modified, .. }
                if self.is_held(modified, held_before) =>
            {
                self.hold_back(modified, held_before);
                LocalState::Missing
            }
            Staged::IllFormed {
                size,
                modified,
                reason,
            } => {
                self.stream.invalid = Some(reason);
                file(size, modified, 0, stable_since)
            }
            Staged::WellFormed {
                size,
                modified,
                schema,
            } => {
                let fingerprint = schema.fingerprint();
                found = Some(schema);
                file(size, modified, fingerprint, stable_since)
            }
        };
        let changed = meaning_before != meaning(&self.stream.local);
        if changed && self.stream.local == LocalState::Missing && published_unseen {
            return self.check();
        }
        self.judge(trigger, found, changed)
    }

    /// Whether the staged file was read, and neither captured nor covered by what is stored: a node unlinks it when it
    /// has published it.
    fn may_be_published_unseen(&self) -> bool {
        let LocalState::File(file) = &self.stream.local else {
            return false;
        };
        let is_known = |document: Option<&Document>| {
            document.is_some_and(|known| known.schema.fingerprint() == file.fingerprint)
        };
        let confirmed = self.stream.confirmed.as_ref();
        // What clashes with the stored schema was captured, and is published by the node alone.
        let is_captured =
            self.stream.phase != Phase::Conflicted && is_known(self.stream.captured.as_ref());
        matches!(
            self.stream.phase,
            Phase::Synced | Phase::Provisional | Phase::Conflicted
        ) && file.well_formed
            && !is_captured
            && !is_known(confirmed.map(|confirmed| &confirmed.document))
    }

    /// Decides whether what was read needs a verdict.
    fn judge(&mut self, trigger: Trigger, found: Option<Schema>, changed: bool) -> Option<()> {
        let covered = |stream: &Stream, schema: &Schema| {
            stream
                .confirmed
                .as_ref()
                .is_some_and(|confirmed| confirmed.document.schema.covers(schema))
        };
        match (self.stream.phase, &found) {
            // An operator who asks wants the store looked at, not the ledger.
            (Phase::Synced, Some(schema)) if covered(self.stream, schema) => match trigger {
                Trigger::Requested => self.check(),
                _ => self.rest(),
            },
            (Phase::Abandoned, Some(schema)) if self.is_new(schema) => {
                self.begin_again();
                self.ask_existence(trigger, found)
            }
            (Phase::Abandoned, _) => self.rest(),
            // Active nodes restage the same schema every minute; that is no reason to cut a delay short.
            (Phase::Unknown | Phase::Pending | Phase::Conflicted, Some(schema))
                if trigger == Trigger::Changed
                    && !changed
                    && !self.is_new(schema)
                    && self.stream.wake.is_some() =>
            {
                self.rest()
            }
            _ => self.ask_existence(trigger, found),
        }
    }

    fn is_new(&self, schema: &Schema) -> bool {
        self.stream
            .captured
            .as_ref()
            .is_none_or(|captured| captured.schema.fingerprint() != schema.fingerprint())
    }

    fn ask_existence(&mut self, trigger: Trigger, found: Option<Schema>) -> Option<()> {
        self.perform(
            Activity::AskingExistence(found),
            Effect::AskExistence(trigger),
        )
    }

    pub(super) fn judged(&mut self, presence: Presence) -> Option<()> {
        let Activity::AskingExistence(found) = std::mem::take(&mut self.stream.activity) else {
            return None;
        };
        if self.stream.phase == Phase::Gone {
            return None;
        }
        if !matches!(presence, Presence::Unsettled(_)) {
            self.stream.unsettled = std::time::Duration::ZERO;
        }
        match presence {
            Presence::Present => self.present(found),
            Presence::Absent(reason) => self.absent(reason),
            Presence::NotExpected(_) => self.not_expected(),
            Presence::Unsettled(delay) => {
                let delay = self.moment.rules.clamp(delay);
                self.stream.unsettled = self.stream.unsettled.saturating_add(delay);
                if self.stream.unsettled > self.moment.rules.max_unsettled
                    && !planted::is(Defect::UnsettledForever)
                {
                    let limit = self.moment.rules.max_unsettled;
                    self.stream.unsettled = std::time::Duration::ZERO;
                    self.note(
                        Level::Warning,
                        format!("unsettled for {}: taken as not expected", in_full(limit)),
                    );
                    return self.not_expected();
                }
                self.stream.wake = Some(self.now().plus(delay));
                self.rest()
            }
            Presence::Abstain => None,
        }
    }

    fn present(&mut self, found: Option<Schema>) -> Option<()> {
        let Some(schema) = found else {
            if self.stream.phase == Phase::Unseen {
                self.stream.phase = Phase::Pending;
            }
            // A stream that the store does not know is warned about for that.
            if self.stream.phase != Phase::Unknown {
                let reason = self.why_unpublishable();
                self.note(
                    Level::Warning,
                    format!("the staged schema can't be published: {reason}"),
                );
            }
            return match self.stream.phase {
                Phase::Awaiting if self.stream.has_lost_its_object() => {
                    self.perform(Activity::Heading, Effect::Head)
                }
                // Nothing else asks whether the stream still exists.
                Phase::Unknown | Phase::Awaiting | Phase::Pending
                    if self.stream.captured.is_none() =>
                {
                    self.check_marker(Purpose::Invalid)
                }
                _ => self.invalid(),
            };
        };
        self.stream.captured = Some(Document::new(schema));
        self.stream.captured_modified = match &self.stream.local {
            LocalState::File(file) => Some(file.modified),
            _ => None,
        };
        if self.stream.phase == Phase::Provisional && planted::is(Defect::KeepsFallback) {
            return self.rest();
        }
        if planted::is(Defect::LosesPending) {
            self.stream.phase = Phase::Idle;
            return self.rest();
        }
        self.stream.phase = Phase::Pending;
        self.stream.lost_races = 0;
        self.stream.phantom_refusals = 0;
        self.publish()
    }

    /// What is staged can't be published, and its stream exists.
    pub(super) fn invalid(&mut self) -> Option<()> {
        self.fail(Failure::SchemaInvalid(self.why_unpublishable()))
    }

    fn why_unpublishable(&self) -> String {
        match &self.stream.local {
            LocalState::Missing => "a policy says it is present, but nothing is staged".to_owned(),
            LocalState::Unreadable(cause) => format!("unreadable: {cause}"),
            LocalState::TooLarge(size) => {
                format!(
                    "{} are more than the limit for schemas",
                    counted(*size, "byte")
                )
            }
            LocalState::File(_) => self.stream.invalid.clone().unwrap_or_default(),
        }
    }

    fn absent(&mut self, reason: String) -> Option<()> {
        match self.stream.phase {
            Phase::Unknown | Phase::Pending if self.stream.captured.is_some() => self.publish(),
            Phase::Unseen if self.owes_captured() => self.publish_captured(),
            Phase::Unseen | Phase::Unknown | Phase::Idle | Phase::Awaiting | Phase::Pending => {
                self.stream.phase = Phase::Awaiting;
                self.count_absence();
                self.perform(Activity::AskingFallback, Effect::AskFallback(reason))
            }
            _ => self.check(),
        }
    }

    /// Retry policies wait longer the more often a schema was absent.
    fn count_absence(&mut self) {
        self.stream.absent_since.get_or_insert(self.moment.now);
        self.stream.absences = self.stream.absences.saturating_add(1);
    }

    fn not_expected(&mut self) -> Option<()> {
        match self.stream.phase {
            Phase::Unknown | Phase::Pending if self.stream.captured.is_some() => {
                return self.publish();
            }
            Phase::Unseen if self.owes_captured() => return self.publish_captured(),
            // No policy can declare settled what the store once held and lost.
            Phase::Awaiting if self.stream.has_lost_its_object() => {
                return self.perform(Activity::Heading, Effect::Head);
            }
            Phase::Unseen | Phase::Unknown | Phase::Idle | Phase::Awaiting | Phase::Pending
                if self.stream.may_be_stored() =>
            {
                return self.look_up();
            }
            Phase::Unseen | Phase::Unknown | Phase::Idle | Phase::Awaiting | Phase::Pending => {
                self.idle();
            }
            _ => {}
        }
        self.rest()
    }

    /// Looks up what the store holds of a stream to which nothing is owed. Until the store has answered once, the
    /// stream is not idle.
    fn look_up(&mut self) -> Option<()> {
        if self.stream.phase != Phase::Idle {
            self.stream.phase = Phase::Unseen;
        }
        match self.stream.incarnation {
            None => self.check_marker(Purpose::Adopt),
            Some(_) => self.fetch(Purpose::Adopt),
        }
    }

    /// The stored object is still missing, and repairs are off.
    pub(super) fn stay_lost(&mut self) -> Option<()> {
        if !planted::is(Defect::CountsNoAbsence) {
            self.count_absence();
        }
        self.stay_absent(
            "the stored object is missing; `tidegate verify --repair` restores it".to_owned(),
        )
    }

    /// Whether the store was never known to hold what was captured. A stream that begins again is so.
    fn owes_captured(&self) -> bool {
        let stream = &self.stream;
        stream.captured.as_ref().is_some_and(|captured| {
            let confirmed = stream.confirmed.as_ref();
            confirmed.is_none_or(|confirmed| !confirmed.document.schema.covers(&captured.schema))
        })
    }

    fn publish_captured(&mut self) -> Option<()> {
        self.stream.phase = Phase::Pending;
        self.publish()
    }

    /// Nothing is owed: failures and absences are over.
    pub(super) fn idle(&mut self) {
        self.stream.phase = Phase::Idle;
        if self.stream.held.is_none() {
            self.stream.wake = None;
        }
        self.succeed();
    }

    /// Forgets the failures, not what is known of the store.
    fn begin_again(&mut self) {
        self.stream.phase = Phase::Unseen;
        self.stream.wake = None;
        self.succeed();
    }

    /// Whether the staged file may be left from an earlier stream of this name. A file that appeared after the host
    /// saw the stream is not, whatever another machine's clock says.
    fn is_held(&self, modified: Timestamp, held_before: Option<Timestamp>) -> bool {
        let Some(marker) = &self.stream.incarnation else {
            return false;
        };
        // What was held back already did not appear later, though a scan may see it only now.
        let appeared_later =
            self.stream.sighting.stable_since > marker.first_seen && held_before != Some(modified);
        self.is_older(modified, marker) && !appeared_later
    }

    /// Whether a file is older than its stream, by more than two machines' clocks may differ.
    pub(super) fn is_older(&self, modified: Timestamp, marker: &Marker) -> bool {
        modified.plus(self.moment.rules.clock_tolerance) < marker.created_at
    }

    /// Holds back a file that may be an earlier stream's, and plans another look at it.
    fn hold_back(&mut self, modified: Timestamp, held_before: Option<Timestamp>) {
        if held_before != Some(modified) {
            let created = self
                .stream
                .incarnation
                .as_ref()
                .map(|marker| marker.created_at);
            let older = created
                .map(|created| created.since(modified))
                .unwrap_or_default();
            self.note(
                Level::Warning,
                format!(
                    "the staged schema is {} older than the stream, so it may be an earlier stream's: it is held back \
                     until the node stages it again (`sync.clock_tolerance` says how much clocks may differ)",
                    in_full(older)
                ),
            );
        }
        self.stream.held = Some(modified);
        self.look_at_held_again();
    }

    /// The marker's time may be corrected, and the node may never stage the file again.
    pub(super) fn look_at_held_again(&mut self) {
        let again = self.now().plus(self.moment.rules.max_delay);
        self.stream.wake = Some(self.stream.wake.map_or(again, |wake| wake.min(again)));
    }

    pub(super) fn must_rest(&self) -> Option<()> {
        (self.stream.activity == Activity::Resting).then_some(())
    }
}

/// What a local state means, apart from times and sizes.
fn meaning(local: &LocalState) -> (u8, u64) {
    match local {
        LocalState::Missing => (0, 0),
        LocalState::Unreadable(_) => (1, 0),
        LocalState::TooLarge(_) => (2, 0),
        LocalState::File(file) => (3, file.fingerprint),
    }
}
