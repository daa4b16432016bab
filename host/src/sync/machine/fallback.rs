//! Fallbacks and their gates. They are contagious, so no choice of a policy passes a gate that is shut.

use super::stream::{Activity, Document, Intent, Mode, Purpose, Source};
use super::{Effect, Level, MarkerSeen, Peers, Proposal, Step};
use crate::contract::{Choice, Failure, LocalState, Phase};
use crate::planted::{self, Defect};
use crate::schema::Schema;

impl Step<'_, '_> {
    pub(super) fn chosen(&mut self, choice: Choice) -> Option<()> {
        if self.stream.activity != Activity::AskingFallback || self.stream.phase != Phase::Awaiting
        {
            return None;
        }
        match choice {
            Choice::Skip(reason) => self.stay_absent(reason),
            Choice::Abstain => self.stay_absent("no fallback policy chose anything".to_owned()),
            choice => match self.refusal_of(&choice) {
                Some(reason) => self.refuse(reason),
                None => self.perform(Activity::Resolving, Effect::Resolve(choice)),
            },
        }
    }

    /// The gates that need no look at the store.
    fn refusal_of(&self, choice: &Choice) -> Option<&'static str> {
        if matches!(&self.stream.local, LocalState::File(file) if file.well_formed) {
            return Some("a well-formed schema is staged");
        }
        if self.stream.true_schema().is_some() {
            return Some(
                "the stream's own schema is known; `tidegate verify --repair` restores it",
            );
        }
        if self.moment.rules.internal && matches!(choice, Choice::Named(_)) {
            return Some("streams of the node's own never get a named schema");
        }
        None
    }

    pub(super) fn proposed(&mut self, proposal: Proposal) -> Option<()> {
        if self.stream.activity != Activity::Resolving || self.stream.phase != Phase::Awaiting {
            return None;
        }
        let (schema, source, peers, marker) = match proposal {
            Proposal::Failed(failure) => return self.fail(Failure::Store(failure)),
            Proposal::Refused(reason) => return self.refuse(reason),
            Proposal::Schema {
                schema,
                source,
                peers,
                marker,
            } => (schema, source, peers, marker),
        };
        match marker {
            MarkerSeen::Gone => return self.without_marker(Purpose::Write),
            MarkerSeen::Present(marker) => {
                if self
                    .stream
                    .incarnation
                    .as_ref()
                    .is_some_and(|known| known.is_succeeded_by(&marker))
                {
                    return self.begin_anew(marker);
                }
                self.keep_marker(marker);
            }
            MarkerSeen::NotNeeded => {}
        }
        self.warn_unreadable(&peers);
        if let Some(reason) = self.shut_gate(&schema, &source, &peers) {
            return self.refuse(reason);
        }
        // The marker was looked at with the peers, just now.
        self.stream.phantom_refusals = 0;
        self.stream.intent = Some(Intent {
            document: Document::new(schema),
            mode: Mode::Create,
            source,
        });
        self.perform(Activity::Writing, Effect::Write)
    }

    fn shut_gate(&self, schema: &Schema, source: &Source, peers: &Peers) -> Option<String> {
        if !peers.complete {
            return Some("the peers' listing is incomplete".to_owned());
        }
        let lifted = self.moment.rules.allow_new_fields
            && matches!(source, Source::Named(_) | Source::Document);
        if lifted {
            return peers.schemas.iter().find_map(|peer| {
                let conflict = schema.merge(&peer.schema).err()?;
                Some(format!(
                    "it can't be merged with the peer {}: {conflict}",
                    peer.key
                ))
            });
        }
        if planted::is(Defect::OpensFallbackGate) {
            return None;
        }
        let stray = schema.subset_of_union(&peers.known()).err()?;
        Some(format!("{stray}; `allow_new_fields` would let it pass"))
    }

    fn refuse(&mut self, reason: impl Into<String>) -> Option<()> {
        let reason = format!("fallback refused: {}", reason.into());
        self.note(Level::Warning, reason.clone());
        self.stay_absent(reason)
    }

    /// No fallback was placed. That is a state, not a failed attempt.
    pub(super) fn stay_absent(&mut self, reason: String) -> Option<()> {
        let failure = Failure::SchemaAbsent(reason);
        self.stream.last_failure = Some(failure.clone());
        self.perform(
            Activity::AskingRetry(failure.clone()),
            Effect::AskRetry(failure),
        )
    }
}
