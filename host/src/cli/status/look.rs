//! Looks at the staging directory while no agent works on it, since the ledger may then be out of date.

use std::collections::HashMap;

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
    match changed(settings, node, records) {
        Ok(changed) => agent.unjudged = changed,
        Err((kind, detail)) => agent.conditions.push(Condition {
            kind,
            since: now,
            detail,
        }),
    }
}

fn changed(
    settings: &Settings,
    node: Option<&NodeId>,
    records: &[StreamRecord],
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
    let scanned = staging.scan(&found, &mut |staged| {
        let rule = settings
            .rules
            .iter()
            .find(|rule| rule.matcher.matches(&staged.stream));
        let ignored = rule.is_some_and(|rule| rule.settings.is_none());
        let judged = known.get(&staged.stream).copied().flatten();
        changed += u64::from(!ignored && judged != Some(signature(&staged.schema)));
    });
    match scanned {
        Ok(_) => Ok(changed),
        Err(error) => Err((ConditionKind::ScanFailing, failed(&error))),
    }
}
