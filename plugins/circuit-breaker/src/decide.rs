use tidegate_policy::{
    Decision, Facts, Failure, FailureKind, Host, Result, Retry, Scope, StateError,
};

use crate::circuit::Circuit;
use crate::settings::CircuitBreaker;

/// The state's only key, in the node's scope.
const KEY: &str = "circuit";

impl Retry for CircuitBreaker {
    fn decide(&self, facts: &Facts, failure: &Failure, host: &impl Host) -> Result<Decision> {
        if !is_the_stores(failure) {
            return Ok(Decision::Abstain);
        }
        Ok(match guard(self, facts, host) {
            Ok(Decision::After(wait)) => Decision::After(wait.max(failure.advice())),
            Ok(other) => other,
            // Without the state nobody would know of the circuit, so it stays out of the way.
            Err(_) => Decision::Abstain,
        })
    }
}

fn guard(
    settings: &CircuitBreaker,
    facts: &Facts,
    host: &impl Host,
) -> Result<Decision, StateError> {
    let stored = host.load(Scope::ThisNode, KEY)?;
    let replace = |circuit: Option<&Circuit>| {
        let value = circuit.map(Circuit::to_bytes);
        host.swap(Scope::ThisNode, KEY, stored.as_deref(), value.as_deref())
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
    settings: &CircuitBreaker,
    facts: &Facts,
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
        Failure::Store(failure) => failure.kind != FailureKind::PreconditionFailed,
        _ => false,
    }
}

/// Whether enough of the node's streams fail.
fn tripped(settings: &CircuitBreaker, facts: &Facts) -> bool {
    let failing = facts.store.failing_streams;
    failing >= settings.min_streams
        && f64::from(failing) >= settings.threshold * f64::from(facts.store.streams)
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
