//! Decisions of guests of a few lines, recorded and made again.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::*;
use crate::contract::{Facts, Presence, Role};
use crate::policy::tests::guest::{CREATE_STATE, Guest, HEAD, LOG, PUT, SWAP};
use crate::policy::tests::wasi::gambler;
use crate::policy::tests::world::{Memory, StillClock};
use crate::policy::tests::{facts, values};
use crate::policy::{
    Chain, ComponentSource, Decision, Instances, Policy, PolicySettings, Question, Recorder,
    Runtime, RuntimeSettings, Verdict, World,
};
use crate::sandbox::record::{Bounds, Recording, read};
use crate::time::SystemClock;

/// Asks `head` about the text's first 14 bytes, and ignores the answer.
const HEAD_KEY: &str = "(call $head (i32.const 2048) (i32.const 14) (i32.const 3072))";
/// Writes the text's first byte to the key of its next 7 bytes, where nothing may stand.
const PUT_KEY: &str = "(call $put (i32.const 2049) (i32.const 7) (i32.const 2048) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 3072))";
const FIVE: &str = "(call $number (i32.const 5))";

/// A guest that does this and answers `unsettled` for 5 ms.
fn guest(calls: &str) -> Guest {
    saying(&format!("{calls} {FIVE}"))
}

fn saying(check: &str) -> Guest {
    Guest::checking(check)
        .importing(&[HEAD, SWAP, LOG])
        .with_text("app/.stream/xyhi")
}

/// A node with one existence policy, whose decisions are recorded.
struct Bench {
    dir: tempfile::TempDir,
    settings: PolicySettings,
    world: Memory,
    /// What is changed of a decision before it is written.
    meddle: fn(&mut Decision),
}

/// Changes decisions on their way into a recording.
#[derive(Debug)]
struct Meddling(Recording, fn(&mut Decision));

impl Recorder for Meddling {
    fn record(&self, mut decision: Box<Decision>) {
        (self.1)(&mut decision);
        self.0.record(decision);
    }
}

impl Bench {
    fn new(guest: &Guest) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("policy.wasm");
        std::fs::write(&file, guest.component()).unwrap();
        let mut settings = PolicySettings::new("p", ComponentSource::File(file));
        settings.grants.read = vec!["{root}/.stream/".to_owned()];
        settings.grants.write = vec!["app/x/".to_owned()];
        let world = Memory::holding(&[("app/.stream/xy", b"inside")]);
        Self {
            dir,
            settings,
            world,
            meddle: |_| {},
        }
    }

    /// Records one decision for each of these facts.
    async fn record(self, all: &[Facts]) -> Recorded {
        let runtime = Runtime::new(RuntimeSettings {
            yield_every: None,
            clock: Arc::new(StillClock::default()),
            ..RuntimeSettings::default()
        });
        let policy: Policy = runtime.unwrap().load(&self.settings).await.unwrap();
        let chain = Chain::new(Role::Existence, vec![policy]).unwrap();
        let path = self.dir.path().join("recording");
        let clock = Arc::new(SystemClock::new());
        let recording = Recording::start(&path, Bounds::default(), clock).unwrap();
        let recorder = Meddling(recording, self.meddle);
        let world: Arc<dyn World> = Arc::new(self.world);
        for facts in all {
            let world = |_: &Arc<str>| Arc::clone(&world);
            chain
                .ask(
                    Question::Existence,
                    facts,
                    &world,
                    &values(),
                    Some(&recorder),
                )
                .await;
        }
        recorder.0.finish();
        Recorded(self.dir)
    }

    async fn record_one(self) -> Recorded {
        self.record(&[facts()]).await
    }
}

/// A recording in a directory, which holds the policy too.
struct Recorded(tempfile::TempDir);

impl Recorded {
    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("recording")
    }

    async fn replay(&self, replacements: Vec<Replacement>) -> Result<Report, ReplayError> {
        let sources = read::sources(&self.path()).unwrap();
        replay(sources, replacements, None, |_| {}).await
    }

    /// Made again by the same component.
    async fn again(&self) -> Report {
        self.replay(Vec::new()).await.unwrap()
    }

    /// Made again by this guest.
    async fn by(&self, guest: &Guest) -> Report {
        self.replay(vec![replacement("p", guest)]).await.unwrap()
    }
}

fn replacement(policy: &str, guest: &Guest) -> Replacement {
    Replacement {
        policy: policy.to_owned(),
        component: ComponentSource::Bytes(guest.component().into()),
    }
}

/// The only group of a report with one different decision.
fn only(report: &Report) -> &Group {
    assert_eq!((report.decisions, report.same, report.different), (1, 0, 1));
    let [group] = report.groups.as_slice() else {
        panic!("{report:?}");
    };
    assert_eq!(
        (&*group.policy, group.role, group.count),
        ("p", Role::Existence, 1)
    );
    group
}

