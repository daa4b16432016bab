//! A clock that stands still until a test moves it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tidegate::time::{Clock, Timestamp};
use tokio::sync::oneshot;

/// Where the wall clock begins: 2026-12-01, later than the markers of tests and the files that they stage.
const BEGIN: u64 = 1_796_083_200_000;

/// A clock that a test moves.
#[derive(Debug, Default)]
pub struct StepClock {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    elapsed: Duration,
    stepped_back: Duration,
    sleepers: Vec<(Duration, oneshot::Sender<()>)>,
}

impl StepClock {
    /// Moves time on, and wakes whoever slept for no longer.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state();
        state.elapsed += by;
        let now = state.elapsed;
        for (at, sleeper) in std::mem::take(&mut state.sleepers) {
            if at <= now {
                // Whoever slept may have gone away.
                let _ = sleeper.send(());
            } else if !sleeper.is_closed() {
                state.sleepers.push((at, sleeper));
            }
        }
    }

    /// Moves time on to this moment of the wall clock, and a little beyond.
    pub fn advance_to(&self, at: Timestamp) {
        self.advance(at.since(self.now()) + Duration::from_millis(1));
    }

    /// The wall clock is set back; the monotonic one goes on.
    pub fn step_back(&self, by: Duration) {
        self.state().stepped_back += by;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for StepClock {
    fn now(&self) -> Timestamp {
        let state = self.state();
        let moment = Timestamp::from_millis(BEGIN).plus(state.elapsed);
        let back = tidegate::time::millis(state.stepped_back);
        Timestamp::from_millis(moment.as_millis().saturating_sub(back))
    }

    fn monotonic(&self) -> Duration {
        self.state().elapsed
    }

    fn sleep(&self, length: Duration) -> BoxFuture<'static, ()> {
        if length.is_zero() {
            return Box::pin(std::future::ready(()));
        }
        let (sender, woken) = oneshot::channel();
        let mut state = self.state();
        let at = state.elapsed.saturating_add(length);
        state.sleepers.push((at, sender));
        Box::pin(async move {
            // The sender goes away with the clock only.
            let _ = woken.await;
        })
    }
}
