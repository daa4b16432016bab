//! A policy's state, as one decision sees and leaves it.

use super::guest::{CREATE_STATE as CREATE, LOAD, SWAP};
use super::*;

/// Reads `k` of the stream.
const READ: &str = "(call $load (i32.const 0) (i32.const 2048) (i32.const 1) (i32.const 3072))";

fn guest(check: &str) -> Guest {
    Guest::checking(check)
        .importing(&[SWAP, LOAD])
        .with_text("khi")
}

fn swap(before: Option<&[u8]>, after: Option<&[u8]>) -> StateSwap {
    StateSwap {
        scope: StateScope::Stream,
        key: "k".to_owned(),
        before: before.map(<[u8]>::to_vec),
        after: after.map(<[u8]>::to_vec),
    }
}

#[tokio::test]
async fn a_decision_sees_its_own_writes_and_returns_them_with_its_verdict() {
    // The option lies at 8, so its value's length at 16.
    let guest = guest(&format!(
        "{CREATE} {READ} (call $number (i32.load (i32.const 3088)))"
    ));
    let world = Arc::new(Memory::default());
    let report = ask_in(&load(&guest).await, Arc::clone(&world)).await;
    assert_eq!(number(&report), 2);
    assert_eq!(report.state, [swap(None, Some(b"hi"))]);
    assert!(report.state[0].changes());
    assert!(
        world.state.lock().unwrap().is_empty(),
        "committing is the executor's"
    );
}

#[tokio::test]
async fn a_key_of_the_node_is_another_than_the_streams() {
    let of_node = CREATE.replacen("(i32.const 0)", "(i32.const 1)", 1);
    let guest = guest(&format!("{of_node} {READ} i32.const 1024"));
    let report = ask(&load(&guest).await).await;
    let node = StateSwap {
        scope: StateScope::Node,
        ..swap(None, Some(b"hi"))
    };
    assert_eq!(report.state, [swap(None, None), node]);
}

#[tokio::test]
async fn a_read_is_returned_too_so_that_the_executor_can_tell_a_race() {
    let world = Arc::new(Memory::default());
    world
        .state
        .lock()
        .unwrap()
        .insert((StateScope::Stream, "k".to_owned()), b"old".to_vec());
    let report = ask_in(
        &load(&guest(&format!("{READ} i32.const 1024"))).await,
        world,
    )
    .await;
    assert_eq!(report.state, [swap(Some(b"old"), Some(b"old"))]);
    assert!(!report.state[0].changes());
}

#[tokio::test]
async fn a_swap_that_expects_something_else_changes_nothing() {
    let answered = |calls: &str| {
        guest(&format!(
            "{calls} (call $number (i32.load8_u (i32.const 3080)))"
        ))
    };
    let once = ask(&load(&answered(CREATE)).await).await;
    assert_eq!(number(&once), 1, "true");
    let twice = ask(&load(&answered(&CREATE.repeat(2))).await).await;
    assert_eq!(number(&twice), 0, "false");
    assert_eq!(twice.state, once.state);
}

#[tokio::test]
async fn a_trap_and_an_error_discard_the_state() {
    for end in [
        "unreachable",
        "(call $refuse (i32.const 2048) (i32.const 1))",
    ] {
        let report = ask(&load(&guest(&format!("{CREATE} {end}"))).await).await;
        assert!(report.verdict.is_err());
        assert!(report.state.is_empty());
        assert_eq!(report.usage.host_calls, 1);
    }
}

#[tokio::test]
async fn keys_and_values_are_bounded() {
    let long_key = guest(
        "(call $load (i32.const 0) (i32.const 4096) (i32.const 129) (i32.const 3072)) (call $number (i32.load (i32.const 3088)))",
    );
    assert_eq!(number(&ask(&load(&long_key).await).await), 128);
    let mut large = guest(
        "(call $swap (i32.const 0) (i32.const 2048) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4096) (i32.const 65537) (i32.const 3072))
         (call $number (i32.load (i32.const 3088)))",
    );
    large.memory = "(memory (export \"memory\") 4)";
    assert_eq!(number(&ask(&load(&large).await).await), 65_536);

    let world = Arc::new(Memory::default());
    for index in 0..64 {
        let key = (StateScope::Stream, format!("other-{index}"));
        world.state.lock().unwrap().insert(key, Vec::new());
    }
    let many = guest(&format!(
        "{CREATE} (call $number (i32.load (i32.const 3088)))"
    ));
    let report = ask_in(&load(&many).await, world).await;
    assert_eq!(number(&report), 64);
}
