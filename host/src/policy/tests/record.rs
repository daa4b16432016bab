//! What a recorder is given of the decisions of a chain.

use std::sync::Mutex;

use super::guest::{CREATE_STATE, HEAD, LOG, SWAP};
use super::*;
use crate::contract::{ObjectInfo, Role, Version};
use crate::policy::record::RecordingWorld;

/// Keeps decisions in memory.
#[derive(Debug, Default)]
struct Kept(Mutex<Vec<Decision>>);

impl Recorder for Kept {
    fn record(&self, decision: Box<Decision>) {
        self.0.lock().unwrap().push(*decision);
    }
}

/// What is recorded of one decision of a chain with this guest alone, which may read the stream's peers.
async fn recorded(guest: &Guest, world: Memory) -> Vec<Decision> {
    let mut settings = settings(guest);
    settings.grants.read = vec!["{root}/.stream/".to_owned()];
    let policy = runtime().load(&settings).await.unwrap();
    ask_times(policy, world, 1).await
}

async fn ask_times(policy: Policy, world: Memory, times: u32) -> Vec<Decision> {
    let chain = Chain::new(Role::Existence, vec![policy]).unwrap();
    let (kept, world) = (Kept::default(), Arc::new(world));
    for _ in 0..times {
        let world = |_: &Arc<str>| Arc::clone(&world) as Arc<dyn World>;
        chain
            .ask(
                Question::Existence,
                &facts(),
                &world,
                &values(),
                Some(&kept),
            )
            .await;
    }
    kept.0.into_inner().unwrap()
}

/// Asks `head` about the text's first 14 bytes, which are the key, and ignores the answer.
const HEAD_KEY: &str = "(call $head (i32.const 2048) (i32.const 14) (i32.const 3072))";

#[tokio::test]
async fn a_decision_is_recorded_with_all_that_it_depended_on() {
    let log = "(call $log (i32.const 3) (i32.const 2048) (i32.const 3))";
    let check = format!("{HEAD_KEY} {CREATE_STATE} {log} (call $number (i32.const 5))");
    let guest = Guest::checking(check)
        .importing(&[HEAD, SWAP, LOG])
        .with_text("app/.stream/xyhi");
    let world = Memory::holding(&[("app/.stream/xy", b"inside")]);
    let decisions = recorded(&guest, world).await;
    let [decision] = decisions.as_slice() else {
        panic!("{decisions:?}");
    };
    assert_eq!(decision.question, AskedFor::Existence);
    assert_eq!(decision.facts, facts());
    assert_eq!(decision.values, values());
    let unsettled = crate::contract::Presence::Unsettled(Duration::from_millis(5));
    assert_eq!(decision.verdict, Ok(Verdict::Existence(unsettled)));
    assert!(decision.usage.fuel > 0 && decision.complete);
    assert_eq!(decision.logs[0].message, "app");
    assert_eq!(decision.state[0].after.as_deref(), Some(&b"pp"[..]));
    let call = |ask, answer| WorldCall {
        ask,
        answer: Some(answer),
    };
    let object = ObjectInfo {
        size: 6,
        modified: Timestamp::from_millis(5),
        version: Some(Version::new("v6")),
    };
    let key = "app/.stream/xy".to_owned();
    let scope = StateScope::Stream;
    let load = Ask::LoadState {
        scope,
        key: "a".to_owned(),
    };
    assert_eq!(
        decision.calls,
        [
            call(Ask::Head { key }, Answer::Object(object)),
            call(load, Answer::Value(None)),
            call(Ask::CountState { scope }, Answer::Count(0)),
        ]
    );
}

#[tokio::test]
async fn a_call_that_the_deadline_cut_off_has_no_answer() {
    let guest = Guest::checking(format!("{HEAD_KEY} i32.const 1024"))
        .importing(&[HEAD])
        .with_text("app/.stream/xy");
    let world = Memory {
        hangs: true,
        ..Memory::default()
    };
    let decisions = recorded(&guest, world).await;
    let failure = decisions[0].verdict.as_ref().unwrap_err();
    assert!(matches!(failure.cause, Cause::Deadline { .. }));
    assert_eq!(decisions[0].calls.len(), 1);
    assert_eq!(decisions[0].calls[0].answer, None);
}

#[tokio::test]
async fn a_policy_that_is_not_asked_made_no_decision() {
    let mut settings = settings(&Guest::checking("unreachable"));
    settings.quarantine_after = 2;
    let policy = runtime().load(&settings).await.unwrap();
    let decisions = ask_times(policy, Memory::default(), 5).await;
    assert_eq!(decisions.len(), 2, "then it is quarantined");
}

#[tokio::test]
async fn calls_over_the_bound_are_not_kept_at_all() {
    let half = vec![7; MAX_RECORDED_CALLS / 2];
    let world = RecordingWorld::new(Arc::new(Memory::holding(&[("k", &half)])));
    let key = object_store::path::Path::from("k");
    let length = u32::try_from(half.len()).unwrap();
    for (times, complete) in [(1, true), (2, false), (3, false)] {
        for _ in 0..times {
            world.get(&key, 0, length).await.unwrap();
        }
        let (calls, all) = world.take();
        assert_eq!((calls.len(), all), (usize::from(complete), complete));
    }
}
