use tidegate_policy::testing::{self, FakeHost, NOW, facts};

use super::*;

/// A store with these keys, two to a page.
fn holding(keys: &[&str]) -> FakeHost {
    let empty = FakeHost::new().page(2);
    keys.iter().fold(empty, |host, key| host.object(key, "{}"))
}

fn climb(rungs: &str, facts: &Facts, host: &FakeHost) -> Choice {
    let ladder: Ladder = testing::settings(&format!(r#"{{"rungs": {rungs}}}"#));
    ladder.choose(facts, "absent", host).unwrap()
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
    let choice = climb(r#"["peers", "empty"]"#, &facts(), &holding(&keys));
    assert_eq!(choice, Choice::Peers);
}

#[test]
fn peers_stand_on_the_base_alone() {
    // In a layout whose base lies elsewhere, the listing does not show it.
    let facts = Facts {
        base_key: Some("bases/app.schema".to_owned()),
        ..facts()
    };
    let host = holding(&["bases/app.schema"]);
    assert_eq!(climb(r#"["peers", "empty"]"#, &facts, &host), Choice::Peers);
}

#[test]
fn this_nodes_own_schema_and_markers_are_no_peers() {
    let mut keys = MARKERS.to_vec();
    keys.push(OWN);
    let choice = climb(r#"["peers", "empty"]"#, &facts(), &holding(&keys));
    assert_eq!(choice, Choice::Document(EMPTY_SCHEMA.to_owned()));
}

#[test]
fn peers_of_other_layouts_are_known_by_how_the_own_key_ends() {
    let facts = Facts {
        schema_key: "app/n1.schema.json".to_owned(),
        peers_prefix: "app/".to_owned(),
        base_key: None,
        ..facts()
    };
    let rungs = r#"["peers", "skip"]"#;
    assert_eq!(
        climb(rungs, &facts, &holding(&["app/n2.schema.json"])),
        Choice::Peers
    );
    let others = holding(&["app/n2.json", "app/data.schema.parquet"]);
    assert!(skipped(climb(rungs, &facts, &others)).contains("no other node"));
    assert_eq!(schema_suffix("a.schema/n1.avsc"), ".avsc");
    assert_eq!(schema_suffix("a/n1"), "");
}

#[test]
fn a_failing_store_never_leads_to_a_worse_fallback() {
    for place in ["app/.stream/", BASE] {
        let host = FakeHost::new().unavailable(place);
        let reason = skipped(climb(r#"["peers", "empty", "skip"]"#, &facts(), &host));
        assert!(
            reason.contains("the store failed") && reason.contains("the store says no"),
            "{reason}"
        );
    }
    let host = FakeHost::new().unavailable("defaults/app");
    let reason = skipped(climb(
        r#"["object:defaults/{stream}", "empty"]"#,
        &facts(),
        &host,
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
        let host = holding(&[PEER]).failing("app/.stream/", error);
        let reason = skipped(climb(r#"["peers", "empty"]"#, &facts(), &host));
        assert!(reason.contains(setting), "{reason}");
    }
}

#[test]
fn the_base_stands_where_it_exists_and_is_not_the_nodes_own() {
    let rungs = r#"["base", "skip"]"#;
    let host = holding(&[BASE]);
    assert_eq!(
        climb(rungs, &facts(), &host),
        Choice::Object(BASE.to_owned())
    );
    assert!(
        skipped(climb(rungs, &facts(), &FakeHost::new()))
            .contains("`app/.stream/.schema` does not exist")
    );
    let standalone = Facts {
        schema_key: BASE.to_owned(),
        ..facts()
    };
    assert!(skipped(climb(rungs, &standalone, &host)).contains("no base schema"));
    let without = Facts {
        base_key: None,
        ..facts()
    };
    assert!(skipped(climb(rungs, &without, &host)).contains("no base schema"));
}

#[test]
fn an_object_stands_where_its_key_exists() {
    let rungs =
        r#"["object:{tenant}/defaults/{stream}.schema", "object:defaults/{stream}", "skip"]"#;
    let tenanted = Facts {
        tenant: Some("acme".to_owned()),
        ..facts()
    };
    let host = holding(&["acme/defaults/app.schema", "defaults/app"]);
    assert_eq!(
        climb(rungs, &tenanted, &host),
        Choice::Object("acme/defaults/app.schema".to_owned())
    );
    assert_eq!(
        climb(rungs, &facts(), &host),
        Choice::Object("defaults/app".to_owned())
    );
    let reason = skipped(climb(rungs, &facts(), &FakeHost::new()));
    assert!(reason.contains("only for streams of a tenant"), "{reason}");
    assert!(reason.contains("`defaults/app` does not exist"), "{reason}");
}

#[test]
fn a_named_default_stands_where_it_is_configured() {
    let rungs = r#"["named:wide", "empty"]"#;
    let configured = Facts {
        defaults: vec!["narrow".to_owned(), "wide".to_owned()],
        ..facts()
    };
    let host = FakeHost::new();
    assert_eq!(
        climb(rungs, &configured, &host),
        Choice::Named("wide".to_owned())
    );
    assert_eq!(
        climb(rungs, &facts(), &host),
        Choice::Document(EMPTY_SCHEMA.to_owned())
    );
    assert!(host.asked().is_empty(), "nothing is asked of the store");
}

#[test]
fn the_climb_ends_at_skip_and_says_what_each_rung_lacked() {
    let host = FakeHost::new();
    assert_eq!(
        skipped(climb(r#"["named:wide", "skip", "empty"]"#, &facts(), &host)),
        "no default schema `wide` is configured for this stream; the ladder ends with `skip`"
    );
    assert_eq!(
        skipped(climb(r#"["peers"]"#, &facts(), &host)),
        "no other node has published a schema"
    );
}

#[test]
fn a_fallback_waits_for_as_long_and_as_many_checks_as_the_operator_says() {
    let ladder: Ladder =
        testing::settings(r#"{"rungs": ["empty"], "after": {"duration": "2m", "checks": 3}}"#);
    let judge = |absent: Option<u64>, absences| {
        let facts = Facts {
            absent_since: absent.map(|age| NOW - Span::secs(age)),
            absences,
            ..facts()
        };
        ladder.choose(&facts, "absent", &FakeHost::new()).unwrap()
    };
    assert_eq!(
        skipped(judge(Some(90), 5)),
        "absent for 1m 30s so far; a fallback waits for 2m"
    );
    assert_eq!(
        skipped(judge(Some(120), 2)),
        "absent in 2 of the 3 checks that a fallback waits for"
    );
    assert!(skipped(judge(None, 5)).starts_with("absent for 0ms"));
    assert_eq!(
        judge(Some(120), 3),
        Choice::Document(EMPTY_SCHEMA.to_owned())
    );
}

#[test]
fn a_listing_without_an_end_is_given_up() {
    let keys: Vec<String> = (0..=MAX_OBJECTS)
        .map(|number| format!("app/.stream/{number}"))
        .collect();
    let host = keys
        .iter()
        .fold(FakeHost::new(), |host, key| host.object(key, ""));
    assert!(skipped(climb(r#"["peers", "empty"]"#, &facts(), &host)).contains("more objects"));
}
