//! The verdict that the settings spell out, in or out of bounds: `"abstain"`, or `{"after": 5}`. Nothing abstains.

use serde_json::Value;

use crate::exports::tidegate::policy::{existence::Presence, fallback::Choice, retry::Decision};

/// `present`, `abstain`, `{"absent": "why"}`, `{"not-expected": "why"}`, `{"unsettled": MILLIS}`.
pub(crate) fn presence(wanted: &Value) -> Presence {
    let (case, value) = case(wanted);
    match case {
        "present" => Presence::Present,
        "absent" => Presence::Absent(words(value)),
        "not-expected" => Presence::NotExpected(words(value)),
        "unsettled" => Presence::Unsettled(millis(value)),
        _ => Presence::Abstain,
    }
}

/// `peers`, `abstain`, `{"skip": "why"}`, `{"named": NAME}`, `{"object": KEY}`, `{"document": TEXT}`,
/// `{"document-of-mib": N}`.
pub(crate) fn choice(wanted: &Value) -> Choice {
    let (case, value) = case(wanted);
    match case {
        "peers" => Choice::Peers,
        "skip" => Choice::Skip(words(value)),
        "named" => Choice::Named(words(value)),
        "object" => Choice::Object(words(value)),
        "document" => Choice::Document(words(value)),
        "document-of-mib" => {
            // Well-formed for as far as anyone reads, so that only the size speaks against it.
            let padding = " ".repeat(value.as_u64().unwrap_or(10) as usize * (1 << 20));
            Choice::Document(format!("{{\"fields\":[],{padding}\"metadata\":{{}}}}"))
        }
        _ => Choice::Abstain,
    }
}

/// `on-change`, `abstain`, `{"after": MILLIS}`, `{"abandon": "why"}`.
pub(crate) fn decision(wanted: &Value) -> Decision {
    let (case, value) = case(wanted);
    match case {
        "on-change" => Decision::OnChange,
        "after" => Decision::After(millis(value)),
        "abandon" => Decision::Abandon(words(value)),
        _ => Decision::Abstain,
    }
}

fn case(wanted: &Value) -> (&str, &Value) {
    match wanted {
        Value::Object(cases) => cases
            .iter()
            .next()
            .map_or(("abstain", &Value::Null), |(case, value)| {
                (case.as_str(), value)
            }),
        Value::String(case) => (case, &Value::Null),
        _ => ("abstain", &Value::Null),
    }
}

/// A text as it stands; anything else as JSON.
fn words(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn millis(value: &Value) -> u32 {
    value
        .as_u64()
        .map_or(0, |millis| u32::try_from(millis).unwrap_or(u32::MAX))
}
