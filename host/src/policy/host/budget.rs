//! What is left of a decision's host calls and bytes.

use crate::policy::cause::{CallFailure, Cause};
use crate::policy::limits::{LOG_LINE_COST, Limits};
use crate::policy::report::Usage;

/// Counts host calls, the bytes that they return and accept, and log bytes against their limits.
#[derive(Debug)]
pub(in crate::policy) struct Budget {
    host_calls: Account,
    returned: Account,
    accepted: Account,
    log: Account,
    dropped_log_bytes: u64,
    /// What was used up when the guest was told so: its next host call traps.
    exhausted: Option<Cause>,
}

/// A sum and its limit.
#[derive(Debug)]
struct Account {
    used: u64,
    limit: u64,
}

impl Account {
    fn new(limit: u64) -> Self {
        Self { used: 0, limit }
    }

    fn left(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    fn charge(&mut self, amount: u64) -> bool {
        let fits = amount <= self.left();
        if fits {
            self.used = self.used.saturating_add(amount);
        }
        fits
    }
}

impl Budget {
    pub(in crate::policy) fn new(limits: &Limits) -> Self {
        Self {
            host_calls: Account::new(limits.host_calls.into()),
            returned: Account::new(limits.bytes_returned),
            accepted: Account::new(limits.bytes_accepted),
            log: Account::new(limits.log_bytes),
            dropped_log_bytes: 0,
            exhausted: None,
        }
    }

    /// Charges a host call. False when none was left: the guest is told once.
    ///
    /// # Errors
    ///
    /// When the guest was told before.
    pub(super) fn host_call(&mut self) -> Result<bool, CallFailure> {
        if let Some(cause) = self.exhausted {
            let (what, limit) = match cause {
                Cause::BytesReturned => ("bytes_returned", self.returned.limit),
                _ => ("host_calls", self.host_calls.limit),
            };
            let message = format!("the call went on after `limits.{what}` ({limit}) was used up");
            return Err(CallFailure::new(cause, message));
        }
        let admitted = self.host_calls.charge(1);
        if !admitted {
            self.exhausted = Some(Cause::HostCalls);
        }
        Ok(admitted)
    }

    /// Charges bytes that go to the guest. False when they don't fit: the guest is told once.
    pub(super) fn give(&mut self, bytes: u64) -> bool {
        let fits = self.returned.charge(bytes);
        if !fits {
            self.exhausted = Some(Cause::BytesReturned);
        }
        fits
    }

    /// Charges bytes that the guest handed over.
    pub(super) fn accept(&mut self, bytes: u64) -> Result<(), CallFailure> {
        if self.accepted.charge(bytes) {
            return Ok(());
        }
        let message = format!(
            "the call handed over more than {} bytes (`limits.bytes_accepted`)",
            self.accepted.limit
        );
        Err(CallFailure::new(Cause::BytesAccepted, message))
    }

    /// Charges a log line; false when it is to be dropped.
    pub(super) fn log(&mut self, bytes: u64) -> bool {
        let fits = self.log.charge(bytes.saturating_add(LOG_LINE_COST));
        if !fits {
            self.dropped_log_bytes = self.dropped_log_bytes.saturating_add(bytes);
        }
        fits
    }

    pub(super) fn returned_left(&self) -> u64 {
        self.returned.left()
    }

    pub(super) fn accepted_left(&self) -> u64 {
        self.accepted.left()
    }

    pub(super) fn dropped_log_bytes(&self) -> u64 {
        self.dropped_log_bytes
    }

    /// What was used of it.
    pub(super) fn usage(&self) -> Usage {
        Usage {
            host_calls: u32::try_from(self.host_calls.used).unwrap_or(u32::MAX),
            bytes_returned: self.returned.used,
            bytes_accepted: self.accepted.used,
            log_bytes: self.log.used,
            ..Usage::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guest_is_told_once_and_then_stopped() {
        let mut budget = Budget::new(&Limits {
            host_calls: 1,
            ..Limits::default()
        });
        assert_eq!(budget.host_call(), Ok(true));
        assert_eq!(budget.host_call(), Ok(false));
        assert_eq!(budget.host_call().unwrap_err().cause, Cause::HostCalls);
    }

    #[test]
    fn bytes_returned_end_a_call_like_host_calls_do() {
        let mut budget = Budget::new(&Limits {
            bytes_returned: 10,
            ..Limits::default()
        });
        assert!(budget.give(10));
        assert!(!budget.give(1));
        assert_eq!(budget.host_call().unwrap_err().cause, Cause::BytesReturned);
    }

    #[test]
    fn only_so_many_empty_lines_are_kept() {
        let limits = Limits::default();
        let mut budget = Budget::new(&limits);
        let kept = (0..1_000_000).take_while(|_| budget.log(0)).count();
        assert_eq!(kept as u64, limits.log_bytes / LOG_LINE_COST);
    }
}
