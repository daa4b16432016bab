use tidegate_policy::testing::{self, FakeHost, facts};

use super::*;

/// A schema with these fields and types.
fn schema(fields: &[(&str, &str)]) -> String {
    let field = |(name, kind): &(&str, &str)| {
        format!(r#"{{"name":"{name}","data_type":"{kind}","nullable":true,"metadata":{{}}}}"#)
    };
    let fields: Vec<String> = fields.iter().map(field).collect();
    format!(r#"{{"fields":[{}],"metadata":{{}}}}"#, fields.join(","))
}

/// A host where each of these is another node's schema.
fn nodes(schemas: &[String]) -> FakeHost {
    schemas
        .iter()
        .enumerate()
        .fold(FakeHost::new(), |host, (at, schema)| {
            let key = format!("app/.stream/.ingestor.n{}.schema", at + 2);
            host.object(&key, schema.as_str())
        })
}

fn ask(settings: &str, host: &FakeHost) -> Choice {
    let quorum: Quorum = testing::settings(settings);
    quorum.choose(&facts(), "absent", host).unwrap()
}

fn fields(choice: &Choice) -> Vec<(String, String)> {
    let Choice::Document(document) = choice else {
        panic!("no document: {choice:?}")
    };
    let document: serde_json::Value = serde_json::from_str(document).unwrap();
    let field = |field: &serde_json::Value| {
        let text = |key: &str| field[key].as_str().unwrap().to_owned();
        (text("name"), text("data_type"))
    };
    document["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(field)
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, kind): &(&str, &str)| ((*name).to_owned(), (*kind).to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
fn a_field_has_the_type_that_most_of_its_nodes_hold() {
    let host = nodes(&[
        schema(&[("status", "Int64"), ("path", "Utf8")]),
        schema(&[("status", "Int64")]),
        schema(&[("status", "Utf8"), ("user", "Utf8")]),
    ]);
    let expected = [("path", "Utf8"), ("status", "Int64"), ("user", "Utf8")];
    assert_eq!(fields(&ask("{}", &host)), pairs(&expected));
}

#[test]
fn a_field_without_a_majority_is_left_out_and_told_of() {
    let host = nodes(&[
        schema(&[("status", "Int64"), ("path", "Utf8")]),
        schema(&[("status", "Utf8")]),
        schema(&[]),
    ]);
    assert_eq!(fields(&ask("{}", &host)), pairs(&[("path", "Utf8")]));
    let logged = host.logged();
    let [(Level::Warn, line)] = logged.as_slice() else {
        panic!("{logged:?}")
    };
    assert_eq!(
        line,
        "field `status` is left out: 1 for \"Int64\", 1 for \"Utf8\""
    );
}

#[test]
fn a_larger_share_can_be_asked_for() {
    let host = nodes(&[
        schema(&[("status", "Int64")]),
        schema(&[("status", "Int64")]),
        schema(&[("status", "Utf8")]),
    ]);
    assert_eq!(fields(&ask(r#"{"share": 0.7}"#, &host)), []);
}

#[test]
fn few_nodes_are_no_vote() {
    let host = nodes(&[schema(&[("a", "Utf8")]), schema(&[("a", "Utf8")])]);
    assert_eq!(ask("{}", &host), Choice::Abstain);
    assert!(matches!(
        ask(r#"{"min-nodes": 2}"#, &host),
        Choice::Document(_)
    ));
}

#[test]
fn more_nodes_than_are_read_have_no_vote() {
    let mut schemas = vec![schema(&[("a", "Utf8")]); 3];
    schemas.push(schema(&[("b", "Utf8")]));
    let host = nodes(&schemas);
    let voted = ask(r#"{"max-nodes": 3}"#, &host);
    assert_eq!(fields(&voted), pairs(&[("a", "Utf8")]));
    assert_eq!(
        host.logged()[0].1,
        "more than 3 nodes: the others have no vote"
    );
}

#[test]
fn what_is_no_schema_has_no_vote() {
    let host = nodes(&[
        schema(&[("a", "Utf8")]),
        schema(&[("a", "Utf8")]),
        "torn".to_owned(),
    ]);
    assert_eq!(ask("{}", &host), Choice::Abstain);
    assert!(host.logged()[0].1.contains("has no vote"));
}

#[test]
fn this_nodes_own_schema_and_markers_have_no_vote() {
    let host = nodes(&[schema(&[("a", "Utf8")])])
        .object("app/.stream/.ingestor.n1.schema", schema(&[("a", "Int64")]))
        .object("app/.stream/.ingestor.n2.stream.json", "{}");
    let voted = ask(r#"{"min-nodes": 1}"#, &host);
    assert_eq!(fields(&voted), pairs(&[("a", "Utf8")]));
}

#[test]
fn a_store_that_fails_ends_the_vote() {
    let schemas = vec![schema(&[("a", "Utf8")]); 3];
    for place in ["app/.stream/", "app/.stream/.ingestor.n3.schema"] {
        let host = nodes(&schemas).unavailable(place);
        let Choice::Skip(reason) = ask("{}", &host) else {
            panic!("a vote was counted by half")
        };
        assert!(reason.contains("the store says no"), "{reason}");
    }
}

#[test]
fn the_settings_are_told_as_they_are() {
    testing::assert_schema_fits::<Quorum>();
    for settings in [
        r#"{"min-nodes": 0}"#,
        r#"{"min-nodes": 31}"#,
        r#"{"share": 0.4}"#,
        r#"{"share": 1}"#,
    ] {
        let problems = testing::problems::<Quorum>(settings);
        assert_eq!(problems.len(), 1, "{settings}: {problems:?}");
    }
}
