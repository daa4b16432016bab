use std::time::Duration;

/// What the operator set for a stream, and the host's own bounds. `semantics` in the documentation tells why each is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// No delay of a policy is shorter.
    pub min_delay: Duration,
    /// No delay of a policy is longer.
    pub max_delay: Duration,
    /// `unsettled` verdicts in a row that add up to more than this become not-expected.
    pub max_unsettled: Duration,
    /// How often a stream that waits for a change is looked at all the same.
    pub recheck: Duration,
    /// When the object is looked at after a write.
    pub look_again: Duration,
    /// How many early looks a provisional object gets.
    pub provisional_looks: u32,
    /// How many races are lost in a row before the retry policies are asked.
    pub max_lost_races: u32,
    /// How many Creates in a row may be refused while nothing stands there.
    pub max_phantom_refusals: u32,
    /// Whether a publish that brings new fields is compared with the peers first.
    pub check_peers: bool,
    /// At most once in this time, and after half of it more at the latest.
    pub check_peers_interval: Duration,
    /// Whether a stored object that is missing or corrupt is restored.
    pub repair: bool,
    /// Whether a named schema or a policy's document may bring fields that no other object of the stream holds.
    pub allow_new_fields: bool,
    /// Whether the stream is one of the node's own, which never get a named schema.
    pub internal: bool,
}

impl Default for Rules {
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        Self {
            min_delay: Duration::from_millis(250),
            max_delay: 15 * MINUTE,
            max_unsettled: 10 * MINUTE,
            recheck: 60 * MINUTE,
            look_again: MINUTE,
            provisional_looks: 5,
            max_lost_races: 8,
            max_phantom_refusals: 3,
            check_peers: true,
            check_peers_interval: 5 * MINUTE,
            repair: false,
            allow_new_fields: false,
            internal: false,
        }
    }
}

impl Rules {
    /// No stream waits longer for its next look, whatever a clock that was set back makes of a time in the ledger.
    pub fn longest_wait(&self) -> Duration {
        self.max_delay.max(self.recheck)
    }

    /// No comparison with the peers is put off for longer: the interval and half of it, at random.
    pub fn longest_peers_interval(&self) -> Duration {
        self.check_peers_interval
            .saturating_add(self.check_peers_interval / 2)
    }

    /// A policy's delay, within the operator's bounds.
    pub fn clamp(&self, delay: Duration) -> Duration {
        delay.max(self.min_delay).min(self.max_delay)
    }
}
