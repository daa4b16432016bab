//! What guests reach through their imports, and what they don't.

use super::guest::{GET, HEAD, LIST, LOG, PUT, READ_FILE};
use super::*;

/// A guest that asks `head` about a key and answers with the error's case, or 9 where there was none.
fn header(key: &str) -> Guest {
    Guest::checking(format!(
        "(call $head (i32.const 2048) (i32.const {}) (i32.const 3072))
         (call $number (select (i32.load8_u (i32.const 3080)) (i32.const 9) (i32.load8_u (i32.const 3072))))",
        key.len()
    ))
    .importing(&[HEAD])
    .with_text(key)
}

const NOT_GRANTED: u64 = 0;
const NOT_FOUND: u64 = 1;
const FOUND: u64 = 9;

async fn reading(guest: &Guest, world: Memory) -> CallReport {
    let mut settings = settings(guest);
    settings.grants.read = vec!["{root}/.stream/".to_owned()];
    let policy = runtime().load(&settings).await.unwrap();
    ask_in(&policy, Arc::new(world)).await
}

#[tokio::test]
async fn a_policy_reads_what_it_was_granted_and_nothing_else() {
    let world = || {
        Memory::holding(&[
            ("app/.stream/x", b"inside"),
            ("app/y", b"outside"),
            ("secret", b"outside"),
        ])
    };
    for (key, outcome) in [
        ("app/.stream/x", FOUND),
        ("app/.stream/none", NOT_FOUND),
        ("app/y", NOT_GRANTED),
        ("secret", NOT_GRANTED),
        ("app/.stream/../y", NOT_GRANTED),
        ("app/.stream/../../secret", NOT_GRANTED),
        ("app/.stream/%2e%2e/y", NOT_GRANTED),
        ("/app/.stream/x", NOT_GRANTED),
        ("app//.stream/x", NOT_GRANTED),
        ("app/.streams/x", NOT_GRANTED),
        ("", NOT_GRANTED),
    ] {
        let report = reading(&header(key), world()).await;
        assert_eq!(number(&report), outcome, "{key}");
    }
}

#[tokio::test]
async fn host_calls_are_noted() {
    let world = Memory::holding(&[("app/.stream/x", b"inside")]);
    let report = reading(&header("app/.stream/x"), world).await;
    assert_eq!(
        report.host_calls,
        [HostCallNote {
            function: "object-reader.head",
            subject: "app/.stream/x".to_owned(),
            outcome: HostCallOutcome::Done(34),
            elapsed: Duration::ZERO,
        }]
    );
    let report = reading(&header("a\u{1b}"), Memory::default()).await;
    assert_eq!(report.host_calls[0].subject, "a\\u{1b}");
    assert_eq!(
        report.host_calls[0].outcome,
        HostCallOutcome::Refused("not-granted")
    );
}

#[tokio::test]
async fn the_stores_failures_reach_the_policy() {
    use crate::contract::{FailureKind, StoreFailure};
    let world = Memory {
        failing: Some(StoreFailure::new(FailureKind::Throttled, "slow down")),
        ..Memory::default()
    };
    let report = reading(&header("app/.stream/x"), world).await;
    assert_eq!(number(&report), 4, "`failed`");
    assert_eq!(
        report.host_calls[0].outcome,
        HostCallOutcome::Failed("slow down".to_owned())
    );
}

#[tokio::test]
async fn a_part_of_an_object_is_read() {
    let key = "app/.stream/x";
    // The result's bytes: after the description (size, modified, version), at 8 + 32.
    let guest = Guest::checking(format!(
        "(call $get (i32.const 2048) (i32.const {}) (i64.const 2) (i32.const 100) (i32.const 3072))
         (call $case (i32.const 1) (i32.load (i32.const 3112)) (i32.load (i32.const 3116)))",
        key.len()
    ))
    .importing(&[GET])
    .with_text(key);
    let report = reading(&guest, Memory::holding(&[(key, b"abcdef")])).await;
    let absent = crate::contract::Presence::Absent("cdef".to_owned());
    assert_eq!(report.verdict, Ok(Verdict::Existence(absent)));
}

