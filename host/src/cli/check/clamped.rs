//! Finds configured delays that the bounds of `[sync]` or of a rule change.

use std::time::Duration;

use serde_json::Value;

use super::report::Report;
use crate::config::{Length, Settings, Source, StreamSettings};
use crate::policy::ComponentSource;
use crate::time::in_short;

/// The settings of bundled retry policies that are delays. What other policies' settings mean is not known here.
const DELAYS: &[(&str, &[&str])] = &[
    ("backoff", &["initial", "max"]),
    ("circuit-breaker", &["open-for", "max-open"]),
];

/// Warns about delays that no stream will use as written.
pub(super) fn delays(source: &Source, settings: &Settings, report: &mut Report) {
    let general = std::iter::once((vec!["sync".to_owned()], &settings.streams));
    let rules = settings.rules.iter().enumerate().filter_map(|(at, rule)| {
        let place = vec!["rules".to_owned(), at.to_string()];
        Some((place, rule.settings.as_ref()?))
    });
    let mut seen = Vec::new();
    for (place, streams) in general.chain(rules) {
        for (path, length, bound) in of_streams(settings, streams) {
            let message = format!(
                "`{}` is {}, and the bounds of {} hold every delay to {bound}: change one of them",
                path.last().map_or("", String::as_str),
                in_short(length),
                match place.get(1) {
                    Some(at) => format!("rules[{at}]"),
                    None => "[sync]".to_owned(),
                },
            );
            // A rule without bounds of its own has those of [sync].
            if seen.contains(&(path.clone(), bound.clone())) {
                continue;
            }
            let place: Vec<&str> = path.iter().map(String::as_str).collect();
            report.warned("bounds", &source.problem(&place, message));
            seen.push((path, bound));
        }
    }
}

/// Each delay of a policy in the retry chain that is out of bounds: its path in the file, its value, and the bound.
fn of_streams(
    settings: &Settings,
    streams: &StreamSettings,
) -> Vec<(Vec<String>, Duration, String)> {
    let rules = &streams.rules;
    let mut found = Vec::new();
    for name in &streams.retry {
        let Some(policy) = settings.policies.get(name) else {
            continue;
        };
        let ComponentSource::Builtin(component) = &policy.component else {
            continue;
        };
        let Some((_, keys)) = DELAYS.iter().find(|(known, _)| known == component) else {
            continue;
        };
        let path = vec!["policies".to_owned(), name.clone(), "settings".to_owned()];
        for (path, length) in lengths(&policy.settings, keys, path) {
            let bound = if length > rules.max_delay {
                format!("at most {}", in_short(rules.max_delay))
            } else if length < rules.min_delay {
                format!("at least {}", in_short(rules.min_delay))
            } else {
                continue;
            };
            found.push((path, length, bound));
        }
    }
    found
}

/// The values of these keys that are durations, in nested tables too.
fn lengths(value: &Value, keys: &[&str], path: Vec<String>) -> Vec<(Vec<String>, Duration)> {
    let Value::Object(table) = value else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (key, value) in table {
        let mut path = path.clone();
        path.push(key.clone());
        match value {
            Value::String(text) if keys.contains(&key.as_str()) => {
                found.extend(text.parse().ok().map(|Length(length)| (path, length)));
            }
            value => found.extend(lengths(value, keys, path)),
        }
    }
    found
}
