//! What a verification finds about this node's own objects, and what it costs.

use super::*;
use crate::sync::machine::{Confirmed, Document, Marker, Source};

#[tokio::test]
async fn an_unchanged_stream_costs_one_head() {
    let rig = Rig::new();
    for stream in ["a", "b", "c"] {
        rig.publish(stream, "x:Utf8").await;
    }
    let before = rig.core.store.requests();
    let report = rig.verify(&["a", "b", "c"], Scope::Own).await;
    assert_eq!((report.checked, &report.findings[..]), (3, &[][..]));
    assert_eq!((report.requests.heads, report.requests.total()), (3, 3));
    let spent = rig.core.store.requests().total() - before.total();
    assert_eq!(spent, 3, "the agent's own count holds them too");
    assert_eq!(
        report.to_string(),
        "checked 3 streams with 3 requests: all as the ledger knows it"
    );
}

#[tokio::test]
async fn every_kind_of_change_is_told_apart() {
    let rig = Rig::new();
    for stream in [
        "corrupt", "drifted", "emptied", "gone", "missing", "new", "retyped", "same",
    ] {
        rig.publish(stream, "a:Utf8 b:Int64").await;
    }
    rig.bucket.put(&key("corrupt"), "{");
    rig.bucket
        .put(&key("drifted"), json("a:Utf8 b:Int64 c:Boolean"));
    rig.bucket.put(&key("emptied"), json("a:Utf8"));
    rig.bucket.remove(&key("gone"));
    rig.bucket.remove(&marker_key("gone"));
    rig.bucket.remove(&key("missing"));
    rig.mark("new", NEW);
    rig.bucket.put(&key("new"), json("z:Utf8"));
    rig.bucket.put(&key("retyped"), json("a:Int64 b:Int64"));
    // The same fields in another order are other bytes, and the same schema.
    rig.bucket.put(&key("same"), json("b:Int64 a:Utf8"));
    let before = (rig.bucket.all(), rig.known("missing").await);

    let all = [
        "corrupt", "drifted", "emptied", "gone", "missing", "new", "retyped", "same",
    ];
    let report = rig.verify(&all, Scope::Own).await;
    assert_eq!(report.checked, 8);
    insta::assert_snapshot!(lines(&report.findings), @r"
    corrupt: corrupt — the object at corrupt/.stream/.ingestor.n1.schema is no schema: truncated at line 1, column 1; `tidegate verify --repair` restores it from the ledger
    drifted: drifted — the object at drifted/.stream/.ingestor.n1.schema gained `c` (Boolean)
    emptied: overwritten — the object at emptied/.stream/.ingestor.n1.schema lost `b` (Int64); `tidegate verify --repair` merges what is lost back in
    gone: gone — the stream was deleted from the store; what the ledger knows of it stays there
    missing: missing — the store has no object at missing/.stream/.ingestor.n1.schema; `tidegate verify --repair` restores it from the ledger
    new: created-anew — the stream was deleted and created anew at 2100-01-01T00:00:00.000Z; what was before stays in the ledger
    retyped: overwritten — the object at retyped/.stream/.ingestor.n1.schema changed `a` (Utf8 → Int64); `tidegate verify --repair` merges what is lost back in
    ");
    assert_eq!(report.worst(), Some(Severity::Error));
    let streams: Vec<_> = report.to_look_at().map(|id| id.name.to_string()).collect();
    assert_eq!(
        streams,
        [
            "corrupt", "drifted", "emptied", "gone", "missing", "new", "retyped"
        ]
    );
    assert_eq!(
        before,
        (rig.bucket.all(), rig.known("missing").await),
        "nothing was written"
    );
}

#[tokio::test]
async fn the_json_is_a_contract() {
    let rig = Rig::new();
    rig.publish("app", "a:Utf8 b:Int64").await;
    rig.publish("web", "a:Utf8").await;
    rig.bucket.put(&key("app"), json("a:Utf8 c:Int64"));
    rig.bucket.break_off(&key("web"));
    rig.peer("app", "n2", "a:Int64");
    let report = rig.verify(&["app", "web"], Scope::WithPeers).await;
    insta::assert_json_snapshot!(report, @r#"
    {
      "version": 1,
      "node": "n1",
      "checked": 2,
      "requests": {
        "heads": 2,
        "gets": 3,
        "lists": 1,
        "puts": 0,
        "total": 6
      },
      "store": null,
      "findings": [
        {
          "tenant": null,
          "name": "app",
          "severity": "error",
          "kind": "overwritten",
          "key": "app/.stream/.ingestor.n1.schema",
          "lost": [
            {
              "field": "b",
              "type": "Int64",
              "nullable": true
            }
          ],
          "changed": [],
          "omitted": 0
        },
        {
          "tenant": null,
          "name": "app",
          "severity": "error",
          "kind": "conflict",
          "field": "a",
          "ours": {
            "node": "n1",
            "key": "app/.stream/.ingestor.n1.schema",
            "has": "Utf8",
            "nodes": 1
          },
          "theirs": {
            "node": "n2",
            "key": "app/.stream/.ingestor.n2.schema",
            "has": "Int64",
            "nodes": 1
          }
        },
        {
          "tenant": null,
          "name": "web",
          "severity": "error",
          "kind": "unreachable",
          "key": "web/.stream/.ingestor.n1.schema",
          "failure": "throttled",
          "message": "slow down"
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn a_request_that_fails_is_a_finding_and_the_others_are_checked() {
    let rig = Rig::new();
    for stream in ["a", "b", "c"] {
        rig.publish(stream, "x:Utf8").await;
    }
    rig.bucket.break_off(&key("b"));
    rig.bucket.remove(&key("c"));
    let report = rig.verify(&["a", "b", "c"], Scope::Own).await;
    assert_eq!(kinds(&report), [("b", "unreachable"), ("c", "missing")]);
    assert_eq!(
        report.findings[0].to_string(),
        "b: unreachable — b/.stream/.ingestor.n1.schema could not be checked: store throttled: slow down"
    );
}

#[tokio::test]
async fn a_loss_is_not_claimed_while_the_marker_cannot_be_asked_for() {
    let rig = Rig::new();
    rig.publish("app", "x:Utf8").await;
    rig.bucket.remove(&key("app"));
    rig.bucket.break_off(&marker_key("app"));
    let report = rig.verify(&["app"], Scope::Own).await;
    assert_eq!(kinds(&report), [("app", "unreachable")]);
}

#[tokio::test]
async fn streams_without_confirmed_content_are_passed_over() {
    let rig = Rig::new();
    rig.mark("idle", OLD);
    assert_eq!(rig.look("idle", 1).await, Phase::Idle);
    rig.publish("left", "x:Utf8").await;
    rig.bucket.remove(&key("left"));
    rig.bucket.remove(&marker_key("left"));
    let occasion = Occasion::Looked(Trigger::Verification, Sighting::default());
    let left = rig.core.attempt(&id("left"), occasion).await;
    assert_eq!(left.unwrap().phase, Phase::Gone);
    let report = rig.verify(&["idle", "left", "nobody's"], Scope::Own).await;
    assert_eq!((report.checked, report.requests.total()), (0, 0));
}

#[tokio::test]
async fn what_went_missing_is_found_again_and_again() {
    let rig = Rig::new();
    rig.publish("app", "x:Utf8").await;
    rig.bucket.remove(&key("app"));
    let sighting = rig.known("app").await.sighting;
    let look = Occasion::Looked(Trigger::Verification, sighting);
    for (occasion, phase) in [
        (look, Phase::Awaiting),
        (Occasion::StagingGone, Phase::Awaiting),
    ] {
        let after = rig.core.attempt(&id("app"), occasion).await.unwrap().phase;
        assert_eq!(after, phase);
        let report = rig.verify(&["app"], Scope::Own).await;
        assert_eq!(kinds(&report), [("app", "missing")], "{phase}");
    }
}

#[tokio::test]
async fn a_conflict_between_the_staged_and_the_stored_schema_is_found_without_a_download() {
    let rig = Rig::new();
    rig.publish("app", "a:Utf8").await;
    rig.stage("app", "a:Int64");
    assert_eq!(rig.look("app", 2).await, Phase::Conflicted);
    let report = rig.verify(&["app"], Scope::Own).await;
    assert_eq!(report.requests.total(), 1);
    insta::assert_snapshot!(lines(&report.findings), @"app: conflict — field `a`: n1 (unpublished) has Int64, n1 has Utf8; nodes that read both can't start: make the types agree at the source");
}

#[tokio::test]
async fn what_the_agent_wrote_meanwhile_is_no_finding() {
    let rig = Rig::new();
    rig.publish("app", "a:Utf8").await;
    let stale = rig.known("app").await;
    rig.stage("app", "a:Utf8 b:Int64");
    assert_eq!(rig.look("app", 2).await, Phase::Synced);
    let journal = Stale(std::sync::Mutex::new(Some(stale)), &rig.core);
    let context = VerifyContext {
        journal: &journal,
        ..VerifyContext::of(&rig.core)
    };
    let report = verify(&context, vec![id("app")], Scope::Own, &mut |_, _| {})
        .await
        .unwrap();
    assert_eq!((report.checked, &report.findings[..]), (1, &[][..]));
}

#[tokio::test]
async fn a_write_whose_answer_never_came_is_no_finding() {
    let rig = Rig::new();
    rig.publish("app", "a:Utf8").await;
    let mut stream = rig.known("app").await;
    stream.intent = Some(crate::sync::machine::Intent {
        document: Document::new(schema("a:Utf8 b:Int64")),
        mode: crate::sync::machine::Mode::Create,
        source: Source::Local,
    });
    rig.core
        .journal
        .save(&id("app"), &stream, None, rig.clock.now())
        .await
        .unwrap();
    rig.bucket
        .put(&key("app"), schema("a:Utf8 b:Int64").to_json());
    assert_eq!(kinds(&rig.verify(&["app"], Scope::Own).await), []);
}

#[tokio::test]
async fn a_fallback_that_the_node_replaced_has_drifted() {
    let rig = Rig::new();
    rig.mark("app", OLD);
    let mut stream = Stream {
        phase: Phase::Provisional,
        ..Stream::unseen()
    };
    stream.confirmed = Some(Confirmed {
        document: Document::new(schema("p:Utf8")),
        version: None,
        source: Source::Peers,
    });
    rig.core
        .journal
        .save(&id("app"), &stream, None, rig.clock.now())
        .await
        .unwrap();
    rig.bucket.put(&key("app"), json("a:Utf8"));
    let report = rig.verify(&["app"], Scope::Own).await;
    assert_eq!(
        report.findings[0].kind,
        Kind::Drifted {
            key: key("app"),
            gained: vec![note("a", "Utf8")],
            changed: vec![],
            lost: vec![note("p", "Utf8")],
            omitted: 0
        }
    );
    assert_eq!(
        (report.requests.heads, report.requests.gets),
        (0, 1),
        "without a known version only a GET tells"
    );

    rig.bucket.remove(&key("app"));
    let report = rig.verify(&["app"], Scope::Own).await;
    assert_eq!(
        report.findings[0].kind,
        Kind::Missing {
            key: key("app"),
            restorable: false
        }
    );
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_a_finding() {
    let rig = Rig::new();
    rig.publish("app", "a:Utf8").await;
    rig.publish("bad", "a:Utf8").await;
    let connection = rusqlite::Connection::open(rig.ledger()).unwrap();
    connection
        .execute("UPDATE streams SET state = 'x' WHERE name = 'bad'", [])
        .unwrap();
    let report = rig.verify(&["app", "bad"], Scope::Own).await;
    assert_eq!(kinds(&report), [("bad", "unverifiable")]);
}

#[tokio::test]
async fn a_reader_beside_the_agent_finds_the_same_and_needs_no_lock() {
    let rig = Rig::new();
    rig.publish("app", "a:Utf8 b:Int64").await;
    rig.bucket.put(&key("app"), json("a:Utf8"));
    let reader = LedgerReader::open(&rig.ledger()).unwrap();
    let journal = Rehearsal::new(Some(reader), rig.core.node.clone());
    let context = VerifyContext {
        journal: &journal,
        ..VerifyContext::of(&rig.core)
    };
    let mut seen = Vec::new();
    let mut watcher = |id: &StreamId, findings: &[Finding]| seen.push((id.clone(), findings.len()));
    let report = verify(&context, vec![id("app")], Scope::Own, &mut watcher)
        .await
        .unwrap();
    assert_eq!(report, rig.verify(&["app"], Scope::Own).await);
    assert_eq!(
        report.findings[0].kind,
        Kind::Overwritten {
            key: key("app"),
            lost: vec![note("b", "Int64")],
            changed: vec![],
            omitted: 0
        }
    );
    assert_eq!(seen, [(id("app"), 1)]);
}

#[tokio::test]
async fn long_lists_of_fields_are_cut() {
    let rig = Rig::new();
    let many: Vec<_> = (0..MAX_FIELDS_LISTED + 5)
        .map(|at| format!("f{at:03}:Utf8"))
        .collect();
    rig.publish("app", &many.join(" ")).await;
    rig.bucket.put(&key("app"), json(""));
    let report = rig.verify(&["app"], Scope::Own).await;
    let Kind::Overwritten { lost, omitted, .. } = &report.findings[0].kind else {
        panic!("{report:?}")
    };
    assert_eq!((lost.len(), *omitted), (MAX_FIELDS_LISTED, 5));
    assert!(
        report.findings[0]
            .to_string()
            .contains("`f007` (Utf8) and 92 more, and 5 fields more")
    );
}

#[tokio::test]
async fn a_verification_can_run_beside_other_work() {
    let rig = Rig::repairing();
    rig.publish("app", "a:Utf8").await;
    rig.bucket.remove(&key("app"));
    let core = Arc::new(rig.core);
    let work = tokio::spawn(async move {
        let context = VerifyContext::of(&core);
        let streams = vec![id("app")];
        let mut report = verify(&context, streams, Scope::WithPeers, &mut |_, _| {})
            .await
            .unwrap();
        repair(&core, &mut report, &mut |_, _| {}).await;
        check_peers(&context, &id("app"), Share::Whole)
            .await
            .findings
            .is_empty()
    });
    assert!(work.await.unwrap());
}

/// A journal that tells what was, once.
#[derive(Debug)]
struct Stale<'a>(std::sync::Mutex<Option<Stream>>, &'a Core);

#[async_trait::async_trait]
impl Journal for Stale<'_> {
    async fn archive(
        &self,
        _: &StreamId,
        _: Option<&Marker>,
        _: &Document,
        _: Timestamp,
    ) -> Result<(), JournalError> {
        Ok(())
    }

    async fn load(&self, stream: &StreamId) -> Result<Option<Stream>, JournalError> {
        let stale = self.0.lock().unwrap().take();
        match stale {
            Some(stale) => Ok(Some(stale)),
            None => self.1.journal.load(stream).await,
        }
    }

    async fn save(
        &self,
        _: &StreamId,
        _: &Stream,
        _: Option<&crate::sync::Story>,
        _: Timestamp,
    ) -> Result<(), JournalError> {
        panic!("a verification writes nothing")
    }

    async fn load_state(
        &self,
        _: &str,
        _: &crate::ledger::StateScope,
        _: &str,
    ) -> Result<Option<Vec<u8>>, JournalError> {
        panic!("a verification asks no policy")
    }

    async fn count_state(
        &self,
        _: &str,
        _: &crate::ledger::StateScope,
    ) -> Result<u64, JournalError> {
        panic!("a verification asks no policy")
    }

    async fn commit_state(&self, _: Vec<crate::ledger::Swap>) -> Result<bool, JournalError> {
        panic!("a verification asks no policy")
    }

    async fn begin_write(
        &self,
        _: &crate::ledger::PolicyWrite,
    ) -> Result<Option<crate::ledger::WriteId>, JournalError> {
        panic!("a verification asks no policy")
    }

    async fn end_write(&self, _: crate::ledger::WriteId) -> Result<(), JournalError> {
        panic!("a verification asks no policy")
    }
}
