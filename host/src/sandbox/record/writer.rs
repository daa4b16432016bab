//! The thread that brings decisions to the disk.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::bounds::Bounds;
use super::directory::Directory;
use super::error::RecordError;
use super::queue::{Batch, Queue};
use crate::policy::{Decision, Recorder};
use crate::time::Clock;

/// How often it is told at most that decisions were not recorded.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Writes decisions to a directory, beside the agent that makes them.
///
/// A decision only goes into a queue; a thread compresses and writes it. What the disk does not keep up with is dropped
/// and counted. A disk that fails ends the recording with an error in the log, and never the agent.
#[derive(Debug)]
pub struct Recording {
    queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Recording {
    /// Begins to record to this directory, which is made where there is none. A file that a killed agent left there is
    /// sealed first, with what is complete in it.
    ///
    /// # Errors
    ///
    /// The directory can't be used, another agent records there, or the bounds make no recording.
    pub fn start(
        directory: &Path,
        bounds: Bounds,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, RecordError> {
        let directory = Directory::open(directory, bounds)?;
        let queue = Arc::new(Queue::default());
        let taken = Arc::clone(&queue);
        let writer = std::thread::Builder::new()
            .name("tidegate-record".to_owned())
            .spawn(move || write_all(&taken, directory, &*clock))
            .map_err(RecordError::Thread)?;
        Ok(Self {
            queue,
            writer: Mutex::new(Some(writer)),
        })
    }

    /// Writes what waits, seals the file, and records nothing more. Waits for the disk.
    pub fn finish(&self) {
        self.queue.close();
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = writer {
            // It only fails when the thread panicked, and then there is nothing left to seal.
            let _ = writer.join();
        }
    }
}

impl Recorder for Recording {
    fn record(&self, decision: Box<Decision>) {
        self.queue.put(decision);
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.finish();
    }
}

fn write_all(queue: &Queue, mut directory: Directory, clock: &dyn Clock) {
    let mut losses = Losses::default();
    loop {
        let batch = queue.take();
        let (dropped, last) = (batch.dropped, batch.last);
        if let Some(lost) = losses.add(dropped, clock.monotonic()) {
            tracing::warn!(
                decisions = lost,
                "decisions were not recorded: they were made faster than the disk takes them"
            );
        }
        if let Err(error) = write(batch, &mut directory) {
            queue.close();
            let error = anyhow::Error::new(error);
            tracing::error!("nothing more is recorded until the agent is started again: {error:#}");
            return;
        }
        if last {
            return;
        }
    }
}

fn write(batch: Batch, directory: &mut Directory) -> Result<(), RecordError> {
    for (sequence, decision) in batch.decisions {
        directory.add(sequence, *decision)?;
    }
    directory.note_dropped(batch.dropped);
    match batch.last {
        true => directory.seal(),
        false => directory.flush(),
    }
}

/// What was dropped since it was last told.
#[derive(Debug, Default)]
struct Losses {
    untold: u64,
    told: Option<Duration>,
}

impl Losses {
    /// What is to be told now.
    fn add(&mut self, dropped: u64, now: Duration) -> Option<u64> {
        self.untold = self.untold.saturating_add(dropped);
        let due = self
            .told
            .is_none_or(|told| now.saturating_sub(told) >= TELL_EVERY);
        if self.untold == 0 || !due {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_told_once_a_minute_with_all_since() {
        let mut losses = Losses::default();
        let mut add = |dropped, seconds| losses.add(dropped, Duration::from_secs(seconds));
        assert_eq!(add(0, 0), None);
        assert_eq!(add(3, 1), Some(3));
        assert_eq!(add(4, 2), None);
        assert_eq!(add(5, 60), None);
        assert_eq!(add(0, 61), Some(9));
        assert_eq!(add(0, 200), None);
    }
}
