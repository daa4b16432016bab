use tidegate_policy::{Choice, Facts, Fallback, Host, ReadError, Result, Span};

use crate::rung::{Rung, object_key};
use crate::settings::{After, Ladder};

/// A schema without fields, in the JSON form of arrow-schema.
pub const EMPTY_SCHEMA: &str = r#"{"fields":[],"metadata":{}}"#;

/// Objects that one climb looks at: the host's cap on a listing's keys.
const MAX_OBJECTS: usize = 10_000;

/// What a look at a rung gave.
enum Footing {
    /// The rung stands.
    Holds(Choice),
    /// It has nothing to stand on, and why: climb on.
    Lacks(String),
    /// No further, and why: it could not be checked, say.
    Ends(String),
}

impl Fallback for Ladder {
    fn choose(&self, facts: &Facts, _: &str, host: &impl Host) -> Result<Choice> {
        if let Some(wait) = still_waiting(self.after, facts) {
            return Ok(Choice::Skip(wait));
        }
        let mut lacking = Vec::new();
        for rung in &self.rungs {
            let footing = match rung {
                Rung::Peers => peers(facts, host),
                Rung::Base => base(facts, host),
                Rung::Object(template) => object(template, facts, host),
                Rung::Named(name) => named(name, facts),
                Rung::Empty => Footing::Holds(Choice::Document(EMPTY_SCHEMA.to_owned())),
                Rung::Skip => Footing::Ends("the ladder ends with `skip`".to_owned()),
            };
            match footing {
                Footing::Holds(choice) => return Ok(choice),
                Footing::Lacks(what) => lacking.push(what),
                Footing::Ends(cause) => {
                    lacking.push(cause);
                    break;
                }
            }
        }
        Ok(Choice::Skip(lacking.join("; ")))
    }
}

/// Why it is too early for a fallback, if it is.
fn still_waiting(after: After, facts: &Facts) -> Option<String> {
    let absent = facts
        .absent_since
        .map_or(Span::ZERO, |since| facts.now.since(since));
    if absent < after.duration {
        return Some(format!(
            "absent for {absent} so far; a fallback waits for {}",
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

fn peers(facts: &Facts, host: &impl Host) -> Footing {
    let suffix = schema_suffix(&facts.schema_key);
    for (looked, object) in host.objects(&facts.peers_prefix).enumerate() {
        match object {
            Err(error) => return unclear("peers", &facts.peers_prefix, error),
            Ok(object) if object.key.ends_with(suffix) && object.key != facts.schema_key => {
                return Footing::Holds(Choice::Peers);
            }
            Ok(_) if looked >= MAX_OBJECTS => {
                return Footing::Ends(format!(
                    "peers: more objects under `{}` than a climb looks at",
                    facts.peers_prefix
                ));
            }
            Ok(_) => {}
        }
    }
    match base(facts, host) {
        Footing::Holds(_) => Footing::Holds(Choice::Peers),
        Footing::Lacks(_) => Footing::Lacks("no other node has published a schema".to_owned()),
        ends @ Footing::Ends(_) => ends,
    }
}

fn base(facts: &Facts, host: &impl Host) -> Footing {
    match &facts.base_key {
        // On a standalone node the base is the node's own key, which is the absent one.
        Some(key) if *key != facts.schema_key => exists("base", key, host),
        _ => Footing::Lacks("there is no base schema apart from this node's".to_owned()),
    }
}

fn object(template: &str, facts: &Facts, host: &impl Host) -> Footing {
    match object_key(template, facts) {
        Some(key) => exists("object", &key, host),
        None => Footing::Lacks(format!(
            "`object:{template}` holds only for streams of a tenant"
        )),
    }
}

fn named(name: &str, facts: &Facts) -> Footing {
    if facts.defaults.iter().any(|default| default == name) {
        Footing::Holds(Choice::Named(name.to_owned()))
    } else {
        Footing::Lacks(format!(
            "no default schema `{name}` is configured for this stream"
        ))
    }
}

fn exists(rung: &str, key: &str, host: &impl Host) -> Footing {
    match host.head(key) {
        Ok(_) => Footing::Holds(Choice::Object(key.to_owned())),
        Err(ReadError::NotFound) => Footing::Lacks(format!("`{key}` does not exist")),
        Err(error) => unclear(rung, key, error),
    }
}

/// Why a rung could not be checked, and what an operator can do about it.
fn unclear(rung: &str, place: &str, error: ReadError) -> Footing {
    Footing::Ends(match error {
        ReadError::NotGranted(key) => {
            format!(
                "{rung}: the policy may not read `{key}`; grant it a prefix of that (`grants.read`)"
            )
        }
        ReadError::BudgetExhausted => {
            format!("{rung}: no host call was left for `{place}` (`limits.host_calls`)")
        }
        ReadError::TooLarge(bound) => format!("{rung}: `{place}` exceeds the bound of {bound}"),
        ReadError::Failed(failure) => format!("{rung}: the store failed at `{place}`: {failure}"),
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
