//! WASI with nothing inside: every door is there, and shut.

use super::guest::{SEALED, WASI, all_of_wasi};
use super::*;
use crate::contract::Facts;

/// A guest that imports functions of WASI: their interface, name and type as the core module sees them.
fn guest(imports: &[(&str, &str, &str)], check: &str) -> Guest {
    let imports: String = imports
        .iter()
        .map(|(interface, name, kind)| {
            format!("(import \"wasi:{interface}@{WASI}\" \"{name}\" {kind})")
        })
        .collect();
    Guest {
        imports,
        world: SEALED,
        // Wherever an answer is awaited, something else stands at first.
        ..Guest::checking(format!(
            "(memory.fill (i32.const 3072) (i32.const 255) (i32.const 64)) {check}"
        ))
    }
}

const NOW: (&str, &str, &str) = ("clocks/monotonic-clock", "now", "(func $now (result i64))");
const RANDOM: (&str, &str, &str) = (
    "random/random",
    "get-random-u64",
    "(func $random (result i64))",
);
const STDOUT: (&str, &str, &str) = ("cli/stdout", "get-stdout", "(func $stdout (result i32))");
const STDERR: (&str, &str, &str) = ("cli/stderr", "get-stderr", "(func $stderr (result i32))");
const STDIN: (&str, &str, &str) = ("cli/stdin", "get-stdin", "(func $stdin (result i32))");
const WRITE: (&str, &str, &str) = (
    "io/streams",
    "[method]output-stream.blocking-write-and-flush",
    "(func $write (param i32 i32 i32 i32))",
);
const TIMER: (&str, &str, &str) = (
    "clocks/monotonic-clock",
    "subscribe-duration",
    "(func $timer (param i64) (result i32))",
);
const BLOCK: (&str, &str, &str) = (
    "io/poll",
    "[method]pollable.block",
    "(func $block (param i32))",
);
const READY: (&str, &str, &str) = (
    "io/poll",
    "[method]pollable.ready",
    "(func $ready (param i32) (result i32))",
);
const POLL: (&str, &str, &str) = ("io/poll", "poll", "(func $poll (param i32 i32 i32))");

/// A component that says `present` where WASI's clock is the facts' `now`, and `not-expected` elsewhere.
pub(crate) fn clock_watcher() -> Vec<u8> {
    // `now` stands at 32 of the facts.
    guest(
        &[NOW],
        "(if (result i32)
           (i64.eq (call $now) (i64.mul (i64.load offset=32 (local.get 0)) (i64.const 1000000)))
           (then (call $case (i32.const 0) (i32.const 0) (i32.const 0)))
           (else (call $case (i32.const 2) (i32.const 0) (i32.const 0))))",
    )
    .component()
}

/// A guest that prints its random number and the time, and answers both in one.
pub(crate) fn gambler() -> Guest {
    guest(
        &[NOW, RANDOM, STDOUT, WRITE],
        "(i64.store (i32.const 3072) (call $random))
         (call $write (call $stdout) (i32.const 3072) (i32.const 8) (i32.const 3088))
         (call $number (i32.wrap_i64 (i64.add (i64.load (i32.const 3072)) (call $now))))",
    )
}

async fn answer(guest: &Guest) -> u64 {
    number(&ask(&load(guest).await).await)
}

async fn failure(guest: &Guest) -> CallFailure {
    let failure = ask(&load(guest).await).await.verdict.unwrap_err();
    assert!(failure.cause.blames_policy());
    failure
}

async fn ask_with(policy: &Policy, facts: &Facts) -> CallReport {
    let world = Arc::new(Memory::default());
    policy
        .ask(Question::Existence, facts, world, values())
        .await
}

#[tokio::test]
async fn every_function_of_wasi_is_there_in_every_patch_version() {
    for wasi in ["0.2.0", "0.2.3", WASI] {
        let guest = Guest {
            imports: all_of_wasi(wasi),
            world: SEALED,
            wasi,
            ..Guest::default()
        };
        let told = runtime().inspect(guest.component().into()).await;
        assert!(told.problem.is_none(), "{wasi}: {:?}", told.problem);
        let is_sealed = |import: &&Import| import.offer == Offer::Sealed;
        assert_eq!(told.imports.iter().filter(is_sealed).count(), 27);
        assert!(ask(&load(&guest).await).await.verdict.is_ok());
    }
}

#[tokio::test]
async fn the_environment_is_empty() {
    let guest = guest(
        &[
            ("cli/environment", "get-environment", "(func $variables (param i32))"),
            ("cli/environment", "get-arguments", "(func $arguments (param i32))"),
            ("cli/environment", "initial-cwd", "(func $cwd (param i32))"),
        ],
        "(call $variables (i32.const 3072)) (call $arguments (i32.const 3080)) (call $cwd (i32.const 3088))
         (call $number (i32.add (i32.add (i32.load (i32.const 3076)) (i32.load (i32.const 3084))) (i32.load8_u (i32.const 3088))))",
    );
    assert_eq!(answer(&guest).await, 0);
}

