use common::types::{Failure, StreamFacts};
use common::{Span, describe_millis, reason};

use crate::kind::Kind;
use crate::settings::{Rule, Settings};

/// The verdict: the contract's `decision`, as far as this policy gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// After this long.
    After(Span),
    /// When something changes.
    OnChange,
    /// Never by itself.
    Abandon(String),
}

/// Decides when to try again after this failure.
pub fn decide(settings: &Settings, facts: &StreamFacts, failure: &Failure) -> Decision {
    let kind = Kind::of(failure);
    let curve = match settings.rule(kind) {
        Rule::OnChange => return Decision::OnChange,
        Rule::Abandon => {
            return Decision::Abandon(reason(format!(
                "the settings give up at once on `{}`: {}",
                kind.name(),
                message(failure)
            )));
        }
        Rule::Wait(curve) => curve,
    };
    let nth = if kind == Kind::SchemaAbsent {
        facts.absences
    } else {
        if let Some(limit) = spent(settings, facts) {
            return Decision::Abandon(reason(format!("{limit}: {}", message(failure))));
        }
        facts.attempts
    };
    let delay = curve.delay(nth, facts.previous_delay.map(Span::millis), facts.entropy);
    let advice = match failure {
        Failure::Store(failure) => failure.retry_after.map_or(Span::ZERO, Span::millis),
        _ => Span::ZERO,
    };
    Decision::After(delay.max(advice))
}

/// The limit that the failing attempts have reached, if any.
fn spent(settings: &Settings, facts: &StreamFacts) -> Option<String> {
    if settings
        .max_attempts
        .is_some_and(|max| facts.attempts >= max)
    {
        return Some(format!(
            "{} attempts failed (`max-attempts`)",
            facts.attempts
        ));
    }
    let failing = facts.now.saturating_sub(facts.failing_since?);
    let max = settings.max_elapsed?;
    (failing >= u64::from(max.as_millis())).then(|| {
        format!(
            "attempts have failed for {} (`max-elapsed`)",
            describe_millis(failing)
        )
    })
}

fn message(failure: &Failure) -> &str {
    match failure {
        Failure::SchemaAbsent(text)
        | Failure::SchemaInvalid(text)
        | Failure::SchemaConflict(text)
        | Failure::Other(text) => text,
        Failure::Store(failure) => &failure.message,
    }
}

#[cfg(test)]
mod tests {
    use common::fixture::{NOW, facts, store_failure};
    use common::types::StoreFailureKind;

    use super::*;

    fn judge(settings: &str, facts: &StreamFacts, failure: &Failure) -> Decision {
        decide(&Settings::parse(settings).unwrap(), facts, failure)
    }

    fn unavailable() -> Failure {
        Failure::Store(store_failure(StoreFailureKind::Unavailable))
    }

    fn failing(attempts: u32) -> StreamFacts {
        StreamFacts {
            attempts,
            failing_since: Some(NOW - 60_000),
            ..facts()
        }
    }

