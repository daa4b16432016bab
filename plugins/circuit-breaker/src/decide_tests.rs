use tidegate_policy::testing::{FakeHost, NOW, facts, store_failure};
use tidegate_policy::{Entropy, Span, StoreHealth};

use super::*;

fn circuit(host: &FakeHost) -> Option<Circuit> {
    let stored = host.stored(Scope::ThisNode, KEY)?;
    Circuit::from_bytes(&stored)
}

/// The facts of one stream of ten, `failing` of which fail, `after` milliseconds from the start.
fn at(stream: &str, after: u64, failing: u32) -> Facts {
    Facts {
        name: stream.to_owned(),
        now: NOW + Span::millis(after),
        store: StoreHealth {
            last_success: Some(NOW - Span::secs(60)),
            failing_streams: failing,
            streams: 10,
        },
        // The longest of everything: an open time of 30 s is then 30 s.
        entropy: Entropy::from_word(u64::MAX),
        ..facts()
    }
}

fn judge(facts: &Facts, host: &FakeHost) -> Decision {
    let failure = Failure::Store(store_failure(FailureKind::Unavailable));
    CircuitBreaker::default()
        .decide(facts, &failure, host)
        .unwrap()
}

fn after(secs: u64) -> Decision {
    Decision::After(Span::secs(secs))
}

#[test]
fn what_is_not_the_stores_trouble_is_left_to_others() {
    let host = FakeHost::new();
    for failure in [
        Failure::SchemaAbsent(String::new()),
        Failure::SchemaInvalid(String::new()),
        Failure::SchemaConflict(String::new()),
        Failure::Other(String::new()),
        Failure::Store(store_failure(FailureKind::PreconditionFailed)),
    ] {
        let verdict = CircuitBreaker::default().decide(&at("a", 0, 10), &failure, &host);
        assert_eq!(verdict, Ok(Decision::Abstain), "{failure:?}");
    }
    assert_eq!(circuit(&host), None);
}

#[test]
fn the_circuit_stays_closed_while_few_streams_fail() {
    let host = FakeHost::new();
    assert_eq!(judge(&at("a", 0, 4), &host), Decision::Abstain);
    let mut few = at("a", 0, 2);
    few.store.streams = 2;
    assert_eq!(judge(&few, &host), Decision::Abstain);
    assert_eq!(circuit(&host), None);
}

#[test]
fn it_opens_when_half_the_streams_fail_and_the_others_wait_for_the_probe() {
    let host = FakeHost::new();
    assert_eq!(judge(&at("a", 0, 5), &host), after(30));
    assert_eq!(
        circuit(&host),
        Some(Circuit {
            opened: NOW,
            until: NOW + Span::secs(30),
            openings: 1,
            probe: "a".to_owned(),
            lease: NOW + Span::secs(90),
        })
    );
    // 80 s are left of the probe's time; the entropy at its most adds a whole open time.
    assert_eq!(judge(&at("b", 10_000, 6), &host), after(80 + 30));
    let early = Facts {
        entropy: Entropy::from_word(0),
        ..at("c", 10_000, 6)
    };
    assert_eq!(judge(&early, &host), after(80));
    assert_eq!(circuit(&host).unwrap().probe, "a");
}

#[test]
fn the_stores_advice_is_a_lower_bound() {
    let mut failure = store_failure(FailureKind::Throttled);
    failure.retry_after = Some(Span::secs(600));
    let failure = Failure::Store(failure);
    let verdict = CircuitBreaker::default().decide(&at("a", 0, 5), &failure, &FakeHost::new());
    assert_eq!(verdict, Ok(after(600)));
}

#[test]
fn jitter_opens_for_half_the_time_at_least() {
    let host = FakeHost::new();
    let facts = Facts {
        entropy: Entropy::from_word(0),
        ..at("a", 0, 5)
    };
    assert_eq!(judge(&facts, &host), after(15));
}

