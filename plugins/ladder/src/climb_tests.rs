use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use common::fixture::{NOW, facts, object as some_object, unavailable};
use common::object_reader::{ObjectEntry, ObjectPage};
use common::types::ObjectInfo;

use super::*;

/// A store with these keys, two to a page, whose failures are scripted by key or prefix.
#[derive(Default)]
struct Store {
    keys: BTreeSet<String>,
    errors: BTreeMap<String, ReadError>,
    asked: RefCell<Vec<String>>,
}

impl Store {
    fn holding(keys: &[&str]) -> Self {
        Self {
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            ..Self::default()
        }
    }

    fn failing(mut self, place: &str, error: ReadError) -> Self {
        self.errors.insert(place.to_owned(), error);
        self
    }
}

impl ObjectReader for Store {
    fn head(&self, key: &str) -> Result<ObjectInfo, ReadError> {
        self.asked.borrow_mut().push(key.to_owned());
        if let Some(error) = self.errors.get(key) {
            return Err(error.clone());
        }
        if self.keys.contains(key) {
            Ok(some_object())
        } else {
            Err(ReadError::NotFound)
        }
    }

    fn list_objects(
        &self,
        prefix: &str,
        after: Option<&str>,
        _: u32,
    ) -> Result<ObjectPage, ReadError> {
        self.asked.borrow_mut().push(prefix.to_owned());
        if let Some(error) = self.errors.get(prefix) {
            return Err(error.clone());
        }
        let mut keys = self.keys.iter().filter(|key| {
            key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after)
        });
        let entries: Vec<_> = keys
            .by_ref()
            .take(2)
            .map(|key| ObjectEntry {
                key: key.clone(),
                size: 10,
                modified: NOW,
            })
            .collect();
        let next = keys
            .next()
            .and(entries.last())
            .map(|entry| entry.key.clone());
        Ok(ObjectPage { entries, next })
    }
}

