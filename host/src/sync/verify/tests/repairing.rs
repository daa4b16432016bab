//! What a repair restores, what it leaves alone, and what it says about it.

use super::*;

fn remedies(report: &Report) -> Vec<(&str, &str, String)> {
    let findings = report.findings.iter();
    findings
        .map(|finding| {
            let remedy = match &finding.repair {
                Some(Remedy::NotRepaired { why }) => why.clone(),
                remedy => format!("{remedy:?}"),
            };
            (&*finding.stream.name, finding.kind.name(), remedy)
        })
        .collect()
}

#[tokio::test]
async fn losses_are_restored_from_the_ledger() {
    let rig = Rig::repairing();
    for stream in ["corrupt", "missing", "overwritten"] {
        rig.publish(stream, "a:Utf8 b:Int64").await;
    }
    rig.bucket.put(&key("corrupt"), "{");
    rig.bucket.remove(&key("missing"));
    rig.bucket
        .put(&key("overwritten"), json("b:Int64 c:Boolean"));
    let report = rig
        .verify_and_repair(&["corrupt", "missing", "overwritten"])
        .await;
    let repaired = "Some(Repaired)".to_owned();
    assert_eq!(
        remedies(&report),
        [
            ("corrupt", "corrupt", repaired.clone()),
            ("missing", "missing", repaired.clone()),
            ("overwritten", "overwritten", repaired)
        ]
    );
    assert_eq!(rig.stored("corrupt"), Some(schema("a:Utf8 b:Int64")));
    assert_eq!(rig.stored("missing"), Some(schema("a:Utf8 b:Int64")));
    assert_eq!(
        rig.stored("overwritten"),
        Some(schema("a:Utf8 b:Int64 c:Boolean"))
    );
    assert_eq!(report.worst(), None);
    assert_eq!(report.requests.puts, 3);
    let again = rig
        .verify(&["corrupt", "missing", "overwritten"], Scope::Own)
        .await;
    assert_eq!((kinds(&again), again.requests.total()), (vec![], 3));
    assert_eq!(
        report.findings[1].to_string(),
        "missing: missing — the store has no object at missing/.stream/.ingestor.n1.schema; repaired"
    );
    let summary = report.to_string();
    assert!(summary.ends_with(": 3 repaired"), "{summary}");
}

#[tokio::test]
async fn nothing_is_restored_of_a_stream_that_was_deleted_or_created_anew() {
    let rig = Rig::repairing();
    for stream in ["anew", "anew-empty", "anew-corrupt", "gone"] {
        rig.publish(stream, "a:Utf8 b:Int64").await;
        rig.bucket.remove(&key(stream));
        rig.mark(stream, NEW);
    }
    rig.bucket.put(&key("anew"), json("a:Int64"));
    rig.bucket.put(&key("anew-corrupt"), "{");
    rig.bucket.remove(&marker_key("gone"));
    let before = rig.bucket.all();
    let report = rig
        .verify_and_repair(&["anew", "anew-corrupt", "anew-empty", "gone"])
        .await;
    assert_eq!(rig.bucket.all(), before);
    let noted = "Some(Noted)".to_owned();
    let corrupt =
        "schema conflict: the stored object is corrupt: truncated at line 1, column 1".to_owned();
    assert_eq!(
        remedies(&report),
        [
            ("anew", "created-anew", noted.clone()),
            ("anew-corrupt", "created-anew", corrupt),
            ("anew-empty", "created-anew", noted.clone()),
            ("gone", "gone", noted)
        ]
    );
    assert_eq!(rig.known("gone").await.phase, Phase::Gone);
    let anew = rig.known("anew").await.confirmed.unwrap().document.schema;
    assert_eq!(anew, schema("a:Int64"), "as it is stored");
}

#[tokio::test]
async fn a_stream_created_anew_between_the_look_and_the_repair_gets_nothing_of_the_old_one() {
    for stored in [None, Some(json("a:Int64")), Some("{".to_owned())] {
        let rig = Rig::repairing();
        rig.publish("app", "a:Utf8 b:Int64").await;
        rig.bucket.remove(&key("app"));
        let mut report = rig.verify(&["app"], Scope::Own).await;
        rig.mark("app", NEW);
        if let Some(stored) = stored {
            rig.bucket.put(&key("app"), stored);
        }
        let before = rig.bucket.all();
        repair(&rig.core, &mut report, &mut |_, _| {}).await;
        assert_eq!(rig.bucket.all(), before);
    }
}

#[tokio::test]
async fn what_went_missing_while_the_agent_ran_without_repairs_is_restored() {
    let rig = Rig::repairing();
    rig.publish("app", "a:Utf8").await;
    rig.bucket.remove(&key("app"));
    let mut stream = rig.known("app").await;
    for phase in [Phase::Awaiting, Phase::Idle] {
        stream.phase = phase;
        rig.core
            .journal
            .save(&id("app"), &stream, None, rig.clock.now())
            .await
            .unwrap();
        let report = rig.verify_and_repair(&["app"]).await;
        assert_eq!(
            remedies(&report),
            [("app", "missing", "Some(Repaired)".to_owned())]
        );
        rig.bucket.remove(&key("app"));
    }
}

