//! Logs an attempt: one line, at a level that depends on its outcome.

use super::attempt::Attempt;
use super::machine::{Level, Note, Source, Stream};
use crate::contract::{Failure, FailureKind, Phase, StoreFailure};
use crate::schema::Schema;
use crate::text::counted;

/// Prefix of the names of causes that lie with the store.
const STORE: &str = "store-";

/// The cause of streams that the store does not know.
const UNKNOWN: &str = "unknown-to-the-store";

/// How many fields a line names.
const MAX_NAMED: usize = 8;

impl Attempt<'_> {
    /// Logs the outcome: a failure as a warning, a change of the phase or of the stored object as information. Failures
    /// that many streams share are summed up.
    pub(super) fn log(&self, known: Option<&Stream>) {
        let (id, stream, why) = (self.id, &self.stream, &self.story.why);
        let (before, after) = (self.story.before, stream.phase);
        let phases = || match before == after {
            true => after.to_string(),
            false => format!("{before} → {after}"),
        };
        let failed = stream.attempts > known.map_or(0, |known| known.attempts);
        let failure = stream.last_failure.as_ref().filter(|_| failed);
        let loudest = self.log_notes(failure);
        if let Some(failure) = failure {
            let attempt = stream.attempts;
            let why = why.strip_suffix(&format!(": {failure}")).unwrap_or(why);
            let line = format!(
                "{}: attempt {attempt} failed: {failure}; next look {why}",
                phases()
            );
            match loudest.max(Level::Warning) {
                _ if !self.is_news(failure) => tracing::debug!(stream = %id, "{line}"),
                Level::Alert => tracing::error!(stream = %id, "{line}"),
                _ => tracing::warn!(stream = %id, "{line}"),
            }
        } else if let Some(published) = self.published(known) {
            tracing::info!(stream = %id, "{}: {published}; next look {why}", phases());
        } else if before != after {
            tracing::info!(stream = %id, "{}; next look {why}", phases());
        }
        self.log_recovery();
    }

    /// Logs the attempt's notes, except those that the line about its failure repeats. Returns the most severe level of
    /// those.
    pub(super) fn log_notes(&self, failure: Option<&Failure>) -> Level {
        let mut loudest = Level::Info;
        let reason = failure.map(reason).filter(|reason| !reason.is_empty());
        for note in &self.notes {
            match reason {
                Some(reason) if note.text.contains(reason) => loudest = loudest.max(note.level),
                _ => self.log_note(note),
            }
        }
        loudest
    }

    /// Logs a note, unless it repeats what the log already says of a store that fails.
    fn log_note(&self, note: &Note) {
        let (stream, text) = (self.id, &note.text);
        let repeats = self.last_store_failure.as_ref().is_some_and(|failure| {
            text.contains(&failure.message) && !self.is_news(&Failure::Store(failure.clone()))
        });
        match note.level {
            _ if repeats => tracing::debug!(%stream, "{text}"),
            Level::Info => tracing::info!(%stream, "{text}"),
            Level::Warning => tracing::warn!(%stream, "{text}"),
            Level::Alert => tracing::error!(%stream, "{text}"),
        }
    }

    /// Whether the failure is the stream's own, or the first of a cause that streams have in common.
    fn is_news(&self, failure: &Failure) -> bool {
        match shared_cause(failure, self.stream.phase) {
            Some(cause) => {
                let now = self.core.clock.monotonic();
                let message = failure.to_string();
                self.core.causes.is_new(&cause, self.id, &message, now)
            }
            None => true,
        }
    }

    fn log_recovery(&self) {
        if !self.store_recovered {
            return;
        }
        let now = self.core.clock.monotonic();
        if let Some((lasted, failures)) = self.core.causes.ended(STORE, now) {
            let lasted = crate::time::in_short(lasted);
            let failures = counted(failures, "more failure");
            tracing::info!("the store answers all streams again, after {lasted} and {failures}");
        }
    }

    /// What the attempt put into the store, or found to have arrived there.
    fn published(&self, known: Option<&Stream>) -> Option<String> {
        let confirmed = self.stream.confirmed.as_ref()?;
        let before = known.and_then(|known| known.confirmed.as_ref());
        let changed =
            before.map(|before| before.document.digest) != Some(confirmed.document.digest);
        let answered = known.and_then(|known| known.last_success) != self.stream.last_success;
        if confirmed.source == Source::Store || !answered || !(self.wrote || changed) {
            return None;
        }
        let (schema, source) = (&confirmed.document.schema, &confirmed.source);
        let what = match before {
            _ if source.is_fallback() => {
                format!("placed a schema of {} from {source}", size(schema))
            }
            Some(before) if changed => difference(&before.document.schema, schema),
            Some(_) => format!("restored the schema of {}", size(schema)),
            None => format!("published the schema of {}", size(schema)),
        };
        Some(what)
    }
}

fn size(schema: &Schema) -> String {
    counted(schema.fields().count(), "field")
}

/// Describes the fields that were added to what was stored before.
fn difference(before: &Schema, now: &Schema) -> String {
    let known: Vec<String> = before.fields().map(|field| field.name).collect();
    let new = now.fields().filter(|field| !known.contains(&field.name));
    let new: Vec<String> = new
        .map(|field| format!("{}: {}", field.name, field.data_type))
        .collect();
    if new.is_empty() {
        return format!("published a changed schema of {}", size(now));
    }
    let named = new.iter().take(MAX_NAMED).map(String::as_str);
    let named: Vec<&str> = named.collect();
    let more = match new.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let count = counted(new.len(), "new field");
    format!("published {count} ({}{more})", named.join(", "))
}

/// The failure's message.
fn reason(failure: &Failure) -> &str {
    match failure {
        Failure::SchemaAbsent(reason)
        | Failure::SchemaInvalid(reason)
        | Failure::SchemaConflict(reason)
        | Failure::Other(reason) => reason,
        Failure::Store(failure) => &failure.message,
    }
}

/// The cause that this failure may share with those of other streams.
fn shared_cause(failure: &Failure, phase: Phase) -> Option<String> {
    match failure {
        // With a wrong store, these are all streams.
        Failure::Other(_) if phase == Phase::Unknown => Some(UNKNOWN.to_owned()),
        // An object that changed or is missing concerns only its own stream.
        Failure::Store(StoreFailure {
            kind: FailureKind::PreconditionFailed,
            ..
        }) => None,
        Failure::Store(failure) => Some(format!("{STORE}{}", failure.kind.name())),
        _ => None,
    }
}
