//! What a user of the ledger notices, from outside its modules.

mod heartbeat;
mod keeping;
mod opening;
mod reading;
mod recovering;
mod saving;
mod state;

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::*;
use crate::contract::{ObjectInfo, Phase, RemoteState, Version};
use crate::stream::{NodeId, StreamId};
use crate::time::Timestamp;

const STORE: &str = "s3://logs";

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn node() -> NodeId {
    NodeId::new("n1")
}

fn app() -> StreamId {
    StreamId::new("app")
}

fn open(path: &Path) -> Result<Ledger, LedgerError> {
    Ledger::open(path, LedgerOptions::new(STORE), at(1_000))
}

/// A directory for a ledger, and the ledger's path in it.
fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    (dir, path)
}

fn record(stream: StreamId) -> StreamRecord {
    StreamRecord::new(node(), stream, at(2_000))
}

/// A record with every column filled, and the documents it names.
fn full_record() -> (StreamRecord, [Document; 3]) {
    let documents = ["captured", "confirmed", "intent"].map(Document::new);
    let [captured, confirmed, intent] =
        documents.each_ref().map(|document| Some(document.digest()));
    let record = StreamRecord {
        node: node(),
        stream: StreamId::with_tenant("acme", "a b%#ü\u{1}"),
        incarnation: Some("2026-01-02T03:04:05Z".to_owned()),
        phase: Phase::Conflicted,
        attempts: 7,
        failing_since: Some(at(10)),
        next_attempt: Some(at(20)),
        last_failure: Some(LastFailure {
            kind: "store-throttled".to_owned(),
            message: "slow down".to_owned(),
            at: at(15),
        }),
        last_success: Some(at(5)),
        source: Some("fallback:peers".to_owned()),
        local_fingerprint: Some(u64::MAX),
        signature: Some("1:2:3".to_owned()),
        remote: RemoteState::Found {
            object: ObjectInfo {
                size: 42,
                modified: at(11),
                version: Some(Version::new("\"etag\"")),
            },
            seen: at(12),
        },
        captured,
        confirmed,
        intent,
        settled: true,
        state: r#"{"lost_races":3}"#.to_owned(),
        updated: at(30),
    };
    (record, documents)
}

fn save(record: &StreamRecord, documents: &[Document]) -> Save {
    documents
        .iter()
        .cloned()
        .fold(Save::new(record.clone()), Save::document)
}

fn attempt(millis: u64, summary: &str) -> AttemptRecord {
    AttemptRecord {
        at: at(millis),
        summary: summary.to_owned(),
        detail: "{}".to_owned(),
    }
}

/// The file and its `-wal` as a kill at this moment leaves them.
fn as_after_a_kill(path: &Path, to: &Path) {
    // Reading the database file here would drop this process's locks on it, so `cp` does.
    for suffix in ["", "-wal"] {
        let status = std::process::Command::new("cp")
            .arg(lock::beside(path, suffix))
            .arg(lock::beside(to, suffix))
            .status()
            .unwrap();
        assert!(status.success());
    }
}
