use tidegate_policy::{
    Existence, Facts, Host, LocalState, Presence, ReadError, RemoteState, Result, Span, Timestamp,
};

use crate::settings::{Evidence, SchemaPresence};

/// How long to wait before the store is asked again after it failed and gave no advice.
const ASK_AGAIN: Span = Span::secs(5);

impl Existence for SchemaPresence {
    fn check(&self, facts: &Facts, host: &impl Host) -> Result<Presence> {
        Ok(match &facts.local {
            LocalState::File(file) => match remaining(facts.now, file.stable_since, self.settle) {
                Span::ZERO => Presence::Present,
                rest => Presence::Unsettled(rest),
            },
            // The host reports these as `schema-invalid` with the cause; a fallback in their place would hide them.
            LocalState::Unreadable(_) | LocalState::TooLarge(_) => Presence::Present,
            LocalState::Missing => missing(self, facts, host),
        })
    }
}

/// Why a schema is owed.
enum Owed {
    /// Data has waited for it since then.
    Data { since: Timestamp },
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

fn missing(settings: &SchemaPresence, facts: &Facts, host: &impl Host) -> Presence {
    let Some(owed) = owed(settings, facts) else {
        return Presence::NotExpected("neither a schema nor data is staged".to_owned());
    };
    let stored = match stored(facts, host) {
        Stored::Found => {
            return Presence::NotExpected(format!(
                "the store holds this node's schema at `{}`, and none is staged",
                facts.schema_key
            ));
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
        Span::ZERO => Presence::Absent(format!("{}; {stored}", evidence(&owed, facts))),
        rest => Presence::Unsettled(rest),
    }
}

fn owed(settings: &SchemaPresence, facts: &Facts) -> Option<Owed> {
    let is_static = facts.attribute("static-schema") == Some("true");
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

fn stored(facts: &Facts, host: &impl Host) -> Stored {
    match facts.remote {
        RemoteState::Found(_) => return Stored::Found,
        RemoteState::Missing(_) => return Stored::Missing,
        RemoteState::Unknown => {}
    }
    match host.head(&facts.schema_key) {
        Ok(_) => Stored::Found,
        Err(ReadError::NotFound) => Stored::Missing,
        Err(ReadError::NotGranted(_)) => Stored::Unknown("no grant to read its key"),
        Err(ReadError::BudgetExhausted) => Stored::Unknown("no host call is left"),
        Err(ReadError::TooLarge(_)) => Stored::Unknown("it is too large to look at"),
        Err(ReadError::Failed(failure)) => {
            let advice = failure.retry_after.unwrap_or_default();
            Stored::Failed(advice.max(ASK_AGAIN))
        }
    }
}

fn evidence(owed: &Owed, facts: &Facts) -> String {
    match owed {
        Owed::Data { since } => format!(
            "{} data file{} waited in staging for {} without a schema",
            facts.staged_data_files,
            if facts.staged_data_files == 1 {
                " has"
            } else {
                "s have"
            },
            facts.now.since(*since),
        ),
        Owed::Always => "no schema is staged, and every stream owes one".to_owned(),
        Owed::Static => "the stream's schema is static, so the node never stages it".to_owned(),
    }
}

/// What is left at `now` of a wait that began at `since`. A clock that stepped back starts the wait anew.
fn remaining(now: Timestamp, since: Timestamp, wait: Span) -> Span {
    wait.saturating_sub(now.since(since))
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
