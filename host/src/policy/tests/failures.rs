//! What a policy that fails says about it.

use super::guest::LOG;
use super::*;

/// A guest that does this after it has logged an error of two lines.
fn complaining(then: &str) -> Guest {
    let check = format!("(call $log (i32.const 4) (i32.const 2048) (i32.const 40)) {then}");
    Guest::checking(check)
        .importing(&[LOG])
        .with_text("panicked at src/lib.rs:8:9:\nno \u{1b}[31mluck")
}

const SAID: &str = "panicked at src/lib.rs:8:9: no \\u{1b}[31mluck";

async fn failure(guest: &Guest) -> CallFailure {
    ask(&load(guest).await).await.verdict.unwrap_err()
}

#[tokio::test]
async fn the_text_of_a_panic_is_part_of_the_failure() {
    let failure = failure(&complaining("unreachable")).await;
    assert_eq!(failure.cause, Cause::Trap);
    assert_eq!(failure.said.as_deref(), Some(SAID));
    let shown = failure.to_string();
    assert!(shown.starts_with("trap: "), "{shown}");
    assert!(
        shown.ends_with(&format!("; the policy logged: {SAID}")),
        "{shown}"
    );
}

#[tokio::test]
async fn the_text_of_a_panic_survives_a_full_log() {
    let guest = complaining("unreachable");
    let settings = PolicySettings {
        limits: Limits {
            log_bytes: 10,
            ..Limits::default()
        },
        ..settings(&guest)
    };
    let report = ask(&runtime().load(&settings).await.unwrap()).await;
    assert!(report.logs.iter().all(|line| line.level == LogLevel::Warn));
    assert_eq!(report.verdict.unwrap_err().said.as_deref(), Some(SAID));
}

#[tokio::test]
async fn a_loop_carries_the_last_error_too() {
    let failure = failure(&complaining("(loop $on (br $on)) unreachable")).await;
    assert_eq!(failure.cause, Cause::OutOfFuel);
    assert_eq!(failure.said.as_deref(), Some(SAID));
}

#[tokio::test]
async fn an_error_that_the_policy_returns_speaks_for_itself() {
    let failure = failure(&complaining(
        "(call $refuse (i32.const 2048) (i32.const 8))",
    ))
    .await;
    assert_eq!(failure.to_string(), "guest-error: panicked");
}

#[tokio::test]
async fn a_decision_does_not_repeat_the_errors_of_an_earlier_one() {
    // The first decision of an instance logs an error, and the second traps.
    let guest = Guest {
        fields: "(global $calls (mut i32) (i32.const 0))".to_owned(),
        ..complaining("")
    };
    let log = guest.check.clone();
    let guest = Guest {
        check: format!(
            "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
             (if (i32.eq (global.get $calls) (i32.const 1)) (then {log}) (else unreachable))
             i32.const 1024"
        ),
        ..guest
    };
    let guest = guest.with_text("panicked at src/lib.rs:8:9:\nno \u{1b}[31mluck");
    let settings = PolicySettings {
        instances: Instances::Reuse,
        ..settings(&guest)
    };
    let policy = runtime().load(&settings).await.unwrap();
    assert!(ask(&policy).await.verdict.is_ok());
    assert_eq!(ask(&policy).await.verdict.unwrap_err().said, None);
}

#[tokio::test]
async fn a_policy_that_panics_while_it_is_configured_says_why() {
    let guest = Guest {
        configure: complaining("unreachable").check,
        ..complaining("i32.const 1024")
    };
    let error = runtime().load(&settings(&guest)).await.unwrap_err();
    let LoadProblem::Failed { during, source } = error.problem else {
        panic!("{error:?}");
    };
    assert_eq!(during, "`configure`");
    assert_eq!(source.said.as_deref(), Some(SAID));
    let inspection = runtime().inspect(guest.component().into()).await;
    let Some(LoadProblem::Failed { source, .. }) = inspection.problem else {
        panic!("{:?}", inspection.problem);
    };
    assert_eq!(source.said.as_deref(), Some(SAID));
}
