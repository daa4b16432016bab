//! Every way to spend too much, and the cause that it is given.

use super::guest::{GET, HEAD, LOG, PUT, READ_FILE, SWAP};
use super::*;
use crate::contract::{Choice, Presence, RetryDecision};

const LOOP: &str = "(loop $again (br $again)) unreachable";

#[tokio::test]
async fn a_well_behaved_policy_has_a_verdict_and_a_bill() {
    let report = ask(&load(&Guest::default()).await).await;
    assert_eq!(report.verdict, Ok(Verdict::Existence(Presence::Present)));
    assert!(report.usage.fuel > 0);
    assert_eq!(report.usage.peak_memory, 2 * 65_536);
    assert_eq!((report.usage.host_calls, report.logs.len()), (0, 0));
}

#[tokio::test]
async fn the_same_decision_costs_the_same_fuel() {
    let policy = load(&Guest::default()).await;
    assert_eq!(ask(&policy).await.usage.fuel, ask(&policy).await.usage.fuel);
}

#[tokio::test]
async fn traps() {
    for check in [
        "unreachable",
        "(drop (i32.div_u (i32.const 1) (i32.const 0))) unreachable",
        "(drop (i32.load (i32.const -8))) unreachable",
        // A result that lies outside the memory, and a reason that is no UTF-8.
        "i32.const -8",
        "(i32.store8 (i32.const 0) (i32.const 255)) (call $case (i32.const 1) (i32.const 0) (i32.const 1))",
        "(call $case (i32.const 1) (i32.const -4) (i32.const 1000))",
        "(call $case (i32.const 99) (i32.const 0) (i32.const 0))",
    ] {
        let report = ask(&load(&Guest::checking(check)).await).await;
        assert_eq!(cause(&report), Cause::Trap, "{check}: {:?}", report.verdict);
    }
}

#[tokio::test]
async fn computing_for_ever_runs_out_of_fuel() {
    let report = ask(&load(&Guest::checking(LOOP)).await).await;
    assert_eq!(cause(&report), Cause::OutOfFuel);
    assert!(report.usage.fuel >= Limits::default().fuel);
}

#[tokio::test]
async fn recursing_for_ever_overflows_the_stack() {
    let mut guest = Guest::checking("(call $deep (i32.const 0))");
    guest.fields = "(func $deep (param i32) (result i32)
        (i32.add (i32.const 1) (call $deep (local.get 0))))"
        .to_owned();
    let report = ask(&load(&guest).await).await;
    assert_eq!(cause(&report), Cause::StackOverflow);
}

#[tokio::test]
async fn memory_is_bounded_in_one_go_and_by_small_steps_and_over_all_memories() {
    let at_once = Guest::checking("(drop (memory.grow (i32.const 1023))) i32.const 1024");
    let by_steps =
        Guest::checking("(loop $more (drop (memory.grow (i32.const 1))) (br $more)) unreachable");
    let mut several = Guest::checking(
        "(drop (memory.grow $other (i32.const 600))) (drop (memory.grow 0 (i32.const 600))) i32.const 1024",
    );
    several.fields = "(memory $other 1)".to_owned();
    for guest in [at_once, by_steps, several] {
        let report = ask(&load(&guest).await).await;
        assert_eq!(cause(&report), Cause::OutOfMemory, "{:?}", report.verdict);
        assert!(report.usage.peak_memory <= Limits::default().memory);
    }
}

#[tokio::test]
async fn memory_within_the_limit_is_granted() {
    let guest = Guest::checking("(call $number (memory.grow (i32.const 1022)))");
    let report = ask(&load(&guest).await).await;
    assert_eq!(number(&report), 2, "the size before");
    assert_eq!(report.usage.peak_memory, Limits::default().memory);
}

#[tokio::test]
async fn tables_are_bounded() {
    let mut guest = Guest::checking(
        "(loop $more (drop (table.grow $t (ref.null func) (i32.const 1000))) (br $more)) unreachable",
    );
    guest.fields = "(table $t 1 funcref)".to_owned();
    let report = ask(&load(&guest).await).await;
    assert_eq!(cause(&report), Cause::OutOfTables);
}

#[tokio::test]
async fn host_calls_are_refused_once_and_then_end_the_call() {
    let call = "(call $head (i32.const 2048) (i32.const 1) (i32.const 3072))";
    // 65 calls: the last is told so (`budget-exhausted` is case 3 of the error) and the verdict still counts.
    let polite = Guest::checking(format!(
        "(loop $again {call}
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $again (i32.lt_u (local.get $i) (i32.const 65))))
         (call $number (i32.load8_u (i32.const 3080)))"
    ))
    .importing(&[HEAD]);
    let report = ask(&load(&polite).await).await;
    assert_eq!(number(&report), 3);
    assert_eq!(report.usage.host_calls, 64);

    let greedy =
        Guest::checking(format!("(loop $again {call} (br $again)) unreachable")).importing(&[HEAD]);
    let report = ask(&load(&greedy).await).await;
    assert_eq!(cause(&report), Cause::HostCalls);
    assert_eq!(report.host_calls.len(), 64);
}