#[tokio::test]
async fn the_same_component_decides_the_same() {
    let log = "(call $log (i32.const 3) (i32.const 2048) (i32.const 3))";
    let calls = format!("{HEAD_KEY} {CREATE_STATE} {log} {PUT_KEY}");
    // The same bytes are the key that is read and, but for the first, the key that is written.
    let mut guest = guest(&calls).importing(&[HEAD, SWAP, LOG, PUT]);
    guest.fields = "(data (i32.const 2048) \"/app/x/yyyyyyy\")".to_owned();
    let report = Bench::new(&guest)
        .record(&[facts(), facts()])
        .await
        .again()
        .await;
    assert_eq!((report.decisions, report.same), (2, 2));
    assert_eq!((report.groups.len(), report.left.len()), (0, 0));
    assert_eq!(report.replaced, []);
}

#[tokio::test]
async fn sealed_wasi_answers_the_same() {
    let at = |millis, entropy| Facts {
        now: crate::time::Timestamp::from_millis(millis),
        entropy,
        ..facts()
    };
    let report = Bench::new(&gambler())
        .record(&[at(1_000, 1), at(2_000, 2), at(2_000, 3)])
        .await
        .again()
        .await;
    assert_eq!((report.decisions, report.same), (3, 3), "{report:?}");
}

#[tokio::test]
async fn a_delay_differs_by_its_value() {
    let recorded = Bench::new(&guest("")).record_one().await;
    let report = recorded.by(&saying("(call $number (i32.const 6))")).await;
    let group = only(&report);
    assert_eq!(group.aspect, Aspect::Verdict);
    assert_eq!(
        (&*group.recorded, &*group.replayed),
        ("unsettled", "unsettled")
    );
    let example = &group.example;
    assert_eq!(
        (&*example.recorded, &*example.replayed),
        ("unsettled 5ms", "unsettled 6ms")
    );
    assert_eq!(example.facts, facts());
    assert!(
        example.at.ends_with("decisions-000001.jsonl.gz:3"),
        "{}",
        example.at
    );
    assert_eq!(report.replaced.len(), 1);
}

#[tokio::test]
async fn a_failure_is_told_by_its_cause() {
    let recorded = Bench::new(&guest("")).record_one().await;
    let report = recorded.by(&saying("unreachable")).await;
    let group = only(&report);
    assert_eq!(
        (&*group.recorded, &*group.replayed),
        ("unsettled", "failed: trap")
    );
    let recorded = Bench::new(&saying("unreachable")).record_one().await;
    assert_eq!(recorded.again().await.same, 1);
}

#[tokio::test]
async fn a_call_that_was_not_recorded_is_where_it_diverged() {
    let recorded = Bench::new(&guest(HEAD_KEY)).record_one().await;
    let other = guest(HEAD_KEY).importing(&[HEAD]);
    let other = Guest {
        fields: "(data (i32.const 2048) \"app/.stream/zz\")".to_owned(),
        ..other
    };
    let report = recorded.by(&other).await;
    let group = only(&report);
    assert_eq!(group.aspect, Aspect::Diverged);
    assert_eq!(
        group.example.call.as_deref(),
        Some("object-reader.head(app/.stream/zz)")
    );
    assert!(
        group.example.replayed.starts_with("diverged here"),
        "{group:?}"
    );
    assert_eq!(group.example.calls.len(), 1);
}

#[tokio::test]
async fn reading_again_is_answered_and_writing_again_is_not() {
    let recorded = Bench::new(&guest(HEAD_KEY)).record_one().await;
    let report = recorded.by(&guest(&format!("{HEAD_KEY} {HEAD_KEY}"))).await;
    assert_eq!(report.same, 1);
    let writer = |calls: &str| Guest {
        fields: "(data (i32.const 2048) \"1app/x/y\")".to_owned(),
        ..guest(calls).importing(&[PUT])
    };
    let recorded = Bench::new(&writer(PUT_KEY)).record_one().await;
    let report = recorded.by(&writer(&format!("{PUT_KEY} {PUT_KEY}"))).await;
    let call = "object-writer.put(app/x/y, 1 byte, create)";
    assert_eq!(only(&report).aspect, Aspect::Diverged);
    assert_eq!(only(&report).example.call.as_deref(), Some(call));
    let report = recorded.by(&writer("")).await;
    assert_eq!(only(&report).aspect, Aspect::Writes);
    assert_eq!(only(&report).example.call.as_deref(), Some(call));
}

