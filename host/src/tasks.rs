//! Where work runs: a seam, as [`Clock`](crate::time::Clock) is one for time.

use std::fmt::{self, Debug};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::BoxFuture;

/// Runs tasks side by side. Production has tokio's threads; the sandbox has one thread and an order of its own.
pub trait Tasks: Debug + Send + Sync {
    /// Starts a task, which runs on its own until it is done or the guard is dropped.
    fn start(&self, task: BoxFuture<'static, ()>) -> Guard;

    /// Runs work that may block its thread: where that keeps no task from running.
    fn start_blocking(&self, work: Box<dyn FnOnce() + Send>);
}

/// Stops a task when it is dropped.
pub struct Guard(Option<Box<dyn FnOnce() + Send>>);

impl Guard {
    /// A guard that stops its task by calling this.
    pub fn new(stop: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(stop)))
    }

    /// Lets the task run on.
    pub fn detach(mut self) {
        self.0 = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(stop) = self.0.take() {
            stop();
        }
    }
}

impl Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

/// The work was stopped half-way: it panicked, or what ran it came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the work panicked or was interrupted")]
pub struct Interrupted;

/// A task's output, once there is one. Dropping it stops the task.
#[derive(Debug)]
pub struct Task<T> {
    output: oneshot::Receiver<T>,
    _guard: Guard,
}

impl<T> Future for Task<T> {
    type Output = Result<T, Interrupted>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let output = Pin::new(&mut self.output).poll(context);
        output.map_err(|oneshot::Canceled| Interrupted)
    }
}

impl dyn Tasks + '_ {
    /// Starts a task and gives its output.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Task<T> {
        let (tell, output) = oneshot::channel();
        // An `async` block would hold the work twice: as it was captured, and as it is awaited.
        let guard = self.start(Box::pin(work.map(|output| {
            // Nobody may care any more.
            let _ = tell.send(output);
        })));
        Task {
            output,
            _guard: guard,
        }
    }

    /// Runs work that may block, and waits for what it gives. It runs to its end even where nobody waits any more.
    ///
    /// # Errors
    ///
    /// It panicked.
    pub async fn block<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Interrupted> {
        let (tell, output) = oneshot::channel();
        self.start_blocking(Box::new(move || {
            let _ = tell.send(work());
        }));
        output.await.map_err(|oneshot::Canceled| Interrupted)
    }
}

/// Tokio's threads. Only works on them.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioTasks;

impl Tasks for TokioTasks {
    fn start(&self, task: BoxFuture<'static, ()>) -> Guard {
        let task = tokio::spawn(task);
        Guard::new(move || task.abort())
    }

    fn start_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        tokio::task::spawn_blocking(work);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_task_gives_its_output_and_a_panic_is_an_interruption() {
        let tasks: &dyn Tasks = &TokioTasks;
        assert_eq!(tasks.spawn(async { 7 }).await, Ok(7));
        assert_eq!(tasks.block(|| 8).await, Ok(8));
        let panics = tasks.spawn(async { std::panic::resume_unwind(Box::new(())) });
        let panicked: Result<(), _> = panics.await;
        assert_eq!(panicked, Err(Interrupted));
    }

    #[tokio::test]
    async fn a_task_ends_with_its_handle() {
        let tasks: &dyn Tasks = &TokioTasks;
        let alive = Arc::new(());
        let held = Arc::clone(&alive);
        let (dropped, gone) = oneshot::channel::<()>();
        let task = tasks.spawn(async move {
            let _held = (held, dropped);
            std::future::pending::<()>().await;
        });
        tokio::task::yield_now().await;
        drop(task);
        assert!(gone.await.is_err());
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}
