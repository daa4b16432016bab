//! The staging directory: scans it, makes sure that it is still the node's, and follows the node to a new identity.

use std::sync::Arc;
use std::time::Duration;

use super::Agent;
use super::vitals::in_one_line;
use crate::ledger::ConditionKind;
use crate::staging::{IdentityError, ScanSummary, StagingError};
use crate::stream::NodeId;

impl Agent {
    pub(super) async fn scan(&mut self) -> bool {
        match self.scheduler.scan().await {
            Ok(summary) => {
                self.scanned(&summary);
                self.staging_is_well();
                true
            }
            Err(error) => {
                self.staging_failed(error).await;
                false
            }
        }
    }

    /// Records a scan, and what it left out.
    pub(super) fn scanned(&mut self, summary: &ScanSummary) {
        if summary.not_utf8 > 0 {
            let examples = summary.examples.join(", ");
            tracing::debug!(
                skipped = summary.not_utf8,
                "directories whose names are not UTF-8 are left alone: {examples}"
            );
        }
        let clock = &*self.core.clock;
        self.vitals.scanned = Some(clock.now());
        let incomplete = what_is_left_out(summary);
        let conditions = &mut self.vitals.conditions;
        conditions.set(ConditionKind::ScanIncomplete, incomplete, clock);
    }

    /// Whether the directory can change in a way that a scan would not notice.
    pub(super) fn confirms(&self) -> bool {
        self.core.staging.quiet_until().is_none()
    }

    /// Confirms that the directory is still the node's. Returns true if it was not before and is again.
    pub(super) async fn confirm(&mut self) -> bool {
        if !self.confirms() {
            return false;
        }
        let (staging, node) = (Arc::clone(&self.core.staging), self.core.node.clone());
        let confirmed = self.core.tasks.block(move || staging.confirm(&node));
        match confirmed.await {
            Ok(Ok(())) => self.staging_is_well(),
            Ok(Err(error)) => {
                self.staging_failed(error).await;
                false
            }
            Err(interrupted) => {
                tracing::error!("the staging directory could not be looked at: {interrupted}");
                false
            }
        }
    }

    /// Records that the staging directory is the node's and can be scanned. Returns true if it was not before.
    fn staging_is_well(&mut self) -> bool {
        let clock = &*self.core.clock;
        let conditions = &mut self.vitals.conditions;
        let mut was_ill = false;
        for kind in [
            ConditionKind::StagingMissing,
            ConditionKind::IdentityUnclear,
            ConditionKind::ScanFailing,
        ] {
            was_ill |= conditions.holds(kind);
            conditions.end(kind, clock);
        }
        was_ill
    }

    /// Records that the staging directory can't be scanned, or is no longer the node's.
    async fn staging_failed(&mut self, error: StagingError) {
        let kind = match &error {
            StagingError::OtherNode { found } => {
                let found = found.clone();
                return self.changes_node(&found).await;
            }
            StagingError::NoIdentity | StagingError::Emptied { .. } => {
                ConditionKind::StagingMissing
            }
            StagingError::Open { source, .. } | StagingError::List { source, .. }
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                ConditionKind::StagingMissing
            }
            StagingError::Identity(IdentityError::Unreadable { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                ConditionKind::StagingMissing
            }
            StagingError::Identity(_) => ConditionKind::IdentityUnclear,
            StagingError::Open { .. } | StagingError::List { .. } | StagingError::Locked { .. } => {
                ConditionKind::ScanFailing
            }
        };
        let detail = in_one_line(&error);
        self.vitals.conditions.hold(kind, detail, &*self.core.clock);
    }

    /// Switches the agent to the node's new identity.
    async fn changes_node(&mut self, node: &NodeId) {
        let former = self.core.node.clone();
        match self.become_node(node.clone()).await {
            Ok(()) => {
                self.staging_is_well();
                tracing::warn!(
                    node = %node,
                    %former,
                    "the node came back under another identity: its schemas are published as that node's from now on, \
                     and the objects of the former one are left alone"
                );
            }
            Err(error) => {
                let detail = format!(
                    "the node is {node} now, not {former}, and the agent can't follow it: {}",
                    in_one_line(&error)
                );
                let kind = ConditionKind::IdentityUnclear;
                self.vitals.conditions.hold(kind, detail, &*self.core.clock);
            }
        }
    }

    /// When to scan next: after one interval, or after several if nothing can change before that.
    pub(super) fn next_scan(&self) -> Duration {
        let (now, interval) = (self.core.clock.monotonic(), self.settings.scan_interval);
        let quiet = self.core.staging.quiet_until().unwrap_or_default();
        let idle = quiet.saturating_sub(now).as_nanos() / interval.as_nanos().max(1);
        let idle = interval.saturating_mul(u32::try_from(idle).unwrap_or(u32::MAX));
        now.saturating_add(idle).saturating_add(interval)
    }
}

/// Describes which streams a scan left out, and what to do about it.
fn what_is_left_out(summary: &ScanSummary) -> Option<String> {
    let mut left_out = Vec::new();
    if summary.truncated {
        left_out.push(format!(
            "more than {} streams are staged, and the rest is left out: raise `staging.max_streams`",
            summary.streams
        ));
    }
    if !summary.unreadable.is_empty() {
        left_out.push(format!(
            "directories of tenants can't be listed, so let the agent's user read them: {}",
            summary.unreadable.join(", ")
        ));
    }
    (!left_out.is_empty()).then(|| left_out.join("; "))
}
