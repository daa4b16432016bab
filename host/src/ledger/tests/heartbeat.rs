use std::time::Duration;

use super::*;
use crate::digest::Digest;
use crate::ledger::{
    CheckResult, Condition, ConditionKind, Heartbeat, Holder, StoreCheck, holder, room,
};

fn beat() -> Heartbeat {
    Heartbeat {
        pid: 4711,
        started: at(1),
        at: at(2),
        interval: Duration::from_secs(10),
        stopped: false,
        scanned: Some(at(2)),
        next_scan: None,
        store_answered: None,
        streams: 10_000,
        unjudged: 9_039,
        queued: 64,
        configuration: Digest::of(b"[staging]"),
        store_check: StoreCheck {
            result: CheckResult::Failed,
            detail: "403 on create".to_owned(),
            at: Some(at(1)),
        },
        conditions: ConditionKind::ALL
            .map(|kind| Condition {
                kind,
                since: at(1),
                detail: kind.name().to_owned(),
            })
            .to_vec(),
    }
}

#[tokio::test]
async fn the_last_report_is_the_one_that_readers_see() {
    let (_dir, path) = place();
    let ledger = open(&path).unwrap();
    let reader = LedgerReader::open(&path).unwrap();
    assert_eq!(reader.heartbeat().unwrap(), None);
    ledger.set_heartbeat(beat()).await.unwrap();
    assert_eq!(reader.heartbeat().unwrap(), Some(beat()));
    let last = Heartbeat {
        stopped: true,
        conditions: vec![],
        ..beat()
    };
    ledger.set_heartbeat(last.clone()).await.unwrap();
    assert_eq!(reader.heartbeat().unwrap(), Some(last));
}

#[tokio::test]
async fn a_ledger_is_held_by_its_agent_and_by_no_reader() {
    let (_dir, path) = place();
    assert_eq!(holder(&path), Holder::Free);
    let ledger = open(&path).unwrap();
    assert_eq!(holder(&path), Holder::Held(Some(std::process::id())));
    ledger.close().await.unwrap();
    assert_eq!(holder(&path), Holder::Free);
    // Asking takes nothing away from the next agent.
    open(&path).unwrap();
}

#[test]
fn the_room_on_the_volume_of_a_ledger_is_known() {
    let (_dir, path) = place();
    let room = room(&path).unwrap();
    assert!(room.bytes > 0 && !room.read_only);
}
