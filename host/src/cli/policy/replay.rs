use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::agent::user_compile_cache;
use crate::cli::component::component;
use crate::cli::output::{self, Paint, Tone};
use crate::cli::{CommandError, DIFFERENT, SETTLED, log};
use crate::contract::{LocalState, RemoteState};
use crate::sandbox::record::read::{Source, sources};
use crate::sandbox::replay::{
    Aspect, Example, Group, Progress, Replacement, ReplayError, Report, replay,
};
use crate::text::{counted, verb};
use crate::time::in_short;

/// How many decisions are made between two movements of the progress bar.
const TELL_EVERY: u64 = 100;
/// The most recorded calls of an example that are shown to people.
const SHOWN_CALLS: usize = 10;

/// Make recorded decisions again.
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// The directory that `tidegate run --record` wrote to, or one file of it
    #[arg(value_name = "DIR|FILE")]
    recording: PathBuf,
    /// Let this component decide in the place of a policy's own; NAME is the policy's in the recording
    #[arg(long = "policy", value_name = "NAME=FILE.wasm")]
    policies: Vec<Stand>,
    /// Print JSON: a documented, versioned contract
    #[arg(long)]
    json: bool,
}

/// `NAME=FILE.wasm`, `NAME=builtin:NAME` or `NAME=oci://…`.
#[derive(Clone, Debug)]
struct Stand(Replacement);

impl FromStr for Stand {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (policy, named) = text
            .split_once('=')
            .filter(|(policy, named)| !policy.is_empty() && !named.is_empty())
            .ok_or_else(|| "write it as NAME=FILE.wasm, or NAME=builtin:NAME".to_owned())?;
        Ok(Self(Replacement {
            policy: policy.to_owned(),
            component: component(named).map_err(|error| error.to_string())?,
        }))
    }
}

/// `policy replay --json`, version 1.
#[derive(Debug, Serialize)]
struct Document<'a> {
    version: u32,
    #[serde(flatten)]
    report: &'a Report,
}

impl Replay {
    pub(super) async fn run(self, log: &log::Options) -> Result<u8, CommandError> {
        log.start(None, "warn")?;
        let sources = sources(&self.recording).map_err(ReplayError::from)?;
        let replacements = self.policies.into_iter().map(|stand| stand.0).collect();
        let bar = bar(&sources);
        let replayed = replay(sources, replacements, user_compile_cache(), |progress| {
            tell(&bar, progress)
        })
        .await;
        bar.finish_and_clear();
        let report = replayed?;
        let text = match self.json {
            true => {
                let document = Document {
                    version: 1,
                    report: &report,
                };
                serde_json::to_string_pretty(&document).map_err(anyhow::Error::new)? + "\n"
            }
            false => {
                for warning in &report.warnings {
                    tracing::warn!("{warning}");
                }
                for_people(&report, Paint::stdout())
            }
        };
        output::print(&text)?;
        Ok(match report.different {
            0 => SETTLED,
            _ => DIFFERENT,
        })
    }
}

/// A bar over the bytes of the recording, on terminals only.
fn bar(sources: &[Source]) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let sizes = sources
        .iter()
        .filter_map(|source| Some(std::fs::metadata(&source.path).ok()?.len()));
    // The template is ours; a slip in it leaves the plain style.
    let style = ProgressStyle::with_template("{bar:40} {percent}% {msg}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(sizes.sum()).with_style(style)
}

fn tell(bar: &ProgressBar, progress: Progress) {
    if progress.decisions.is_multiple_of(TELL_EVERY) {
        bar.set_position(progress.read);
        bar.set_message(counted(progress.decisions, "decision"));
    }
}

fn for_people(report: &Report, paint: Paint) -> String {
    let mut text = String::new();
    summarize(&mut text, report, paint);
    for group in &report.groups {
        text.push('\n');
        describe(&mut text, group, paint);
    }
    text
}