#[tokio::test]
async fn the_second_of_equal_calls_gets_the_second_answer() {
    // `head` says whether it found something: once it did, and once it did not.
    let found = "(i32.load8_u (i32.const 3072))";
    let check = format!(
        "{HEAD_KEY} (local.set $i {found}) {HEAD_KEY}
         (call $number (i32.add (i32.mul (i32.const 10) (local.get $i)) {found}))"
    );
    let mut bench = Bench::new(&saying(&check));
    bench.meddle = |decision| {
        use crate::policy::{Answer, ReadFailure};
        decision.calls[1].answer = Some(Answer::ReadFailed(ReadFailure::NotFound));
    };
    let report = bench.record_one().await.again().await;
    let group = only(&report);
    assert_eq!(group.example.recorded, "unsettled 0s");
    assert_eq!(group.example.replayed, "unsettled 1ms");
}

#[tokio::test]
async fn state_that_differs_is_told() {
    let recorded = Bench::new(&guest(CREATE_STATE)).record_one().await;
    let report = recorded.by(&guest("")).await;
    assert_eq!(only(&report).aspect, Aspect::State);
}

#[test]
fn a_report_is_the_same_on_any_number_of_threads() {
    let replayed = |threads: usize, recorded: &Recorded| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .build()
            .unwrap();
        let report = runtime.block_on(recorded.replay(Vec::new())).unwrap();
        serde_json::to_string(&report).unwrap()
    };
    // Fuel is shown where it differs, and differs here now and then.
    let bench = Bench {
        meddle: |decision| decision.usage.fuel += decision.facts.entropy % 3,
        ..Bench::new(&guest(HEAD_KEY))
    };
    let decisions: Vec<_> = (0..200)
        .map(|entropy| Facts { entropy, ..facts() })
        .collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let recorded = runtime.block_on(bench.record(&decisions));
    let first = replayed(1, &recorded);
    assert!(
        first.contains("\"fuel\":{") && first.contains("\"same\":67,"),
        "{first}"
    );
    for threads in [1, 2, 4, 4] {
        assert!(replayed(threads, &recorded) == first, "{threads} threads");
    }
}

#[tokio::test]
async fn fuel_that_differs_shows_a_component_that_is_not_deterministic() {
    let meddle = |decision: &mut Decision| decision.usage.fuel += 1;
    let mut bench = Bench::new(&guest(""));
    bench.meddle = meddle;
    let recorded = bench.record_one().await;
    let report = recorded.again().await;
    assert_eq!(only(&report).aspect, Aspect::Fuel);
    let fuel = only(&report).example.fuel.unwrap();
    assert_eq!(fuel.recorded, fuel.replayed + 1);
    // Another component takes other fuel, and so does an instance that was asked before.
    assert_eq!(
        recorded.by(&guest(HEAD_KEY)).await.groups[0].aspect,
        Aspect::Diverged
    );
    assert_eq!(recorded.by(&guest("nop nop nop")).await.same, 1);
    let mut bench = Bench::new(&guest(""));
    bench.meddle = meddle;
    bench.settings.instances = Instances::Reuse;
    assert_eq!(bench.record_one().await.again().await.same, 1);
}

#[tokio::test]
async fn a_store_that_never_answered_does_not_answer_again() {
    let mut bench = Bench::new(&guest(HEAD_KEY));
    bench.world.hangs = true;
    let recorded = bench.record_one().await;
    assert_eq!(recorded.again().await.same, 1);
    let report = recorded.by(&guest("")).await;
    assert_eq!(only(&report).recorded, "failed: deadline");
}

#[tokio::test]
async fn what_the_machine_did_is_not_compared() {
    use crate::policy::{CallFailure, Cause};
    let mut bench = Bench::new(&guest(""));
    bench.meddle = |decision| {
        if decision.facts.attempts == 1 {
            decision.verdict = Err(CallFailure {
                cause: Cause::Deadline { waiting: false },
                message: String::new(),
                said: None,
            });
        }
        if decision.facts.attempts == 2 {
            decision.verdict = Err(CallFailure {
                cause: Cause::PoolExhausted,
                message: String::new(),
                said: None,
            });
        }
    };
    let with = |attempts| Facts {
        attempts,
        ..facts()
    };
    let report = bench
        .record(&[with(0), with(1), with(2)])
        .await
        .again()
        .await;
    assert_eq!((report.decisions, report.same, report.different), (3, 1, 0));
    let left: Vec<_> = report.left.iter().map(|left| left.count).collect();
    assert_eq!(left, [1, 1]);
}

#[tokio::test]
async fn a_policy_with_secret_settings_is_not_compared() {
    let mut bench = Bench::new(&guest(""));
    bench.settings.settings = serde_json::json!({"token": "t"});
    let error = bench
        .record_one()
        .await
        .replay(Vec::new())
        .await
        .unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("none of 1 recorded decisions") && said.contains("without their secrets"),
        "{said}"
    );
}