    #[test]
    fn each_failed_attempt_waits_longer() {
        let delays = [1, 2, 3, 20]
            .map(|attempts| judge(r#"{"jitter": "none"}"#, &failing(attempts), &unavailable()));
        assert_eq!(
            delays,
            [1, 2, 4, 300].map(|secs| Decision::After(Span::secs(secs)))
        );
    }

    #[test]
    fn an_absent_schema_counts_its_absences() {
        let facts = StreamFacts {
            absences: 3,
            ..failing(1)
        };
        let absent = Failure::SchemaAbsent("nothing staged".to_owned());
        assert_eq!(
            judge(r#"{"jitter": "none"}"#, &facts, &absent),
            Decision::After(Span::secs(4))
        );
    }

    #[test]
    fn jitter_comes_from_the_facts_and_nowhere_else() {
        let with = |entropy| {
            let facts = StreamFacts {
                entropy,
                ..failing(5)
            };
            judge("{}", &facts, &unavailable())
        };
        assert_eq!(with(7), with(7));
        assert_ne!(with(0), with(u64::MAX));
    }

    #[test]
    fn decorrelated_jitter_builds_on_the_previous_delay() {
        let facts = StreamFacts {
            previous_delay: Some(10_000),
            entropy: u64::MAX,
            ..failing(5)
        };
        assert_eq!(
            judge(r#"{"jitter": "decorrelated"}"#, &facts, &unavailable()),
            Decision::After(Span::secs(30))
        );
    }

    #[test]
    fn the_stores_advice_is_a_lower_bound_even_above_the_maximum() {
        let advised = |millis| {
            let mut failure = store_failure(StoreFailureKind::Throttled);
            failure.retry_after = Some(millis);
            judge(
                r#"{"jitter": "none", "max": "10s"}"#,
                &failing(3),
                &Failure::Store(failure),
            )
        };
        assert_eq!(advised(60_000), Decision::After(Span::secs(60)));
        assert_eq!(advised(100), Decision::After(Span::secs(4)));
    }

    #[test]
    fn what_will_not_mend_by_itself_waits_for_a_change() {
        for failure in [
            Failure::SchemaInvalid("not JSON".to_owned()),
            Failure::SchemaConflict("field `a`".to_owned()),
        ] {
            // A limit has nothing to count here.
            assert_eq!(
                judge(r#"{"max-attempts": 1}"#, &failing(9), &failure),
                Decision::OnChange
            );
        }
    }

    #[test]
    fn a_rule_decides_by_the_kind_of_failure() {
        let settings = r#"{"jitter": "none", "overrides": {
            "store.timeout": {"initial": "7s"}, "store.permission-denied": {"action": "abandon"}}}"#;
        let of = |kind| judge(settings, &failing(1), &Failure::Store(store_failure(kind)));
        assert_eq!(
            of(StoreFailureKind::Timeout),
            Decision::After(Span::secs(7))
        );
        assert_eq!(
            of(StoreFailureKind::Unavailable),
            Decision::After(Span::secs(1))
        );
        assert_eq!(
            of(StoreFailureKind::PermissionDenied),
            Decision::Abandon(
                "the settings give up at once on `store.permission-denied`: the store says no"
                    .to_owned()
            )
        );
    }

    #[test]
    fn attempts_are_given_up_at_their_limits() {
        let attempts = r#"{"max-attempts": 3}"#;
        assert!(matches!(
            judge(attempts, &failing(2), &unavailable()),
            Decision::After(_)
        ));
        assert_eq!(
            judge(attempts, &failing(3), &unavailable()),
            Decision::Abandon("3 attempts failed (`max-attempts`): the store says no".to_owned())
        );
        assert_eq!(
            judge(r#"{"max-elapsed": "1m"}"#, &failing(1), &unavailable()),
            Decision::Abandon(
                "attempts have failed for 1m (`max-elapsed`): the store says no".to_owned()
            )
        );
        let elapsed = r#"{"max-elapsed": "61s"}"#;
        assert!(matches!(
            judge(elapsed, &failing(1), &unavailable()),
            Decision::After(_)
        ));
        let never_failed = StreamFacts {
            failing_since: None,
            ..failing(1)
        };
        let elapsed = r#"{"max-elapsed": "0s"}"#;
        assert!(matches!(
            judge(elapsed, &never_failed, &unavailable()),
            Decision::After(_)
        ));
    }

    #[test]
    fn an_absent_schema_is_never_given_up_by_a_limit() {
        let settings = r#"{"max-attempts": 1, "max-elapsed": "1s"}"#;
        let absent = Failure::SchemaAbsent("nothing staged".to_owned());
        assert!(matches!(
            judge(settings, &failing(50), &absent),
            Decision::After(_)
        ));
    }

    #[test]
    fn reasons_stay_within_the_contracts_bound() {
        let failure = Failure::Other("x".repeat(5000));
        match judge(r#"{"max-attempts": 1}"#, &failing(1), &failure) {
            Decision::Abandon(reason) => assert!(reason.len() <= 1024),
            other => panic!("{other:?}"),
        }
    }
}
