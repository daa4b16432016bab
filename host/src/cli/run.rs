use std::cell::Cell;
use std::time::Duration;

use clap::Args;

use super::place::located;
use super::record::Record;
use super::signals::{Hangups, told_to_stop};
use super::{CommandError, Config, exit, log};
use crate::agent::{Agent, Opening, Until, open_parts, report_stop, wait_for_node};
use crate::config::{Settings, Source};
use crate::time::parse_duration;

/// Run the agent.
#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    config: Config,
    /// Exit when every stream is settled
    #[arg(long)]
    until_settled: bool,
    /// Exit after this long
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    for_long: Option<Duration>,
    #[command(flatten)]
    record: Record,
}

/// Why the agent stops, other than because every stream is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Signal,
    TimeOver,
    /// The log's reader has gone away, as after `| head`.
    LogClosed,
}

impl Run {
    pub(super) async fn run(self, log: &log::Options) -> Result<u8, CommandError> {
        let (hangups, told) = (Hangups::catch(), told_to_stop());
        let (source, settings) = self.config.read()?;
        log.start(Some(&settings.log), "info")?;
        log::starting(&source, &settings);
        let _hangups = hangups.log();
        let opening = Opening::default();
        let recording = self.record.start(&settings, &opening)?;
        let opening = Opening {
            recorder: recording.clone().map(|recording| recording as _),
            ..opening
        };
        let ended = self.attend(&source, &settings, opening, told).await;
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
        told: impl Future<Output = ()>,
    ) -> Result<u8, CommandError> {
        let limit = self.for_long;
        let stopped = Cell::new(None);
        let stop = async {
            let why = tokio::select! {
                () = told => Stop::Signal,
                () = after(limit) => Stop::TimeOver,
                () = log::reader_gone() => Stop::LogClosed,
            };
            match why {
                Stop::Signal => tracing::info!("a signal stops the agent"),
                Stop::TimeOver => tracing::info!("the time is over"),
                Stop::LogClosed => {}
            }
            stopped.set(Some(why));
        };
        tokio::pin!(stop);
        let mut agent: Agent = loop {
            let opened = tokio::select! {
                opened = open_parts(settings, opening.clone()) => opened,
                () = &mut stop => {
                    report_stop(settings, &opening).await;
                    return Ok(self.not_opened(stopped.get()));
                }
            };
            match opened {
                Ok(agent) => break agent,
                // Sidecars start before their node does.
                Err(error) if error.is_early() => {
                    let waited = wait_for_node(settings, &opening, &error, &mut stop).await;
                    if !waited.map_err(|error| located(source, settings, error))? {
                        return Ok(self.not_opened(stopped.get()));
                    }
                }
                Err(error) => return Err(located(source, settings, error)),
            }
        };
        tracing::info!(node = %agent.core().node, store = agent.core().store.id().as_str(), "the agent runs");
        let until = if self.until_settled {
            Until::Settled
        } else {
            Until::Told
        };
        let tally = agent.run(until, stop).await?;
        let conditions = agent.conditions();
        agent.close().await?;
        exit::warn_of_fallbacks(&tally);
        tracing::info!(settled = tally.settled, "the agent stopped");
        Ok(match exit::of_conditions(&conditions) {
            _ if stopped.get() == Some(Stop::LogClosed) => exit::INTERNAL,
            // A node that can't do its work reports that, however its agent was stopped.
            Some(exit::INTERNAL) => exit::INTERNAL,
            _ if self.stops_cleanly(stopped.get()) => exit::SETTLED,
            Some(code) => code,
            None if tally.settled => exit::SETTLED,
            None => exit::UNSETTLED,
        })
    }

    /// The exit code of an agent that stops before it could be opened.
    fn not_opened(&self, stopped: Option<Stop>) -> u8 {
        match stopped {
            Some(Stop::LogClosed) => exit::INTERNAL,
            _ if self.stops_cleanly(stopped) => exit::SETTLED,
            _ => exit::UNSETTLED,
        }
    }

    /// Whether a signal stopped the agent, and `--until-settled` does not ask for the streams' state.
    fn stops_cleanly(&self, stopped: Option<Stop>) -> bool {
        stopped == Some(Stop::Signal) && !self.until_settled
    }
}

async fn after(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}
