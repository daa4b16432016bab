//! Looks at the staging directory while no agent works on it, since the ledger may then be out of date.

use std::collections::{HashMap, HashSet};

use super::agent::Agent;
use crate::config::Settings;
use crate::ledger::{Condition, ConditionKind, StreamRecord};
use crate::staging::{Identity, Staging, StagingDir};
use crate::stream::{NodeId, StreamId};
use crate::sync::signature;
use crate::time::Timestamp;

/// Counts the streams whose staged files changed since they were judged, and notices a directory that is missing or
/// another node's. Reads no staged file.
pub(super) fn look(
    agent: &mut Agent,
    settings: &Settings,
    node: Option<&NodeId>,
    records: &[StreamRecord],
    now: Timestamp,
) {
    let stale = [
        ConditionKind::StagingMissing,
        ConditionKind::IdentityUnclear,
        ConditionKind::ScanFailing,
    ];
    agent.conditions.retain(|held| !stale.contains(&held.kind));
    match changed(settings, node, records, |_| true) {
        Ok(changed) => agent.unjudged = changed,
        Err((kind, detail)) => agent.conditions.push(Condition {
            kind,
            since: now,
            detail,
        }),
    }
}

/// Counts those of the wanted streams whose staged files changed, or whose directory vanished, since they were judged.
///
/// # Errors
///
/// The condition that keeps the staging directory from being looked at, with its cause.
pub(in crate::cli) fn changed(
    settings: &Settings,
    node: Option<&NodeId>,
    records: &[StreamRecord],
    wanted: impl Fn(&StreamId) -> bool,
) -> Result<u64, (ConditionKind, String)> {
    let failed = |error: &dyn std::error::Error| crate::cli::output::causes(error);
    let staging = StagingDir::open_beside(settings.staging.clone())
        .map_err(|error| (ConditionKind::StagingMissing, failed(&error)))?;
    let found = match staging.identify() {
        Ok(Identity::Known(found)) => found,
        Ok(Identity::NotYet) => {
            let detail = "the staging directory holds no identity of a node: mount its volume, or start the node";
            return Err((ConditionKind::StagingMissing, detail.to_owned()));
        }
        Err(error) => return Err((ConditionKind::IdentityUnclear, failed(&error))),
    };
    // What is known of another node says nothing about this one.
    let known: HashMap<&StreamId, Option<u64>> = match node == Some(&found) {
        true => records
            .iter()
            .map(|record| {
                let signature = record.signature.as_deref();
                (&record.stream, signature.and_then(|text| text.parse().ok()))
            })
            .collect(),
        false => HashMap::new(),
    };
    let mut changed = 0;
    let mut staged_now = HashSet::new();
    let is_ignored = |stream: &StreamId| {
        let mut rules = settings.rules.iter();
        let rule = rules.find(|rule| rule.matcher.matches(stream));
        rule.is_some_and(|rule| rule.settings.is_none())
    };
    let counts = |stream: &StreamId| wanted(stream) && !is_ignored(stream);
    let scanned = staging.scan(&found, &mut |staged| {
        let judged = known.get(&staged.stream).copied().flatten();
        let is_news = judged != Some(signature(&staged.schema));
        changed += u64::from(is_news && counts(&staged.stream));
        staged_now.insert(staged.stream);
    });
    // A node removes the directory of a stream that was deleted.
    let vanished = known.iter().filter(|(stream, judged)| {
        judged.is_some_and(|signature| signature != 0) && !staged_now.contains(**stream)
    });
    let vanished = vanished.filter(|(stream, _)| counts(stream)).count();
    match scanned {
        // Those that a scan left out have not vanished.
        Ok(summary) if summary.truncated || !summary.unreadable.is_empty() => Ok(changed),
        Ok(_) => Ok(changed + vanished as u64),
        Err(error) => Err((ConditionKind::ScanFailing, failed(&error))),
    }
}