#[tokio::test]
async fn bytes_returned_are_bounded() {
    let world = || Arc::new(Memory::holding(&[("app/x", &[7; 100])]));
    let get =
        "(call $get (i32.const 2048) (i32.const 5) (i64.const 0) (i32.const 60) (i32.const 3072))";
    let guest = |check: String| {
        Guest::checking(check)
            .importing(&[GET, HEAD])
            .with_text("app/x")
    };
    let asked = async |guest: &Guest, bytes_returned| {
        let mut settings = settings(guest);
        settings.limits.bytes_returned = bytes_returned;
        settings.grants.read = vec!["{root}/".to_owned()];
        let policy = runtime().load(&settings).await.unwrap();
        ask_in(&policy, world()).await
    };
    // The second piece does not fit, and the guest is told what is left: `too-large` is case 2, its number at 16.
    let two = guest(format!(
        "{get} {get} (call $number (i32.add (i32.mul (i32.const 1000) (i32.load8_u (i32.const 3080))) (i32.load (i32.const 3088))))"
    ));
    let report = asked(&two, 100).await;
    assert_eq!(number(&report), 2040);
    assert_eq!(report.usage.bytes_returned, 60);

    // A description that does not fit ends the call at the next one.
    let head = "(call $head (i32.const 2048) (i32.const 5) (i32.const 3072))";
    let heads = guest(format!("{head} {head} i32.const 1024"));
    assert_eq!(cause(&asked(&heads, 10).await), Cause::BytesReturned);
}

#[tokio::test]
async fn more_of_a_staged_file_than_bytes_are_left_is_refused_unread() {
    let guest = Guest::checking(
        "(call $read (i32.const 2048) (i32.const 4) (i64.const 0) (i32.const 100) (i32.const 3072))
         (call $number (select (i32.load8_u (i32.const 3080)) (i32.const 9) (i32.load8_u (i32.const 3072))))",
    )
    .importing(&[READ_FILE])
    .with_text("file");
    let mut settings = settings(&guest);
    for (bytes_returned, outcome) in [(99, 1), (100, 9)] {
        settings.limits.bytes_returned = bytes_returned;
        let policy = runtime().load(&settings).await.unwrap();
        let report = ask(&policy).await;
        assert_eq!(number(&report), outcome, "1 is `too-large`, 9 the content");
    }
}

#[tokio::test]
async fn bytes_accepted_are_bounded_in_one_piece_and_in_sum() {
    let mut piece = Guest::checking(
        "(call $head (i32.const 0) (i32.const 2000000) (i32.const 3072)) unreachable",
    )
    .importing(&[HEAD]);
    piece.memory = "(memory (export \"memory\") 64)";
    let sum = Guest::checking(
        "(loop $again
           (call $swap (i32.const 0) (i32.const 2048) (i32.const 1) (i32.const 1) (i32.const 0) (i32.const 65000)
             (i32.const 1) (i32.const 0) (i32.const 65000) (i32.const 3072))
           (br $again)) unreachable",
    )
    .importing(&[SWAP]);
    for guest in [piece, sum] {
        let report = ask(&load(&guest).await).await;
        assert_eq!(cause(&report), Cause::BytesAccepted, "{:?}", report.verdict);
    }
}

#[tokio::test]
async fn an_object_over_the_bytes_that_are_left_is_refused_and_not_a_trap() {
    let mut guest = Guest::checking(
        "(call $put (i32.const 2048) (i32.const 9) (i32.const 0) (i32.const 1048576) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 3072))
         (call $number (i32.load8_u (i32.const 3080)))",
    )
    .importing(&[PUT])
    .with_text("app/notes");
    guest.memory = "(memory (export \"memory\") 64)";
    let mut settings = settings(&guest);
    settings.grants.write = vec!["{root}/".to_owned()];
    let world = Arc::new(Memory::default());
    let policy = runtime().load(&settings).await.unwrap();
    let report = ask_in(&policy, Arc::clone(&world)).await;
    assert_eq!(number(&report), 3, "`too-large`");
    assert!(world.objects.lock().unwrap().is_empty());
}

