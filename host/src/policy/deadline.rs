//! Runs a call against its deadline, and tells apart running and waiting.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::time::Clock;

/// A future that ran until it was done or its time was over.
pub(super) struct Timed<T> {
    /// Its output; `None` when the deadline came first. The future was dropped then.
    pub(super) output: Option<T>,
    /// From its start to its end.
    pub(super) elapsed: Duration,
    /// The part of it in which the future was being polled, so really running.
    pub(super) running: Duration,
}

/// Runs the future for at most `deadline`. A call that never waits, as most do, costs two looks at the clock: the alarm
/// is only set when the future first has to wait.
pub(super) async fn run<F: Future>(
    clock: &dyn Clock,
    deadline: Duration,
    future: F,
) -> Timed<F::Output> {
    let mut future = pin!(future);
    let mut alarm: Option<BoxFuture<'static, ()>> = None;
    let started = clock.monotonic();
    let mut resumed = Some(started);
    let (mut elapsed, mut running) = (Duration::ZERO, Duration::ZERO);
    let output = poll_fn(|context| {
        let before = resumed.take().unwrap_or_else(|| clock.monotonic());
        let polled = future.as_mut().poll(context);
        let now = clock.monotonic();
        running = running.saturating_add(now.saturating_sub(before));
        elapsed = now.saturating_sub(started);
        if let Poll::Ready(output) = polled {
            return Poll::Ready(Some(output));
        }
        let left = deadline.saturating_sub(elapsed);
        if left.is_zero() {
            return Poll::Ready(None);
        }
        let alarm = alarm.get_or_insert_with(|| clock.sleep(left));
        alarm.as_mut().poll(context).map(|()| {
            elapsed = clock.monotonic().saturating_sub(started);
            None
        })
    })
    .await;
    Timed {
        output,
        elapsed,
        running,
    }
}
