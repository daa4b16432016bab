//! Every stream settles within a computed time once nothing disturbs it: what it says of itself is true, what is staged
//! is stored, and it waits for nothing but what an operator or the node has to do.

use super::{END, Found};
use crate::contract::{Phase, Role};
use crate::sandbox::scenario::history::History;
use crate::schema::Schema;
use crate::staging::StreamKeys;
use crate::sync::Event as Step;
use crate::sync::machine::{Repair, Stream};

pub(super) fn judge(found: &mut Found<'_, '_>) {
    let history = found.history();
    // What becomes of a store that ignores conditions is another property's question.
    if !history.scenario.store.honours_conditions {
        return;
    }
    for (node, stream, keys) in history.pairs() {
        if !history.node_end(node).is_some_and(|end| end.up) {
            continue;
        }
        let case = Case {
            history,
            node,
            stream,
            keys,
            staged: staged(history, node, stream),
            own: history
                .content_at_end(keys.schema.as_ref())
                .map(|bytes| history.schema(bytes)),
        };
        let problem = match history.end_of(node, stream) {
            Some(end) => case.problem(end),
            None if case.staged.is_some() => Some("nobody ever looked at it".to_owned()),
            None => None,
        };
        if let Some(problem) = problem {
            found.tell_of_end(node, stream, problem);
        }
    }
}

/// A stream at the end.
struct Case<'h, 'p> {
    history: &'h History<'p>,
    node: &'h str,
    stream: &'h str,
    keys: &'h StreamKeys,
    /// The well-formed schema that is staged, and not left from an earlier life of the stream.
    staged: Option<Schema>,
    /// What stands under the node's key, as far as it is a schema.
    own: Option<Option<Schema>>,
}

fn staged(history: &History<'_>, node: &str, stream: &str) -> Option<Schema> {
    let staged = history.staged_at(node, stream, END)?;
    let is_left_over = history.is_left_over(stream, staged.at, END);
    history.schema(staged.content.as_ref().filter(|_| !is_left_over)?)
}

impl Case<'_, '_> {
    fn problem(&self, end: &Stream) -> Option<String> {
        let says = |what: &str| Some(format!("is {} at the end, {what}", end.phase));
        if end.intent.is_some() {
            return says("with a write whose outcome it never found out");
        }
        if !self.history.exists_at(self.stream, END) {
            return match end.phase {
                Phase::Gone => None,
                Phase::Unknown if end.incarnation.is_none() => None,
                // Somebody else put an object there.
                _ if self.own.is_some() && !self.wrote_last() => None,
                Phase::Idle | Phase::Unseen | Phase::Abandoned if self.own.is_none() => None,
                // What the store lost is waited for until a repair; nothing is written, and nobody asks for the marker.
                Phase::Awaiting if self.own.is_none() && end.true_schema().is_some() => None,
                // There is nothing that could be published.
                Phase::Pending if end.captured.is_none() => None,
                _ => says("though the stream was deleted"),
            };
        }
        match end.phase {
            Phase::Gone | Phase::Unknown => says("though the stream exists"),
            Phase::Synced => self.problem_of_synced(end),
            Phase::Conflicted => match self.is_in_conflict(end) || self.lost_a_party(end) {
                true => None,
                false => says("though nothing is in conflict"),
            },
            Phase::Pending if self.staged.is_none() && end.captured.is_none() => None,
            Phase::Pending => says("though nothing keeps it from being published"),
            // A policy gave up.
            Phase::Abandoned => None,
            Phase::Provisional if self.own.is_none() => says("though nothing is stored"),
            Phase::Awaiting if self.own.is_some() => says("though an object is stored"),
            Phase::Awaiting if self.is_restorable(end) => {
                says("though its schema could be restored")
            }
            Phase::Unseen | Phase::Idle | Phase::Awaiting | Phase::Provisional
                if self.staged.is_some() && self.was_present() =>
            {
                says("though its schema is staged")
            }
            Phase::Unseen | Phase::Idle if self.owes_captured(end) => {
                says("though it captured what the store does not hold")
            }
            Phase::Unseen | Phase::Idle | Phase::Awaiting | Phase::Provisional => None,
        }
    }

    /// Whether what stands there is what the agent wrote.
    fn wrote_last(&self) -> bool {
        let key = self.keys.schema.as_ref();
        let mut requests = self.history.requests.iter();
        let last = requests.rfind(|(_, request)| request.key == key && request.change.is_some());
        last.is_some_and(|(_, request)| request.by == self.node)
    }

    fn problem_of_synced(&self, end: &Stream) -> Option<String> {
        let Some(Some(own)) = &self.own else {
            return Some("is synced at the end, though no schema is stored".to_owned());
        };
        let owed = end
            .confirmed
            .as_ref()
            .map(|confirmed| &confirmed.document.schema);
        for (owed, what) in [(self.staged.as_ref(), "staged"), (owed, "confirmed")] {
            if owed.is_some_and(|owed| !own.covers(owed)) {
                return Some(format!(
                    "is synced at the end, though the store lacks what is {what}"
                ));
            }
        }
        None
    }

    /// Whether anything that stands under the stream's prefix contradicts what is known here.
    fn is_in_conflict(&self, end: &Stream) -> bool {
        if matches!(self.own, Some(None)) {
            return true;
        }
        let captured = end.captured.as_ref().map(|document| &document.schema);
        let confirmed = end
            .confirmed
            .as_ref()
            .map(|confirmed| &confirmed.document.schema);
        let known: Vec<_> = [
            self.staged.as_ref(),
            captured,
            confirmed,
            self.own.as_ref().and_then(Option::as_ref),
        ]
        .into_iter()
        .flatten()
        .collect();
        let within = self
            .history
            .all_keys()
            .filter(|key| key.starts_with(&self.keys.root));
        let stored = within
            .filter_map(|key| self.history.schema(self.history.content_at_end(key)?))
            .collect::<Vec<_>>();
        // Two other nodes that disagree are a conflict of this node's as well: it would not start either.
        let all: Vec<_> = known.iter().copied().chain(&stored).collect();
        all.iter()
            .any(|one| all.iter().any(|other| one.merge(other).is_err()))
    }

    /// Whether an object that was part of the nodes' conflict is not a schema any more: nobody knows whether it agrees.
    fn lost_a_party(&self, end: &Stream) -> bool {
        let content = |key: &String| self.history.content_at_end(key);
        end.peers
            .parties
            .iter()
            .filter_map(content)
            .any(|content| self.history.schema(content).is_none())
    }

    fn is_restorable(&self, end: &Stream) -> bool {
        self.history.rules(self.stream).repair != Repair::Off && end.true_schema().is_some()
    }

    fn owes_captured(&self, end: &Stream) -> bool {
        let held = self.own.as_ref().and_then(Option::as_ref);
        end.captured
            .as_ref()
            .is_some_and(|captured| !held.is_some_and(|held| held.covers(&captured.schema)))
    }

    /// Whether the policies last took the staged schema for one that is there.
    fn was_present(&self) -> bool {
        let attempts = self.history.attempts_of(self.node, self.stream);
        let verdicts = attempts.flat_map(|attempt| &attempt.outcome.story.steps);
        let last = verdicts.filter_map(|step| match step {
            Step::Asked { role, kind, .. } if *role == Role::Existence => Some(kind.as_deref()),
            _ => None,
        });
        !matches!(last.last(), Some(Some("not-expected" | "absent")))
    }
}
