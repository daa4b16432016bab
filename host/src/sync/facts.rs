//! What the policies are told about a stream.

use super::core::Core;
use super::machine::Stream;
use super::plan::StreamPlan;
use crate::contract::{Facts, Trigger};
use crate::planted::{self, Defect};
use crate::staging::StreamKeys;
use crate::stream::StreamId;

impl Core {
    /// The facts for one decision, with a fresh random word.
    pub(super) fn facts(
        &self,
        id: &StreamId,
        stream: &Stream,
        plan: &StreamPlan,
        keys: &StreamKeys,
        trigger: Trigger,
    ) -> Facts {
        let mode = self
            .layout
            .mode()
            .map(|mode| ("mode".to_owned(), mode.name().to_owned()));
        let mut attributes = stream
            .incarnation
            .as_ref()
            .map(|marker| marker.attributes.clone())
            .unwrap_or_default();
        attributes
            .extend(mode.filter(|(name, _)| attributes.iter().all(|(known, _)| known != name)));
        Facts {
            stream: id.clone(),
            node: self.node.clone(),
            now: self.clock.now(),
            node_seen: self.node_seen.at(),
            phase: stream.phase,
            trigger,
            attempts: stream.attempts,
            failing_since: stream.failing_since,
            absent_since: stream.absent_since,
            absences: stream.absences,
            last_success: stream.last_success,
            previous_delay: stream.previous_delay,
            local: stream.local.clone(),
            remote: stream.remote.clone(),
            staged_data_files: stream.sighting.data_files,
            oldest_data_file: stream.sighting.data_since,
            schema_key: keys.schema.to_string(),
            peers_prefix: keys.peers_prefix.clone(),
            base_key: keys.base.as_ref().map(ToString::to_string),
            defaults: plan.defaults.keys().cloned().collect(),
            store: self.health.facts(),
            attributes,
            entropy: match planted::is(Defect::SameEntropy) {
                true => u64::MAX / 3,
                false => self.entropy.word(),
            },
        }
    }
}
