//! How the store does a write, and what no write may do.

use super::*;

impl World {
    /// A conditional write as an honest store does it, and what the client hears of it.
    pub(super) fn write(&mut self) -> Put {
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
}
