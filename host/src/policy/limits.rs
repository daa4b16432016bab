//! What one decision may use, and the meter that Wasmtime asks before an instance grows.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmtime::ResourceLimiter;

use super::cause::{CallFailure, Cause};

/// The most linear memories that a component may have, whatever the operator sets: the pool reserves address space
/// for as many per slot.
pub const MAX_MEMORIES: u32 = 4;
/// The most tables that a component may have.
pub const MAX_TABLES: u32 = 16;
/// The most elements that all tables together may have. JavaScript's engine comes with some 10,000.
pub const MAX_TABLE_ELEMENTS: u32 = 100_000;
/// The most core instances that a component may be made of. Python's is made of about 40.
pub const MAX_INSTANCES: u32 = 64;
/// The most linear memory: what 32 bits address.
pub const MAX_MEMORY: u64 = 4 << 30;

/// What one decision of a policy may use. A decision is everything from making the instance to its verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Computation, in Wasmtime's fuel: about one unit an instruction, the same on every machine. A bundled policy
    /// takes some 4,000.
    pub fuel: u64,
    /// Bytes of all linear memories together.
    pub memory: u64,
    /// Wall-clock time, host calls included.
    pub deadline: Duration,
    /// Calls of `object-reader`, `object-writer`, `staging` and `state`.
    pub host_calls: u32,
    /// Bytes that host calls return to the guest, in sum.
    pub bytes_returned: u64,
    /// Bytes that the guest hands to host calls, in sum: keys, values, objects.
    pub bytes_accepted: u64,
    /// Bytes of log lines that are kept; each line costs [`LOG_LINE_COST`] besides its text.
    /// Further lines are dropped; every line costs fuel for its bytes.
    pub log_bytes: u64,
    /// Core instances that the component is made of.
    pub instances: u32,
    /// Linear memories.
    pub memories: u32,
    /// Tables.
    pub tables: u32,
    /// Elements of all tables together.
    pub table_elements: u32,
}

/// What a log line costs besides its text, so that empty lines are bounded too.
pub const LOG_LINE_COST: u64 = 16;

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 50_000_000,
            memory: 64 << 20,
            deadline: Duration::from_secs(2),
            host_calls: 64,
            bytes_returned: 4 << 20,
            bytes_accepted: 1 << 20,
            log_bytes: 16 << 10,
            instances: 64,
            memories: MAX_MEMORIES,
            tables: MAX_TABLES,
            table_elements: MAX_TABLE_ELEMENTS,
        }
    }
}

impl Limits {
    /// What is wrong with these limits, in words that name the setting.
    pub fn problem(&self) -> Option<String> {
        let ceilings = [
            ("memory", self.memory, MAX_MEMORY),
            ("instances", u64::from(self.instances), MAX_INSTANCES.into()),
            ("memories", u64::from(self.memories), MAX_MEMORIES.into()),
            ("tables", u64::from(self.tables), MAX_TABLES.into()),
            (
                "table_elements",
                u64::from(self.table_elements),
                MAX_TABLE_ELEMENTS.into(),
            ),
        ];
        if self.fuel == 0 {
            return Some("`limits.fuel` is 0: no policy can answer without fuel".to_owned());
        }
        if self.deadline.is_zero() {
            return Some("`limits.deadline` is 0: no policy can answer in no time".to_owned());
        }
        ceilings
            .into_iter()
            .find(|(_, value, ceiling)| value > ceiling)
            .map(|(name, value, ceiling)| {
                format!("`limits.{name}` is {value}; the most that a host grants is {ceiling}")
            })
    }
}

/// Counts what an instance's memories and tables hold. Growth past a limit is a trap and never a failed `grow`: a guest
/// that is told how much there is could behave differently from one machine to the next.
#[derive(Debug)]
pub(super) struct Meter {
    memory: Count,
    elements: Count,
    instances: u32,
    memories: u32,
    tables: u32,
}

impl Meter {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            memory: Count::new(limits.memory),
            elements: Count::new(limits.table_elements.into()),
            instances: limits.instances,
            memories: limits.memories,
            tables: limits.tables,
        }
    }

    /// Begins a new decision: what a reused instance holds already is where its peak starts.
    pub(super) fn begin(&mut self) {
        self.memory.peak = self.memory.held;
    }

    /// The most bytes of memory that were held since [`begin`](Self::begin).
    pub(super) fn peak_memory(&self) -> u64 {
        self.memory.peak
    }
}

