use tidegate_policy::{Decision, Facts, Failure, Host, Result, Retry};

use crate::kind::Kind;
use crate::settings::{Backoff, Response};

impl Retry for Backoff {
    fn decide(&self, facts: &Facts, failure: &Failure, _: &impl Host) -> Result<Decision> {
        let kind = Kind::of(failure);
        let curve = match self.response(kind) {
            Response::OnChange => return Ok(Decision::OnChange),
            Response::Abandon => {
                return Ok(Decision::Abandon(format!(
                    "the settings give up at once on `{}`: {failure}",
                    kind.name()
                )));
            }
            Response::Wait(curve) => curve,
        };
        let nth = match kind {
            Kind::SchemaAbsent => facts.absences,
            _ => match spent(self, facts) {
                Some(limit) => return Ok(Decision::Abandon(format!("{limit}: {failure}"))),
                None => facts.attempts,
            },
        };
        let delay = curve.delay(nth, facts.previous_delay, facts.entropy);
        Ok(Decision::After(delay.max(failure.advice())))
    }
}

/// The limit that the failing attempts have reached, if any.
fn spent(settings: &Backoff, facts: &Facts) -> Option<String> {
    if settings
        .max_attempts
        .is_some_and(|max| facts.attempts >= max)
    {
        return Some(match facts.attempts {
            1 => "1 attempt failed (`max-attempts`)".to_owned(),
            many => format!("{many} attempts failed (`max-attempts`)"),
        });
    }
    let failing = facts.now.since(facts.failing_since?);
    (failing >= settings.max_elapsed?)
        .then(|| format!("attempts have failed for {failing} (`max-elapsed`)"))
}

#[cfg(test)]
mod tests {
    use tidegate_policy::testing::{self, FakeHost, NOW, facts, store_failure};
    use tidegate_policy::{Entropy, FailureKind, Span};

    use super::*;

    fn judge(settings: &str, facts: &Facts, failure: &Failure) -> Decision {
        testing::settings::<Backoff>(settings)
            .decide(facts, failure, &FakeHost::new())
            .unwrap()
    }

    fn unavailable() -> Failure {
        Failure::Store(store_failure(FailureKind::Unavailable))
    }

    fn failing(attempts: u32) -> Facts {
        Facts {
            attempts,
            failing_since: Some(NOW - Span::secs(60)),
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
        let facts = Facts {
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
        let with = |word| {
            let facts = Facts {
                entropy: Entropy::from_word(word),
                ..failing(5)
            };
            judge("{}", &facts, &unavailable())
        };
        assert_eq!(with(7), with(7));
        assert_ne!(with(0), with(u64::MAX));
    }

    #[test]
    fn decorrelated_jitter_builds_on_the_previous_delay() {
        let facts = Facts {
            previous_delay: Some(Span::secs(10)),
            entropy: Entropy::from_word(u64::MAX),
            ..failing(5)
        };
        assert_eq!(
            judge(r#"{"jitter": "decorrelated"}"#, &facts, &unavailable()),
            Decision::After(Span::secs(30))
        );
    }

    #[test]
    fn the_stores_advice_is_a_lower_bound_even_above_the_maximum() {
        let advised = |wait| {
            let mut failure = store_failure(FailureKind::Throttled);
            failure.retry_after = Some(wait);
            judge(
                r#"{"jitter": "none", "max": "10s"}"#,
                &failing(3),
                &Failure::Store(failure),
            )
        };
        assert_eq!(advised(Span::secs(60)), Decision::After(Span::secs(60)));
        assert_eq!(advised(Span::millis(100)), Decision::After(Span::secs(4)));
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
        assert_eq!(of(FailureKind::Timeout), Decision::After(Span::secs(7)));
        assert_eq!(of(FailureKind::Unavailable), Decision::After(Span::secs(1)));
        assert_eq!(
            of(FailureKind::PermissionDenied),
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
            judge(r#"{"max-attempts": 1}"#, &failing(1), &unavailable()),
            Decision::Abandon("1 attempt failed (`max-attempts`): the store says no".to_owned())
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
        let never_failed = Facts {
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
}
