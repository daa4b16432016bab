//! What is found about the stream's other nodes, what it costs, and who looks.

use super::*;

#[tokio::test]
async fn a_conflict_names_the_peer_the_field_and_both_types() {
    let rig = Rig::new();
    rig.publish("app", "a:Utf8 b:Int64").await;
    rig.peer("app", "n2", "a:Utf8 c:Boolean");
    rig.peer("app", "n3", "b:Utf8");
    rig.peer("app", "n4", "b:Utf8");
    rig.peer("app", "dead", "a:Float64");
    let report = rig.verify(&["app"], Scope::WithPeers).await;
    assert_eq!(
        report.findings[0].kind,
        Kind::Conflict {
            field: "b".to_owned(),
            ours: Side {
                node: Some("n1".to_owned()),
                key: Some(key("app")),
                has: "Int64".to_owned(),
                nodes: 1
            },
            theirs: Side {
                node: Some("n3".to_owned()),
                key: Some(key_of("app", "n3")),
                has: "Utf8".to_owned(),
                nodes: 2
            },
        }
    );
    assert_eq!(report.findings.len(), 1);
    insta::assert_snapshot!(lines(&report.findings), @"app: conflict — field `b`: n1 has Int64, n3 and 1 more node have Utf8; nodes that read both can't start: make the types agree at the source");
}

#[tokio::test]
async fn a_base_that_lies_apart_from_the_nodes_is_compared_too() {
    let layout = Layout::templates(&TemplateLayout {
        name: "apart".to_owned(),
        staged: "{stream}/schema.json".to_owned(),
        stored: "{stream}/{node}.json".to_owned(),
        base: Some("bases/{stream}/base.json".to_owned()),
    })
    .unwrap();
    let rig = Rig::with(layout, Rules::default());
    rig.stage("app", "a:Utf8");
    assert_eq!(rig.look("app", 1).await, Phase::Synced);
    rig.bucket.put("bases/app/base.json", json("a:Int64"));
    let report = rig.verify(&["app"], Scope::WithPeers).await;
    assert_eq!(kinds(&report), [("app", "conflict")]);
}

#[tokio::test]
async fn one_get_is_made_for_each_etag_that_is_not_our_own() {
    let rig = Rig::new();
    rig.publish("app", "a:Utf8").await;
    let own = schema("a:Utf8").to_json();
    for at in 0..20 {
        rig.bucket
            .put(&key_of("app", &format!("alike{at}")), own.clone());
        rig.peer("app", &format!("more{at}"), "b:Utf8");
    }
    rig.bucket.put("app/.stream/.schema", json("c:Utf8"));
    let report = rig.verify(&["app"], Scope::WithPeers).await;
    assert_eq!(kinds(&report), []);
    let requests = report.requests;
    assert_eq!((requests.heads, requests.lists, requests.gets), (1, 1, 2));
}

#[tokio::test]
async fn a_missing_object_is_compared_as_it_would_be_restored() {
    let rig = Rig::new();
    rig.publish("app", "a:Utf8").await;
    rig.bucket.remove(&key("app"));
    rig.peer("app", "n2", "a:Int64");
    let report = rig.verify(&["app"], Scope::WithPeers).await;
    assert_eq!(kinds(&report), [("app", "missing"), ("app", "conflict")]);
}

#[tokio::test]
async fn peers_that_cannot_be_read_are_told_and_hide_no_conflict() {
    let rig = Rig::new();
    rig.publish("app", "a:Utf8").await;
    rig.bucket.put(&key_of("app", "n2"), "[]");
    rig.peer("app", "n3", "x:Utf8");
    rig.bucket.break_off(&key_of("app", "n3"));
    rig.bucket.put("app/.stream/.schema", json("a:Int64"));
    let report = rig.verify(&["app"], Scope::WithPeers).await;
    assert_eq!(
        kinds(&report),
        [
            ("app", "corrupt-peer"),
            ("app", "unreachable"),
            ("app", "conflict")
        ]
    );
    assert!(
        report.findings[2]
            .to_string()
            .contains("n1 has Utf8, the base schema has Int64")
    );
    rig.bucket.break_off("app/.stream");
    let report = rig.verify(&["app"], Scope::WithPeers).await;
    assert_eq!(kinds(&report), [("app", "unreachable")]);
}

#[tokio::test]
async fn nothing_is_compared_where_comparisons_are_off() {
    let rules = Rules {
        check_peers: false,
        ..Rules::default()
    };
    let rig = Rig::with(Layout::parseable(ParseableMode::Ingest), rules);
    rig.publish("app", "a:Utf8").await;
    rig.peer("app", "n2", "a:Int64");
    let report = rig.verify(&["app"], Scope::WithPeers).await;
    assert_eq!((kinds(&report), report.requests.total()), (vec![], 1));
    let check = check_peers(&VerifyContext::of(&rig.core), &id("app"), Share::Whole).await;
    assert_eq!(check, PeersCheck::default());
}