#[tokio::test]
async fn logs_are_cut_and_say_so() {
    let line = "(call $log (i32.const 2) (i32.const 2048) (i32.const 1000))";
    let chatty = Guest::checking(format!("{} i32.const 1024", line.repeat(20)))
        .importing(&[LOG])
        .with_text(&"\u{1b}".repeat(1000));
    let report = ask(&load(&chatty).await).await;
    assert!(report.verdict.is_ok());
    assert_eq!(report.logs.len(), 17);
    assert_eq!(report.logs[0].message, "\\u{1b}".repeat(1000));
    assert_eq!(report.logs[0].level, LogLevel::Info);
    assert!(report.logs[16].message.contains("4000 bytes"));

    let flood =
        Guest::checking(format!("(loop $again {line} (br $again)) unreachable")).importing(&[LOG]);
    let report = ask(&load(&flood).await).await;
    assert_eq!(cause(&report), Cause::OutOfFuel);
    assert_eq!(report.logs.len(), 17);
}

#[tokio::test]
async fn a_log_line_costs_fuel_for_its_bytes() {
    let fuel = async |length: u64| {
        let guest = Guest::checking(format!(
            "(call $log (i32.const 2) (i32.const 2048) (i32.const {length})) i32.const 1024"
        ));
        let report = ask(&load(&guest.importing(&[LOG])).await).await;
        report.usage.fuel
    };
    assert_eq!(fuel(900).await - fuel(100).await, 800);
}

#[tokio::test]
async fn a_component_is_made_of_as_many_parts_as_its_limits_say() {
    let mut guest = Guest::default().importing(&[LOG]);
    guest.fields = "(table 1 funcref) (table 1 funcref) (memory 0) (memory 0)".to_owned();
    type Limit = fn(&mut Limits) -> &mut u32;
    let limits: [(&str, Limit); 3] = [
        ("instance", |limits| &mut limits.instances),
        ("table", |limits| &mut limits.tables),
        ("memory", |limits| &mut limits.memories),
    ];
    for (part, limit) in limits {
        let mut settings = settings(&guest);
        runtime().load(&settings).await.unwrap();
        *limit(&mut settings.limits) = 1;
        let error = runtime().load(&settings).await.unwrap_err();
        let LoadProblem::Failed { source, .. } = error.problem else {
            panic!("{error}");
        };
        assert!(source.message.contains(part), "{source}");
    }
}

#[tokio::test]
async fn an_error_is_the_guests_own_words() {
    let guest =
        Guest::checking("(call $refuse (i32.const 2048) (i32.const 5))").with_text("no\u{7}pe");
    let report = ask(&load(&guest).await).await;
    let failure = report.verdict.unwrap_err();
    assert_eq!(failure.cause, Cause::GuestError);
    assert_eq!(failure.message, "no\\u{7}pe");
}

#[tokio::test]
async fn verdicts_out_of_bounds_are_refused() {
    let mut guest = Guest::checking("(call $case (i32.const 1) (i32.const 4096) (i32.const 1025))");
    guest.memory = "(memory (export \"memory\") 64)";
    let report = ask(&load(&guest).await).await;
    assert_eq!(cause(&report), Cause::OutOfBounds, "a long reason");

    let secret = "secret/x";
    for (choose, what) in [
        (
            "(call $case (i32.const 0) (i32.const 4096) (i32.const 1025))",
            "a long reason",
        ),
        (
            "(call $case (i32.const 1) (i32.const 2048) (i32.const 8))",
            "an unknown default",
        ),
        (
            "(call $case (i32.const 2) (i32.const 2048) (i32.const 8))",
            "an object not granted",
        ),
        (
            "(call $case (i32.const 4) (i32.const 1048576) (i32.const 1048577))",
            "a long document",
        ),
    ] {
        let mut guest = guest.clone().with_text(secret);
        guest.choose = choose.to_owned();
        let mut settings = settings(&guest);
        settings.grants.read = vec!["{root}/".to_owned()];
        let policy = runtime().load(&settings).await.unwrap();
        let question = Question::Fallback { reason: "late" };
        let report = policy
            .ask(question, &facts(), Arc::new(Memory::default()), values())
            .await;
        assert_eq!(cause(&report), Cause::OutOfBounds, "{what}");
    }
}

#[tokio::test]
async fn each_role_answers_its_own_question() {
    let mut guest = Guest::default().with_text("emptyapp/.stream/x");
    guest.choose = "(call $case (i32.const 1) (i32.const 2048) (i32.const 5))".to_owned();
    guest.decide = "(call $case (i32.const 0) (i32.const 1500) (i32.const 0))".to_owned();
    let policy = load(&guest).await;
    let failure = crate::contract::Failure::SchemaAbsent("late".to_owned());
    for (question, verdict) in [
        (Question::Existence, Verdict::Existence(Presence::Present)),
        (
            Question::Fallback { reason: "late" },
            Verdict::Fallback(Choice::Named("empty".to_owned())),
        ),
        (
            Question::Retry { failure: &failure },
            Verdict::Retry(RetryDecision::After(Duration::from_millis(1500))),
        ),
    ] {
        let world = Arc::new(Memory::default());
        let report = policy.ask(question, &facts(), world, values()).await;
        assert_eq!(report.verdict, Ok(verdict));
    }
}