#[tokio::test]
async fn a_repair_that_would_contradict_a_peer_is_refused_and_says_so() {
    let rig = Rig::repairing();
    rig.publish("app", "a:Utf8").await;
    rig.bucket.remove(&key("app"));
    rig.peer("app", "n2", "a:Int64");
    rig.clock.0.fetch_add(3_600_000, Ordering::Relaxed);
    let report = rig.verify_and_repair(&["app"]).await;
    insta::assert_snapshot!(lines(&report.findings), @"app: missing — the store has no object at app/.stream/.ingestor.n1.schema; not repaired: schema conflict: nodes disagree about the field `a`: Utf8 on this node (n1), Int64 on node n2; a node that restarts now will not start (`tidegate resolve` changes the type in a node's own schema)");
    assert_eq!(
        (rig.stored("app"), report.worst()),
        (None, Some(Severity::Error))
    );
    let summary = report.to_string();
    assert!(summary.ends_with(": 1 error"), "{summary}");
}

#[tokio::test]
async fn what_cannot_be_repaired_says_why() {
    let rig = Rig::repairing();
    rig.publish("app", "a:Utf8").await;
    rig.publish("web", "a:Utf8").await;
    rig.bucket.break_off(&key("web"));
    rig.peer("app", "n2", "a:Int64");
    rig.bucket.put(&key_of("app", "n3"), "{");
    let mut report = rig.verify(&["app", "web"], Scope::WithPeers).await;
    let before = rig.bucket.all();
    repair(&rig.core, &mut report, &mut |_, _| {}).await;
    assert_eq!(
        remedies(&report),
        [
            (
                "app",
                "corrupt-peer",
                "another node's object is never touched".to_owned()
            ),
            (
                "app",
                "conflict",
                "types are never changed: make them agree at the source".to_owned()
            ),
            ("web", "unreachable", "nothing is known of it".to_owned())
        ]
    );
    assert_eq!(rig.bucket.all(), before);
}

#[tokio::test]
async fn nothing_is_repaired_unless_the_operator_says_so() {
    let rig = Rig::new();
    rig.publish("app", "a:Utf8").await;
    rig.bucket.remove(&key("app"));
    let report = rig.verify_and_repair(&["app"]).await;
    let why = "repairs are off: set `repair` in [verify]".to_owned();
    assert_eq!(remedies(&report), [("app", "missing", why)]);
    assert_eq!(rig.stored("app"), None);
}

#[tokio::test]
async fn a_store_that_refuses_the_write_is_the_reason() {
    let rig = Rig::repairing();
    rig.publish("app", "a:Utf8").await;
    rig.bucket.remove(&key("app"));
    let mut report = rig.verify(&["app"], Scope::Own).await;
    rig.bucket.break_off(&key("app"));
    repair(&rig.core, &mut report, &mut |_, _| {}).await;
    let remedies = remedies(&report);
    assert!(remedies[0].2.contains("slow down"), "{remedies:?}");
}

#[tokio::test]
async fn a_dry_run_says_what_it_would_restore() {
    let rig = Rig::repairing();
    rig.publish("app", "a:Utf8").await;
    rig.bucket.remove(&key("app"));
    rig.core.gate.set(Writes::Rehearsed);
    let report = rig.verify_and_repair(&["app"]).await;
    let why = format!("this is a dry run; it would create {}", key("app"));
    assert_eq!(remedies(&report), [("app", "missing", why)]);
    assert_eq!(rig.stored("app"), None);
}

#[tokio::test]
async fn a_write_that_was_never_answered_is_found_out_about_first() {
    let rig = Rig::repairing();
    rig.publish("app", "a:Utf8").await;
    rig.bucket.remove(&key("app"));
    let mut stream = rig.known("app").await;
    stream.phase = Phase::Pending;
    stream.intent = Some(crate::sync::machine::Intent {
        document: crate::sync::machine::Document::new(schema("a:Utf8")),
        mode: crate::sync::machine::Mode::Create,
        source: crate::sync::machine::Source::Local,
    });
    rig.core
        .journal
        .save(&id("app"), &stream, None, rig.clock.now())
        .await
        .unwrap();
    let report = rig.verify_and_repair(&["app"]).await;
    assert_eq!(
        remedies(&report),
        [("app", "missing", "Some(Repaired)".to_owned())]
    );
}

#[tokio::test]
async fn the_last_sighting_of_the_staged_file_survives_a_repair() {
    let rig = Rig::repairing();
    rig.publish("app", "a:Utf8").await;
    rig.bucket.remove(&key("app"));
    let before = rig.known("app").await.sighting;
    rig.verify_and_repair(&["app"]).await;
    assert_eq!(rig.known("app").await.sighting, before);
}

#[tokio::test]
async fn layouts_without_markers_are_repaired_too() {
    let rig = Rig::with(Layout::plain(), repairs(Repair::All));
    rig.stage("app", "a:Utf8");
    assert_eq!(rig.look("app", 1).await, Phase::Synced);
    rig.bucket.remove("app/n1.schema.json");
    let report = rig.verify_and_repair(&["app"]).await;
    assert_eq!(
        remedies(&report),
        [("app", "missing", "Some(Repaired)".to_owned())]
    );
    assert!(rig.bucket.get("app/n1.schema.json").is_some());
}
