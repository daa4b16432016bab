//! The hostile guests that are built from source: real compilers' output in place of hand-written modules.

use std::path::Path;

use serde_json::json;

use super::*;
use crate::contract::Presence;

fn guest(name: &str) -> PolicySettings {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/guests/bundled")
        .join(name)
        .with_extension("wasm");
    let mut settings = PolicySettings::new(name, ComponentSource::File(path));
    settings.grants.read = vec!["{root}/.stream/".to_owned()];
    settings
}

async fn acting(runtime: &Runtime, act: &str) -> CallReport {
    let mut settings = PolicySettings {
        settings: json!({ "act": act, "count": 10_000, "presence": "present" }),
        ..guest("hostile")
    };
    if act.starts_with("huge-") {
        settings.settings["mib"] = json!(16);
    }
    if act == "memory-by-steps" {
        // Filling 64 MiB byte by byte takes more than the default.
        settings.limits.fuel *= 2;
    }
    let policy = runtime.load(&settings).await.unwrap();
    ask(&policy).await
}

#[tokio::test]
async fn every_act_has_its_cause() {
    let cache = tempfile::tempdir().unwrap();
    let runtime = Runtime::new(RuntimeSettings {
        cache: Some(CompileCache::new(cache.path())),
        clock: Arc::new(StillClock::default()),
        yield_every: None,
        ..RuntimeSettings::default()
    })
    .unwrap();
    for (act, expected) in [
        ("trap", Cause::Trap),
        ("panic", Cause::Trap),
        ("loop", Cause::OutOfFuel),
        ("log-forever", Cause::OutOfFuel),
        // Rust keeps its frames in linear memory, which ends before the machine's own stack does.
        ("recurse", Cause::Trap),
        ("memory-at-once", Cause::OutOfMemory),
        ("memory-by-steps", Cause::OutOfMemory),
        ("huge-reason", Cause::BytesAccepted),
        ("huge-error", Cause::BytesAccepted),
        ("long-reason", Cause::OutOfBounds),
        ("invalid-utf8", Cause::Trap),
        ("invalid-utf8-argument", Cause::Trap),
        ("error", Cause::GuestError),
        ("head-forever", Cause::HostCalls),
        ("list-forever", Cause::HostCalls),
        ("stage-forever", Cause::HostCalls),
        ("load-forever", Cause::HostCalls),
        ("ignore-budget", Cause::HostCalls),
        ("huge-key", Cause::BytesAccepted),
        ("huge-swap", Cause::BytesAccepted),
        ("huge-log", Cause::BytesAccepted),
        ("trap-after-swap", Cause::Trap),
        ("error-after-swap", Cause::GuestError),
        ("loop-after-swap", Cause::OutOfFuel),
    ] {
        let report = acting(&runtime, act).await;
        assert_eq!(cause(&report), expected, "{act}: {:?}", report.verdict);
        assert!(report.state.is_empty(), "{act}");
    }
}

#[tokio::test]
async fn no_way_climbs_out() {
    let runtime = runtime();
    let world = Arc::new(Memory::holding(&[
        ("secret", b"x"),
        ("other/.stream/.schema", b"x"),
        ("app2/.stream/.schema", b"x"),
        (".tidegate/canary", b"x"),
        (".parseable.json", b"x"),
    ]));
    for act in ["climb", "climb-staging", "list-everything"] {
        let mut settings = PolicySettings {
            settings: json!({ "act": act }),
            ..guest("hostile")
        };
        settings.limits.host_calls = 1000;
        let policy = runtime.load(&settings).await.unwrap();
        let report = ask_in(&policy, Arc::clone(&world)).await;
        let Ok(Verdict::Existence(Presence::Absent(tally))) = report.verdict else {
            panic!("{act}: {:?}", report.verdict);
        };
        assert!(tally.ends_with("found 0: []"), "{act}: {tally}");
    }
}

#[tokio::test]
async fn a_flood_of_lines_is_dropped_and_the_verdict_stands() {
    let report = acting(&runtime(), "log-flood").await;
    assert_eq!(report.verdict, Ok(Verdict::Existence(Presence::Present)));
    let last = report.logs.last().unwrap();
    assert!(last.message.contains("bytes of log lines were dropped"));
    assert!(report.usage.log_bytes <= Limits::default().log_bytes);
}

#[tokio::test]
async fn odd_modules_are_refused_or_stopped() {
    let runtime = runtime();
    for (name, why) in [
        ("huge-memory", "out-of-memory"),
        ("several-memories", "out-of-memory"),
        ("huge-table", "fit"),
        ("loop-in-start", "out-of-fuel"),
        ("trap-in-start", "trap"),
        ("bad-realloc", "in `configure`: trap"),
        ("trap-in-describe", "in `describe`: trap"),
        ("huge-describe", "`describe`"),
    ] {
        let error = runtime.load(&guest(name)).await.unwrap_err();
        let source = std::error::Error::source(&error);
        let said = format!(
            "{error}: {}",
            source.map_or(String::new(), ToString::to_string)
        );
        assert!(said.contains(why), "{name}: {said}");
    }
    for (name, expected) in [
        ("growing-memories", Cause::OutOfMemory),
        ("growing-table", Cause::OutOfTables),
        ("bad-pointer", Cause::Trap),
        ("bad-discriminant", Cause::Trap),
    ] {
        let policy = runtime.load(&guest(name)).await.unwrap();
        assert_eq!(cause(&ask(&policy).await), expected, "{name}");
    }
}

#[tokio::test]
async fn a_policy_that_finds_too_many_problems_is_cut_short() {
    let settings = PolicySettings {
        settings: json!({ "act": "many-problems", "count": 100 }),
        ..guest("hostile")
    };
    let error = runtime().load(&settings).await.unwrap_err();
    let LoadProblem::Settings(problems) = error.problem else {
        panic!("{error}");
    };
    assert_eq!(problems.len(), 65);
    assert_eq!(problems[0].pointer, "/key-0");
    assert_eq!(problems[64].message, "36 further problems are not shown");
}