// Writing into a String can't fail.
fn summarize(text: &mut String, report: &Report, paint: Paint) {
    let (decisions, same, different) = (report.decisions, report.same, report.different);
    let (tone, differ) = match different {
        0 => (Tone::Good, "none different".to_owned()),
        _ => (Tone::Bad, format!("{different} different")),
    };
    let differ = paint.paint(tone, &differ);
    let decisions = counted(decisions, "decision");
    let _ = writeln!(text, "{decisions}: {same} the same, {differ}");
    for other in &report.replaced {
        let _ = writeln!(
            text,
            "  {} was decided by {}, which is not the recorded {}",
            other.policy, other.replayed, other.recorded
        );
    }
    for left in &report.left {
        let _ = writeln!(text, "  {} can't be compared: {}", left.count, left.why);
    }
    if report.unrecorded > 0 {
        let _ = writeln!(
            text,
            "  {} more {} made and not recorded",
            report.unrecorded,
            verb(&report.unrecorded, "was", "were")
        );
    }
}

fn describe(text: &mut String, group: &Group, paint: Paint) {
    let what = match group.aspect {
        Aspect::Diverged => format!("{} → diverged", group.recorded),
        Aspect::Verdict => format!("{} → {}", group.recorded, group.replayed),
        Aspect::Writes => format!("{}, without a write", group.recorded),
        Aspect::State => format!("{}, with another state", group.recorded),
        Aspect::Fuel => format!(
            "{}, with other fuel: the component is not deterministic",
            group.recorded
        ),
    };
    let decisions = counted(group.count, "decision");
    let head = format!("{}, {}: {what}", group.policy, group.role);
    let _ = writeln!(text, "{}, {decisions}", paint.paint(Tone::Bad, &head));
    show(text, group, &group.example);
}

fn show(text: &mut String, group: &Group, example: &Example) {
    let facts = &example.facts;
    let _ = writeln!(text, "  for example  {}", example.at);
    let _ = writeln!(text, "  stream       {} at {}", facts.stream, facts.now);
    let _ = writeln!(text, "  facts        {}", told(example));
    let _ = writeln!(text, "  recorded     {}", example.recorded);
    let now = match (group.aspect, &example.call, &example.fuel) {
        (Aspect::Writes, Some(call), _) => format!("{}, without {call}", example.replayed),
        (Aspect::Fuel, _, Some(fuel)) => format!(
            "{}, with {} fuel in the place of {}",
            example.replayed, fuel.replayed, fuel.recorded
        ),
        _ => example.replayed.clone(),
    };
    let _ = writeln!(text, "  now          {now}");
    for call in example.calls.iter().take(SHOWN_CALLS) {
        let answer = match &call.answer {
            Some(answer) => answer.to_string(),
            None => "no answer in time".to_owned(),
        };
        let _ = writeln!(text, "  call         {} → {answer}", call.ask);
    }
    if let Some(more) = example.calls.len().checked_sub(SHOWN_CALLS + 1) {
        let _ = writeln!(text, "  and {}", counted(more + 1, "more call"));
    }
}

/// The facts that most decisions turn on.
fn told(example: &Example) -> String {
    let facts = &example.facts;
    let local = match &facts.local {
        LocalState::Missing => "missing".to_owned(),
        LocalState::Unreadable(_) => "unreadable".to_owned(),
        LocalState::TooLarge(size) => format!("{}, too large", counted(*size, "byte")),
        LocalState::File(file) if !file.well_formed => {
            format!("{}, not a valid schema", counted(file.size, "byte"))
        }
        LocalState::File(file) => {
            let stable = in_short(facts.now.since(file.stable_since));
            format!("{}, unchanged for {stable}", counted(file.size, "byte"))
        }
    };
    let remote = match &facts.remote {
        RemoteState::Unknown => "unknown",
        RemoteState::Missing { .. } => "missing",
        RemoteState::Found { .. } => "found",
    };
    let mut text = format!(
        "phase {}, trigger {}, local {local}, remote {remote}, attempts {}",
        facts.phase,
        facts.trigger.name(),
        facts.attempts
    );
    if let Some(delay) = facts.previous_delay {
        let _ = write!(text, ", previous delay {}", in_short(delay));
    }
    let _ = write!(text, ", entropy {}", facts.entropy);
    text
}
