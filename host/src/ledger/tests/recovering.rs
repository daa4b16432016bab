use std::fs;

use super::*;

const PAGE: usize = migrate::PAGE_SIZE as usize;

/// A ledger with enough in it to fill many pages, closed.
async fn sample(path: &Path) -> Vec<StreamRecord> {
    let ledger = open(path).unwrap();
    ledger.node_first_seen(&node(), at(3)).await.unwrap();
    let mut records = Vec::new();
    for number in 0..300 {
        let document = Document::new(format!("document {number} {}", "x".repeat(500)));
        let mut record = record(StreamId::new(format!("s{number:03}")));
        record.incarnation = Some("first".to_owned());
        record.confirmed = Some(document.digest());
        ledger
            .save(
                Save::new(record.clone())
                    .document(document)
                    .attempt(attempt(number, "tried")),
            )
            .await
            .unwrap();
        records.push(record);
    }
    let scope = StateScope {
        node: node(),
        stream: None,
    };
    let swap = Swap {
        policy: "p".to_owned(),
        scope,
        key: "k".to_owned(),
        expected: None,
        value: Some(vec![1]),
    };
    ledger.commit_state(vec![swap]).await.unwrap();
    ledger.close().await.unwrap();
    records
}

async fn recovered(path: &Path) -> Vec<StreamRecord> {
    open(path).unwrap().close().await.unwrap();
    LedgerReader::open(path)
        .unwrap()
        .streams(&StreamFilter::default())
        .unwrap()
}

fn rows(report: &RecoverReport, table: &str) -> u64 {
    report
        .tables
        .iter()
        .find(|entry| entry.table == table)
        .unwrap()
        .rows
}

#[tokio::test]
async fn an_undamaged_ledger_comes_over_whole() {
    let (dir, path) = place();
    let records = sample(&path).await;
    let into = dir.path().join("saved.db");
    let report = recover(&path, &into, at(9)).unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(
        (rows(&report, "streams"), rows(&report, "policy_state")),
        (300, 1)
    );
    assert_eq!(recovered(&into).await, records);
    let reader = LedgerReader::open(&into).unwrap();
    assert_eq!(reader.meta().unwrap().store.as_deref(), Some(STORE));
    assert_eq!(
        reader
            .attempts(&node(), &records[7].stream, 5)
            .unwrap()
            .len(),
        1
    );
    assert!(
        reader
            .document(records[7].confirmed.unwrap())
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn a_lost_header_costs_nothing() {
    let (dir, path) = place();
    let records = sample(&path).await;
    let mut bytes = fs::read(&path).unwrap();
    bytes[..100].fill(0xff);
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(open(&path), Err(LedgerError::Damaged { .. })));
    let into = dir.path().join("saved.db");
    let report = recover(&path, &into, at(9)).unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(recovered(&into).await, records);
    assert_eq!(fs::read(&path).unwrap(), bytes, "the original is evidence");
}

#[tokio::test]
async fn a_lost_page_costs_its_rows_only() {
    let (dir, path) = place();
    let records = sample(&path).await;
    let whole = fs::read(&path).unwrap();
    // The first page of the table `streams` that holds rows, by the header byte of such pages.
    let page = (1..whole.len() / PAGE)
        .find(|page| {
            let page = &whole[page * PAGE..(page + 1) * PAGE];
            page[0] == 0x0d
                && page
                    .windows(9)
                    .any(|window| window == b"n1s000fir" || window == b"n1s150fir")
        })
        .expect("a page of streams");
    let mut bytes = whole;
    bytes[page * PAGE..(page + 1) * PAGE].fill(0xee);
    fs::write(&path, &bytes).unwrap();

    let into = dir.path().join("saved.db");
    let report = recover(&path, &into, at(9)).unwrap();
    assert!(!report.is_complete());
    let saved = recovered(&into).await;
    assert!(saved.len() >= 250 && saved.len() < 300, "{report:?}");
    assert!(saved.iter().all(|record| records.contains(record)));
    assert_eq!(
        rows(&report, "attempts"),
        saved.len() as u64,
        "those of lost streams are refused"
    );
    assert_eq!(rows(&report, "documents"), 300);
}

#[tokio::test]
async fn what_a_killed_agent_left_in_the_wal_is_read() {
    let (dir, path) = place();
    let ledger = open(&path).unwrap();
    ledger.save(Save::new(record(app()))).await.unwrap();
    let killed = dir.path().join("killed.db");
    as_after_a_kill(&path, &killed);
    let into = dir.path().join("saved.db");
    let report = recover(&killed, &into, at(9)).unwrap();
    assert_eq!(rows(&report, "streams"), 1);
}

#[tokio::test]
async fn nothing_is_overwritten_and_a_running_agent_is_left_alone() {
    let (dir, path) = place();
    let ledger = open(&path).unwrap();
    let into = dir.path().join("saved.db");
    assert!(matches!(
        recover(&path, &into, at(9)),
        Err(LedgerError::InUse { .. })
    ));
    ledger.close().await.unwrap();
    fs::write(&into, "mine").unwrap();
    assert!(matches!(
        recover(&path, &into, at(9)),
        Err(LedgerError::Exists(_))
    ));
    assert_eq!(fs::read(&into).unwrap(), b"mine");
}

#[test]
fn noise_is_beyond_recovery_and_the_message_says_what_then() {
    let (dir, path) = place();
    fs::write(&path, vec![0x5a; 5 * PAGE]).unwrap();
    let into = dir.path().join("saved.db");
    let error = recover(&path, &into, at(9)).unwrap_err();
    assert!(error.to_string().contains("move it away"), "{error}");
    assert!(!into.exists());
}

#[tokio::test]
async fn a_forged_document_is_refused_and_forgotten() {
    let (dir, path) = place();
    let records = sample(&path).await;
    let connection = Connection::open(&path).unwrap();
    let digest = records[3].confirmed.unwrap().to_string();
    connection
        .execute(
            "UPDATE documents SET body = x'00' WHERE digest = ?1",
            [digest],
        )
        .unwrap();
    drop(connection);
    let into = dir.path().join("saved.db");
    let report = recover(&path, &into, at(9)).unwrap();
    assert_eq!(report.documents_missing, 1);
    let saved = recovered(&into).await;
    assert_eq!(saved[3].confirmed, None);
    assert_eq!(saved[4], records[4]);
}
