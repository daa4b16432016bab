use clap::Args;
use serde::Serialize;

use super::output::{self, Paint, Tone, relative, tone};
use super::select::Selection;
use super::{CommandError, Config, exit};
use crate::contract::Facts;
use crate::ledger::{LedgerReader, RecordedAttempt, StreamFilter, StreamRecord};
use crate::sync::{Call, Event, Level, Story};
use crate::text::{counted, verb};
use crate::time::{Clock, SystemClock, Timestamp};

/// Show what happened to a stream, and why.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The stream: name or tenant/name
    stream: String,
    #[command(flatten)]
    config: Config,
    /// Attempts to show, the latest ones
    #[arg(long, value_name = "N", default_value_t = 3)]
    attempts: u32,
    /// Print JSON: a documented, versioned contract
    #[arg(long)]
    json: bool,
}

/// `explain --json`, version 1.
#[derive(Debug, Serialize)]
struct Report {
    version: u32,
    tenant: Option<String>,
    name: String,
    phase: crate::contract::Phase,
    next: Option<String>,
    attempts: Vec<Attempt>,
}

#[derive(Debug, Serialize)]
struct Attempt {
    seq: u64,
    at: String,
    summary: String,
    /// The whole story; `{"omitted_bytes": N}` when it was too long to keep.
    story: serde_json::Value,
}

impl Explain {
    pub(super) fn run(self) -> Result<u8, CommandError> {
        let (_, settings) = self.config.read()?;
        let selection = Selection::parse(std::slice::from_ref(&self.stream))?;
        let reader = LedgerReader::open(&settings.ledger.path)?;
        let filter = StreamFilter {
            node: reader.meta()?.node,
            ..StreamFilter::default()
        };
        let mut records = reader.streams(&filter)?;
        records.retain(|record| selection.takes(&record.stream));
        let record = match records.as_slice() {
            [record] => record,
            [] => {
                return Err(CommandError::Usage(format!(
                    "the ledger knows no stream named `{}`",
                    self.stream
                )));
            }
            [one, other, ..] => {
                let message = format!(
                    "`{}` takes several streams, {} and {} among them: name one",
                    self.stream, one.stream, other.stream
                );
                return Err(CommandError::Usage(message));
            }
        };
        let attempts = reader.attempts(&record.node, &record.stream, self.attempts)?;
        let text = if self.json {
            let mut text = serde_json::to_string_pretty(&report(record, &attempts))
                .map_err(anyhow::Error::new)?;
            text.push('\n');
            text
        } else {
            tell(record, &attempts, SystemClock::new().now(), Paint::stdout())
        };
        output::print(&text)?;
        Ok(exit::SETTLED)
    }
}

fn report(record: &StreamRecord, attempts: &[RecordedAttempt]) -> Report {
    let attempts = attempts.iter().map(|recorded| Attempt {
        seq: recorded.seq,
        at: recorded.attempt.at.to_string(),
        summary: recorded.attempt.summary.clone(),
        story: serde_json::from_str(&recorded.attempt.detail).unwrap_or_default(),
    });
    Report {
        version: 1,
        tenant: record.stream.tenant.as_ref().map(ToString::to_string),
        name: record.stream.name.to_string(),
        phase: record.phase,
        next: record.next_attempt.map(|at| at.to_string()),
        attempts: attempts.collect(),
    }
}

fn tell(
    record: &StreamRecord,
    attempts: &[RecordedAttempt],
    now: Timestamp,
    paint: Paint,
) -> String {
    let mut text = format!(
        "{} is {}",
        record.stream,
        paint.paint(tone(record.phase), record.phase.name())
    );
    if let Some(source) = &record.source {
        text.push_str(&format!(", its stored content from {source}"));
    }
    if let Some(failure) = &record.last_failure {
        text.push_str(&format!("\nlast failure: {}", failure.message));
    }
    if let Some(next) = record.next_attempt {
        text.push_str(&format!("\nnext look {} ({next})", relative(next, now)));
    }
    text.push('\n');
    if attempts.is_empty() {
        text.push_str("\nno attempts are recorded\n");
    }
    // The latest attempt stands last, where a reader's eye is.
    for recorded in attempts.iter().rev() {
        text.push_str(&format!(
            "\n#{} at {} · {}\n",
            recorded.seq, recorded.attempt.at, recorded.attempt.summary
        ));
        match serde_json::from_str::<Story>(&recorded.attempt.detail) {
            Ok(story) => tell_story(&mut text, &story, paint),
            Err(_) => text.push_str("   (its details were too long to keep)\n"),
        }
    }
    text
}

