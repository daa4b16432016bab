use std::cell::RefCell;

use common::fixture::{NOW, facts, store_failure};
use common::types::StoreHealth;

use super::*;

/// The node's state: one value under [`KEY`], or a ledger that fails.
#[derive(Default)]
struct Ledger {
    value: RefCell<Option<Vec<u8>>>,
    broken: bool,
    /// Another decision changes the key between a load and a swap.
    contended: bool,
}

impl Ledger {
    fn circuit(&self) -> Option<Circuit> {
        self.value.borrow().as_deref().and_then(Circuit::from_bytes)
    }
}

impl State for Ledger {
    fn load(&self, scope: Scope, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        assert_eq!((scope, key), (Scope::ThisNode, KEY));
        if self.broken {
            return Err(StateError::Unavailable("disk full".to_owned()));
        }
        Ok(self.value.borrow().clone())
    }

    fn swap(
        &self,
        scope: Scope,
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, StateError> {
        assert_eq!((scope, key), (Scope::ThisNode, KEY));
        if self.contended || self.value.borrow().as_deref() != expected {
            return Ok(false);
        }
        *self.value.borrow_mut() = value.map(<[u8]>::to_vec);
        Ok(true)
    }
}

/// The facts of one stream of ten, `failing` of which fail, `after` milliseconds from the start.
fn at(stream: &str, after: u64, failing: u32) -> StreamFacts {
    StreamFacts {
        name: stream.to_owned(),
        now: NOW + after,
        store: StoreHealth {
            last_success: Some(NOW - 60_000),
            failing_streams: failing,
            streams: 10,
        },
        // The longest of everything: an open time of 30 s is then 30 s.
        entropy: u64::MAX,
        ..facts()
    }
}

fn judge(facts: &StreamFacts, ledger: &Ledger) -> Decision {
    let failure = Failure::Store(store_failure(StoreFailureKind::Unavailable));
    decide(&Settings::parse("{}").unwrap(), facts, &failure, ledger)
}

fn after(secs: u32) -> Decision {
    Decision::After(Span::secs(secs))
}

#[test]
fn what_is_not_the_stores_trouble_is_left_to_others() {
    let ledger = Ledger::default();
    let settings = Settings::parse("{}").unwrap();
    for failure in [
        Failure::SchemaAbsent(String::new()),
        Failure::SchemaInvalid(String::new()),
        Failure::SchemaConflict(String::new()),
        Failure::Other(String::new()),
        Failure::Store(store_failure(StoreFailureKind::PreconditionFailed)),
    ] {
        let verdict = decide(&settings, &at("a", 0, 10), &failure, &ledger);
        assert_eq!(verdict, Decision::Abstain, "{failure:?}");
    }
    assert_eq!(ledger.circuit(), None);
}

#[test]
fn the_circuit_stays_closed_while_few_streams_fail() {
    let ledger = Ledger::default();
    assert_eq!(judge(&at("a", 0, 4), &ledger), Decision::Abstain);
    let mut few = at("a", 0, 2);
    few.store.streams = 2;
    assert_eq!(judge(&few, &ledger), Decision::Abstain);
    assert_eq!(ledger.circuit(), None);
}

#[test]
fn it_opens_when_half_the_streams_fail_and_the_others_wait_for_the_probe() {
    let ledger = Ledger::default();
    assert_eq!(judge(&at("a", 0, 5), &ledger), after(30));
    assert_eq!(
        ledger.circuit(),
        Some(Circuit {
            opened: NOW,
            until: NOW + 30_000,
            openings: 1,
            probe: "a".to_owned(),
            lease: NOW + 90_000,
        })
    );
    // 80 s are left of the probe's time; the entropy at its most adds a whole open time.
    assert_eq!(judge(&at("b", 10_000, 6), &ledger), after(80 + 30));
    let early = StreamFacts {
        entropy: 0,
        ..at("c", 10_000, 6)
    };
    assert_eq!(judge(&early, &ledger), after(80));
    assert_eq!(ledger.circuit().unwrap().probe, "a");
}

#[test]
fn the_stores_advice_is_a_lower_bound() {
    let mut failure = store_failure(StoreFailureKind::Throttled);
    failure.retry_after = Some(600_000);
    let settings = Settings::parse("{}").unwrap();
    let verdict = decide(
        &settings,
        &at("a", 0, 5),
        &Failure::Store(failure),
        &Ledger::default(),
    );
    assert_eq!(verdict, after(600));
}

#[test]
fn jitter_opens_for_half_the_time_at_least() {
    let ledger = Ledger::default();
    let facts = StreamFacts {
        entropy: 0,
        ..at("a", 0, 5)
    };
    assert_eq!(judge(&facts, &ledger), after(15));
}

#[test]
fn each_failed_probe_doubles_the_open_time() {
    let ledger = Ledger::default();
    let mut now = 0;
    let mut waits = Vec::new();
    for _ in 0..6 {
        match judge(&at("a", now, 10), &ledger) {
            Decision::After(wait) => {
                waits.push(wait.as_millis() / 1000);
                now += u64::from(wait.as_millis());
            }
            Decision::Abstain => panic!("closed"),
        }
    }
    assert_eq!(waits, [30, 60, 120, 240, 300, 300]);
    assert_eq!(ledger.circuit().unwrap().openings, 6);
}

#[test]
fn the_probe_that_is_asked_early_waits_for_the_rest() {
    let ledger = Ledger::default();
    judge(&at("a", 0, 5), &ledger);
    assert_eq!(judge(&at("a", 10_000, 5), &ledger), after(20));
    assert_eq!(ledger.circuit().unwrap().openings, 1);
}

#[test]
fn a_probe_that_is_not_heard_of_is_replaced() {
    let ledger = Ledger::default();
    judge(&at("a", 0, 5), &ledger);
    assert_eq!(
        judge(&at("b", 89_999, 5), &ledger),
        Decision::After(Span::millis(30_001))
    );
    assert_eq!(judge(&at("b", 90_000, 5), &ledger), after(60));
    let circuit = ledger.circuit().unwrap();
    assert_eq!((circuit.probe.as_str(), circuit.openings), ("b", 2));
    // The old probe is one of many now.
    assert_eq!(judge(&at("a", 90_000, 5), &ledger), after(120 + 60));
}

#[test]
fn a_success_closes_it_when_the_open_time_is_over() {
    let ledger = Ledger::default();
    judge(&at("a", 0, 5), &ledger);
    let recovered = |stream, after, failing| {
        let mut facts = at(stream, after, failing);
        facts.store.last_success = Some(NOW + 1);
        facts
    };
    // Half the store works: not yet.
    assert!(matches!(
        judge(&recovered("b", 10_000, 5), &ledger),
        Decision::After(_)
    ));
    assert_eq!(
        judge(&recovered("b", 30_000, 5), &ledger),
        Decision::Abstain
    );
    assert_eq!(ledger.circuit(), None);
}

#[test]
fn a_success_closes_it_at_once_when_few_streams_fail_any_more() {
    let ledger = Ledger::default();
    judge(&at("a", 0, 5), &ledger);
    let mut facts = at("b", 10_000, 4);
    assert!(
        matches!(judge(&facts, &ledger), Decision::After(_)),
        "no success yet"
    );
    facts.store.last_success = Some(NOW + 1);
    assert_eq!(judge(&facts, &ledger), Decision::Abstain);
    assert_eq!(ledger.circuit(), None);
}

#[test]
fn a_forgotten_circuit_counts_as_closed() {
    let ledger = Ledger::default();
    judge(&at("a", 0, 5), &ledger);
    // The lease ends after 90 s, and five minutes later nobody has kept it.
    assert_eq!(judge(&at("b", 390_001, 1), &ledger), Decision::Abstain);
    assert_eq!(judge(&at("b", 390_001, 5), &ledger), after(30));
    assert_eq!(ledger.circuit().unwrap().openings, 1);
}

#[test]
fn a_circuit_in_the_future_counts_as_closed() {
    let ledger = Ledger::default();
    judge(&at("a", 3_600_000, 5), &ledger);
    assert_eq!(judge(&at("b", 0, 5), &ledger), after(30));
    assert_eq!(ledger.circuit().unwrap().opened, NOW);
}

#[test]
fn state_that_is_no_circuit_is_replaced() {
    let ledger = Ledger::default();
    *ledger.value.borrow_mut() = Some(b"{}".to_vec());
    assert_eq!(judge(&at("a", 0, 5), &ledger), after(30));
    assert_eq!(ledger.circuit().unwrap().probe, "a");
}

#[test]
fn without_the_state_it_stays_out_of_the_way() {
    let ledger = Ledger {
        broken: true,
        ..Ledger::default()
    };
    assert_eq!(judge(&at("a", 0, 10), &ledger), Decision::Abstain);
}

#[test]
fn who_loses_the_race_to_open_waits_for_the_winners_probe() {
    let ledger = Ledger {
        contended: true,
        ..Ledger::default()
    };
    assert_eq!(judge(&at("a", 0, 5), &ledger), after(90 + 30));
}

#[test]
fn streams_of_the_same_name_in_two_tenants_are_two() {
    let ledger = Ledger::default();
    let of = |tenant: &str, after| StreamFacts {
        tenant: Some(tenant.to_owned()),
        ..at("a", after, 5)
    };
    judge(&of("x", 0), &ledger);
    assert_eq!(ledger.circuit().unwrap().probe, "x/a");
    assert_eq!(judge(&of("y", 30_000), &ledger), after(60 + 30));
    assert_eq!(judge(&of("x", 30_000), &ledger), after(60));
}
