//! Fresh instances and reused ones.

use super::guest::{HEAD, SWAP};
use super::*;

/// Answers with how often this instance was asked; traps at the third time when told so.
pub(super) fn counter(extra: &str) -> Guest {
    let mut guest = Guest::checking(format!(
        "(global.set $asked (i32.add (global.get $asked) (i32.const 1))) {extra} (call $number (global.get $asked))"
    ));
    guest.fields = "(global $asked (mut i32) (i32.const 0))".to_owned();
    guest
}

async fn reusing(guest: &Guest) -> Policy {
    let mut settings = settings(guest);
    settings.instances = Instances::Reuse;
    runtime().load(&settings).await.unwrap()
}

#[tokio::test]
async fn a_fresh_instance_remembers_nothing() {
    let policy = load(&counter("")).await;
    for _ in 0..3 {
        assert_eq!(number(&ask(&policy).await), 1);
    }
}

#[tokio::test]
async fn a_reused_instance_goes_on() {
    let policy = reusing(&counter("")).await;
    for asked in 1..=3 {
        assert_eq!(number(&ask(&policy).await), asked);
    }
}

#[tokio::test]
async fn a_reused_instance_is_configured_once() {
    let mut guest = counter("");
    guest.configure = "(global.set $asked (i32.const 100)) i32.const 1024".to_owned();
    let policy = reusing(&guest).await;
    assert_eq!(number(&ask(&policy).await), 101);
    assert_eq!(number(&ask(&policy).await), 102);
}

#[tokio::test]
async fn an_instance_that_failed_is_never_used_again() {
    for failure in [
        "unreachable",
        "(return (call $refuse (i32.const 0) (i32.const 0)))",
        "(loop $again (br $again))",
        "(drop (memory.grow (i32.const 1024)))",
    ] {
        let policy = reusing(&counter(&format!(
            "(if (i32.eq (global.get $asked) (i32.const 2)) (then {failure}))"
        )))
        .await;
        assert_eq!(number(&ask(&policy).await), 1);
        assert!(ask(&policy).await.verdict.is_err(), "{failure}");
        assert_eq!(number(&ask(&policy).await), 1, "{failure}");
    }
}

#[tokio::test]
async fn each_decision_has_its_own_budget() {
    let swap = "(call $swap (i32.const 0) (i32.const 2048) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 2048) (i32.const 1) (i32.const 3072))";
    let policy = reusing(&counter(swap).importing(&[SWAP])).await;
    let first = ask(&policy).await;
    let second = ask(&policy).await;
    let third = ask(&policy).await;
    assert_eq!((number(&second), number(&third)), (2, 3));
    assert!(first.usage.fuel > second.usage.fuel, "making it costs too");
    assert_eq!(second.usage.fuel, third.usage.fuel);
    assert_eq!(second.usage.host_calls, 1);
    assert_eq!(second.state, third.state);
    assert_eq!(second.host_calls.len(), 1);
}

#[tokio::test]
async fn what_a_reused_instance_holds_stays_charged() {
    let policy = reusing(&counter("(drop (memory.grow (i32.const 500)))")).await;
    let peaks: Vec<_> = [ask(&policy).await, ask(&policy).await]
        .map(|report| report.usage.peak_memory / 65_536)
        .into();
    assert_eq!(peaks, [502, 1002]);
    assert_eq!(cause(&ask(&policy).await), Cause::OutOfMemory);
    assert_eq!(number(&ask(&policy).await), 1);
}

#[tokio::test]
async fn a_call_that_is_dropped_takes_its_instance_with_it() {
    let key = "app/x";
    let head = "(call $head (i32.const 2048) (i32.const 5) (i32.const 3072))";
    let mut settings = settings(&counter(head).importing(&[HEAD]).with_text(key));
    settings.instances = Instances::Reuse;
    settings.grants.read = vec!["{root}/".to_owned()];
    // A clock whose alarms never ring, so that the call waits until it is dropped.
    let runtime = runtime_with(1, Arc::new(StillClock::racing()));
    settings.limits.deadline = seconds(3600);
    let policy = runtime.load(&settings).await.unwrap();
    assert_eq!(number(&ask(&policy).await), 1);
    let world = Arc::new(Memory {
        hangs: true,
        ..Memory::default()
    });
    let mut call = Box::pin(ask_in(&policy, world));
    assert!(futures::poll!(call.as_mut()).is_pending());
    drop(call);
    assert_eq!(number(&ask(&policy).await), 1);
}

#[tokio::test]
async fn idle_instances_are_bounded_and_never_keep_a_decision_from_being_made() {
    let runtime = runtime_with(2, Arc::new(StillClock::default()));
    let mut policies = Vec::new();
    for _ in 0..6 {
        let mut settings = settings(&counter(""));
        settings.instances = Instances::Reuse;
        policies.push(runtime.load(&settings).await.unwrap());
    }
    for policy in &policies {
        assert_eq!(number(&ask(policy).await), 1);
    }
    // The runtime keeps two idle instances; the others are made anew.
    let again: Vec<_> = futures::future::join_all(policies.iter().map(ask)).await;
    let kept = again.iter().filter(|report| number(report) == 2).count();
    assert_eq!(kept, 2);
}