fn climb(rungs: &str, facts: &StreamFacts, store: &Store) -> Choice {
    let settings = Settings::parse(&format!(r#"{{"rungs": {rungs}}}"#)).unwrap();
    choose(&settings, facts, store)
}

fn skipped(choice: Choice) -> String {
    match choice {
        Choice::Skip(reason) => reason,
        other => panic!("not skipped: {other:?}"),
    }
}

const PEER: &str = "app/.stream/.ingestor.n2.schema";
const OWN: &str = "app/.stream/.ingestor.n1.schema";
const BASE: &str = "app/.stream/.schema";
const MARKERS: [&str; 3] = [
    "app/.stream/.ingestor.n1.stream.json",
    "app/.stream/.ingestor.n2.stream.json",
    "app/.stream/.stream.json",
];

#[test]
fn peers_stand_on_another_nodes_schema_even_on_a_later_page() {
    let mut keys = MARKERS.to_vec();
    keys.push("app/.stream/zz.schema");
    let choice = climb(r#"["peers", "empty"]"#, &facts(), &Store::holding(&keys));
    assert_eq!(choice, Choice::Peers);
}

#[test]
fn peers_stand_on_the_base_alone() {
    // In a layout whose base lies elsewhere, the listing does not show it.
    let facts = StreamFacts {
        base_key: Some("bases/app.schema".to_owned()),
        ..facts()
    };
    let store = Store::holding(&["bases/app.schema"]);
    assert_eq!(
        climb(r#"["peers", "empty"]"#, &facts, &store),
        Choice::Peers
    );
}

#[test]
fn this_nodes_own_schema_and_markers_are_no_peers() {
    let mut keys = MARKERS.to_vec();
    keys.push(OWN);
    let choice = climb(r#"["peers", "empty"]"#, &facts(), &Store::holding(&keys));
    assert_eq!(choice, Choice::Document(EMPTY_SCHEMA.to_owned()));
}

#[test]
fn peers_of_other_layouts_are_known_by_how_the_own_key_ends() {
    let facts = StreamFacts {
        schema_key: "app/n1.schema.json".to_owned(),
        peers_prefix: "app/".to_owned(),
        base_key: None,
        ..facts()
    };
    let rungs = r#"["peers", "skip"]"#;
    assert_eq!(
        climb(rungs, &facts, &Store::holding(&["app/n2.schema.json"])),
        Choice::Peers
    );
    let others = Store::holding(&["app/n2.json", "app/data.schema.parquet"]);
    assert!(skipped(climb(rungs, &facts, &others)).contains("no other node"));
    assert_eq!(schema_suffix("a.schema/n1.avsc"), ".avsc");
    assert_eq!(schema_suffix("a/n1"), "");
}

#[test]
fn a_failing_store_never_leads_to_a_worse_fallback() {
    for place in ["app/.stream/", BASE] {
        let store = Store::default().failing(place, unavailable());
        let reason = skipped(climb(r#"["peers", "empty", "skip"]"#, &facts(), &store));
        assert!(
            reason.contains("the store failed") && reason.contains("the store says no"),
            "{reason}"
        );
    }
    let store = Store::default().failing("defaults/app", unavailable());
    let reason = skipped(climb(
        r#"["object:defaults/{stream}", "empty"]"#,
        &facts(),
        &store,
    ));
    assert!(
        reason.starts_with("object: the store failed at `defaults/app`"),
        "{reason}"
    );
}

#[test]
fn a_missing_grant_or_budget_ends_the_climb_and_names_the_setting() {
    for (error, setting) in [
        (
            ReadError::NotGranted("app/.stream/".to_owned()),
            "`grants.read`",
        ),
        (ReadError::BudgetExhausted, "`limits.host_calls`"),
        (ReadError::TooLarge(10_000), "10000"),
        (ReadError::NotFound, "knows no"),
    ] {
        let store = Store::holding(&[PEER]).failing("app/.stream/", error);
        let reason = skipped(climb(r#"["peers", "empty"]"#, &facts(), &store));
        assert!(reason.contains(setting), "{reason}");
    }
}

#[test]
fn the_base_stands_where_it_exists_and_is_not_the_nodes_own() {
    let rungs = r#"["base", "skip"]"#;
    let store = Store::holding(&[BASE]);
    assert_eq!(
        climb(rungs, &facts(), &store),
        Choice::Object(BASE.to_owned())
    );
    assert!(
        skipped(climb(rungs, &facts(), &Store::default()))
            .contains("`app/.stream/.schema` does not exist")
    );
    let standalone = StreamFacts {
        schema_key: BASE.to_owned(),
        ..facts()
    };
    assert!(skipped(climb(rungs, &standalone, &store)).contains("no base schema"));
    let without = StreamFacts {
        base_key: None,
        ..facts()
    };
    assert!(skipped(climb(rungs, &without, &store)).contains("no base schema"));
}

#[test]
fn an_object_stands_where_its_key_exists() {
    let rungs =
        r#"["object:{tenant}/defaults/{stream}.schema", "object:defaults/{stream}", "skip"]"#;
    let tenanted = StreamFacts {
        tenant: Some("acme".to_owned()),
        ..facts()
    };
    let store = Store::holding(&["acme/defaults/app.schema", "defaults/app"]);
    assert_eq!(
        climb(rungs, &tenanted, &store),
        Choice::Object("acme/defaults/app.schema".to_owned())
    );
    assert_eq!(
        climb(rungs, &facts(), &store),
        Choice::Object("defaults/app".to_owned())
    );
    let reason = skipped(climb(rungs, &facts(), &Store::default()));
    assert!(reason.contains("only for streams of a tenant"), "{reason}");
    assert!(reason.contains("`defaults/app` does not exist"), "{reason}");
}

#[test]
fn a_named_default_stands_where_it_is_configured() {
    let rungs = r#"["named:wide", "empty"]"#;
    let configured = StreamFacts {
        defaults: vec!["narrow".to_owned(), "wide".to_owned()],
        ..facts()
    };
    let store = Store::default();
    assert_eq!(
        climb(rungs, &configured, &store),
        Choice::Named("wide".to_owned())
    );
    assert_eq!(
        climb(rungs, &facts(), &store),
        Choice::Document(EMPTY_SCHEMA.to_owned())
    );
    assert!(
        store.asked.borrow().is_empty(),
        "nothing is asked of the store"
    );
}

#[test]
fn the_climb_ends_at_skip_and_says_what_each_rung_lacked() {
    let store = Store::default();
    assert_eq!(
        skipped(climb(
            r#"["named:wide", "skip", "empty"]"#,
            &facts(),
            &store
        )),
        "no default schema `wide` is configured for this stream; the ladder ends with `skip`"
    );
    assert_eq!(
        skipped(climb(r#"["peers"]"#, &facts(), &store)),
        "no other node has published a schema"
    );
}

#[test]
fn a_fallback_waits_for_as_long_and_as_many_checks_as_the_operator_says() {
    let settings =
        Settings::parse(r#"{"rungs": ["empty"], "after": {"duration": "2m", "checks": 3}}"#)
            .unwrap();
    let judge = |absent: Option<u64>, absences| {
        let facts = StreamFacts {
            absent_since: absent.map(|age| NOW - age),
            absences,
            ..facts()
        };
        choose(&settings, &facts, &Store::default())
    };
    assert_eq!(
        skipped(judge(Some(90_000), 5)),
        "absent for 1m 30s so far; a fallback waits for 2m"
    );
    assert_eq!(
        skipped(judge(Some(120_000), 2)),
        "absent in 2 of the 3 checks that a fallback waits for"
    );
    assert!(skipped(judge(None, 5)).starts_with("absent for 0ms"));
    assert_eq!(
        judge(Some(120_000), 3),
        Choice::Document(EMPTY_SCHEMA.to_owned())
    );
}

#[test]
fn reasons_stay_within_the_contracts_bound() {
    let rungs = serde_json::json!(vec![format!("named:{}", "x".repeat(500)); 16]).to_string();
    assert!(skipped(climb(&rungs, &facts(), &Store::default())).len() <= 1024);
}

#[test]
fn a_listing_without_an_end_is_given_up() {
    struct Endless;
    impl ObjectReader for Endless {
        fn head(&self, _: &str) -> Result<ObjectInfo, ReadError> {
            Err(ReadError::NotFound)
        }
        fn list_objects(&self, _: &str, _: Option<&str>, _: u32) -> Result<ObjectPage, ReadError> {
            Ok(ObjectPage {
                entries: Vec::new(),
                next: Some("again".to_owned()),
            })
        }
    }
    let settings = Settings::parse("{}").unwrap();
    assert!(skipped(choose(&settings, &facts(), &Endless)).contains("more objects"));
}
