//! What the store was asked, and what stands in it.

use std::time::Duration;

use bytes::Bytes;
use globset::GlobMatcher;
use object_store::path::Path;

use super::{Judge, Miss, within};
use crate::sandbox::Event;
use crate::sandbox::scenario::content::fields;
use crate::sandbox::scenario::expectation::{ExpectedContent, Scope};
use crate::sandbox::scenario::file::RequestOutcome;
use crate::sandbox::scenario::timeline::clock;
use crate::sandbox::store::{Operation, Outcome, Request};
use crate::schema::Schema;

/// Where the agents' probes put their objects.
pub(super) const PROBES: &str = ".tidegate/";

impl Judge<'_> {
    fn requests<'s>(&'s self, scope: &'s Scope) -> impl Iterator<Item = &'s Request> {
        self.entries
            .iter()
            .filter_map(move |entry| match &entry.event {
                Event::Request(request) => {
                    let by_agent = self.scenario.nodes.contains(&request.by);
                    let segments = || request.key.split('/');
                    let fits = within(scope, request.at)
                        && scope.node.as_ref().is_none_or(|of| *of == request.by)
                        && scope
                            .stream
                            .as_ref()
                            .is_none_or(|of| segments().any(|part| part == &*of.name));
                    (by_agent && fits).then_some(request)
                }
                _ => None,
            })
    }

    /// When there were requests of these operations, whose keys match, and which ended like this.
    pub(super) fn requested(
        &self,
        scope: &Scope,
        operations: &[Operation],
        keys: Option<&GlobMatcher>,
        outcome: Option<RequestOutcome>,
    ) -> Vec<Duration> {
        let counted = self.requests(scope).filter(|request| {
            (operations.is_empty() || operations.contains(&request.operation))
                && match keys {
                    Some(keys) => keys.is_match(&request.key),
                    None => !request.key.starts_with(PROBES),
                }
                && outcome.is_none_or(|outcome| ended_like(request.outcome, outcome))
        });
        counted.map(|request| request.at).collect()
    }

    pub(super) fn object(
        &self,
        key: &Path,
        content: &ExpectedContent,
        at: Duration,
    ) -> Option<Miss> {
        let mut standing: Option<&Bytes> = None;
        for entry in self.entries {
            if let Event::Request(request) = &entry.event
                && request.at <= at
                && request.key == key.as_ref()
                && let Some(change) = &request.change
            {
                standing = change.after.as_ref();
            }
        }
        let holds = match content {
            ExpectedContent::Nothing => standing.is_none(),
            ExpectedContent::Anything => standing.is_some(),
            ExpectedContent::Text(text) => standing == Some(text),
            ExpectedContent::Schema(schema) => standing
                .and_then(|bytes| Schema::parse(bytes).ok())
                .is_some_and(|standing| standing == *schema),
        };
        if holds {
            return None;
        }
        let what = match content {
            ExpectedContent::Nothing => "nothing".to_owned(),
            ExpectedContent::Anything => "something".to_owned(),
            ExpectedContent::Text(text) => format!("`{}`", String::from_utf8_lossy(text)),
            ExpectedContent::Schema(schema) => fields(schema),
        };
        Some(Miss {
            at,
            expected: format!("{what} to stand under {key} at {}", clock(at)),
            came: match standing.map(|bytes| Schema::parse(bytes).map_err(|_| bytes)) {
                None => "nothing stands there".to_owned(),
                Some(Ok(schema)) => fields(&schema),
                Some(Err(bytes)) => format!("`{}`", String::from_utf8_lossy(bytes)),
            },
        })
    }

    pub(super) fn no_overwrite(&self, scope: &Scope) -> Option<Miss> {
        self.requests(scope).find_map(|request| {
            let change = request.change.as_ref()?;
            let before = change.before.as_ref()?;
            if !request.operation.writes() || request.key.starts_with(PROBES) {
                return None;
            }
            let kept = match (
                Schema::parse(before),
                change.after.as_ref().map(|after| Schema::parse(after)),
            ) {
                (Ok(before), Some(Ok(after))) => after.covers(&before),
                _ => change.after.as_ref() == Some(before),
            };
            (!kept).then(|| Miss {
                at: request.at,
                expected: "no write that loses what stood there".to_owned(),
                came: format!(
                    "the {} of {} by {} at {}",
                    request.operation,
                    request.key,
                    request.by,
                    clock(request.at)
                ),
            })
        })
    }
}

fn ended_like(outcome: Outcome, wanted: RequestOutcome) -> bool {
    match wanted {
        RequestOutcome::Done => outcome == Outcome::Done,
        RequestOutcome::Missing => outcome == Outcome::Missing,
        RequestOutcome::Refused => outcome == Outcome::Refused,
        RequestOutcome::Failed => matches!(outcome, Outcome::Failed(_)),
        RequestOutcome::AnswerLost => outcome == Outcome::AnswerLost,
        RequestOutcome::Unanswered => outcome == Outcome::Unanswered,
    }
}
