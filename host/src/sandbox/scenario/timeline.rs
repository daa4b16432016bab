//! What happened around a moment, for people.

use std::time::Duration;

use crate::policy::{joined, shown};
use crate::sandbox::{Entry, Event};
use crate::stream::StreamId;
use crate::sync::{self, Level};
use crate::time::millis;

/// Lines that are shown before a moment, and behind it.
const BEFORE: usize = 16;
const BEHIND: usize = 6;

/// Of what the world did still earlier, the last that is shown: what is wrong at the end of a world may have begun long
/// before.
const DEEDS: usize = 16;

/// Log lines of one call that are shown.
const LOG_LINES: usize = 16;

/// So many lines are not left out: saying that they are takes one as well.
const GAP: usize = 2;

/// What a timeline shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Focus {
    /// This stream, and what is about none.
    pub stream: Option<StreamId>,
    /// This node, and what is about none.
    pub node: Option<String>,
}

/// The lines around this moment.
pub fn around(entries: &[Entry], focus: &Focus, moment: Duration) -> Vec<String> {
    let shown: Vec<_> = entries
        .iter()
        .filter(|entry| is_shown(&entry.event, focus))
        .collect();
    let behind = shown.partition_point(|entry| entry.at <= moment);
    let from = behind.saturating_sub(BEFORE);
    let to = behind.saturating_add(BEHIND).min(shown.len());
    let is_deed = |at: &usize| {
        let event = shown.get(*at).map(|entry| &entry.event);
        matches!(event, Some(Event::World { .. }))
    };
    let deeds: Vec<_> = (0..from).rev().filter(is_deed).take(DEEDS).collect();
    let mut lines = Vec::new();
    let mut next = 0;
    for at in deeds.into_iter().rev().chain(from..to) {
        match at - next {
            0..=GAP => {}
            left_out if next == 0 => {
                lines.push(format!("  … {left_out} earlier"));
                next = at;
            }
            left_out => {
                lines.push(format!("  … {left_out} between"));
                next = at;
            }
        }
        for (at, entry) in shown.iter().enumerate().take(at + 1).skip(next) {
            // The last one that had happened.
            let mark = if at + 1 == behind { '>' } else { ' ' };
            let text = in_words(&entry.event);
            lines.push(format!("{mark} {} {text}", clock(entry.at)));
            let below = details(&entry.event).into_iter();
            lines.extend(below.map(|detail| format!("    {detail}")));
        }
        next = at + 1;
    }
    let rest = shown.len() - to;
    if rest > 0 {
        lines.push(format!("  … {rest} later"));
    }
    lines
}

fn is_shown(event: &Event, focus: &Focus) -> bool {
    let about = |stream: Option<&StreamId>, node: Option<&str>| {
        let stream_fits = match (&focus.stream, stream) {
            (Some(wanted), Some(stream)) => wanted == stream,
            _ => true,
        };
        let node_fits = match (&focus.node, node) {
            (Some(wanted), Some(node)) => wanted == node,
            _ => true,
        };
        stream_fits && node_fits
    };
    match event {
        Event::World { node, stream, .. } => about(stream.as_ref(), node.as_deref()),
        Event::Defect { node, stream, .. } => about(stream.as_ref(), Some(node)),
        Event::Request(request) => {
            let name = focus.stream.as_ref().map(|stream| &*stream.name);
            // Whoever changes something matters to everybody.
            !request.key.starts_with(".tidegate/")
                && (request.change.is_some() || about(None, Some(&request.by)))
                && name.is_none_or(|name| request.key.split('/').any(|part| part == name))
        }
        Event::Attempt { node, stream, .. } => about(Some(stream), Some(node)),
        Event::Ended { node, .. } => about(None, Some(node)),
    }
}

/// One entry in one line.
pub fn in_words(event: &Event) -> String {
    match event {
        Event::World { text, .. } => format!("· {text}"),
        Event::Request(request) => format!(
            "  {} → store: {} {}: {}",
            request.by, request.operation, request.key, request.outcome
        ),
        Event::Attempt {
            node,
            stream,
            outcome,
            ..
        } => {
            let story = &outcome.story;
            let mut parts = vec![match story.before == story.after {
                true => format!("{node} {stream}: {}", story.after),
                false => format!("{node} {stream}: {} → {}", story.before, story.after),
            }];
            parts.extend(story.steps.iter().filter_map(step));
            parts.push(format!("next look {}", story.why));
            parts.join("; ")
        }
        Event::Defect { node, text, .. } => format!("! {node}: {text}"),
        Event::Ended { node, reason } => format!("! the agent of {node} ended: {reason}"),
    }
}

/// What policies did in an attempt besides deciding: why their calls failed, and what they logged.
fn details(event: &Event) -> Vec<String> {
    let Event::Attempt { outcome, .. } = event else {
        return Vec::new();
    };
    let asked = outcome.story.steps.iter().filter_map(|step| match step {
        sync::Event::Asked { role, calls, .. } => Some((role, calls)),
        _ => None,
    });
    let mut lines = Vec::new();
    for (role, calls) in asked {
        for call in calls {
            let name = &call.policy;
            if call.failed {
                lines.push(format!("{name} failed in {role}: {}", call.verdict));
            }
            let logged = log_lines(call);
            lines.extend(
                logged
                    .into_iter()
                    .map(|line| format!("{name} logged: {line}")),
            );
        }
    }
    lines
}

/// The log lines of a call, the last [`LOG_LINES`] of them. A line that the call's failure repeats is left out.
pub(super) fn log_lines(call: &sync::Call) -> Vec<String> {
    // Line ends are escaped in log lines.
    let repeated = |line: &str| call.failed && call.verdict.ends_with(&joined(line.split("\\n")));
    let lines: Vec<_> = call
        .log
        .iter()
        .map(|line| shown(line))
        .filter(|line| !repeated(line))
        .collect();
    let left_out = lines.len().saturating_sub(LOG_LINES);
    let count = (left_out > 0).then(|| format!("… {left_out} earlier lines"));
    count
        .into_iter()
        .chain(lines.into_iter().skip(left_out))
        .collect()
}

fn step(step: &sync::Event) -> Option<String> {
    match step {
        sync::Event::Staged { found } => Some(format!("staged: {found}")),
        sync::Event::Asked {
            role, by, verdict, ..
        } => Some(match by {
            Some(by) => format!("{role} ({by}): {verdict}"),
            None => format!("{role}: {verdict}"),
        }),
        sync::Event::Note { level, text } if *level > Level::Info => Some(format!("warns: {text}")),
        // The store's own records tell requests better.
        sync::Event::Request { .. } | sync::Event::Note { .. } => None,
    }
}

/// A moment as `1:02:03.250`.
pub fn clock(at: Duration) -> String {
    let all = millis(at);
    let (hours, minutes) = (all / 3_600_000, all / 60_000 % 60);
    let (seconds, rest) = (all / 1_000 % 60, all % 1_000);
    format!("{hours}:{minutes:02}:{seconds:02}.{rest:03}")
}
