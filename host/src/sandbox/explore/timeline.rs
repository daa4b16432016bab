//! A world's timeline for people: what happened around a violation.

use std::time::Duration;

use super::{Played, Violation};
use crate::sandbox::{Entry, Event};
use crate::sync::in_short;

/// The most lines that are told before and behind a violation.
const MAX_BEFORE: usize = 40;
const MAX_BEHIND: usize = 10;

/// What happened around a violation to its node and its stream, one line each.
pub fn around(played: &Played, violation: &Violation) -> Vec<String> {
    let concerned: Vec<_> = played
        .entries
        .iter()
        .filter(|entry| concerns(entry, violation))
        .collect();
    let behind = concerned.partition_point(|entry| entry.at <= violation.at);
    let from = behind.saturating_sub(MAX_BEFORE);
    let to = concerned.len().min(behind + MAX_BEHIND);
    let shown = concerned.get(from..to).unwrap_or_default();
    let mut lines: Vec<_> = shown.iter().map(|entry| line(entry)).collect();
    let mark = format!("{} >>> {violation}", stamp(violation.at));
    lines.insert(behind - from, mark);
    if from > 0 {
        lines.insert(0, format!("{from} entries before"));
    }
    lines
}

/// Whether an entry tells something of the violation's node and stream.
fn concerns(entry: &Entry, violation: &Violation) -> bool {
    let is_node = |node: &str| node == violation.node;
    let is_stream = |name: &str| violation.stream.is_empty() || name == violation.stream;
    match &entry.event {
        Event::World { node, stream, .. } => {
            node.as_deref().is_none_or(is_node)
                && stream.as_ref().is_none_or(|stream| is_stream(&stream.name))
        }
        Event::Request(request) => {
            let of_stream = request.key.split('/').any(is_stream);
            let by_agent = is_node(&request.by) || request.change.is_some();
            of_stream && by_agent && !request.key.starts_with(".tidegate")
        }
        Event::Attempt { node, stream, .. } => is_node(node) && is_stream(&stream.name),
        Event::Defect { node, .. } | Event::Ended { node, .. } => is_node(node),
    }
}

fn stamp(at: Duration) -> String {
    let millis = at.as_millis();
    let (seconds, millis) = (millis / 1_000, millis % 1_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{millis:03}")
}

/// One entry in one line.
pub fn line(entry: &Entry) -> String {
    let at = stamp(entry.at);
    match &entry.event {
        Event::World { node, stream, text } => {
            let node = node.as_deref().unwrap_or("-");
            match stream {
                Some(stream) => format!("{at} {node} {stream}: {text}"),
                None => format!("{at} {node}: {text}"),
            }
        }
        Event::Request(request) => format!(
            "{at}   {} {} {}: {}",
            request.by, request.operation, request.key, request.outcome
        ),
        Event::Attempt {
            node,
            stream,
            outcome,
            ..
        } => {
            let again = outcome.again.map(in_short);
            let again = again.map_or_else(String::new, |delay| format!(" (again in {delay})"));
            format!(
                "{at}   {node} {stream} is {}{again}",
                outcome.story.summary()
            )
        }
        Event::Defect { node, text, .. } => format!("{at}   {node} met a defect: {text}"),
        Event::Ended { node, reason } => format!("{at}   {node} ended: {reason}"),
    }
}