#[tokio::test]
async fn there_are_no_directories() {
    let guest = guest(
        &[(
            "filesystem/preopens",
            "get-directories",
            "(func $open (param i32))",
        )],
        "(call $open (i32.const 3072)) (call $number (i32.load (i32.const 3076)))",
    );
    assert_eq!(answer(&guest).await, 0);
}

#[tokio::test]
async fn sockets_and_names_are_denied() {
    // `Err` is 1, and `access-denied` the second of the error codes: 11 together.
    let told = "(i32.add (i32.load8_u (i32.const 3072)) (i32.mul (i32.const 10) (i32.load8_u (i32.const 3076))))";
    for (interface, function) in [
        ("sockets/tcp-create-socket", "create-tcp-socket"),
        ("sockets/udp-create-socket", "create-udp-socket"),
    ] {
        let guest = guest(
            &[(interface, function, "(func $create (param i32 i32))")],
            &format!("(call $create (i32.const 0) (i32.const 3072)) (call $number {told})"),
        );
        assert_eq!(answer(&guest).await, 11, "{function}");
    }
    let guest = guest(
        &[
            ("sockets/instance-network", "instance-network", "(func $network (result i32))"),
            ("sockets/ip-name-lookup", "resolve-addresses", "(func $resolve (param i32 i32 i32 i32))"),
        ],
        &format!(
            "(call $resolve (call $network) (i32.const 2048) (i32.const 9) (i32.const 3072)) (call $number {told})"
        ),
    )
    .with_text("localhost");
    assert_eq!(answer(&guest).await, 11);
}

#[tokio::test]
async fn an_exit_is_a_trap_that_says_so() {
    for (function, status, told) in [
        ("exit", 0, "the guest called exit(0)"),
        ("exit", 1, "the guest called exit(1)"),
        ("exit-with-code", 42, "the guest called exit(42)"),
    ] {
        let guest = guest(
            &[("cli/exit", function, "(func $exit (param i32))")],
            &format!("(call $exit (i32.const {status})) i32.const 1024"),
        );
        let failure = failure(&guest).await;
        assert_eq!(failure.cause, Cause::Trap);
        assert!(failure.message.contains(told), "{failure}");
    }
}

#[tokio::test]
async fn standard_input_is_at_its_end() {
    for name in ["read", "blocking-read"] {
        let function = format!("[method]input-stream.{name}");
        // `Err` is 1 and `closed` the second case.
        let guest = guest(
            &[STDIN, ("io/streams", &function, "(func $read (param i32 i64 i32))")],
            "(call $read (call $stdin) (i64.const 100) (i32.const 3072))
             (call $number (i32.add (i32.load8_u (i32.const 3072)) (i32.mul (i32.const 10) (i32.load8_u (i32.const 3076)))))",
        );
        assert_eq!(answer(&guest).await, 11, "{name}");
    }
}

#[tokio::test]
async fn there_is_no_terminal() {
    for name in ["stdin", "stdout", "stderr"] {
        let (interface, function) = (
            format!("cli/terminal-{name}"),
            format!("get-terminal-{name}"),
        );
        let guest = guest(
            &[(&interface, &function, "(func $terminal (param i32))")],
            "(call $terminal (i32.const 3072)) (call $number (i32.load8_u (i32.const 3072)))",
        );
        assert_eq!(answer(&guest).await, 0, "{name}");
    }
}

#[tokio::test]
async fn what_is_printed_becomes_log_lines() {
    let write = |to: &str, from: u32, length: u32| {
        format!(
            "(call $write (call ${to}) (i32.const {from}) (i32.const {length}) (i32.const 3072))"
        )
    };
    // `one`, a line's end, `two` and its rest in another call, on one stream; `three` without an end on the other.
    let check = [
        write("stdout", 2048, 6),
        write("stderr", 2056, 5),
        write("stdout", 2054, 2),
        "i32.const 1024".to_owned(),
    ];
    let guest = guest(&[STDOUT, STDERR, WRITE], &check.concat()).with_text("one\ntwo\nthree\u{1b}");
    let policy = load(&guest).await;
    for _ in 0..2 {
        let report = ask(&policy).await;
        let logs: Vec<_> = report
            .logs
            .iter()
            .map(|line| (line.level, line.message.as_str()))
            .collect();
        assert_eq!(
            logs,
            [
                (LogLevel::Info, "one"),
                (LogLevel::Info, "two"),
                (LogLevel::Warn, "three"),
            ]
        );
    }
}

