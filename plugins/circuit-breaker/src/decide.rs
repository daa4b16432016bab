use common::state::{Scope, StateError};
use common::types::{Failure, StoreFailureKind, StreamFacts};
use common::{Span, State};

use crate::circuit::Circuit;
use crate::settings::Settings;

/// The state's only key, in the node's scope.
const KEY: &str = "circuit";

/// The verdict: the contract's `decision`, as far as this policy gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// After this long.
    After(Span),
    /// Someone else's to decide.
    Abstain,
}

/// Decides when to try again after this failure, if the store is in trouble.
pub fn decide(
    settings: &Settings,
    facts: &StreamFacts,
    failure: &Failure,
    state: &impl State,
) -> Decision {
    if !is_the_stores(failure) {
        return Decision::Abstain;
    }
    match guard(settings, facts, state) {
        Ok(Decision::After(wait)) => Decision::After(wait.max(advice(failure))),
        Ok(Decision::Abstain) => Decision::Abstain,
        // Without the state nobody would know of the circuit, so it stays out of the way.
        Err(_) => Decision::Abstain,
    }
}

/// How long the store itself asks to wait.
fn advice(failure: &Failure) -> Span {
    match failure {
        Failure::Store(failure) => failure.retry_after.map_or(Span::ZERO, Span::millis),
        _ => Span::ZERO,
    }
}

fn guard(
    settings: &Settings,
    facts: &StreamFacts,
    state: &impl State,
) -> Result<Decision, StateError> {
    let stored = state.load(Scope::ThisNode, KEY)?;
    let replace = |circuit: Option<&Circuit>| {
        let value = circuit.map(Circuit::to_bytes);
        state.swap(Scope::ThisNode, KEY, stored.as_deref(), value.as_deref())
    };
    let circuit = stored
        .as_deref()
        .and_then(Circuit::from_bytes)
        .filter(|circuit| !circuit.is_forgotten(settings, facts.now));

    let Some(circuit) = circuit else {
        if !tripped(settings, facts) {
            return Ok(Decision::Abstain);
        }
        let opened = Circuit::open(settings, facts, 1);
        return wait_as_probe(&opened, replace(Some(&opened))?, settings, facts);
    };
    let recovered = facts
        .store
        .last_success
        .is_some_and(|success| success > circuit.opened);
    if recovered && (facts.now >= circuit.until || !tripped(settings, facts)) {
        replace(None)?;
        return Ok(Decision::Abstain);
    }
    if !circuit.is_probe(facts) {
        return Ok(Decision::After(circuit.wait_for_probe(settings, facts)));
    }
    if facts.now < circuit.until {
        // Asked early, by an operator or a change: the open time is not over.
        return Ok(Decision::After(circuit.wait_to_probe(facts)));
    }
    let reopened = Circuit::open(settings, facts, circuit.openings.saturating_add(1));
    wait_as_probe(&reopened, replace(Some(&reopened))?, settings, facts)
}

/// The wait of a stream that has just opened the circuit. When another decision was faster, its stream is the probe.
fn wait_as_probe(
    circuit: &Circuit,
    won: bool,
    settings: &Settings,
    facts: &StreamFacts,
) -> Result<Decision, StateError> {
    Ok(Decision::After(if won {
        circuit.wait_to_probe(facts)
    } else {
        circuit.wait_for_probe(settings, facts)
    }))
}

/// Whether the failure tells of the store as a whole. A condition that did not hold is a race between writers.
fn is_the_stores(failure: &Failure) -> bool {
    match failure {
        Failure::Store(failure) => failure.kind != StoreFailureKind::PreconditionFailed,
        _ => false,
    }
}

/// Whether enough of the node's streams fail.
fn tripped(settings: &Settings, facts: &StreamFacts) -> bool {
    let failing = facts.store.failing_streams;
    failing >= settings.min_streams
        && f64::from(failing) >= settings.threshold * f64::from(facts.store.streams)
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
