use common::object_reader::ReadError;
use common::types::StreamFacts;
use common::{ObjectReader, Span, describe_millis, reason};

use crate::rung::{Rung, object_key};
use crate::settings::{After, Settings};

/// A schema without fields, in the JSON form of arrow-schema.
pub const EMPTY_SCHEMA: &str = r#"{"fields":[],"metadata":{}}"#;

/// Objects per page of a listing: the contract's most.
const PAGE: u32 = 1000;

/// Pages that one climb looks at: as many as the host's cap on a listing's keys (10,000) can fill.
const MAX_PAGES: u32 = 10;

/// The verdict: the contract's `choice`, as far as this policy gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Nothing, this time.
    Skip(String),
    /// The operator's default schema of this name.
    Named(String),
    /// The schema in this object.
    Object(String),
    /// The merge of the other nodes' schemas and the base.
    Peers,
    /// This document.
    Document(String),
}

/// What a look at a rung gave.
enum Footing {
    /// The rung stands.
    Holds(Choice),
    /// It has nothing to stand on, and why: climb on.
    Lacks(String),
    /// It could not be checked, and why: climb no further.
    Unclear(String),
}

/// Chooses what to publish for a stream whose schema is absent.
pub fn choose(settings: &Settings, facts: &StreamFacts, store: &impl ObjectReader) -> Choice {
    if let Some(wait) = still_waiting(settings.after, facts) {
        return Choice::Skip(wait);
    }
    let mut lacking = Vec::new();
    for rung in &settings.rungs {
        let footing = match rung {
            Rung::Peers => peers(facts, store),
            Rung::Base => base(facts, store),
            Rung::Object(template) => object(template, facts, store),
            Rung::Named(name) => named(name, facts),
            Rung::Empty => Footing::Holds(Choice::Document(EMPTY_SCHEMA.to_owned())),
            Rung::Skip => {
                lacking.push("the ladder ends with `skip`".to_owned());
                break;
            }
        };
        match footing {
            Footing::Holds(choice) => return choice,
            Footing::Lacks(what) => lacking.push(what),
            Footing::Unclear(cause) => {
                lacking.push(cause);
                break;
            }
        }
    }
    Choice::Skip(reason(lacking.join("; ")))
}

/// Why it is too early for a fallback, if it is.
fn still_waiting(after: After, facts: &StreamFacts) -> Option<String> {
    let absent = facts
        .absent_since
        .map_or(0, |since| facts.now.saturating_sub(since));
    if absent < u64::from(after.duration.as_millis()) {
        return Some(format!(
            "absent for {} so far; a fallback waits for {}",
            describe_millis(absent),
            after.duration
        ));
    }
    if facts.absences < after.checks {
        return Some(format!(
            "absent in {} of the {} checks that a fallback waits for",
            facts.absences, after.checks
        ));
    }
    None
}

fn peers(facts: &StreamFacts, store: &impl ObjectReader) -> Footing {
    let suffix = schema_suffix(&facts.schema_key);
    let mut after: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let page = match store.list_objects(&facts.peers_prefix, after.as_deref(), PAGE) {
            Ok(page) => page,
            Err(error) => return unclear("peers", &facts.peers_prefix, error),
        };
        let found = page
            .entries
            .iter()
            .any(|entry| entry.key.ends_with(suffix) && entry.key != facts.schema_key);
        if found {
            return Footing::Holds(Choice::Peers);
        }
        after = page.next;
        if after.is_none() {
            return match base(facts, store) {
                Footing::Holds(_) => Footing::Holds(Choice::Peers),
                Footing::Lacks(_) => {
                    Footing::Lacks("no other node has published a schema".to_owned())
                }
                unclear @ Footing::Unclear(_) => unclear,
            };
        }
    }
    Footing::Unclear(format!(
        "peers: more objects under `{}` than a climb looks at",
        facts.peers_prefix
    ))
}

fn base(facts: &StreamFacts, store: &impl ObjectReader) -> Footing {
    match &facts.base_key {
        // On a standalone node the base is the node's own key, which is the absent one.
        Some(key) if *key != facts.schema_key => exists("base", key, store),
        _ => Footing::Lacks("there is no base schema apart from this node's".to_owned()),
    }
}

fn object(template: &str, facts: &StreamFacts, store: &impl ObjectReader) -> Footing {
    match object_key(template, facts) {
        Some(key) => exists("object", &key, store),
        None => Footing::Lacks(format!(
            "`object:{template}` holds only for streams of a tenant"
        )),
    }
}

fn named(name: &str, facts: &StreamFacts) -> Footing {
    if facts.defaults.iter().any(|default| default == name) {
        Footing::Holds(Choice::Named(name.to_owned()))
    } else {
        Footing::Lacks(format!(
            "no default schema `{name}` is configured for this stream"
        ))
    }
}

fn exists(rung: &str, key: &str, store: &impl ObjectReader) -> Footing {
    match store.head(key) {
        Ok(_) => Footing::Holds(Choice::Object(key.to_owned())),
        Err(ReadError::NotFound) => Footing::Lacks(format!("`{key}` does not exist")),
        Err(error) => unclear(rung, key, error),
    }
}

/// Why a rung could not be checked, and what an operator can do about it.
fn unclear(rung: &str, place: &str, error: ReadError) -> Footing {
    Footing::Unclear(match error {
        ReadError::NotGranted(key) => {
            format!(
                "{rung}: the policy may not read `{key}`; grant it a prefix of that (`grants.read`)"
            )
        }
        ReadError::BudgetExhausted => {
            format!("{rung}: no host call was left for `{place}` (`limits.host_calls`)")
        }
        ReadError::TooLarge(bound) => format!("{rung}: `{place}` exceeds the bound of {bound}"),
        ReadError::Failed(failure) => {
            let advice = failure
                .retry_after
                .map(|wait| format!(" (it asks to wait {})", Span::millis(wait)))
                .unwrap_or_default();
            format!(
                "{rung}: the store failed at `{place}`: {}{advice}",
                failure.message
            )
        }
        // A prefix under which nothing stands is an empty page, so a store that says this lost its bucket.
        ReadError::NotFound => format!("{rung}: the store knows no `{place}`"),
    })
}

/// How the names of this layout's schema objects end: from the last `.schema` of this node's own on, else from its
/// last dot. Node ids differ and come before it.
fn schema_suffix(schema_key: &str) -> &str {
    let start = schema_key.rfind('/').map_or(0, |slash| slash + 1);
    let name = &schema_key[start..];
    let suffix = name.rfind(".schema").or_else(|| name.rfind('.'));
    &name[suffix.unwrap_or(name.len())..]
}

#[cfg(test)]
#[path = "climb_tests.rs"]
mod tests;
