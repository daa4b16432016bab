//! Whether a verdict is within the contract's bounds.

use super::cause::{CallFailure, Cause, escaped};
use super::grants::{Granted, parse_key};
use super::report::Verdict;
use crate::contract::{Choice, Facts, Presence, RetryDecision};

/// The longest reason, in bytes.
pub const MAX_REASON: usize = 1 << 10;
/// The largest schema document that a fallback policy hands over, in bytes.
pub const MAX_DOCUMENT: usize = 1 << 20;

/// The verdict, with the control characters of its reason escaped, or why it can't be taken.
pub(super) fn judge(
    verdict: Verdict,
    facts: &Facts,
    readable: Option<&Granted>,
) -> Result<Verdict, CallFailure> {
    Ok(match verdict {
        Verdict::Existence(presence) => Verdict::Existence(match presence {
            Presence::Absent(why) => Presence::Absent(reason(&why)?),
            Presence::NotExpected(why) => Presence::NotExpected(reason(&why)?),
            other @ (Presence::Present | Presence::Unsettled(_) | Presence::Abstain) => other,
        }),
        Verdict::Fallback(choice) => Verdict::Fallback(match choice {
            Choice::Skip(why) => Choice::Skip(reason(&why)?),
            Choice::Named(name) => Choice::Named(named(name, facts)?),
            Choice::Object(key) => Choice::Object(object(&key, readable)?),
            Choice::Document(document) => Choice::Document(bounded(document)?),
            other @ (Choice::Peers | Choice::Abstain) => other,
        }),
        Verdict::Retry(decision) => Verdict::Retry(match decision {
            RetryDecision::Abandon(why) => RetryDecision::Abandon(reason(&why)?),
            other
            @ (RetryDecision::After(_) | RetryDecision::OnChange | RetryDecision::Abstain) => other,
        }),
    })
}

fn reason(why: &str) -> Result<String, CallFailure> {
    if why.len() > MAX_REASON {
        return Err(out_of_bounds(format!(
            "its reason has {} bytes; {MAX_REASON} are the most",
            why.len()
        )));
    }
    Ok(escaped(why))
}

fn named(name: String, facts: &Facts) -> Result<String, CallFailure> {
    if facts.defaults.contains(&name) {
        return Ok(name);
    }
    let shown: String = name.chars().take(64).collect();
    Err(out_of_bounds(format!(
        "it chose the default schema `{}`, which the operator did not configure",
        escaped(&shown)
    )))
}

fn object(key: &str, readable: Option<&Granted>) -> Result<String, CallFailure> {
    parse_key(key)
        .filter(|path| readable.is_some_and(|granted| granted.covers_key(path)))
        .map(String::from)
        .ok_or_else(|| {
            let shown: String = key.chars().take(256).collect();
            out_of_bounds(format!(
                "it chose the object `{}`, which it is not granted to read",
                escaped(&shown)
            ))
        })
}

fn bounded(document: String) -> Result<String, CallFailure> {
    match document.len() > MAX_DOCUMENT {
        false => Ok(document),
        true => Err(out_of_bounds(format!(
            "its document has {} bytes; {MAX_DOCUMENT} are the most",
            document.len()
        ))),
    }
}

fn out_of_bounds(message: String) -> CallFailure {
    CallFailure::new(Cause::OutOfBounds, message)
}
