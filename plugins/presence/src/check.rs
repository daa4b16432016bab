use common::object_reader::ReadError;
use common::types::{LocalState, RemoteState, StreamFacts};
use common::{ObjectReader, Span, describe_millis, reason};

use crate::settings::{Evidence, Settings};

/// How long to wait before the store is asked again after it failed and gave no advice.
const ASK_AGAIN: Span = Span::secs(5);

/// The verdict: the contract's `presence`, as far as this policy gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Something is staged and quiet.
    Present,
    /// The schema is owed and nowhere.
    Absent(String),
    /// No schema is owed.
    NotExpected(String),
    /// Too early to tell.
    Unsettled(Span),
}

/// Judges whether the stream's schema is there, and if not, whether it should be.
pub fn check(settings: &Settings, facts: &StreamFacts, store: &impl ObjectReader) -> Presence {
    match &facts.local {
        LocalState::File(file) => match remaining(facts.now, file.stable_since, settings.settle) {
            Span::ZERO => Presence::Present,
            rest => Presence::Unsettled(rest),
        },
        // The host reports these as `schema-invalid` with the cause; a fallback in their place would hide them.
        LocalState::Unreadable(_) | LocalState::TooLarge(_) => Presence::Present,
        LocalState::Missing => missing(settings, facts, store),
    }
}

/// Why a schema is owed.
enum Owed {
    /// Data has waited for it since then.
    Data { since: u64 },
    /// The operator says that every stream owes one.
    Always,
    /// The layout knows a static schema, which is never staged.
    Static,
}

/// What the store holds under the schema's key.
enum Stored {
    Found,
    Missing,
    /// Not known, and not to be found out.
    Unknown(&'static str),
    /// The store failed: ask again after this long.
    Failed(Span),
}

fn missing(settings: &Settings, facts: &StreamFacts, store: &impl ObjectReader) -> Presence {
    let Some(owed) = owed(settings, facts) else {
        return Presence::NotExpected("neither a schema nor data is staged".to_owned());
    };
    let stored = match stored(facts, store) {
        Stored::Found => {
            return Presence::NotExpected(reason(format!(
                "the store holds this node's schema at `{}`, and none is staged",
                facts.schema_key
            )));
        }
        Stored::Failed(wait) => return Presence::Unsettled(wait),
        Stored::Missing => "the store holds none of this node".to_owned(),
        Stored::Unknown(cause) => format!("whether the store holds one is unknown ({cause})"),
    };

    let grace = remaining(facts.now, facts.node_seen, settings.grace);
    let watch = match owed {
        Owed::Data { since } => remaining(facts.now, since, settings.watch),
        Owed::Always => remaining(facts.now, facts.node_seen, settings.watch),
        Owed::Static => Span::ZERO,
    };
    match grace.max(watch) {
        Span::ZERO => Presence::Absent(reason(format!("{}; {stored}", evidence(&owed, facts)))),
        rest => Presence::Unsettled(rest),
    }
}

fn owed(settings: &Settings, facts: &StreamFacts) -> Option<Owed> {
    let is_static = facts
        .attributes
        .iter()
        .any(|(name, value)| name == "static-schema" && value == "true");
    if is_static {
        Some(Owed::Static)
    } else if settings.evidence == Evidence::Always {
        Some(Owed::Always)
    } else if facts.staged_data_files > 0 {
        // Data that was there before the agent was has been watched only since the agent is.
        let since = facts
            .oldest_data_file
            .map_or(facts.node_seen, |oldest| oldest.max(facts.node_seen));
        Some(Owed::Data { since })
    } else {
        None
    }
}

fn stored(facts: &StreamFacts, store: &impl ObjectReader) -> Stored {
    match facts.remote {
        RemoteState::Found(_) => return Stored::Found,
        RemoteState::Missing(_) => return Stored::Missing,
        RemoteState::Unknown => {}
    }
    match store.head(&facts.schema_key) {
        Ok(_) => Stored::Found,
        Err(ReadError::NotFound) => Stored::Missing,
        Err(ReadError::NotGranted(_)) => Stored::Unknown("no grant to read its key"),
        Err(ReadError::BudgetExhausted) => Stored::Unknown("no host call is left"),
        Err(ReadError::TooLarge(_)) => Stored::Unknown("it is too large to look at"),
        Err(ReadError::Failed(failure)) => {
            let advice = failure.retry_after.map_or(Span::ZERO, Span::millis);
            Stored::Failed(advice.max(ASK_AGAIN))
        }
    }
}

fn evidence(owed: &Owed, facts: &StreamFacts) -> String {
    match owed {
        Owed::Data { since } => format!(
            "{} data file{} waited in staging for {} without a schema",
            facts.staged_data_files,
            if facts.staged_data_files == 1 {
                " has"
            } else {
                "s have"
            },
            describe_millis(facts.now.saturating_sub(*since)),
        ),
        Owed::Always => "no schema is staged, and every stream owes one".to_owned(),
        Owed::Static => "the stream's schema is static, so the node never stages it".to_owned(),
    }
}

/// What is left at `now` of a wait that began at `since`. A clock that stepped back starts the wait anew.
fn remaining(now: u64, since: u64, wait: Span) -> Span {
    let passed = u32::try_from(now.saturating_sub(since)).unwrap_or(u32::MAX);
    Span::millis(wait.as_millis().saturating_sub(passed))
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
