use super::*;
use crate::digest::Digest;

#[tokio::test]
async fn a_reader_sees_what_a_running_agent_has_acknowledged() {
    let (_dir, path) = place();
    let ledger = open(&path).unwrap();
    let reader = LedgerReader::open(&path).unwrap();
    assert!(reader.streams(&StreamFilter::default()).unwrap().is_empty());
    let (full, documents) = full_record();
    ledger
        .save(save(&full, &documents).attempt(attempt(3, "tried")))
        .await
        .unwrap();
    ledger.save(Save::new(record(app()))).await.unwrap();
    assert_eq!(
        reader.stream(&node(), &full.stream).unwrap(),
        Some(full.clone())
    );
    let (recalled, bodies) = reader.recall(&node(), &full.stream).unwrap().unwrap();
    assert_eq!((recalled, bodies.len()), (full.clone(), documents.len()));
    assert_eq!(
        reader.attempts(&node(), &full.stream, 5).unwrap()[0]
            .attempt
            .summary,
        "tried"
    );
    assert_eq!(
        reader.document(documents[0].digest()).unwrap().as_ref(),
        Some(documents[0].body())
    );

    let named = |filter| -> Vec<String> {
        let records = reader.streams(&filter).unwrap();
        records
            .iter()
            .map(|record| record.stream.name.to_string())
            .collect()
    };
    let all = StreamFilter::default();
    assert_eq!(
        named(all.clone()),
        ["app".to_owned(), full.stream.name.to_string()]
    );
    assert_eq!(
        named(StreamFilter {
            phases: vec![Phase::Unseen],
            ..all.clone()
        }),
        ["app"]
    );
    assert_eq!(
        named(StreamFilter {
            streams: vec![app()],
            ..all.clone()
        }),
        ["app"]
    );
    assert!(
        named(StreamFilter {
            node: Some(NodeId::new("n2")),
            ..all
        })
        .is_empty()
    );
}

#[tokio::test]
async fn a_reader_needs_no_agent() {
    let (dir, path) = place();
    let ledger = open(&path).unwrap();
    ledger.save(Save::new(record(app()))).await.unwrap();
    let killed = dir.path().join("killed.db");
    as_after_a_kill(&path, &killed);
    ledger.close().await.unwrap();
    assert!(!lock::beside(&path, "-wal").exists());

    for path in [path, killed] {
        let reader = LedgerReader::open(&path).unwrap();
        assert!(reader.stream(&node(), &app()).unwrap().is_some());
        drop(reader);
        let ledger = open(&path).unwrap();
        assert!(ledger.load(&node(), &app()).await.unwrap().is_some());
    }
}

#[test]
fn a_missing_ledger_is_said_to_be_missing_and_not_made() {
    let (dir, path) = place();
    let elsewhere = dir.path().join("no/such/place.db");
    for path in [path, elsewhere] {
        let error = LedgerReader::open(&path).unwrap_err();
        assert!(matches!(error, LedgerError::Missing(_)), "{error:?}");
        assert!(error.to_string().contains("the agent has not run yet"));
        assert!(!path.exists());
    }
}

#[test]
fn a_reader_does_not_migrate() {
    let (_dir, path) = place();
    drop(open(&path).unwrap());
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 0).unwrap();
    drop(connection);
    let error = LedgerReader::open(&path).unwrap_err();
    assert!(
        error.to_string().contains("start the agent once"),
        "{error}"
    );
}

#[tokio::test]
async fn the_ledger_tells_about_itself_its_policies_and_stores() {
    let (_dir, path) = place();
    let ledger = Ledger::open(&path, LedgerOptions::new(STORE), at(1_795_375_771_829)).unwrap();
    let reader = LedgerReader::open(&path).unwrap();
    let policy = |name: &str, health| PolicyStatus {
        name: name.to_owned(),
        digest: Digest::of(name.as_bytes()),
        version: "1.2.3".to_owned(),
        health,
        failures: 3,
        since: at(9),
        cause: Some("trap".to_owned()),
    };
    let policies = vec![
        policy("a", PolicyHealth::HalfOpen),
        policy("b", PolicyHealth::Quarantined),
    ];
    ledger.set_policies(policies.clone()).await.unwrap();
    assert_eq!(reader.policies().unwrap(), policies);
    ledger.set_policies(policies[1..].to_vec()).await.unwrap();
    assert_eq!(reader.policies().unwrap(), policies[1..]);

    for result in ["{}", r#"{"update":true}"#] {
        let probe = ProbeRecord {
            result: result.to_owned(),
            at: at(4),
        };
        ledger.save_probe(STORE, probe.clone()).await.unwrap();
        assert_eq!(ledger.probe(STORE).await.unwrap(), Some(probe.clone()));
        assert_eq!(reader.probe(STORE).unwrap(), Some(probe));
    }

    let meta = reader.meta().unwrap();
    assert_eq!(meta.store.as_deref(), Some(STORE));
    assert_eq!(meta.node, None);
    assert_eq!(meta.created_at.as_deref(), Some("2026-11-22T19:29:31.829Z"));
}