#[tokio::test]
async fn an_exception_on_standard_error_is_part_of_the_failure() {
    let text = "Traceback (most recent call last):\n  in check\n\nValueError: no luck\n";
    let print = format!(
        "(call $write (call $stderr) (i32.const 2048) (i32.const {}) (i32.const 3072)) unreachable",
        text.len()
    );
    let failure = failure(&guest(&[STDERR, WRITE], &print).with_text(text)).await;
    assert_eq!(failure.cause, Cause::Trap);
    assert_eq!(
        failure.said.as_deref(),
        Some("Traceback (most recent call last): in check | ValueError: no luck")
    );
}

#[tokio::test]
async fn printed_lines_share_the_bound_of_the_log() {
    let line = "(call $write (call $stdout) (i32.const 2048) (i32.const 1000) (i32.const 3072))";
    let text = format!("{}\n", "x".repeat(999));
    let chatty = guest(
        &[STDOUT, WRITE],
        &format!("{} i32.const 1024", line.repeat(20)),
    );
    let report = ask(&load(&chatty.with_text(&text)).await).await;
    assert!(report.verdict.is_ok());
    assert_eq!(report.logs.len(), 17);
    assert!(
        report.logs[16]
            .message
            .contains("bytes of log lines were dropped")
    );

    let flood = guest(
        &[STDOUT, WRITE],
        "(local.set $i (call $stdout))
         (loop $again (call $write (local.get $i) (i32.const 2048) (i32.const 1000) (i32.const 3072)) (br $again)) unreachable",
    );
    let report = ask(&load(&flood.with_text(&text)).await).await;
    assert_eq!(cause(&report), Cause::OutOfFuel);
    assert_eq!(report.logs.len(), 17);
}

#[tokio::test]
async fn both_clocks_are_the_decisions_now_and_stand_still() {
    let monotonic = guest(
        &[NOW],
        "(if (i64.ne (call $now) (call $now)) (then unreachable))
         (call $number (i32.wrap_i64 (i64.div_u (call $now) (i64.const 1000000))))",
    );
    let wall = guest(
        &[("clocks/wall-clock", "now", "(func $wall (param i32))")],
        "(call $wall (i32.const 3072))
         (call $number (i32.add (i32.mul (i32.const 1000) (i32.load (i32.const 3072))) (i32.div_u (i32.load (i32.const 3080)) (i32.const 1000000))))",
    );
    for guest in [monotonic, wall] {
        let policy = load(&guest).await;
        for millis in [0, 1_234, 98_765] {
            let facts = Facts {
                now: crate::time::Timestamp::from_millis(millis),
                ..facts()
            };
            assert_eq!(number(&ask_with(&policy, &facts).await), millis);
        }
    }
}

