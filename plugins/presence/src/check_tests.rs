use std::cell::RefCell;

use common::fixture::{NOW, facts, object, staged_file, store_failure, unavailable};
use common::object_reader::{ObjectPage, ReadError};
use common::types::{ObjectInfo, RemoteInfo, StoreFailureKind};

use super::*;

/// A store that answers every HEAD alike and remembers what it was asked.
struct Store {
    head: Result<ObjectInfo, ReadError>,
    asked: RefCell<Vec<String>>,
}

impl Store {
    fn new(head: Result<ObjectInfo, ReadError>) -> Self {
        Self {
            head,
            asked: RefCell::default(),
        }
    }
}

impl ObjectReader for Store {
    fn head(&self, key: &str) -> Result<ObjectInfo, ReadError> {
        self.asked.borrow_mut().push(key.to_owned());
        self.head.clone()
    }

    fn list_objects(&self, _: &str, _: Option<&str>, _: u32) -> Result<ObjectPage, ReadError> {
        panic!("this policy lists nothing")
    }
}

fn judge(settings: &str, facts: &StreamFacts) -> Presence {
    let store = Store::new(Err(ReadError::NotFound));
    check(&Settings::parse(settings).unwrap(), facts, &store)
}

/// Data has waited for `age` milliseconds, and the ledger knows that the store holds nothing.
fn owed(age: u64) -> StreamFacts {
    StreamFacts {
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
        let with = |age| StreamFacts {
            local: staged_file(age, well_formed),
            ..facts()
        };
        assert_eq!(judge("{}", &with(1000)), Presence::Present);
        assert_eq!(
            judge("{}", &with(999)),
            Presence::Unsettled(Span::millis(1))
        );
        assert_eq!(judge(r#"{"settle": "0s"}"#, &with(0)), Presence::Present);
    }
}

#[test]
fn a_clock_that_stepped_back_waits_no_longer_than_settle() {
    let mut facts = facts();
    facts.local = staged_file(0, true);
    facts.now -= 3_600_000;
    assert_eq!(judge("{}", &facts), Presence::Unsettled(Span::secs(1)));
}

#[test]
fn what_cannot_be_read_is_present_so_that_the_host_reports_it() {
    for local in [
        LocalState::Unreadable("is a directory".to_owned()),
        LocalState::TooLarge(1 << 30),
    ] {
        let facts = StreamFacts {
            local,
            ..owed(3_600_000)
        };
        assert_eq!(judge("{}", &facts), Presence::Present);
    }
}

#[test]
fn without_evidence_nothing_is_expected_and_the_store_is_not_asked() {
    let store = Store::new(Err(ReadError::NotFound));
    let settings = Settings::parse("{}").unwrap();
    let verdict = check(&settings, &facts(), &store);
    assert!(matches!(verdict, Presence::NotExpected(_)), "{verdict:?}");
    assert!(store.asked.borrow().is_empty());
}

#[test]
fn data_that_waited_long_enough_tells_of_an_absent_schema() {
    assert_eq!(
        judge("{}", &owed(129_999)),
        Presence::Unsettled(Span::millis(1))
    );
    assert_eq!(
        absent_reason(judge("{}", &owed(130_000))),
        "3 data files have waited in staging for 2m 10s without a schema; the store holds none of this node"
    );
    let one = StreamFacts {
        staged_data_files: 1,
        ..owed(130_000)
    };
    assert!(absent_reason(judge("{}", &one)).starts_with("1 data file has waited"));
}

#[test]
fn data_older_than_the_node_was_watched_only_since_the_node_was_seen() {
    let facts = StreamFacts {
        node_seen: NOW - 125_000,
        ..owed(3_600_000)
    };
    assert_eq!(judge("{}", &facts), Presence::Unsettled(Span::secs(5)));
    let unknown_age = StreamFacts {
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
    let young = StreamFacts {
        node_seen: NOW - 20_000,
        ..owed(20_000)
    };
    assert_eq!(
        judge(r#"{"watch": "0s"}"#, &young),
        Presence::Unsettled(Span::secs(100))
    );
    let nothing_owed = StreamFacts {
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
    let old = StreamFacts {
        remote: RemoteState::Missing(NOW),
        ..facts()
    };
    assert!(absent_reason(judge(settings, &old)).contains("every stream owes one"));
    let young = StreamFacts {
        node_seen: NOW - 125_000,
        ..old
    };
    assert_eq!(judge(settings, &young), Presence::Unsettled(Span::secs(5)));
}

#[test]
fn a_stored_schema_means_that_none_is_expected_even_of_a_young_node() {
    let facts = StreamFacts {
        remote: RemoteState::Found(RemoteInfo {
            object: object(),
            seen: NOW,
        }),
        node_seen: NOW,
        ..owed(3_600_000)
    };
    assert!(matches!(judge("{}", &facts), Presence::NotExpected(_)));
    assert!(matches!(
        judge(r#"{"evidence": "always"}"#, &facts),
        Presence::NotExpected(_)
    ));
}

#[test]
fn the_store_is_asked_once_when_the_ledger_never_looked() {
    let unknown = StreamFacts {
        remote: RemoteState::Unknown,
        ..owed(3_600_000)
    };
    let settings = Settings::parse("{}").unwrap();
    let answer = |head| {
        let store = Store::new(head);
        let verdict = check(&settings, &unknown, &store);
        assert_eq!(store.asked.borrow().join(" "), unknown.schema_key);
        verdict
    };
    assert!(matches!(answer(Ok(object())), Presence::NotExpected(_)));
    assert!(absent_reason(answer(Err(ReadError::NotFound))).ends_with("holds none of this node"));
    for (error, cause) in [
        (
            ReadError::NotGranted("app/x".to_owned()),
            "no grant to read its key",
        ),
        (ReadError::BudgetExhausted, "no host call is left"),
        (ReadError::TooLarge(1), "too large"),
    ] {
        assert!(absent_reason(answer(Err(error))).contains(cause));
    }
}

#[test]
fn a_store_that_fails_claims_nothing_and_is_asked_again() {
    let unknown = StreamFacts {
        remote: RemoteState::Unknown,
        ..owed(3_600_000)
    };
    let settings = Settings::parse("{}").unwrap();
    let answer = |error| check(&settings, &unknown, &Store::new(Err(error)));
    assert_eq!(answer(unavailable()), Presence::Unsettled(Span::secs(5)));
    let advised = |millis| {
        let mut failure = store_failure(StoreFailureKind::Throttled);
        failure.retry_after = Some(millis);
        answer(ReadError::Failed(failure))
    };
    assert_eq!(advised(60_000), Presence::Unsettled(Span::secs(60)));
    assert_eq!(advised(10), Presence::Unsettled(Span::secs(5)));
}

#[test]
fn a_static_schema_is_owed_in_the_store_and_never_staged() {
    let attributes = vec![("static-schema".to_owned(), "true".to_owned())];
    let missing = StreamFacts {
        attributes: attributes.clone(),
        remote: RemoteState::Missing(NOW),
        ..facts()
    };
    assert!(absent_reason(judge("{}", &missing)).contains("static"));
    let young = StreamFacts {
        node_seen: NOW - 119_000,
        ..missing.clone()
    };
    assert_eq!(judge("{}", &young), Presence::Unsettled(Span::secs(1)));
    let found = StreamFacts {
        remote: RemoteState::Found(RemoteInfo {
            object: object(),
            seen: NOW,
        }),
        ..missing.clone()
    };
    assert!(matches!(judge("{}", &found), Presence::NotExpected(_)));
    let dynamic = StreamFacts {
        attributes: vec![("static-schema".to_owned(), "false".to_owned())],
        ..missing
    };
    assert!(matches!(judge("{}", &dynamic), Presence::NotExpected(_)));
}

#[test]
fn reasons_stay_within_the_contracts_bound() {
    let facts = StreamFacts {
        schema_key: "x".repeat(4000),
        remote: RemoteState::Found(RemoteInfo {
            object: object(),
            seen: NOW,
        }),
        ..owed(3_600_000)
    };
    match judge("{}", &facts) {
        Presence::NotExpected(reason) => assert!(reason.len() <= 1024),
        other => panic!("{other:?}"),
    }
}
