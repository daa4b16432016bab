//! What the decisions of one node share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::cause::{CallFailure, Cause};
use crate::time::Clock;

/// One node's share of a [`Runtime`](super::Runtime): how many of its decisions run at once, and the clock that their
/// deadlines are measured by. A process that plays several nodes has one for each. Clones are the same slots.
#[derive(Clone, Debug)]
pub struct Slots {
    running: Arc<Semaphore>,
    idle: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
}

impl Slots {
    /// As many decisions at once, and as many idle instances besides. The runtime must have room for those of all its
    /// nodes together.
    pub fn new(running: u16, idle: u16, clock: Arc<dyn Clock>) -> Self {
        Self {
            running: Arc::new(Semaphore::new(running.into())),
            idle: Arc::new(Semaphore::new(idle.into())),
            clock,
        }
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Waits for a slot, for as long as a decision may take.
    pub(super) async fn take(
        &self,
        deadline: Duration,
    ) -> Result<OwnedSemaphorePermit, CallFailure> {
        if let Ok(slot) = Arc::clone(&self.running).try_acquire_owned() {
            return Ok(slot);
        }
        let exhausted = || {
            let message = format!("no slot became free within {deadline:?}");
            CallFailure::new(Cause::PoolExhausted, message)
        };
        tokio::select! {
            biased;
            slot = Arc::clone(&self.running).acquire_owned() => slot.map_err(|_| exhausted()),
            () = self.clock.sleep(deadline) => Err(exhausted()),
        }
    }

    /// Room for one more idle instance.
    pub(super) fn keep_idle(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.idle).try_acquire_owned().ok()
    }

    /// Slots that are free now.
    pub(super) fn free(&self) -> usize {
        self.running.available_permits()
    }
}
