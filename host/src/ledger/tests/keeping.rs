use proptest::prelude::*;

use super::*;

fn count(path: &Path, table: &str) -> i64 {
    let connection = Connection::open(path).unwrap();
    let sql = format!("SELECT count(*) FROM {table}");
    connection.query_row(&sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn documents_live_as_long_as_someone_names_them() {
    let (_dir, path) = place();
    let ledger = open(&path).unwrap();
    let (one, two) = (Document::new("one"), Document::new("two"));
    let unnamed = Document::new("unnamed");
    let mut first = record(app());
    first.captured = Some(one.digest());
    first.confirmed = Some(one.digest());
    let mut second = record(StreamId::new("second"));
    second.intent = Some(one.digest());
    ledger
        .save(save(&first, &[one.clone(), unnamed.clone()]))
        .await
        .unwrap();
    ledger.save(Save::new(second.clone())).await.unwrap();
    assert_eq!(ledger.document(unnamed.digest()).await.unwrap(), None);

    first.captured = Some(two.digest());
    first.confirmed = None;
    ledger
        .save(save(&first, std::slice::from_ref(&two)))
        .await
        .unwrap();
    assert!(
        ledger.document(one.digest()).await.unwrap().is_some(),
        "the second still names it"
    );
    second.intent = None;
    ledger.save(Save::new(second)).await.unwrap();
    assert_eq!(ledger.document(one.digest()).await.unwrap(), None);
    assert!(ledger.document(two.digest()).await.unwrap().is_some());
}

#[tokio::test]
async fn an_ended_incarnation_leaves_its_last_good_copy() {
    let (_dir, path) = place();
    let ledger = open(&path).unwrap();
    let scope = StateScope {
        node: node(),
        stream: Some(app()),
    };
    let swap = Swap {
        policy: "p".to_owned(),
        scope: scope.clone(),
        key: "k".to_owned(),
        expected: None,
        value: Some(vec![1]),
    };
    for generation in 1..=5_u64 {
        assert!(
            ledger.commit_state(vec![swap.clone()]).await.unwrap(),
            "begins without state"
        );
        let good = Document::new(format!("good {generation}"));
        let newer = Document::new(format!("newer {generation}"));
        let mut record = record(app());
        record.incarnation = Some(format!("g{generation}"));
        record.updated = at(generation);
        record.captured = Some(newer.digest());
        record.confirmed = (generation != 4).then_some(good.digest());
        ledger.save(save(&record, &[good, newer])).await.unwrap();
        let swapped = ledger.load_state("p", &scope, "k").await.unwrap();
        assert_eq!(swapped.is_none(), generation > 1);
        ledger
            .commit_state(vec![Swap {
                expected: swapped,
                value: None,
                ..swap.clone()
            }])
            .await
            .unwrap();
    }
    let mut gone = record(app());
    gone.phase = Phase::Gone;
    gone.incarnation = Some("g5".to_owned());
    gone.updated = at(9);
    ledger.save(Save::new(gone)).await.unwrap();

    let archive = ledger.archive(&node(), &app()).await.unwrap();
    let told: Vec<_> = archive
        .iter()
        .map(|copy| (copy.incarnation.as_deref(), copy.ended_at, copy.confirmed))
        .collect();
    assert_eq!(
        told,
        [
            (Some("g5"), at(9), true),
            (Some("g4"), at(5), false),
            (Some("g3"), at(4), true)
        ]
    );
    let mut bodies = Vec::new();
    for copy in &archive {
        bodies.push(ledger.document(copy.document).await.unwrap().unwrap());
    }
    assert_eq!(bodies, ["good 5", "newer 4", "good 3"]);
    ledger.close().await.unwrap();
    assert_eq!(
        count(&path, "documents"),
        3,
        "those of older incarnations are gone"
    );
}

#[tokio::test]
async fn the_history_is_bounded_for_each_stream_and_for_all() {
    let (_dir, path) = place();
    let mut options = LedgerOptions::new(STORE);
    options.attempts_kept = 3;
    options.history_max = 3_000_000;
    let ledger = Ledger::open(&path, options, at(0)).unwrap();
    for number in 1..=10 {
        let mut attempt = attempt(number, &"é".repeat(1_000));
        attempt.detail = "\"x\"".repeat(30_000);
        ledger
            .save(Save::new(record(app())).attempt(attempt))
            .await
            .unwrap();
    }
    let reader = LedgerReader::open(&path).unwrap();
    let kept = reader.attempts(&node(), &app(), 100).unwrap();
    assert_eq!(
        kept.iter().map(|kept| kept.seq).collect::<Vec<_>>(),
        [10, 9, 8]
    );
    assert_eq!(reader.attempts(&node(), &app(), 1).unwrap().len(), 1);
    let newest = &kept[0].attempt;
    assert_eq!(newest.at, at(10));
    assert!(newest.summary.len() <= SUMMARY_MAX && newest.summary.ends_with("é…"));
    assert_eq!(newest.detail, r#"{"omitted_bytes":90000}"#);

    for number in 0..200 {
        let mut attempt = attempt(number, "wide");
        attempt.detail = format!("\"{}\"", "x".repeat(50_000));
        let stream = StreamId::new(format!("s{number}"));
        ledger
            .save(Save::new(record(stream)).attempt(attempt))
            .await
            .unwrap();
    }
    ledger.close().await.unwrap();
    let connection = Connection::open(&path).unwrap();
    let (sum, total): (i64, i64) = connection
        .query_row(
            "SELECT (SELECT sum(size) FROM attempts), (SELECT value FROM totals)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(sum, total);
    assert!(sum <= 3_000_000, "{sum}");
    assert!(
        !reader
            .attempts(&node(), &StreamId::new("s199"), 1)
            .unwrap()
            .is_empty()
    );
    assert!(
        reader.attempts(&node(), &app(), 1).unwrap().is_empty(),
        "the oldest went first"
    );
}

#[tokio::test]
async fn pruning_takes_only_what_nobody_will_ask_about() {
    let (_dir, path) = place();
    let ledger = open(&path).unwrap();
    let kept = Document::new("kept");
    let stale = |node: &str, name: &str, phase, updated| StreamRecord {
        phase,
        updated: at(updated),
        confirmed: Some(kept.digest()),
        ..StreamRecord::new(NodeId::new(node), StreamId::new(name), at(0))
    };
    for record in [
        stale("n1", "live", Phase::Synced, 1),
        stale("n1", "gone long ago", Phase::Gone, 1),
        stale("n1", "gone lately", Phase::Gone, 50),
        stale("old", "of another node", Phase::Synced, 1),
    ] {
        ledger
            .save(save(&record, std::slice::from_ref(&kept)).attempt(attempt(1, "x")))
            .await
            .unwrap();
    }
    assert_eq!(ledger.prune(&node(), at(40), at(100)).await.unwrap(), 2);
    let old = NodeId::new("old");
    let left = ledger.summaries(&node()).await.unwrap();
    assert_eq!(
        left.iter()
            .map(|left| &*left.stream.name)
            .collect::<Vec<_>>(),
        ["gone lately", "live"]
    );
    assert!(ledger.summaries(&old).await.unwrap().is_empty());
    let other = StreamId::new("of another node");
    assert_eq!(ledger.archive(&old, &other).await.unwrap().len(), 1);

    ledger.prune(&node(), at(101), at(200)).await.unwrap();
    assert!(ledger.archive(&old, &other).await.unwrap().is_empty());
    assert!(
        ledger.document(kept.digest()).await.unwrap().is_some(),
        "the live one names it"
    );
}

#[tokio::test]
async fn what_is_pruned_leaves_neither_history_nor_state_of_policies() {
    let (_dir, path) = place();
    let ledger = open(&path).unwrap();
    let scope = |stream: StreamId| StateScope {
        node: node(),
        stream: Some(stream),
    };
    let (gone, live) = (StreamId::new("gone"), StreamId::new("live"));
    for (stream, phase) in [(&gone, Phase::Gone), (&live, Phase::Synced)] {
        let mut record = record(stream.clone());
        record.phase = phase;
        let save = Save::new(record).attempt(attempt(1, "x"));
        ledger.save(save).await.unwrap();
        let swap = Swap {
            policy: "p".to_owned(),
            scope: scope(stream.clone()),
            key: "k".to_owned(),
            expected: None,
            value: Some(vec![1]),
        };
        assert!(ledger.commit_state(vec![swap]).await.unwrap());
    }
    assert_eq!(
        ledger.prune(&node(), at(3_000), at(4_000)).await.unwrap(),
        1
    );
    assert_eq!(ledger.count_state("p", &scope(gone)).await.unwrap(), 0);
    assert_eq!(ledger.count_state("p", &scope(live)).await.unwrap(), 1);
    ledger.close().await.unwrap();
    assert_eq!(count(&path, "attempts"), 1);
}

#[tokio::test]
async fn what_was_captured_of_a_stream_that_is_dropped_is_archived() {
    for phase in [Phase::Pending, Phase::Unknown] {
        let (_dir, path) = place();
        let ledger = open(&path).unwrap();
        let captured = Document::new("captured");
        let mut record = record(app());
        (record.phase, record.captured) = (phase, Some(captured.digest()));
        ledger
            .save(save(&record, std::slice::from_ref(&captured)))
            .await
            .unwrap();
        (record.phase, record.captured) = (Phase::Idle, None);
        ledger.save(Save::new(record)).await.unwrap();
        let archive = ledger.archive(&node(), &app()).await.unwrap();
        let kept: Vec<_> = archive.iter().map(|copy| copy.document).collect();
        assert_eq!(kept, [captured.digest()], "{phase}");
    }
}

#[tokio::test]
async fn a_live_stream_keeps_the_copies_of_its_former_incarnations() {
    let (_dir, path) = place();
    let ledger = open(&path).unwrap();
    let copy = Document::new("copy");
    let mut record = record(app());
    (record.incarnation, record.confirmed) = (Some("1".to_owned()), Some(copy.digest()));
    ledger
        .save(save(&record, std::slice::from_ref(&copy)))
        .await
        .unwrap();
    (record.incarnation, record.confirmed) = (Some("2".to_owned()), None);
    ledger.save(Save::new(record)).await.unwrap();
    ledger.prune(&node(), at(9_000), at(9_000)).await.unwrap();
    assert_eq!(ledger.archive(&node(), &app()).await.unwrap().len(), 1);
    assert!(ledger.document(copy.digest()).await.unwrap().is_some());
}

/// One step of a stream's life, as far as documents are concerned.
fn step() -> impl Strategy<Value = (u8, Option<u8>, [Option<u8>; 3], bool)> {
    let document = || prop::option::of(0_u8..4);
    (
        0_u8..3,
        prop::option::of(0_u8..5),
        [document(), document(), document()],
        any::<bool>(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// After any life, exactly the named documents are stored.
    #[test]
    fn stored_documents_are_the_named_ones(steps in prop::collection::vec(step(), 1..40)) {
        let (_dir, path) = place();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let documents: Vec<_> = (0..4).map(|number| Document::new(vec![number])).collect();
        runtime.block_on(async {
            let ledger = open(&path).unwrap();
            for (time, (name, incarnation, named, gone)) in steps.into_iter().enumerate() {
                let mut record = record(StreamId::new(name.to_string()));
                [record.captured, record.confirmed, record.intent] =
                    named.map(|named| named.map(|named| documents[usize::from(named)].digest()));
                record.incarnation = incarnation.map(|incarnation| incarnation.to_string());
                record.phase = if gone { Phase::Gone } else { Phase::Synced };
                record.updated = at(time as u64);
                ledger.save(save(&record, &documents)).await.unwrap();
            }
            ledger.close().await.unwrap();
        });
        let connection = Connection::open(&path).unwrap();
        let read = |sql: &str| -> Vec<String> {
            let mut statement = connection.prepare(sql).unwrap();
            let rows = statement.query_map([], |row| row.get(0)).unwrap();
            rows.collect::<Result<_, _>>().unwrap()
        };
        let named = "SELECT captured AS d FROM streams UNION SELECT confirmed FROM streams \
                     UNION SELECT intent FROM streams UNION SELECT document FROM archive";
        prop_assert_eq!(
            read("SELECT digest FROM documents ORDER BY digest"),
            read(&format!("SELECT d FROM ({named}) WHERE d IS NOT NULL ORDER BY d"))
        );
        prop_assert!(read("SELECT name FROM archive GROUP BY node, tenant, name HAVING count(*) > 3").is_empty());
    }
}