fn tell_story(text: &mut String, story: &Story, paint: Paint) {
    if let Some(facts) = &story.facts {
        text.push_str(&format!("   facts: {}\n", in_words(facts)));
    }
    for step in &story.steps {
        match step {
            Event::Staged { found } => text.push_str(&format!("   staged: {found}\n")),
            Event::Asked {
                role,
                by,
                verdict,
                kind: _,
                calls,
            } => {
                let by = by.as_deref().unwrap_or("nobody");
                text.push_str(&format!(
                    "   {role}: {} ({by})\n",
                    paint.paint(Tone::Good, verdict)
                ));
                calls.iter().for_each(|call| tell_call(text, call, paint));
            }
            Event::Request {
                method,
                key,
                outcome,
            } => text.push_str(&format!("   {method} {key}: {outcome}\n")),
            Event::Note { level, text: note } => {
                let tone = match level {
                    Level::Info => Tone::Faint,
                    Level::Warning => Tone::Doubtful,
                    Level::Alert => Tone::Bad,
                };
                text.push_str(&format!("   {}\n", paint.paint(tone, note)));
            }
        }
    }
    if story.omitted > 0 {
        text.push_str(&format!(
            "   … and {} more\n",
            counted(story.omitted, "step")
        ));
    }
    text.push_str(&format!("   next: {}\n", story.why));
}

fn tell_call(text: &mut String, call: &Call, paint: Paint) {
    let tone = if call.failed { Tone::Bad } else { Tone::Plain };
    text.push_str(&format!(
        "      {}: {} · {} fuel, {} µs, {} KiB\n",
        call.policy,
        paint.paint(tone, &call.verdict),
        call.fuel,
        call.elapsed_us,
        call.peak_memory / 1024,
    ));
    for host_call in &call.host_calls {
        let line = format!(
            "         {} {}: {} ({} µs)",
            host_call.function, host_call.subject, host_call.outcome, host_call.elapsed_us
        );
        text.push_str(&paint.paint(Tone::Faint, &line));
        text.push('\n');
    }
    for line in &call.log {
        text.push_str(&format!("         log: {line}\n"));
    }
}

fn in_words(facts: &Facts) -> String {
    use crate::contract::{LocalState, RemoteState};
    let local = match &facts.local {
        LocalState::Missing => "nothing staged".to_owned(),
        LocalState::Unreadable(_) => "staged file unreadable".to_owned(),
        LocalState::TooLarge(size) => format!("staged file of {size} bytes, over the limit"),
        LocalState::File(file) if file.well_formed => {
            format!("schema of {} bytes staged", file.size)
        }
        LocalState::File(file) => format!("{} bytes staged that are no schema", file.size),
    };
    let remote = match &facts.remote {
        RemoteState::Unknown => "store never asked",
        RemoteState::Missing { .. } => "nothing stored",
        RemoteState::Found { .. } => "object stored",
    };
    let mut words = vec![
        facts.phase.to_string(),
        facts.trigger.name().to_owned(),
        local,
        remote.to_owned(),
    ];
    if facts.staged_data_files > 0 {
        words.push(format!(
            "{} {}",
            counted(facts.staged_data_files, "data file"),
            verb(&facts.staged_data_files, "waits", "wait")
        ));
    }
    if facts.attempts > 0 {
        words.push(counted(facts.attempts, "failed attempt"));
    }
    if facts.store.failing_streams > 0 {
        words.push(format!(
            "{} of {} {}",
            facts.store.failing_streams,
            counted(facts.store.streams, "stream"),
            verb(&facts.store.failing_streams, "fails", "fail")
        ));
    }
    words.join(", ")
}