#[tokio::test]
async fn listings_stay_inside_one_grant() {
    let world = || {
        Memory::holding(&[
            ("app/.stream/a", b""),
            ("app/.stream/b", b""),
            ("app/c", b""),
        ])
    };
    for (prefix, rows) in [
        ("app/.stream/", Some(2)),
        ("app/.stream/z/", Some(0)),
        ("app/.stream", None),
        ("app/", None),
        ("/", None),
        ("", None),
        ("app/.stream/../", None),
    ] {
        // Rows, or 9 for an error; `limit` is 0, which asks for one at least.
        let guest = Guest::checking(format!(
            "(call $list (i32.const 2048) (i32.const {}) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 3072))
             (call $number (select (i32.const 9) (i32.load (i32.const 3084)) (i32.load8_u (i32.const 3072))))",
            prefix.len()
        ))
        .importing(&[LIST])
        .with_text(prefix);
        let report = reading(&guest, world()).await;
        assert_eq!(number(&report), rows.unwrap_or(9), "{prefix}");
    }
}

#[tokio::test]
async fn staged_files_are_read_by_name_only() {
    for (name, outcome) in [
        ("file", 9),
        ("none", 0),
        ("../file", 0),
        ("..", 0),
        ("a/b", 0),
        ("", 0),
    ] {
        let guest = Guest::checking(format!(
            "(call $read (i32.const 2048) (i32.const {}) (i64.const 0) (i32.const 100) (i32.const 3072))
             (call $number (select (i32.load8_u (i32.const 3080)) (i32.const 9) (i32.load8_u (i32.const 3072))))",
            name.len()
        ))
        .importing(&[READ_FILE])
        .with_text(name);
        assert_eq!(number(&ask(&load(&guest).await).await), outcome, "{name}");
    }
}

/// A guest that creates an object and answers with the error's case, or 9 where there was none.
fn writer(key: &str) -> Guest {
    Guest::checking(format!(
        "(call $put (i32.const 2048) (i32.const {}) (i32.const 2048) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 3072))
         (call $number (select (i32.load8_u (i32.const 3080)) (i32.const 9) (i32.load8_u (i32.const 3072))))",
        key.len()
    ))
    .importing(&[PUT])
    .with_text(key)
}

#[tokio::test]
async fn a_policy_writes_only_where_it_was_granted_and_never_a_layouts_keys() {
    for (key, outcome) in [
        ("app/notes/x", 9),
        ("app/x", 0),
        ("app/notes/../x", 0),
        ("app/notes", 0),
        ("other/notes/x", 0),
        ("app/notes/x.schema", 1),
        ("app/notes/.Schema.bak", 1),
        ("app/.stream/.ingestor.n1.schema", 1),
        ("app/.stream/lock", 1),
        ("app/notes/taken", 2),
    ] {
        let mut settings = settings(&writer(key));
        settings.grants.write = vec!["{root}/notes/".to_owned(), "{root}/.stream/".to_owned()];
        let world = Arc::new(Memory::holding(&[("app/notes/taken", b"")]));
        let policy = runtime().load(&settings).await.unwrap();
        let report = ask_in(&policy, Arc::clone(&world)).await;
        assert_eq!(number(&report), outcome, "{key}");
        let written = world.objects.lock().unwrap().len() - 1;
        assert_eq!(written, usize::from(outcome == 9), "{key}");
    }
}

#[tokio::test]
async fn describe_calls_nothing_and_configure_may_only_log() {
    let log = "(call $log (i32.const 2) (i32.const 2048) (i32.const 3)) i32.const 1024";
    let head = "(call $head (i32.const 2048) (i32.const 3) (i32.const 3072)) i32.const 1024";
    let guest = |describe: &str, configure: &str| {
        let mut guest = Guest::default().importing(&[LOG, HEAD]).with_text("hey");
        guest.describe = describe.to_owned();
        guest.configure = configure.to_owned();
        guest
    };
    let quiet = "i32.const 1024";
    assert!(runtime().load(&settings(&guest(quiet, log))).await.is_ok());
    for (describe, configure, during) in [
        (log, quiet, "`log.write` was called in `describe`"),
        (head, quiet, "`object-reader.head` was called in `describe`"),
        (
            quiet,
            head,
            "`object-reader.head` was called in `configure`",
        ),
    ] {
        let error = runtime()
            .load(&settings(&guest(describe, configure)))
            .await
            .unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(during), "{source}");
    }
    // What `configure` logs in a decision's own instance is the decision's.
    let report = ask(&load(&guest(quiet, log)).await).await;
    assert_eq!(report.logs[0].message, "hey");
}
