use serde::{Deserialize, Serialize};
use tidegate_policy::{Facts, Span, Timestamp};

use crate::settings::CircuitBreaker;

/// An open circuit, as it stands in the policy's state; the crate's documentation describes the format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circuit {
    /// When it last opened.
    pub opened: Timestamp,
    /// The end of the open time.
    pub until: Timestamp,
    /// How often in a row it opened; from 1.
    pub openings: u32,
    /// The stream that probes.
    pub probe: String,
    /// The end of the probe's time.
    pub lease: Timestamp,
}

impl Circuit {
    /// Opens for the `openings`th time in a row, with this stream as the probe.
    pub(crate) fn open(settings: &CircuitBreaker, facts: &Facts, openings: u32) -> Self {
        let length = open_time(settings, openings);
        let until = facts.now + facts.entropy.between(length / 2, length);
        Self {
            opened: facts.now,
            until,
            openings,
            probe: facts.stream(),
            lease: until + settings.probe_for,
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
    pub(crate) fn is_forgotten(&self, settings: &CircuitBreaker, now: Timestamp) -> bool {
        now > self.lease + settings.max_open || now < self.opened
    }

    /// Whether the stream of these facts is the one to probe: it has the lease, or the lease is over.
    pub(crate) fn is_probe(&self, facts: &Facts) -> bool {
        self.probe == facts.stream() || facts.now >= self.lease
    }

    /// How long a stream that does not probe waits: until the probe has had its time, and a part of the open time more.
    pub(crate) fn wait_for_probe(&self, settings: &CircuitBreaker, facts: &Facts) -> Span {
        let spread = open_time(settings, self.openings);
        let wait = self.lease.since(facts.now) + facts.entropy.between(Span::ZERO, spread);
        wait.max(SHORTEST)
    }

    /// How long the probe waits: for the rest of the open time.
    pub(crate) fn wait_to_probe(&self, facts: &Facts) -> Span {
        self.until.since(facts.now).max(SHORTEST)
    }
}

/// A delay is never nothing.
const SHORTEST: Span = Span::millis(1);

/// The open time of the `openings`th opening in a row, before jitter.
fn open_time(settings: &CircuitBreaker, openings: u32) -> Span {
    let doublings = openings.saturating_sub(1).min(31);
    (settings.open_for * (1 << doublings)).min(settings.max_open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_time_doubles_up_to_its_maximum() {
        let settings = CircuitBreaker::default();
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
