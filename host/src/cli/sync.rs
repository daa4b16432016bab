use std::sync::mpsc;

use clap::Args;

use super::output::{self, Paint, Table, Tone, tone};
use super::place::located;
use super::select::Selection;
use super::signals::told_to_stop;
use super::{CommandError, Config, exit, log};
use crate::agent::{Opening, open_parts};
use crate::contract::Failure;
use crate::stream::StreamId;
use crate::sync::{Outcome, Planned};
use crate::text::counted;

/// Look at every stream once.
#[derive(Debug, Args)]
pub(super) struct Sync {
    /// Streams by name, tenant/name or glob; all when none is given
    #[arg(value_name = "STREAM")]
    streams: Vec<String>,
    #[command(flatten)]
    config: Config,
    /// Write nothing; say what would be written, and why
    #[arg(long)]
    dry_run: bool,
}

impl Sync {
    pub(super) async fn run(self, log: &log::Options) -> Result<u8, CommandError> {
        let (source, settings) = self.config.read()?;
        log.start(Some(&settings.log), "warn")?;
        log::starting(&source, &settings);
        let selection = Selection::parse(&self.streams)?;
        let mut agent = open_parts(
            &settings,
            Opening {
                rehearse: self.dry_run,
                ..Opening::default()
            },
        )
        .await
        .map_err(|error| located(&source, &settings, error))?;
        let (sender, outcomes) = mpsc::channel();
        agent.scheduler().observe(Box::new(move |id, outcome| {
            if let Ok(outcome) = outcome {
                // The receiver lives until the pass is over.
                let _ = sender.send((id.clone(), outcome));
            }
        }));
        let wanted = selection.clone();
        let tally = agent
            .pass(move |id| wanted.takes(id), told_to_stop())
            .await?;
        let known: Vec<StreamId> = agent.scheduler().streams();
        let errors = agent.scheduler().errors();
        let of_node = exit::of_conditions(&agent.conditions());
        agent.close().await?;
        if let Some(pattern) = selection.unmatched(known.iter()) {
            return Err(CommandError::Usage(format!(
                "no stream is named `{pattern}`; there are {}",
                names(&known)
            )));
        }
        // The last word on each stream counts.
        let mut last: Vec<(StreamId, Outcome)> = Vec::new();
        for (id, outcome) in outcomes.try_iter() {
            match last.iter_mut().find(|(known, _)| *known == id) {
                Some((_, known)) => *known = outcome,
                None => last.push((id, outcome)),
            }
        }
        last.sort_by(|(one, _), (other, _)| one.cmp(other));
        let text = if self.dry_run {
            planned(&last)
        } else {
            done(&last, Paint::stdout())
        };
        output::print(&text)?;
        exit::warn_of_fallbacks(&tally);
        let store_down = last.iter().any(|(_, outcome)| match &outcome.failure {
            Some(Failure::Store(failure)) => exit::is_store_unusable(failure.kind),
            _ => false,
        });
        Ok(match of_node {
            _ if errors > 0 => exit::INTERNAL,
            Some(code) => code,
            None if tally.settled => exit::SETTLED,
            None if store_down => exit::STORE,
            None => exit::UNSETTLED,
        })
    }
}

fn names(streams: &[StreamId]) -> String {
    const SHOWN: usize = 10;
    let mut names: Vec<_> = streams.iter().map(ToString::to_string).collect();
    names.sort();
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    match (names.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => names.join(", "),
        (false, more) => format!("{} and {more} more", names.join(", ")),
    }
}

/// A line a stream: where it stands, and what is next.
fn done(outcomes: &[(StreamId, Outcome)], paint: Paint) -> String {
    if outcomes.is_empty() {
        return "no stream is staged\n".to_owned();
    }
    let mut table = Table::new(&["STREAM", "PHASE", "SOURCE", "WHAT"]);
    for (id, outcome) in outcomes {
        let what = match &outcome.failure {
            Some(failure) => failure.to_string(),
            None => format!("next look {}", outcome.story.why),
        };
        table.row(vec![
            (Tone::Plain, id.to_string()),
            (tone(outcome.phase), outcome.phase.to_string()),
            (
                Tone::Plain,
                outcome
                    .source
                    .as_ref()
                    .map_or_else(|| "–".to_owned(), ToString::to_string),
            ),
            (Tone::Faint, what),
        ]);
    }
    table.render(paint)
}

/// What would be written, and why.
fn planned(outcomes: &[(StreamId, Outcome)]) -> String {
    let mut text = String::new();
    let mut writes = 0;
    for (id, outcome) in outcomes {
        match &outcome.planned {
            Some(planned) => {
                writes += 1;
                text.push_str(&would_write(id, planned));
            }
            None => text.push_str(&format!("{id}: nothing to write; it is {}", outcome.phase)),
        }
        for reason in outcome.story.verdicts() {
            text.push_str(&format!("\n    {reason}"));
        }
        text.push('\n');
    }
    text.push_str(&format!(
        "dry run: {writes} of {} would be written, nothing was\n",
        counted(outcomes.len(), "stream")
    ));
    text
}

fn would_write(id: &StreamId, planned: &Planned) -> String {
    const SHOWN: usize = 8;
    let verb = if planned.create {
        "create"
    } else {
        "merge into"
    };
    let fields: Vec<_> = planned
        .fields
        .iter()
        .take(SHOWN)
        .map(|(name, kind)| format!("{name}: {kind}"))
        .collect();
    let more = planned.fields.len().saturating_sub(SHOWN);
    let more = if more > 0 {
        format!(", and {more} more")
    } else {
        String::new()
    };
    let fields = if fields.is_empty() {
        "no fields".to_owned()
    } else {
        fields.join(", ")
    };
    format!(
        "{id}: would {verb} {} from {}: {fields}{more}",
        planned.key, planned.source
    )
}
