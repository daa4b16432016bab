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
    /// Whether the schemas of the stream's nodes are compared.
    pub check_peers: bool,
    /// A schema with a new meaning is compared with the peers' within this time, and then not again for half of it.
    pub check_peers_interval: Duration,
    /// Which stored objects are restored.
    pub repair: Repair,
    /// How much the clocks of two machines may differ, when a staged file's time is compared with its stream's.
    pub clock_tolerance: Duration,
    /// Whether a named schema or a policy's document may bring fields that no other object of the stream holds.
    pub allow_new_fields: bool,
    /// Whether the stream is one of the node's own, which never get a named schema.
    pub internal: bool,
}

/// Which stored objects the host restores from the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repair {
    /// None.
    Off,
    /// Those that are missing while their stream exists.
    #[default]
    Missing,
    /// Those that are missing, and those that are not schemas.
    All,
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
            repair: Repair::Missing,
            clock_tolerance: Duration::ZERO,
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

    /// A policy's delay, within the operator's bounds.
    pub fn clamp(&self, delay: Duration) -> Duration {
        delay.max(self.min_delay).min(self.max_delay)
    }
}
