use common::types::StreamFacts;
use common::{Span, between, stream_name};
use serde::{Deserialize, Serialize};

use crate::settings::Settings;

/// An open circuit, as it stands in the policy's state; the crate's documentation describes the format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circuit {
    /// When it last opened.
    pub opened: u64,
    /// The end of the open time.
    pub until: u64,
    /// How often in a row it opened; from 1.
    pub openings: u32,
    /// The stream that probes.
    pub probe: String,
    /// The end of the probe's time.
    pub lease: u64,
}

impl Circuit {
    /// Opens for the `openings`th time in a row, with this stream as the probe.
    pub(crate) fn open(settings: &Settings, facts: &StreamFacts, openings: u32) -> Self {
        let length = open_time(settings, openings).as_millis();
        let length = between(facts.entropy, length.div_ceil(2), length);
        let until = facts.now.saturating_add(u64::from(length));
        Self {
            opened: facts.now,
            until,
            openings,
            probe: stream_name(facts),
            lease: until.saturating_add(u64::from(settings.probe_for.as_millis())),
        }
    }

    /// From its stored form; `None` when this is none.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// Its stored form.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        // Numbers and a string always serialize; no bytes would read as a closed circuit.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Whether nobody has kept it: its probe's time was over long ago, or it lies in the future of a clock that stepped
    /// back.
    pub(crate) fn is_forgotten(&self, settings: &Settings, now: u64) -> bool {
        let kept = self
            .lease
            .saturating_add(u64::from(settings.max_open.as_millis()));
        now > kept || now < self.opened
    }

    /// Whether the stream of these facts is the one to probe: it has the lease, or the lease is over.
    pub(crate) fn is_probe(&self, facts: &StreamFacts) -> bool {
        self.probe == stream_name(facts) || facts.now >= self.lease
    }

    /// How long a stream that does not probe waits: until the probe has had its time, and a part of the open time more.
    pub(crate) fn wait_for_probe(&self, settings: &Settings, facts: &StreamFacts) -> Span {
        let spread = open_time(settings, self.openings).as_millis();
        span_until(self.lease, facts.now, between(facts.entropy, 0, spread))
    }

    /// How long the probe waits: for the rest of the open time.
    pub(crate) fn wait_to_probe(&self, facts: &StreamFacts) -> Span {
        span_until(self.until, facts.now, 0)
    }
}

/// The open time of the `openings`th opening in a row, before jitter.
fn open_time(settings: &Settings, openings: u32) -> Span {
    let doublings = openings.saturating_sub(1).min(31);
    let length = settings.open_for.as_millis().saturating_mul(1 << doublings);
    Span::millis(length.min(settings.max_open.as_millis()))
}

/// The time from `now` to `moment` and `more` on top; at least 1 ms.
fn span_until(moment: u64, now: u64, more: u32) -> Span {
    let millis = moment.saturating_sub(now).saturating_add(u64::from(more));
    Span::millis(u32::try_from(millis).unwrap_or(u32::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_time_doubles_up_to_its_maximum() {
        let settings = Settings::parse("{}").unwrap();
        let times = [1, 2, 3, 4, 5, u32::MAX].map(|openings| open_time(&settings, openings));
        assert_eq!(times, [30, 60, 120, 240, 300, 300].map(Span::secs));
    }

    #[test]
    fn the_documented_state_is_read() {
        let bytes = br#"{"opened": 1800000000000, "until": 1800000030000, "openings": 1, "probe": "tenant/stream", "lease": 1800000090000}"#;
        let circuit = Circuit::from_bytes(bytes).unwrap();
        assert_eq!(circuit.probe, "tenant/stream");
        assert_eq!(Circuit::from_bytes(&circuit.to_bytes()), Some(circuit));
        assert_eq!(Circuit::from_bytes(b"1,2,3"), None);
    }
}