#[tokio::test]
async fn a_store_that_hangs_ends_the_call_without_blame() {
    let guest = Guest::checking(
        "(call $head (i32.const 2048) (i32.const 5) (i32.const 3072)) i32.const 1024",
    )
    .importing(&[HEAD])
    .with_text("app/x");
    let mut settings = settings(&guest);
    settings.grants.read = vec!["{root}/".to_owned()];
    let policy = runtime().load(&settings).await.unwrap();
    let world = Arc::new(Memory {
        hangs: true,
        ..Memory::default()
    });
    let report = ask_in(&policy, world).await;
    assert_eq!(cause(&report), Cause::Deadline { waiting: true });
    assert!(!cause(&report).blames_policy());
    assert_eq!(report.usage.elapsed, Limits::default().deadline);
    assert_eq!(report.host_calls[0].outcome, HostCallOutcome::Unfinished);
    assert_eq!(report.host_calls[0].subject, "app/x");
    // Its slot is free again.
    assert!(ask(&policy).await.verdict.is_ok());
}

#[tokio::test]
async fn a_computation_past_the_deadline_is_the_policys() {
    let mut settings = settings(&Guest::checking(LOOP));
    settings.limits.fuel = u64::MAX / 4;
    settings.limits.deadline = seconds(30);
    let runtime = Runtime::new(RuntimeSettings {
        slots: 1,
        clock: Arc::new(StillClock::racing()),
        ..RuntimeSettings::default()
    });
    let policy = runtime.unwrap().load(&settings).await.unwrap();
    let report = ask(&policy).await;
    assert_eq!(cause(&report), Cause::Deadline { waiting: false });
    assert!(report.usage.running * 2 >= report.usage.elapsed);
}

#[tokio::test]
async fn a_full_pool_is_nobodys_fault() {
    let guest = Guest::checking(
        "(call $head (i32.const 2048) (i32.const 5) (i32.const 3072)) i32.const 1024",
    )
    .importing(&[HEAD])
    .with_text("app/x");
    let mut settings = settings(&guest);
    settings.grants.read = vec!["{root}/".to_owned()];
    let clock = Arc::new(StillClock::racing());
    let runtime = runtime_with(1, clock);
    settings.limits.deadline = seconds(3600);
    let holder = runtime.load(&settings).await.unwrap();
    let world = Arc::new(Memory {
        hangs: true,
        ..Memory::default()
    });
    let mut held = Box::pin(ask_in(&holder, world));
    assert!(futures::poll!(held.as_mut()).is_pending());
    let mut second = Box::pin(ask(&holder));
    assert!(
        futures::poll!(second.as_mut()).is_pending(),
        "it waits for the slot"
    );
    drop(held);
    assert!(
        second.await.verdict.is_ok(),
        "a dropped call frees its slot"
    );
}

#[tokio::test]
async fn more_calls_than_slots_take_turns() {
    let runtime = runtime_with(2, Arc::new(StillClock::racing()));
    let mut settings = settings(&Guest::default());
    settings.limits.deadline = seconds(3600);
    let policy = runtime.load(&settings).await.unwrap();
    let reports = futures::future::join_all((0..50).map(|_| ask(&policy))).await;
    assert!(reports.iter().all(|report| report.verdict.is_ok()));
}

#[tokio::test]
async fn no_slot_within_the_deadline_blames_nobody() {
    let guest = Guest::checking(
        "(call $head (i32.const 2048) (i32.const 5) (i32.const 3072)) i32.const 1024",
    )
    .importing(&[HEAD])
    .with_text("app/x");
    let mut holding = settings(&guest);
    holding.grants.read = vec!["{root}/".to_owned()];
    let slow = Arc::new(StillClock::racing());
    let runtime = runtime_with(1, slow);
    let holder = runtime.load(&holding).await.unwrap();
    let _slot = holder.own.slots.take(Duration::ZERO).await.unwrap();
    let mut waiting = Box::pin(ask(&holder));
    assert!(futures::poll!(waiting.as_mut()).is_pending());

    let runtime = runtime_with(1, Arc::new(StillClock::default()));
    let policy = runtime.load(&holding).await.unwrap();
    let _slot = policy.own.slots.take(Duration::ZERO).await.unwrap();
    assert_eq!(cause(&ask(&policy).await), Cause::PoolExhausted);
}

#[tokio::test]
async fn facts_over_the_contracts_bound_are_not_handed_over() {
    let policy = load(&Guest::default()).await;
    let mut facts = facts();
    facts.local = LocalState::Unreadable("x".repeat(70_000));
    let report = policy
        .ask(
            Question::Existence,
            &facts,
            Arc::new(Memory::default()),
            values(),
        )
        .await;
    assert_eq!(cause(&report), Cause::Unavailable);
}