/// A sum with a limit. Remembers the last growth, to give it back when the growth then fails.
#[derive(Debug)]
struct Count {
    held: u64,
    peak: u64,
    limit: u64,
    pending: u64,
}

impl Count {
    fn new(limit: u64) -> Self {
        Self {
            held: 0,
            peak: 0,
            limit,
            pending: 0,
        }
    }

    /// Charges a growth; false when it is over the limit.
    fn grow(&mut self, current: usize, desired: usize) -> bool {
        self.pending = 0;
        let delta = desired.saturating_sub(current) as u64;
        let held = self.held.saturating_add(delta);
        if held > self.limit {
            return false;
        }
        self.held = held;
        self.peak = self.peak.max(held);
        self.pending = delta;
        true
    }

    fn give_back(&mut self) {
        self.held = self.held.saturating_sub(self.pending);
        self.pending = 0;
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if !self.memory.grow(current, desired) {
            let message = format!(
                "the memories asked for more than {} bytes together (`limits.memory`)",
                self.memory.limit
            );
            return Err(CallFailure::new(Cause::OutOfMemory, message).into());
        }
        let fits = maximum.is_none_or(|maximum| desired <= maximum);
        if !fits {
            self.memory.give_back();
        }
        Ok(fits)
    }

    /// The component's own maximum was checked above, so it is the machine that has no more.
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory.give_back();
        let message = format!("the machine gave no more memory: {error}");
        Err(CallFailure::new(Cause::Unavailable, message).into())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if !self.elements.grow(current, desired) {
            let message = format!(
                "the tables asked for more than {} elements together (`limits.table_elements`)",
                self.elements.limit
            );
            return Err(CallFailure::new(Cause::OutOfTables, message).into());
        }
        let fits = maximum.is_none_or(|maximum| desired <= maximum);
        if !fits {
            self.elements.give_back();
        }
        Ok(fits)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.elements.give_back();
        let message = format!("the machine gave no larger table: {error}");
        Err(CallFailure::new(Cause::Unavailable, message).into())
    }

    fn instances(&self) -> usize {
        self.instances as usize
    }

    fn tables(&self) -> usize {
        self.tables as usize
    }

    fn memories(&self) -> usize {
        self.memories as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 65_536;

    fn meter(pages: u64) -> Meter {
        Meter::new(&Limits {
            memory: pages * PAGE as u64,
            ..Limits::default()
        })
    }

    #[test]
    fn memories_are_charged_together() {
        let mut meter = meter(10);
        assert!(meter.memory_growing(0, 6 * PAGE, None).unwrap());
        assert!(meter.memory_growing(0, 4 * PAGE, None).unwrap());
        let error = meter.memory_growing(4 * PAGE, 5 * PAGE, None).unwrap_err();
        assert_eq!(CallFailure::from_wasmtime(&error).cause, Cause::OutOfMemory);
        assert_eq!(meter.peak_memory(), 10 * PAGE as u64);
    }

    #[test]
    fn a_growth_over_the_components_own_maximum_costs_nothing() {
        let mut meter = meter(10);
        assert!(!meter.memory_growing(0, 9 * PAGE, Some(8 * PAGE)).unwrap());
        assert!(meter.memory_growing(0, 10 * PAGE, None).unwrap());
    }

    #[test]
    fn a_growth_that_the_machine_refuses_is_given_back_and_blames_nobody() {
        let mut meter = meter(10);
        assert!(meter.memory_growing(0, 9 * PAGE, None).unwrap());
        let error = meter
            .memory_grow_failed(wasmtime::Error::msg("cannot allocate memory"))
            .unwrap_err();
        assert!(!CallFailure::from_wasmtime(&error).cause.blames_policy());
        assert!(meter.memory_growing(0, 10 * PAGE, None).unwrap());
    }

    #[test]
    fn limits_over_the_ceilings_are_named() {
        let limits = Limits {
            tables: MAX_TABLES + 1,
            ..Limits::default()
        };
        assert_eq!(
            limits.problem().unwrap(),
            "`limits.tables` is 17; the most that a host grants is 16"
        );
        assert_eq!(Limits::default().problem(), None);
    }
}