#[tokio::test]
async fn groups_come_with_the_most_frequent_first_and_their_first_example() {
    let mut bench = Bench::new(&guest(""));
    bench.meddle = |decision| {
        if decision.facts.attempts == 1 {
            decision.verdict = Ok(Verdict::Existence(Presence::Abstain));
        }
    };
    let all = [1, 2, 3].map(|attempts| Facts {
        attempts,
        ..facts()
    });
    let recorded = bench.record(&all).await;
    let report = recorded.by(&saying("i32.const 1024")).await;
    let group = |group: &Group| {
        (
            group.recorded.clone(),
            group.count,
            group.example.facts.attempts,
        )
    };
    let groups: Vec<_> = report.groups.iter().map(group).collect();
    assert_eq!(
        groups,
        [("unsettled".to_owned(), 2, 2), ("abstain".to_owned(), 1, 1)]
    );
    assert_eq!(recorded.by(&saying("i32.const 1024")).await, report);
}

#[tokio::test]
async fn a_component_that_is_not_here_is_asked_for() {
    let recorded = Bench::new(&guest("")).record_one().await;
    let file = recorded.0.path().join("policy.wasm");
    let refused = |error: ReplayError, says: &str| {
        let said = error.to_string();
        let asks = "name one by `--policy p=FILE.wasm`";
        assert!(said.contains(says) && said.contains(asks), "{said}");
        assert!(said.contains("decisions-000001.jsonl.gz:3"), "{said}");
    };
    std::fs::write(&file, guest("nop").component()).unwrap();
    refused(
        recorded.replay(Vec::new()).await.unwrap_err(),
        "the one here is of SHA-256",
    );
    std::fs::remove_file(&file).unwrap();
    refused(
        recorded.replay(Vec::new()).await.unwrap_err(),
        "can't be read",
    );
    assert_eq!(recorded.by(&guest("")).await.same, 1);
}

#[tokio::test]
async fn a_component_that_does_not_fit_is_refused() {
    let recorded = Bench::new(&guest("")).record_one().await;
    let refused = async |guest: &Guest| {
        let error = recorded
            .replay(vec![replacement("p", guest)])
            .await
            .unwrap_err();
        format!("{:#}", anyhow::Error::new(error))
    };
    let of_another_role = Guest {
        world: "retry-policy",
        ..Guest::default()
    };
    let said = refused(&of_another_role).await;
    assert!(
        said.contains("asked for the role existence, which the component does not fill"),
        "{said}"
    );
    let failing = Guest {
        describe: "unreachable".to_owned(),
        ..Guest::default()
    };
    let said = refused(&failing).await;
    assert!(said.contains("does not fit what was recorded"), "{said}");
    let stray = recorded.replay(vec![replacement("q", &guest(""))]).await;
    let said = stray.unwrap_err().to_string();
    assert_eq!(
        said,
        "the recording has no decision of a policy `q`: it has `p`"
    );
}

#[tokio::test]
async fn nothing_is_reported_of_a_bad_recording() {
    let recorded = Bench::new(&guest("")).record(&[facts(), facts()]).await;
    let file = recorded.path().join("decisions-000001.jsonl.gz");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 9]).unwrap();
    let error = recorded.replay(Vec::new()).await.unwrap_err();
    assert!(matches!(error, ReplayError::Recording(_)), "{error}");
}

#[tokio::test]
async fn an_unsealed_file_is_replayed_as_far_as_it_goes() {
    let recorded = Bench::new(&guest("")).record(&[facts(), facts()]).await;
    let sealed = recorded.path().join("decisions-000001.jsonl.gz");
    let part = Path::with_extension(&sealed, "gz.part");
    std::fs::rename(&sealed, &part).unwrap();
    let bytes = std::fs::read(&part).unwrap();
    std::fs::write(&part, &bytes[..bytes.len() - 30]).unwrap();
    let report = recorded.again().await;
    assert_eq!((report.decisions, report.same), (2, 2));
    assert!(
        report.warnings[0].contains("it is not sealed"),
        "{:?}",
        report.warnings
    );
    std::fs::write(&part, b"").unwrap();
    let error = recorded.replay(Vec::new()).await.unwrap_err();
    assert!(matches!(error, ReplayError::NoDecisions), "{error}");
}

#[tokio::test]
async fn progress_goes_on_to_the_end() {
    let recorded = Bench::new(&guest("")).record(&[facts(), facts()]).await;
    let sources = read::sources(&recorded.path()).unwrap();
    let size = std::fs::metadata(&sources[0].path).unwrap().len();
    let told = Mutex::new(Vec::new());
    let tell = |progress: Progress| {
        told.lock()
            .unwrap()
            .push((progress.decisions, progress.read))
    };
    replay(sources, Vec::new(), None, tell).await.unwrap();
    assert_eq!(told.into_inner().unwrap().last(), Some(&(2, size)));
}