#[test]
fn each_failed_probe_doubles_the_open_time() {
    let host = FakeHost::new();
    let mut now = 0;
    let mut waits = Vec::new();
    for _ in 0..6 {
        match judge(&at("a", now, 10), &host) {
            Decision::After(wait) => {
                waits.push(wait.as_millis() / 1000);
                now += wait.as_millis();
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(waits, [30, 60, 120, 240, 300, 300]);
    assert_eq!(circuit(&host).unwrap().openings, 6);
}

#[test]
fn the_probe_that_is_asked_early_waits_for_the_rest() {
    let host = FakeHost::new();
    judge(&at("a", 0, 5), &host);
    assert_eq!(judge(&at("a", 10_000, 5), &host), after(20));
    assert_eq!(circuit(&host).unwrap().openings, 1);
}

#[test]
fn a_probe_that_is_not_heard_of_is_replaced() {
    let host = FakeHost::new();
    judge(&at("a", 0, 5), &host);
    assert_eq!(
        judge(&at("b", 89_999, 5), &host),
        Decision::After(Span::millis(30_001))
    );
    assert_eq!(judge(&at("b", 90_000, 5), &host), after(60));
    let circuit = circuit(&host).unwrap();
    assert_eq!((circuit.probe.as_str(), circuit.openings), ("b", 2));
    // The old probe is one of many now.
    assert_eq!(judge(&at("a", 90_000, 5), &host), after(120 + 60));
}

#[test]
fn a_success_closes_it_when_the_open_time_is_over() {
    let host = FakeHost::new();
    judge(&at("a", 0, 5), &host);
    let recovered = |stream, after, failing| {
        let mut facts = at(stream, after, failing);
        facts.store.last_success = Some(NOW + Span::millis(1));
        facts
    };
    // Half the store works: not yet.
    assert!(matches!(
        judge(&recovered("b", 10_000, 5), &host),
        Decision::After(_)
    ));
    assert_eq!(judge(&recovered("b", 30_000, 5), &host), Decision::Abstain);
    assert_eq!(circuit(&host), None);
}

#[test]
fn a_success_closes_it_at_once_when_few_streams_fail_any_more() {
    let host = FakeHost::new();
    judge(&at("a", 0, 5), &host);
    let mut facts = at("b", 10_000, 4);
    assert!(
        matches!(judge(&facts, &host), Decision::After(_)),
        "no success yet"
    );
    facts.store.last_success = Some(NOW + Span::millis(1));
    assert_eq!(judge(&facts, &host), Decision::Abstain);
    assert_eq!(circuit(&host), None);
}

#[test]
fn a_forgotten_circuit_counts_as_closed() {
    let host = FakeHost::new();
    judge(&at("a", 0, 5), &host);
    // The lease ends after 90 s, and five minutes later nobody has kept it.
    assert_eq!(judge(&at("b", 390_001, 1), &host), Decision::Abstain);
    assert_eq!(judge(&at("b", 390_001, 5), &host), after(30));
    assert_eq!(circuit(&host).unwrap().openings, 1);
}

#[test]
fn a_circuit_in_the_future_counts_as_closed() {
    let host = FakeHost::new();
    judge(&at("a", 3_600_000, 5), &host);
    assert_eq!(judge(&at("b", 0, 5), &host), after(30));
    assert_eq!(circuit(&host).unwrap().opened, NOW);
}

#[test]
fn state_that_is_no_circuit_is_replaced() {
    let host = FakeHost::new().state(Scope::ThisNode, KEY, "{}");
    assert_eq!(judge(&at("a", 0, 5), &host), after(30));
    assert_eq!(circuit(&host).unwrap().probe, "a");
}

#[test]
fn without_the_state_it_stays_out_of_the_way() {
    let host = FakeHost::new().without_state();
    assert_eq!(judge(&at("a", 0, 10), &host), Decision::Abstain);
}

#[test]
fn who_loses_the_race_to_open_waits_for_the_winners_probe() {
    let host = FakeHost::new().contended();
    assert_eq!(judge(&at("a", 0, 5), &host), after(90 + 30));
}

#[test]
fn streams_of_the_same_name_in_two_tenants_are_two() {
    let host = FakeHost::new();
    let of = |tenant: &str, after| Facts {
        tenant: Some(tenant.to_owned()),
        ..at("a", after, 5)
    };
    judge(&of("x", 0), &host);
    assert_eq!(circuit(&host).unwrap().probe, "x/a");
    assert_eq!(judge(&of("y", 30_000), &host), after(60 + 30));
    assert_eq!(judge(&of("x", 30_000), &host), after(60));
}
