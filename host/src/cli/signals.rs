//! Signals that end a command, and those that must not.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::tasks::{Task, Tasks, TokioTasks};

/// Resolves at SIGTERM or SIGINT. They are caught from the call on: a signal that comes before the future is polled is
/// not lost.
pub(super) fn told_to_stop() -> impl Future<Output = ()> {
    let signals = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    async move {
        match signals {
            (Ok(mut terminate), Ok(mut interrupt)) => {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            }
            // Without handlers the signals end the process by themselves.
            _ => std::future::pending().await,
        }
    }
}

/// SIGHUP, which asks daemons to read their configuration again. From now on it does not end the process.
pub(super) struct Hangups(std::io::Result<Signal>);

impl Hangups {
    pub(super) fn catch() -> Self {
        Self(signal(SignalKind::hangup()))
    }

    /// Logs each SIGHUP, including one that came earlier, until the task is dropped.
    pub(super) fn log(self) -> Task<()> {
        let tasks: &dyn Tasks = &TokioTasks;
        tasks.spawn(async move {
            let mut hangups = match self.0 {
                Ok(hangups) => hangups,
                Err(error) => {
                    tracing::warn!("SIGHUP can't be caught and ends the agent: {error}");
                    return;
                }
            };
            while hangups.recv().await.is_some() {
                tracing::warn!(
                    "SIGHUP is ignored: the configuration can't be reloaded yet; restart the agent to apply changes"
                );
            }
        })
    }
}
