use crate::digest::Digest;
use futures::future::join_all;

use super::*;

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let (dir, path) = place();
    let ledger = open(&path).unwrap();
    let saves = (0..50).map(|number| {
        let document = Document::new(format!("document {number}"));
        let mut record = record(StreamId::new(format!("s{number}")));
        record.captured = Some(document.digest());
        ledger.save(
            Save::new(record)
                .document(document)
                .attempt(attempt(number, "tried")),
        )
    });
    for saved in join_all(saves).await {
        saved.unwrap();
    }
    let killed = dir.path().join("killed.db");
    as_after_a_kill(&path, &killed);

    let survivor = open(&killed).unwrap();
    assert_eq!(survivor.summaries(&node()).await.unwrap().len(), 50);
    let record = survivor
        .load(&node(), &StreamId::new("s49"))
        .await
        .unwrap()
        .unwrap();
    let body = survivor
        .document(record.captured.unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(body, "document 49");
}

#[tokio::test]
async fn every_column_comes_back_as_it_was_given() {
    let (_dir, path) = place();
    let ledger = open(&path).unwrap();
    let (full, documents) = full_record();
    let mut missing = record(app());
    missing.remote = RemoteState::Missing { seen: at(9) };
    let same_name_without_tenant = record(StreamId::new(full.stream.name.clone()));
    ledger.save(save(&full, &documents)).await.unwrap();
    ledger.save(Save::new(missing.clone())).await.unwrap();
    ledger
        .save(Save::new(same_name_without_tenant.clone()))
        .await
        .unwrap();
    for record in [full, missing, same_name_without_tenant] {
        assert_eq!(
            ledger.load(&node(), &record.stream).await.unwrap(),
            Some(record)
        );
    }
    assert_eq!(ledger.load(&NodeId::new("n2"), &app()).await.unwrap(), None);
}

#[tokio::test]
async fn summaries_tell_what_a_restart_needs() {
    let (_dir, path) = place();
    let ledger = open(&path).unwrap();
    let (full, documents) = full_record();
    ledger.save(save(&full, &documents)).await.unwrap();
    ledger
        .save(Save::new(StreamRecord {
            node: NodeId::new("n2"),
            ..record(app())
        }))
        .await
        .unwrap();
    let summaries = ledger.summaries(&node()).await.unwrap();
    assert_eq!(
        summaries,
        [Summary {
            stream: full.stream,
            phase: Phase::Conflicted,
            unresolved: true,
            attempts: 7,
            failing_since: Some(at(10)),
            next_attempt: Some(at(20)),
            signature: Some("1:2:3".into()),
            settled: true,
            looked_up: true,
        }]
    );
}

#[tokio::test]
async fn a_refused_request_leaves_nothing_and_its_neighbours_alone() {
    let (_dir, path) = place();
    let ledger = open(&path).unwrap();
    let good = record(app());
    let mut nameless = record(StreamId::new("nameless"));
    nameless.confirmed = Some(Digest::of(b"never given"));
    nameless.captured = Some(Digest::of(b"given"));
    let bad = Save::new(nameless.clone())
        .document(Document::new("given"))
        .attempt(attempt(1, "tried"));
    let (before, refused, after) = tokio::join!(
        ledger.save(Save::new(good.clone())),
        ledger.save(bad),
        ledger.save(Save::new(record(StreamId::new("after")))),
    );
    before.unwrap();
    after.unwrap();
    assert!(
        matches!(refused, Err(LedgerError::NoDocument(_))),
        "{refused:?}"
    );
    assert_eq!(ledger.load(&node(), &nameless.stream).await.unwrap(), None);
    assert_eq!(ledger.document(Digest::of(b"given")).await.unwrap(), None);
    assert_eq!(ledger.summaries(&node()).await.unwrap().len(), 2);

    let mut oversized = good;
    oversized.state = "x".repeat(STATE_MAX + 1);
    let refused = ledger.save(Save::new(oversized)).await;
    assert!(
        matches!(refused, Err(LedgerError::TooLarge { limit, .. }) if limit == STATE_MAX as u64)
    );
}

/// Makes the database unable to grow beyond what it is, as a full disk does; `None` lifts it.
async fn limit_pages(ledger: &Ledger, pages: Option<u32>) {
    let pages = pages.unwrap_or(u32::MAX - 1);
    ledger
        .write(move |connection| {
            connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_full_disk_is_told_and_passes() {
    let (_dir, path) = place();
    let ledger = open(&path).unwrap();
    limit_pages(&ledger, Some(1)).await;
    let big = Document::new(vec![7; 1 << 20]);
    let mut wide = record(StreamId::new("wide"));
    wide.captured = Some(big.digest());
    let (small, full, later) = tokio::join!(
        ledger.save(Save::new(record(app()))),
        ledger.save(Save::new(wide.clone()).document(big.clone())),
        ledger.save(Save::new(record(StreamId::new("later")))),
    );
    let error = full.unwrap_err();
    assert!(matches!(error, LedgerError::Full(_)), "{error:?}");
    // SQLite undid the transaction that the first one shared: it must have been told.
    assert_eq!(
        small.is_ok(),
        ledger.load(&node(), &app()).await.unwrap().is_some()
    );
    assert_eq!(
        later.is_ok(),
        ledger
            .load(&node(), &StreamId::new("later"))
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(ledger.load(&node(), &wide.stream).await.unwrap(), None);

    limit_pages(&ledger, None).await;
    ledger
        .save(Save::new(wide).document(big.clone()))
        .await
        .unwrap();
    assert_eq!(
        ledger.document(big.digest()).await.unwrap().as_ref(),
        Some(big.body())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_saves_share_transactions() {
    let (_dir, path) = place();
    let ledger = open(&path).unwrap();
    let saves = (0..10_000).map(|number| {
        let ledger = ledger.clone();
        async move {
            let record = record(StreamId::new(format!("s{number}")));
            ledger.save(Save::new(record)).await
        }
    });
    for saved in join_all(saves).await {
        saved.unwrap();
    }
    assert_eq!(ledger.summaries(&node()).await.unwrap().len(), 10_000);
}

#[tokio::test]
async fn a_node_is_first_seen_once() {
    let (_dir, path) = place();
    let ledger = open(&path).unwrap();
    assert_eq!(ledger.node_first_seen(&node(), at(7)).await.unwrap(), at(7));
    assert_eq!(
        ledger
            .node_first_seen(&NodeId::new("n2"), at(8))
            .await
            .unwrap(),
        at(8)
    );
    ledger.close().await.unwrap();
    let ledger = open(&path).unwrap();
    assert_eq!(
        ledger.node_first_seen(&node(), at(99)).await.unwrap(),
        at(7)
    );
    assert_eq!(
        LedgerReader::open(&path).unwrap().meta().unwrap().node,
        Some(node())
    );
}