#[tokio::test]
async fn all_pairs_that_clash_are_found_even_behind_others() {
    let rig = Rig::new();
    rig.peer("app", "n2", "a:Utf8");
    rig.peer("app", "n3", "a:Int64 b:Int64");
    rig.peer("app", "n4", "b:Utf8");
    rig.peer("app", "n5", "c:Utf8");
    let check = check_peers(&VerifyContext::of(&rig.core), &id("app"), Share::Whole).await;
    let pairs: Vec<_> = check
        .findings
        .iter()
        .map(|finding| match &finding.kind {
            Kind::Conflict {
                field,
                ours,
                theirs,
            } => (
                &**field,
                ours.node.as_deref().unwrap(),
                theirs.node.as_deref().unwrap(),
            ),
            other => panic!("{other:?}"),
        })
        .collect();
    // n4 clashes with n3 only, which no longer counts towards what n2 and n4 have together.
    assert_eq!(pairs, [("a", "n2", "n3"), ("b", "n3", "n4")]);
    assert_eq!((check.requests.lists, check.requests.gets), (1, 4));
}

#[tokio::test]
async fn schemas_that_are_too_large_only_together_are_a_conflict() {
    let rig = Rig::new();
    for node in ["n2", "n3", "n4"] {
        let fields: Vec<_> = (0..crate::schema::MAX_FIELDS / 2)
            .map(|at| format!("{node}{at}:Utf8"))
            .collect();
        rig.peer("app", node, &fields.join(" "));
    }
    let context = VerifyContext {
        max_schema_size: u64::MAX,
        ..VerifyContext::of(&rig.core)
    };
    let check = check_peers(&context, &id("app"), Share::Whole).await;
    assert_eq!(check.findings.len(), 1);
    let line = check.findings[0].to_string();
    assert!(line.contains("together"), "{line}");
}

#[tokio::test]
async fn conflicts_without_end_are_cut() {
    let rig = Rig::new();
    for at in 0..10 {
        rig.peer("app", &format!("i{at}"), &format!("a:Int64 i{at}:Utf8"));
        rig.peer("app", &format!("u{at}"), &format!("a:Utf8 u{at}:Utf8"));
    }
    let check = check_peers(&VerifyContext::of(&rig.core), &id("app"), Share::Whole).await;
    assert_eq!(check.findings.len(), MAX_CONFLICTS);
}

#[tokio::test]
async fn only_the_node_whose_turn_it_is_downloads_anything() {
    let rig = Rig::new();
    rig.peer("app", "n1", "a:Utf8");
    rig.peer("app", "n2", "a:Int64");
    let context = VerifyContext::of(&rig.core);
    let mut mine = 0;
    for round in 0..20 {
        let check = check_peers(&context, &id("app"), Share::Round(round)).await;
        let expected = if check.compared { (2, 1) } else { (0, 0) };
        assert_eq!((check.requests.gets, check.findings.len()), expected);
        let nodes = [key("app"), key_of("app", "n2")];
        let other = is_my_turn(
            &nodes[1],
            &id("app"),
            round,
            nodes.iter().map(String::as_str),
        );
        assert_ne!(check.compared, other, "always one of the two");
        mine += usize::from(check.compared);
    }
    assert!((1..20).contains(&mine), "{mine} of 20 rounds");
}

#[test]
fn turns_are_spread_evenly_and_move_only_with_the_node_that_leaves() {
    let nodes: Vec<_> = (0..10).map(|at| format!("n{at}")).collect();
    let all = || nodes.iter().map(String::as_str);
    let mut turns = BTreeMap::new();
    for at in 0..2_000 {
        let stream = id(&format!("s{at}"));
        let of = |nodes: &[&str]| -> Vec<String> {
            let nodes = nodes.iter().copied();
            let turn = nodes
                .clone()
                .filter(|node| is_my_turn(node, &stream, 7, nodes.clone()));
            turn.map(str::to_owned).collect()
        };
        let before = of(&all().collect::<Vec<_>>());
        assert_eq!(before.len(), 1, "exactly one node");
        let after = of(&all().skip(1).collect::<Vec<_>>());
        assert!(before == after || before == ["n0"], "{before:?} {after:?}");
        *turns.entry(before[0].clone()).or_insert(0) += 1;
    }
    assert!(
        turns.len() == 10 && turns.values().all(|count| (150..250).contains(count)),
        "{turns:?}"
    );
    let tenant = StreamId::with_tenant("t", "s");
    let rounds: BTreeSet<_> = (0..50)
        .flat_map(|round| all().find(|node| is_my_turn(node, &tenant, round, all())))
        .collect();
    assert_eq!(rounds.len(), 10, "over the rounds everybody has a turn");
    assert!(!is_my_turn("stranger", &tenant, 0, all()));
}

#[test]
fn every_version_of_tidegate_comes_to_the_same_turns() {
    let nodes = ["n1", "n2", "n3", "n4"];
    let turn = |stream: &str, round| {
        nodes
            .into_iter()
            .find(|node| is_my_turn(node, &id(stream), round, nodes))
    };
    let turns: Vec<_> = (0..4)
        .flat_map(|round| [turn("app", round), turn("web", round)])
        .flatten()
        .collect();
    insta::assert_snapshot!(turns.join(" "), @"n3 n2 n3 n3 n1 n3 n1 n1");
}
