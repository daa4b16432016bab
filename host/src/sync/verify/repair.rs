//! Puts right what a verification found, by way of the machine.

use std::collections::BTreeMap;

use futures::StreamExt;

use super::finding::{Finding, Kind, Remedy};
use super::report::Report;
use super::{Check, Scope, VerifyContext, Watcher};
use crate::contract::Trigger;
use crate::stream::StreamId;
use crate::sync::attempt::{AttemptError, Occasion, Outcome};
use crate::sync::core::Core;
use crate::sync::machine::Repair;

/// Attends to the streams with findings, and notes in the report what became of each finding. No other attempt may be
/// under way on this core: an agent gives [`Report::to_look_at`] to its scheduler instead.
///
/// The machine restores from what was staged or confirmed in the same incarnation of the stream, with the guarantees of
/// any other write, and only where the stream's rules allow repairs. Nothing is deleted, and no other node's object is
/// touched. Whether a repair succeeded is read from the store.
pub async fn repair(core: &Core, report: &mut Report, watcher: &mut Watcher<'_>) {
    let mut streams: BTreeMap<StreamId, Vec<Finding>> = BTreeMap::new();
    for finding in report.findings.drain(..) {
        let of_stream = streams.entry(finding.stream.clone()).or_default();
        of_stream.push(finding);
    }
    let before = core.store.requests();
    let context = VerifyContext::of(core);
    let repairs = streams.into_iter().map(|(id, findings)| async {
        let remedied = repair_stream(core, &context, &id, findings).await;
        (id, remedied)
    });
    let mut repairs = futures::stream::iter(repairs).buffer_unordered(context.at_once.max(1));
    while let Some((id, findings)) = repairs.next().await {
        watcher(&id, &findings);
        report.findings.extend(findings);
    }
    drop(repairs);
    report
        .findings
        .sort_by(|one, other| one.stream.cmp(&other.stream));
    let after = core.store.requests();
    let requests = &mut report.requests;
    requests.heads += after.heads - before.heads;
    requests.gets += after.gets - before.gets;
    requests.lists += after.lists - before.lists;
    requests.puts += after.puts - before.puts;
}

async fn repair_stream(
    core: &Core,
    context: &VerifyContext<'_>,
    id: &StreamId,
    mut findings: Vec<Finding>,
) -> Vec<Finding> {
    let remedy = match core.plan.of(id) {
        _ if !findings.iter().any(|finding| finding.kind.is_own()) => Ok(()),
        Some(plan) if plan.rules.repair != Repair::Off => attend(core, context, id).await,
        Some(_) => Err("repairs are off: set `repair` in [verify]".to_owned()),
        None => Err("a rule leaves this stream alone".to_owned()),
    };
    for finding in &mut findings {
        finding.repair = Some(match (&finding.kind, &remedy) {
            (kind, Ok(())) if kind.is_loss() => Remedy::Repaired,
            (kind, Ok(())) if kind.is_own() => Remedy::Noted,
            (kind, Err(why)) if kind.is_own() => Remedy::NotRepaired { why: why.clone() },
            (kind, _) => Remedy::NotRepaired {
                why: beyond(kind).to_owned(),
            },
        });
    }
    findings
}

/// Why a look at this node's object does nothing about a finding.
fn beyond(kind: &Kind) -> &'static str {
    match kind {
        Kind::Conflict { .. } => "types are never changed: make them agree at the source",
        Kind::CorruptPeer { .. } => "another node's object is never touched",
        Kind::Unreachable { .. } => "nothing is known of it",
        _ => "there is nothing to restore",
    }
}

/// Has the machine look at the stream, and then asks the store whether it holds what it should; the error says why not.
async fn attend(core: &Core, context: &VerifyContext<'_>, id: &StreamId) -> Result<(), String> {
    let check = Check {
        context,
        store: &core.store,
    };
    let outcome = look(core, id).await.map_err(|error| error.to_string())?;
    let left = check.stream(id, Scope::Own).await;
    let left = left.map_err(|error| error.to_string())?.kinds;
    match left.iter().find(|kind| kind.is_own()) {
        Some(kind) => Err(reason(kind, &outcome)),
        None => unreachable_reason(&left).map_or(Ok(()), Err),
    }
}

/// The store could not be asked whether the repair succeeded.
fn unreachable_reason(left: &[Kind]) -> Option<String> {
    left.iter()
        .find(|kind| matches!(kind, Kind::Unreachable { .. }))
        .map(ToString::to_string)
}

async fn look(core: &Core, id: &StreamId) -> Result<Outcome, AttemptError> {
    // Staging is not looked at here: the last sighting stays, so that the next scan sees what changed since.
    let known = core.journal.load(id).await?;
    let sighting = known.map(|stream| stream.sighting).unwrap_or_default();
    core.attempt(id, Occasion::Looked(Trigger::Verification, sighting))
        .await
}

fn reason(kind: &Kind, outcome: &Outcome) -> String {
    if let Some(planned) = &outcome.planned {
        let verb = if planned.create { "create" } else { "update" };
        return format!("this is a dry run; it would {verb} {}", planned.key);
    }
    match (&outcome.failure, kind) {
        (Some(failure), _) => failure.to_string(),
        (None, kind) => format!("{kind}, and the stream is {}", outcome.phase),
    }
}
