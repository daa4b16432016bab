use tidegate_policy::testing::{self, FakeHost, NOW, facts, object, staged_file, store_failure};
use tidegate_policy::{FailureKind, RemoteInfo};

use super::*;

fn ask(settings: &str, facts: &Facts, host: &FakeHost) -> Presence {
    let policy: SchemaPresence = testing::settings(settings);
    policy.check(facts, host).unwrap()
}

fn judge(settings: &str, facts: &Facts) -> Presence {
    ask(settings, facts, &FakeHost::new())
}

/// Data has waited for so long, and the ledger knows that the store holds nothing.
fn owed(age: Span) -> Facts {
    Facts {
        staged_data_files: 3,
        oldest_data_file: Some(NOW - age),
        remote: RemoteState::Missing(NOW),
        ..facts()
    }
}

fn absent_reason(presence: Presence) -> String {
    match presence {
        Presence::Absent(reason) => reason,
        other => panic!("not absent: {other:?}"),
    }
}

#[test]
fn a_quiet_file_is_present_and_a_young_one_is_given_the_rest_of_settle() {
    for well_formed in [true, false] {
        let with = |age| Facts {
            local: staged_file(age, well_formed),
            ..facts()
        };
        assert_eq!(judge("{}", &with(Span::secs(1))), Presence::Present);
        assert_eq!(
            judge("{}", &with(Span::millis(999))),
            Presence::Unsettled(Span::millis(1))
        );
        assert_eq!(
            judge(r#"{"settle": "0s"}"#, &with(Span::ZERO)),
            Presence::Present
        );
    }
}

#[test]
fn a_clock_that_stepped_back_waits_no_longer_than_settle() {
    let mut facts = facts();
    facts.local = staged_file(Span::ZERO, true);
    facts.now = facts.now - Span::hours(1);
    assert_eq!(judge("{}", &facts), Presence::Unsettled(Span::secs(1)));
}

#[test]
fn what_cannot_be_read_is_present_so_that_the_host_reports_it() {
    for local in [
        LocalState::Unreadable("is a directory".to_owned()),
        LocalState::TooLarge(1 << 30),
    ] {
        let facts = Facts {
            local,
            ..owed(Span::hours(1))
        };
        assert_eq!(judge("{}", &facts), Presence::Present);
    }
}

#[test]
fn without_evidence_nothing_is_expected_and_the_store_is_not_asked() {
    let host = FakeHost::new();
    let verdict = ask("{}", &facts(), &host);
    assert!(matches!(verdict, Presence::NotExpected(_)), "{verdict:?}");
    assert!(host.asked().is_empty());
}

#[test]
fn data_that_waited_long_enough_tells_of_an_absent_schema() {
    assert_eq!(
        judge("{}", &owed(Span::millis(129_999))),
        Presence::Unsettled(Span::millis(1))
    );
    assert_eq!(
        absent_reason(judge("{}", &owed(Span::secs(130)))),
        "3 data files have waited in staging for 2m 10s without a schema; the store holds none of this node"
    );
    let one = Facts {
        staged_data_files: 1,
        ..owed(Span::secs(130))
    };
    assert!(absent_reason(judge("{}", &one)).starts_with("1 data file has waited"));
}

#[test]
fn data_older_than_the_node_was_watched_only_since_the_node_was_seen() {
    let facts = Facts {
        node_seen: NOW - Span::secs(125),
        ..owed(Span::hours(1))
    };
    assert_eq!(judge("{}", &facts), Presence::Unsettled(Span::secs(5)));
    let unknown_age = Facts {
        oldest_data_file: None,
        ..facts
    };
    assert_eq!(
        judge("{}", &unknown_age),
        Presence::Unsettled(Span::secs(5))
    );
}

#[test]
fn a_young_node_gets_its_grace_only_when_something_might_be_owed() {
    let young = Facts {
        node_seen: NOW - Span::secs(20),
        ..owed(Span::secs(20))
    };
    assert_eq!(
        judge(r#"{"watch": "0s"}"#, &young),
        Presence::Unsettled(Span::secs(100))
    );
    let nothing_owed = Facts {
        staged_data_files: 0,
        ..young
    };
    assert!(matches!(
        judge("{}", &nothing_owed),
        Presence::NotExpected(_)
    ));
}

#[test]
fn always_owes_a_schema_without_data_once_the_node_is_old_enough() {
    let settings = r#"{"evidence": "always"}"#;
    let old = Facts {
        remote: RemoteState::Missing(NOW),
        ..facts()
    };
    assert!(absent_reason(judge(settings, &old)).contains("every stream owes one"));
    let young = Facts {
        node_seen: NOW - Span::secs(125),
        ..old
    };
    assert_eq!(judge(settings, &young), Presence::Unsettled(Span::secs(5)));
}

#[test]
fn a_stored_schema_means_that_none_is_expected_even_of_a_young_node() {
    let facts = Facts {
        remote: RemoteState::Found(RemoteInfo {
            object: object(),
            seen: NOW,
        }),
        node_seen: NOW,
        ..owed(Span::hours(1))
    };
    assert!(matches!(judge("{}", &facts), Presence::NotExpected(_)));
    assert!(matches!(
        judge(r#"{"evidence": "always"}"#, &facts),
        Presence::NotExpected(_)
    ));
}

#[test]
fn the_store_is_asked_once_when_the_ledger_never_looked() {
    let unknown = Facts {
        remote: RemoteState::Unknown,
        ..owed(Span::hours(1))
    };
    let key = &unknown.schema_key;
    let answer = |host: FakeHost| {
        let verdict = ask("{}", &unknown, &host);
        assert_eq!(host.asked().join(" "), *key);
        verdict
    };
    let stored = FakeHost::new().object(key, "{}");
    assert!(matches!(answer(stored), Presence::NotExpected(_)));
    assert!(absent_reason(answer(FakeHost::new())).ends_with("holds none of this node"));
    for (error, cause) in [
        (
            ReadError::NotGranted("app/x".to_owned()),
            "no grant to read its key",
        ),
        (ReadError::BudgetExhausted, "no host call is left"),
        (ReadError::TooLarge(1), "too large"),
    ] {
        assert!(absent_reason(answer(FakeHost::new().failing(key, error))).contains(cause));
    }
}

#[test]
fn a_store_that_fails_claims_nothing_and_is_asked_again() {
    let unknown = Facts {
        remote: RemoteState::Unknown,
        ..owed(Span::hours(1))
    };
    let key = &unknown.schema_key;
    let answer = |host| ask("{}", &unknown, &host);
    let down = FakeHost::new().unavailable(key);
    assert_eq!(answer(down), Presence::Unsettled(Span::secs(5)));
    let advised = |wait| {
        let mut failure = store_failure(FailureKind::Throttled);
        failure.retry_after = Some(wait);
        answer(FakeHost::new().failing(key, ReadError::Failed(failure)))
    };
    assert_eq!(advised(Span::secs(60)), Presence::Unsettled(Span::secs(60)));
    assert_eq!(
        advised(Span::millis(10)),
        Presence::Unsettled(Span::secs(5))
    );
}

#[test]
fn a_static_schema_is_owed_in_the_store_and_never_staged() {
    let attributes = vec![("static-schema".to_owned(), "true".to_owned())];
    let missing = Facts {
        attributes: attributes.clone(),
        remote: RemoteState::Missing(NOW),
        ..facts()
    };
    assert!(absent_reason(judge("{}", &missing)).contains("static"));
    let young = Facts {
        node_seen: NOW - Span::secs(119),
        ..missing.clone()
    };
    assert_eq!(judge("{}", &young), Presence::Unsettled(Span::secs(1)));
    let found = Facts {
        remote: RemoteState::Found(RemoteInfo {
            object: object(),
            seen: NOW,
        }),
        ..missing.clone()
    };
    assert!(matches!(judge("{}", &found), Presence::NotExpected(_)));
    let dynamic = Facts {
        attributes: vec![("static-schema".to_owned(), "false".to_owned())],
        ..missing
    };
    assert!(matches!(judge("{}", &dynamic), Presence::NotExpected(_)));
}
