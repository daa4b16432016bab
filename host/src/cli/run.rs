use std::time::Duration;

use clap::Args;

use super::place::located;
use super::record::Record;
use super::{CommandError, Config, exit, log};
use crate::agent::{Agent, AgentError, Opening, Until, open_parts};
use crate::config::{Settings, Source};
use crate::staging::StagingError;

/// Run the agent.
#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    config: Config,
    /// Exit when every stream is settled
    #[arg(long)]
    until_settled: bool,
    /// Exit after this long
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    for_long: Option<Duration>,
    #[command(flatten)]
    record: Record,
}

impl Run {
    pub(super) async fn run(self, log: &log::Options) -> Result<u8, CommandError> {
        let (source, settings) = self.config.read()?;
        log.start(Some(&settings.log), "info")?;
        let opening = Opening::default();
        let recording = self.record.start(&settings, &opening)?;
        let opening = Opening {
            recorder: recording.clone().map(|recording| recording as _),
            ..opening
        };
        let ended = self.attend(&source, &settings, opening).await;
        if let Some(recording) = recording {
            // It waits for the disk. A defect in there is told by its own thread.
            let _ = tokio::task::spawn_blocking(move || recording.finish()).await;
        }
        ended
    }

    async fn attend(
        self,
        source: &Source,
        settings: &Settings,
        opening: Opening,
    ) -> Result<u8, CommandError> {
        let limit = self.for_long;
        let told = told_to_stop();
        let stop = async move {
            tokio::select! {
                () = told => tracing::info!("told to stop"),
                () = after(limit) => tracing::info!("the time is over"),
            }
        };
        tokio::pin!(stop);
        let mut agent: Agent = loop {
            let opened = tokio::select! {
                opened = open_parts(settings, opening.clone()) => opened,
                () = &mut stop => return Ok(exit::UNSETTLED),
            };
            match opened {
                Ok(agent) => break agent,
                // Sidecars start before their node does.
                Err(error) if is_early(&error) => tracing::info!("waiting for the node: {error}"),
                Err(error) => return Err(located(source, settings, error)),
            }
            tokio::select! {
                () = &mut stop => return Ok(exit::UNSETTLED),
                () = tokio::time::sleep(settings.scan_interval) => {}
            }
        };
        tracing::info!(node = %agent.core().node, store = agent.core().store.id().as_str(), "the agent runs");
        let until = if self.until_settled {
            Until::Settled
        } else {
            Until::Told
        };
        let tally = agent.run(until, stop).await?;
        let of_node = exit::of_conditions(&agent.conditions());
        agent.close().await?;
        exit::warn_of_fallbacks(&tally);
        tracing::info!(settled = tally.settled, "the agent stopped");
        Ok(match (of_node, tally.settled) {
            (Some(code), _) => code,
            (None, true) => exit::SETTLED,
            (None, false) => exit::UNSETTLED,
        })
    }
}

fn is_early(error: &AgentError) -> bool {
    match error {
        AgentError::NoIdentity { .. } => true,
        AgentError::Staging(StagingError::Open { source, .. }) => {
            source.kind() == std::io::ErrorKind::NotFound
        }
        _ => false,
    }
}

async fn after(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// SIGTERM or SIGINT, from now on: a signal that comes before anybody waits for it is not lost.
pub(super) fn told_to_stop() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
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