#[tokio::test]
async fn waiting_for_a_timer_is_a_trap_that_says_what_to_do() {
    let block = guest(
        &[TIMER, BLOCK],
        "(call $block (call $timer (i64.const 1))) i32.const 1024",
    );
    let poll = guest(
        &[TIMER, POLL],
        "(i32.store (i32.const 3072) (call $timer (i64.const 1000000000)))
         (call $poll (i32.const 3072) (i32.const 1) (i32.const 3080)) i32.const 1024",
    );
    for guest in [block, poll] {
        let failure = failure(&guest).await;
        assert_eq!(failure.cause, Cause::Trap);
        assert!(
            failure
                .message
                .contains("answer with a verdict that has a delay"),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn what_is_ready_is_found_among_what_never_is() {
    // A timer that is never due, one that is, and one more of the first kind.
    let guest = guest(
        &[TIMER, POLL, READY, BLOCK],
        "(i32.store (i32.const 3072) (call $timer (i64.const 5)))
         (i32.store (i32.const 3076) (call $timer (i64.const 0)))
         (i32.store (i32.const 3080) (call $timer (i64.const 5)))
         (call $block (i32.load (i32.const 3076)))
         (if (call $ready (i32.load (i32.const 3072))) (then unreachable))
         (call $poll (i32.const 3072) (i32.const 3) (i32.const 3088))
         (call $number (i32.add (i32.mul (i32.const 10) (i32.load (i32.const 3092))) (i32.load (i32.load (i32.const 3088)))))",
    );
    assert_eq!(
        answer(&guest).await,
        11,
        "one of them, and it is the second"
    );
}

#[tokio::test]
async fn randomness_is_the_recorded_entropy() {
    let draw = guest(
        &[RANDOM],
        "(drop (call $random)) (call $number (i32.wrap_i64 (call $random)))",
    );
    let bytes = guest(
        &[(
            "random/random",
            "get-random-bytes",
            "(func $bytes (param i64 i32))",
        )],
        "(call $bytes (i64.const 12) (i32.const 3072))
         (call $number (i32.load offset=8 (i32.load (i32.const 3072))))",
    );
    let seed = guest(
        &[(
            "random/insecure-seed",
            "insecure-seed",
            "(func $seed (param i32))",
        )],
        "(call $seed (i32.const 3072)) (call $number (i32.load (i32.const 3080)))",
    );
    for guest in [&draw, &bytes, &seed] {
        let fresh = load(guest).await;
        let mut reused = settings(guest);
        reused.instances = Instances::Reuse;
        let reused = runtime().load(&reused).await.unwrap();
        let of = async |policy: &Policy, entropy| {
            let facts = Facts { entropy, ..facts() };
            number(&ask_with(policy, &facts).await)
        };
        let first = of(&fresh, 1).await;
        assert_ne!(of(&fresh, 2).await, first);
        for policy in [&fresh, &reused] {
            for _ in 0..2 {
                assert_eq!(of(policy, 1).await, first);
            }
        }
    }
}

#[tokio::test]
async fn before_a_decision_time_and_entropy_are_the_same_for_all() {
    // What `configure` saw is what the verdict tells.
    let mut guest = guest(
        &[NOW, RANDOM],
        "(call $number (i32.wrap_i64 (global.get $seen)))",
    );
    guest.fields = "(global $seen (mut i64) (i64.const 0))".to_owned();
    guest.configure =
        "(global.set $seen (i64.add (call $now) (call $random))) i32.const 1024".to_owned();
    let policy = load(&guest).await;
    let of = async |now, entropy| {
        let facts = Facts {
            now: crate::time::Timestamp::from_millis(now),
            entropy,
            ..facts()
        };
        number(&ask_with(&policy, &facts).await)
    };
    assert_eq!(of(5, 5).await, of(6, 6).await);
}

#[tokio::test]
async fn every_call_costs_fuel_besides_the_guests_own_and_so_does_every_byte() {
    let fuel = async |imports: &[(&str, &str, &str)], call: &str, times: usize| {
        let guest = guest(imports, &format!("{} i32.const 1024", call.repeat(times)));
        ask(&load(&guest).await).await.usage.fuel
    };
    let now = async |times| fuel(&[NOW], "(drop (call $now))", times).await;
    assert!(now(110).await - now(10).await >= 100 * 200);

    let print = async |length: u32| {
        let call = format!(
            "(call $write (call $stdout) (i32.const 2048) (i32.const {length}) (i32.const 3072))"
        );
        fuel(&[STDOUT, WRITE], &call, 1).await
    };
    assert_eq!(print(900).await - print(100).await, 800);
}

#[tokio::test]
async fn handles_and_bytes_at_once_are_bounded() {
    let handles = guest(
        &[STDIN],
        "(loop $again (drop (call $stdin)) (br $again)) unreachable",
    );
    let bytes = guest(
        &[(
            "random/insecure",
            "get-insecure-random-bytes",
            "(func $bytes (param i64 i32))",
        )],
        "(call $bytes (i64.const 0x10000000000) (i32.const 3072)) unreachable",
    );
    let zeroes = guest(
        &[
            STDOUT,
            (
                "io/streams",
                "[method]output-stream.write-zeroes",
                "(func $zeroes (param i32 i64 i32))",
            ),
        ],
        "(call $zeroes (call $stdout) (i64.const 0x10000000000) (i32.const 3072)) unreachable",
    );
    for (guest, told) in [
        (handles, "more than 1024 handles"),
        (bytes, "65536 are the most"),
        (zeroes, "65536 are the most"),
    ] {
        let failure = failure(&guest).await;
        assert_eq!(failure.cause, Cause::Trap);
        assert!(failure.message.contains(told), "{failure}");
    }
    // One that is dropped makes room.
    let drops = guest(
        &[
            STDIN,
            (
                "io/streams",
                "[resource-drop]input-stream",
                "(func $close (param i32))",
            ),
        ],
        "(loop $again
           (call $close (call $stdin))
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $again (i32.lt_u (local.get $i) (i32.const 5000))))
         (call $number (local.get $i))",
    );
    assert_eq!(answer(&drops).await, 5000);
}

#[tokio::test]
async fn what_is_not_sealed_is_refused() {
    for import in [
        "wasi:http/types@0.2.0",
        "wasi:http/outgoing-handler@0.2.12",
        "wasi:clocks/monotonic-clock@0.3.0",
        "wasi:clocks/monotonic-clock@0.2.0-rc-2023-11-10",
        "wasi:keyvalue/store@0.2.0",
    ] {
        let text = format!("(component (import \"{import}\" (instance)))");
        let settings = PolicySettings::new(
            "p",
            ComponentSource::Bytes(wat::parse_str(text).unwrap().into()),
        );
        let said = runtime().load(&settings).await.unwrap_err().to_string();
        assert!(said.contains(&format!("{import} (unknown")), "{said}");
    }
}
