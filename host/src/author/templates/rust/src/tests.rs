//! Tests of the logic, without WebAssembly.

// @if retry
use tidegate_policy::testing::store_failure;
// @end
use tidegate_policy::testing::{self, FakeHost, facts};
// @if existence
use tidegate_policy::testing::{NOW, staged_file};
// @end
// @if retry
use tidegate_policy::{Entropy, FailureKind};
// @end

use super::*;

#[test]
fn the_settings_are_told_as_they_are() {
    testing::assert_schema_fits::<Settings>();
    let problems = testing::problems::<Settings>(r#"{"what": 1}"#);
    assert_eq!(problems[0].pointer, "/what");
    // @if existence
    let problems = testing::problems::<Settings>(r#"{"grace": "1h"}"#);
    assert_eq!(problems[0].pointer, "/grace");
    // @end
    // @if fallback
    let problems = testing::problems::<Settings>(r#"{"checks": 0}"#);
    assert_eq!(problems[0].pointer, "/checks");
    // @end
    // @if retry
    let problems = testing::problems::<Settings>(r#"{"first": "2s", "longest": "1s"}"#);
    assert_eq!(problems[0].pointer, "/first");
    // @end
}

// @if existence
#[test]
fn data_that_waits_for_too_long_makes_a_schema_absent() {
    let settings: Settings = testing::settings(r#"{"grace": "2m"}"#);
    let check = |facts: &Facts| settings.check(facts, &FakeHost::new()).unwrap();
    let waiting = |secs| Facts {
        oldest_data_file: Some(NOW - Span::secs(secs)),
        ..facts()
    };
    assert!(matches!(check(&facts()), Presence::NotExpected(_)));
    assert_eq!(check(&waiting(50)), Presence::Unsettled(Span::secs(70)));
    assert!(matches!(check(&waiting(120)), Presence::Absent(_)));

    let staged = |well_formed| Facts {
        local: staged_file(Span::secs(1), well_formed),
        ..facts()
    };
    assert_eq!(check(&staged(true)), Presence::Present);
    assert_eq!(check(&staged(false)), Presence::Abstain);
}

// @end
// @if fallback
#[test]
fn a_schema_that_does_not_come_is_replaced() {
    let settings: Settings = testing::settings(r#"{"checks": 2, "schema": "logs"}"#);
    let choose = |absences, defaults: &[&str]| {
        let facts = Facts {
            absences,
            defaults: defaults.iter().map(|name| (*name).to_owned()).collect(),
            ..facts()
        };
        settings.choose(&facts, "", &FakeHost::new()).unwrap()
    };
    assert!(matches!(choose(1, &["logs"]), Choice::Skip(_)));
    assert_eq!(choose(2, &["logs"]), Choice::Named("logs".to_owned()));
    assert_eq!(choose(2, &[]), Choice::Peers);
}

// @end
// @if retry
#[test]
fn delays_double_up_to_the_longest() {
    let settings: Settings = testing::settings(r#"{"first": "1s", "longest": "10s"}"#);
    let failure = Failure::Other("no luck".to_owned());
    let delays = |attempts| {
        [0, u64::MAX].map(|word| {
            let facts = Facts {
                attempts,
                entropy: Entropy::from_word(word),
                ..facts()
            };
            settings.decide(&facts, &failure, &FakeHost::new()).unwrap()
        })
    };
    let between = |least, most| [least, most].map(|millis| Decision::After(Span::millis(millis)));
    assert_eq!(delays(1), between(500, 1_000));
    assert_eq!(delays(4), between(4_000, 8_000));
    assert_eq!(delays(u32::MAX), between(5_000, 10_000));
}

#[test]
fn the_store_and_the_file_have_their_say() {
    let settings: Settings = testing::settings("{}");
    let host = FakeHost::new();
    let decide = |failure: Failure| settings.decide(&facts(), &failure, &host).unwrap();
    let mut throttled = store_failure(FailureKind::Throttled);
    throttled.retry_after = Some(Span::secs(30));
    let throttled = decide(Failure::Store(throttled));
    assert_eq!(throttled, Decision::After(Span::secs(30)));
    let invalid = decide(Failure::SchemaInvalid("it ends too soon".to_owned()));
    assert_eq!(invalid, Decision::OnChange);
}
// @end
