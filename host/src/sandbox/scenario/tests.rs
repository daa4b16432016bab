//! Each expectation held and not held, scenarios that can't be meant, and policies that remember.

use std::sync::{Arc, LazyLock};

use super::*;
use crate::agent::{Loaded, load_policies};
use crate::config::{ConfigError, Source};
use crate::policy::tests::guest::{Guest, LOG};
use crate::policy::tests::wasi::clock_watcher;
use crate::policy::{ComponentSource, Runtime, RuntimeSettings, remembering};
use crate::sandbox::{Executor, VirtualClock};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Runtime::new(RuntimeSettings {
        slots: 64,
        idle: 16,
        yield_every: None,
        cache: None,
        clock: Arc::new(VirtualClock::new(Executor::new(None))),
    })
    .unwrap()
});

fn read(text: &str) -> Result<Scenario, ConfigError> {
    Scenario::from_source(Source::new("case.toml", text))
}

async fn loaded(scenario: &Scenario) -> Loaded {
    load_policies(RUNTIME.clone(), &scenario.settings)
        .await
        .unwrap()
}

async fn report(text: &str) -> Report {
    let scenario = read(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    run(&scenario, &loaded(&scenario).await)
}

/// One stream that is staged in the middle of an outage of ten minutes.
const OUTAGE: &str = r#"
title = "An outage"
until = "1h"
[config.staging]
layout = "plain"
[[faults]]
from = "1m"
until = "11m"
effect = "fail"
kind = "unavailable"
[[timeline]]
at = "2m"
do = "stage"
stream = "app"
fields = { id = "Int64" }
[[expect]]
"#;

#[tokio::test]
async fn what_holds_is_as_expected_and_what_does_not_is_told() {
    for (expected, told) in [
        ("stream = \"app\"\nphase = \"synced\"", None),
        ("stream = \"app\"\nphase = \"synced\"\nby = \"40m\"", None),
        ("stream = \"app\"\nphase = \"pending\"\nat = \"5m\"", None),
        (
            "stream = \"app\"\nphase = \"synced\"\nby = \"5m\"",
            Some("expected app to be synced by 0:05:00.000, but it was pending"),
        ),
        ("stream = \"app\"\nnever = [\"provisional\"]", None),
        (
            "stream = \"app\"\nnever = [\"idle\", \"pending\"]",
            Some("never to be idle or pending, but it was pending at 0:02:01"),
        ),
        (
            "stream = \"app\"\nrole = \"existence\"\nverdicts = [\"unsettled\", \"present\"]",
            None,
        ),
        (
            "stream = \"app\"\nrole = \"existence\"\nverdicts = [\"present\"]",
            Some("expected these verdicts: present, but unsettled, present"),
        ),
        (
            "stream = \"app\"\nrole = \"existence\"\nverdicts = [\"unsettled\", \"present\", \"absent\"]",
            Some("but unsettled, present"),
        ),
        ("verdicts_among = [\"present\", \"after\", \"after\"]", None),
        (
            "verdicts_among = [\"present\", \"abandon\"]",
            Some("these verdicts among others: present, abandon, but unsettled, present, "),
        ),
        (
            "policy = \"backoff\"\nuntil = \"3m\"\nverdicts_among = [\"after\"]",
            None,
        ),
        (
            "delays = { min = \"200ms\", max = \"15m\", reach = \"1m\" }",
            None,
        ),
        (
            "delays = { max = \"1s\" }",
            Some("expected delays of at most 1s, but one of "),
        ),
        (
            "delays = { reach = \"20m\" }",
            Some("expected a delay of at least 20m, but the longest is "),
        ),
        (
            "delays = { count = { max = 2 } }",
            Some("expected at most 2 delays, but "),
        ),
        (
            "requests = { operations = [\"create\"], min = 1, max = 1 }",
            None,
        ),
        (
            "requests = { outcome = \"failed\", max = 0 }",
            Some("expected none requests, but "),
        ),
        (
            "from = \"12m\"\nrequests = { outcome = \"failed\", max = 0 }",
            None,
        ),
        (
            "object = \"app/n1.schema.json\"\nfields = { id = \"Int64\" }",
            None,
        ),
        (
            "object = \"app/n1.schema.json\"\nat = \"10m\"\nabsent = true",
            None,
        ),
        (
            "object = \"app/n1.schema.json\"\nfields = { id = \"Utf8\" }",
            Some(
                "a schema of id Utf8 to stand under app/n1.schema.json at 1:00:00.000, but a schema of id Int64",
            ),
        ),
        (
            "object = \"app/n2.schema.json\"\nabsent = false",
            Some("but nothing stands there"),
        ),
        ("silent = true", None),
        (
            "warns = \"gone\"",
            Some("expected a warning with `gone`, but there is no warning"),
        ),
        ("no_overwrite = true", None),
        (
            "budget = { fuel = 10000000, memory = \"4MiB\", host_calls = 8 }",
            None,
        ),
        (
            "budget = { fuel = 10 }",
            Some("each call to use at most 10 fuel"),
        ),
        ("failed_calls = { max = 0 }", None),
        (
            "failed_calls = { min = 1 }",
            Some("at least 1 calls of policies that fail, but 0"),
        ),
        ("ends = \"conditions\"", Some("but it runs on")),
        ("property = \"all\"", None),
        ("property = [\"well-formed\", \"reads-back\"]", None),
        (
            "property = \"nothing-dropped\"\nnode = \"n1\"\nstream = \"app\"\nfrom = \"2m\"",
            None,
        ),
        (
            "property = [\"well-formed\", \"converges\"]",
            Some(
                "converges: every stream settles once nothing disturbs it, but that can't be told: streams may take 4h 21m to settle once nothing disturbs the world: let `until` be 4h ",
            ),
        ),
    ] {
        let report = report(&format!("{OUTAGE}{expected}\n")).await;
        let failures: Vec<_> = report
            .failures
            .iter()
            .map(|failure| format!("expected {}, but {}", failure.expected, failure.came))
            .collect();
        match told {
            None => assert_eq!(failures, Vec::<String>::new(), "{expected}"),
            Some(told) => {
                assert_eq!(failures.len(), 1, "{expected}");
                assert!(failures[0].contains(told), "{expected}: {failures:?}");
                assert_eq!(report.failures[0].line, Some(16), "{expected}");
                assert!(!report.failures[0].timeline.is_empty());
            }
        }
    }
}

#[tokio::test]
async fn a_store_that_ignores_conditions_ends_the_agent_unless_that_is_expected() {
    let text = "title = \"x\"\nuntil = \"1h\"\n[store]\nconditions = \"ignored\"\n";
    let failures = report(text).await.failures;
    assert_eq!(failures.len(), 1);
    assert!(
        failures[0].came.contains("the agent of n1 ended"),
        "{}",
        failures[0].came
    );
    let expected = format!("{text}[[expect]]\nends = \"ignores the condition\"\n");
    assert_eq!(report(&expected).await.failures, []);
}

#[tokio::test]
async fn a_write_that_loses_what_stood_there_is_an_overwrite() {
    // The peer's condition is ignored once, right when the node's own object has gained a field.
    let text = r#"
title = "x"
until = "1h"
[config.staging]
layout = "plain"
[config.store]
conditional_writes = "best-effort"
[[faults]]
operations = ["create"]
keys = "app/**"
effect = "ignore-condition"
[[faults]]
operations = ["create"]
keys = "app/**"
effect = "race"
fields = { other = "Utf8" }
[[timeline]]
at = "0s"
do = "stage"
stream = "app"
fields = { id = "Int64" }
[[expect]]
"#;
    for (expected, told) in [
        (
            "no_overwrite = true",
            "the create of app/n1.schema.json by n1 at 0:00:0",
        ),
        (
            "property = \"nothing-dropped\"",
            "app on n1: its write dropped a field of what stood there",
        ),
        (
            "property = \"all\"",
            "app on n1: its write dropped a field of what stood there",
        ),
    ] {
        let failures = report(&format!("{text}{expected}\n")).await.failures;
        assert_eq!(failures.len(), 1, "{expected}: {failures:#?}");
        let came = &failures[0].came;
        assert!(came.contains(told), "{expected}: {came}");
        let around = failures[0].timeline.join("\n");
        assert!(
            around.contains("create app/n1.schema.json: done"),
            "{around}"
        );
    }
    let elsewhere = format!("{text}property = \"nothing-dropped\"\nfrom = \"1m\"\n");
    assert_eq!(report(&elsewhere).await.failures, []);
}

#[tokio::test]
async fn a_world_without_rest_is_stopped_where_properties_are_expected() {
    let text = r#"
title = "x"
until = "1d"
[config.staging]
layout = "plain"
[config.sync]
bounds = { min_delay = "1ms" }
[config.policies.backoff]
component = "builtin:backoff"
settings = { initial = "10ms", max = "10ms" }
[[faults]]
operations = ["create"]
effect = "fail"
kind = "unavailable"
[[timeline]]
at = "0s"
do = "stage"
stream = "app"
fields = { id = "Int64" }
[[expect]]
"#;
    let expecting = |expected: &str| read(&format!("{text}{expected}\n")).unwrap();
    let scenario = expecting("property = \"all\"");
    let policies = loaded(&scenario).await;
    let played = play(&scenario, &policies, None);
    let stopped = "so much happened that the world was stopped";
    for (expected, told) in [
        ("property = \"comes-to-rest\"", stopped),
        ("property = \"all\"", stopped),
        (
            "property = \"well-formed\"",
            "there were more, and the world was stopped at 0:",
        ),
    ] {
        let failures = judge(&expecting(expected), &policies, &played);
        assert_eq!(failures.len(), 1, "{expected}: {failures:#?}");
        let came = &failures[0].came;
        assert!(came.contains(told), "{expected}: {came}");
        // However long before it was.
        let around = failures[0].timeline.join("\n");
        assert!(
            around.contains("n1 stages a schema of id Int64 for app"),
            "{around}"
        );
    }
}

#[test]
fn properties_are_written_by_their_names() {
    for property in Property::ALL {
        let name = property.name();
        assert_eq!(serde_json::to_value(property).unwrap(), name);
        assert_eq!(Property::named(name), Some(property));
    }
}

#[tokio::test]
async fn a_policy_that_remembers_is_told_on() {
    let mut scenario = read(
        "title = \"x\"\nuntil = \"1m\"\n[config.staging]\nlayout = \"plain\"\n[config.sync]\nexistence = [\"counts\"]\n\
         [config.policies.counts]\ncomponent = \"builtin:presence\"\n[[timeline]]\nat = \"0s\"\ndo = \"stage\"\n\
         stream = \"app\"\nfields = { id = \"Int64\" }\n",
    )
    .unwrap();
    let settings = Arc::make_mut(&mut scenario.settings);
    let counts = settings.policies.get_mut("counts").unwrap();
    counts.component = ComponentSource::Bytes(remembering().into());
    let report = run(&scenario, &loaded(&scenario).await);
    assert_eq!(report.failures, []);
    let told = report.hidden_state.unwrap();
    assert!(
        told.starts_with(
            "a fresh instance answers `unsettled, look again in 1ms`, a reused one `unsettled, look again in 2ms`"
        ),
        "{told}"
    );
}

#[tokio::test]
async fn the_clock_of_sealed_wasi_is_the_sandboxs() {
    let text = "title = \"x\"\nuntil = \"3h\"\n[config.staging]\nlayout = \"plain\"\n[config.sync]\nexistence = [\"watcher\"]\n\
         [config.policies.watcher]\ncomponent = \"builtin:presence\"\n[[timeline]]\nat = \"1m\"\ndo = \"stage\"\n\
         stream = \"one\"\nfields = { id = \"Int64\" }\n[[timeline]]\nat = \"2h\"\ndo = \"stage\"\nstream = \"two\"\n\
         fields = { id = \"Int64\" }\n[[expect]]\nstream = \"one\"\nphase = \"synced\"\n[[expect]]\nstream = \"two\"\n\
         phase = \"synced\"\n";
    let mut scenario = read(text).unwrap();
    let settings = Arc::make_mut(&mut scenario.settings);
    let watcher = settings.policies.get_mut("watcher").unwrap();
    watcher.component = ComponentSource::Bytes(clock_watcher().into());
    let report = run(&scenario, &loaded(&scenario).await);
    assert_eq!(report.failures, []);
    assert_eq!(report.hidden_state, None);
}

#[tokio::test]
async fn the_same_seed_is_the_same_report_and_fuel_is_part_of_it() {
    let text = format!("shuffle = true\n{OUTAGE}silent = true\n");
    let again = report(&text).await;
    assert!(again.fuel > 0 && again.decisions > 10);
    assert_eq!(report(&text).await, again);
    let other = report(&format!("seed = 8\n{text}")).await;
    assert_ne!(other.requests, 0);
    assert_ne!(other, again);
}

#[test]
fn what_can_not_be_meant_is_refused_at_its_place() {
    let head = "title = \"x\"\nuntil = \"1h\"\n";
    for (rest, told) in [
        ("colour = 1", "3:1: unknown key `colour`"),
        (
            "[[timeline]]\nat = \"2h\"\ndo = \"crash\"",
            "4:6: happens after the end",
        ),
        (
            "[[timeline]]\nat = \"2m\"\ndo = \"crash\"\n[[timeline]]\nat = \"1m\"\ndo = \"start\"",
            "7:6: happens before the step above it, at 2m",
        ),
        (
            "[[timeline]]\nat = \"1m\"\ndo = \"dance\"",
            "5:6: unknown value `dance`",
        ),
        (
            "[[timeline]]\nat = \"1m\"\ndo = \"stage\"",
            "5:6: say which stream",
        ),
        (
            "[[timeline]]\nat = \"1m\"\ndo = \"stage\"\nstream = \"app\"",
            "say what it holds",
        ),
        (
            "[[timeline]]\nat = \"1m\"\ndo = \"stage\"\nstream = \"app\"\nfields = { a = \"Int65\" }",
            "7:16: `Int65` is no type",
        ),
        (
            "[[timeline]]\nat = \"1m\"\ndo = \"stage\"\nstream = \"app\"\nfile = \"nowhere.json\"",
            "7:8: can't read nowhere.json",
        ),
        (
            "[[timeline]]\nat = \"1m\"\ndo = \"crash\"\nfiles = 3",
            "6:9: `files` means nothing with this `do`",
        ),
        (
            "[[timeline]]\nat = \"1m\"\ndo = \"crash\"\nnode = \"n7\"",
            "6:8: no node with an agent is named `n7`; there is n1",
        ),
        (
            "[[timeline]]\nat = \"1m\"\ndo = \"skew\"\nahead = \"-soon\"",
            "6:9: `soon` is not a valid duration",
        ),
        (
            "[[nodes]]\nname = \"a\"\n[[nodes]]\nname = \"a\"",
            "6:8: there is a node `a` already",
        ),
        (
            "[[expect]]\nstream = \"app\"\nphase = \"synced\"",
            "4:10: nothing happens to a stream `app`",
        ),
        ("[[expect]]\nphase = \"synced\"", "say which stream"),
        (
            "[[expect]]\nsilent = true\nphase = \"synced\"",
            "one expectation says one thing",
        ),
        (
            "[[expect]]\nnode = \"n1\"",
            "an expectation says what is expected",
        ),
        (
            "[[expect]]\nsilent = true\npolicy = \"mine\"",
            "5:10: no policy is named `mine`; there is backoff, ladder, presence",
        ),
        (
            "[[expect]]\nverdicts = [\"yes\"]",
            "4:13: `yes` is no verdict",
        ),
        (
            "[[expect]]\nobject = \"a//b\"\nabsent = true",
            "4:10: is no key",
        ),
        (
            "[[expect]]\nproperty = \"convergs\"",
            "4:12: `convergs` is no property; did you mean `converges`?",
        ),
        (
            "[[expect]]\nproperty = [\"well-formed\", \"none\"]",
            "4:28: `none` is no property; expected one of well-formed, ",
        ),
        ("[[expect]]\nproperty = []", "4:12: name a property"),
        (
            "[[expect]]\nproperty = 3",
            "4:12: `property` in [expect[0]]: the name of a property, or several",
        ),
        (
            "[[expect]]\nproperty = \"all\"\nrole = \"retry\"",
            "5:8: `role` means nothing for this expectation",
        ),
        (
            "[[expect]]\nsilent = true\nat = \"2h\"",
            "5:6: lies after the end",
        ),
        (
            "[[expect]]\nsilent = true\nby = \"1m\"",
            "5:6: `by` means nothing for this expectation",
        ),
        (
            "[[expect]]\nends = \"x\"\nrole = \"retry\"",
            "5:8: `role` means nothing for this expectation",
        ),
        (
            "[[expect]]\nfailed_calls = { min = 3, max = 1 }",
            "no number is at least 3 and at most 1",
        ),
        (
            "[[faults]]\neffect = \"fail\"",
            "4:10: say how it fails with `kind`",
        ),
        (
            "[[faults]]\neffect = \"hang\"\nkind = \"timeout\"",
            "5:8: means nothing with this effect",
        ),
        (
            "[[faults]]\neffect = \"hang\"\nprobability = 2.0",
            "5:15: lies between 0 and 1",
        ),
        (
            "[[faults]]\neffect = \"hang\"\nfrom = \"5m\"\nuntil = \"1m\"",
            "6:9: ends before it begins",
        ),
        (
            "[[faults]]\neffect = \"hang\"\nkeys = \"[\"",
            "5:8: is no glob",
        ),
        (
            "[config.sync]\nretry = [\"backof\"]",
            "4:10: no policy is named `backof`",
        ),
        (
            "[config.sync]\ncolour = 1",
            "4:1: unknown key `colour` in [config.sync]",
        ),
        ("[config.sync]\nattempt_timeout = \"soon\"", "4:19: "),
    ] {
        let problem = match read(&format!("{head}{rest}\n")) {
            Err(ConfigError::Problem(problem)) => problem,
            other => panic!("{rest}: {other:?}"),
        };
        let shown = format!("{}:{}: {}", problem.line, problem.column, problem.message);
        assert!(shown.contains(told), "{rest}\n{shown}");
    }
    let endless = read("title = \"x\"\nuntil = \"1000d\"\n").unwrap_err();
    assert!(
        endless
            .to_string()
            .contains("a scenario takes 366 days at most")
    );
}

/// A policy that logs a line, then an error of two lines, and traps.
fn panicking() -> Guest {
    let check = "(call $log (i32.const 2) (i32.const 2048) (i32.const 7))
         (call $log (i32.const 4) (i32.const 2055) (i32.const 35))
         unreachable";
    Guest::checking(check)
        .importing(&[LOG])
        .with_text("lookingpanicked at src/lib.rs:8:9:\nno luck")
}

/// The report of a world in which this policy judges existence.
async fn report_of(guest: &Guest, expect: &str) -> Report {
    let text = format!(
        "title = \"x\"\nuntil = \"10m\"\n[config.staging]\nlayout = \"plain\"\n[config.sync]\nexistence = [\"mine\"]\n\
         [config.policies.mine]\ncomponent = \"builtin:presence\"\n[[timeline]]\nat = \"1m\"\ndo = \"stage\"\n\
         stream = \"app\"\nfields = {{ id = \"Int64\" }}\n{expect}"
    );
    let mut scenario = read(&text).unwrap();
    let settings = Arc::make_mut(&mut scenario.settings);
    let mine = settings.policies.get_mut("mine").unwrap();
    mine.component = ComponentSource::Bytes(guest.component().into());
    run(&scenario, &loaded(&scenario).await)
}

const SAID: &str = "the policy logged: panicked at src/lib.rs:8:9: no luck";

#[tokio::test]
async fn a_policy_that_fails_is_shown_with_its_own_words_in_failures_and_timeline() {
    let expect = "[[expect]]\nrole = \"existence\"\nverdicts = [\"present\"]\n\
                  [[expect]]\nfailed_calls = { max = 0 }\n";
    let report = report_of(&panicking(), expect).await;
    let [verdicts, failed] = report.failures.as_slice() else {
        panic!("{:#?}", report.failures);
    };
    assert!(
        verdicts.came.contains("none; mine failed: trap: ") && verdicts.came.contains(SAID),
        "{}",
        verdicts.came
    );
    assert!(
        failed.came.contains("the first of mine: trap: ") && failed.came.contains(SAID),
        "{}",
        failed.came
    );
    let timeline = verdicts.timeline.join("\n");
    assert!(
        timeline.contains("mine failed in existence: trap: "),
        "{timeline}"
    );
    assert!(timeline.contains(SAID), "{timeline}");
    assert!(timeline.contains("mine logged: looking"), "{timeline}");
    // What the failure says is not repeated.
    assert!(!timeline.contains("mine logged: panicked"), "{timeline}");
}

#[tokio::test]
async fn the_calls_that_failed_are_counted_with_the_first_of_them() {
    let report = report_of(&panicking(), "").await;
    assert_eq!(report.failures, []);
    let [calls, ..] = report.failed_calls.as_slice() else {
        panic!("{:#?}", report.failed_calls);
    };
    assert_eq!(
        (
            calls.policy.as_str(),
            calls.cause.as_str(),
            calls.stream.as_str()
        ),
        ("mine", "trap", "app")
    );
    assert!(calls.message.contains(SAID), "{}", calls.message);
    assert_eq!(calls.log, ["looking"]);
    // Nothing expects them, so a scenario that passes shows them too.
    assert_eq!(report.notable_calls(), report.failed_calls);
    let expected = report_of(&panicking(), "[[expect]]\nfailed_calls = { min = 1 }\n").await;
    assert_eq!(expected.notable_calls(), []);
    assert_eq!(expected.failed_calls, report.failed_calls);
}

#[tokio::test]
async fn a_loop_is_shown_with_what_the_policy_logged_before_it() {
    let guest = Guest::checking(
        "(call $log (i32.const 4) (i32.const 2048) (i32.const 7)) (loop $on (br $on)) unreachable",
    );
    let guest = guest.importing(&[LOG]).with_text("endless");
    let report = report_of(&guest, "").await;
    let [calls, ..] = report.failed_calls.as_slice() else {
        panic!("no call failed");
    };
    assert_eq!(calls.cause, "out-of-fuel");
    assert!(
        calls.message.ends_with("the policy logged: endless"),
        "{}",
        calls.message
    );
}

#[tokio::test]
async fn a_fault_that_also_meets_the_probe_is_named_in_failures() {
    let world = |keys: &str| {
        format!(
            "title = \"x\"\nuntil = \"10m\"\n[config.staging]\nlayout = \"plain\"\n[[faults]]\n{keys}\
             operations = [\"create\"]\nuntil = \"5m\"\neffect = \"fail\"\nkind = \"unavailable\"\n[[timeline]]\n\
             at = \"0s\"\ndo = \"stage\"\nstream = \"app\"\nfields = {{ id = \"Int64\" }}\n\
             [[expect]]\nstream = \"app\"\nphase = \"synced\"\nby = \"1m\"\n"
        )
    };
    let notes = async |keys: &str| {
        let report = report(&world(keys)).await;
        let [failure] = report.failures.as_slice() else {
            panic!("{:#?}", report.failures);
        };
        failure.notes.clone()
    };
    let [note]: [String; 1] = notes("").await.try_into().unwrap();
    assert!(
        note.starts_with(
            "the fault in line 5 has no `keys`, so it also meets the agent's probe of the store under `.tidegate/`"
        ),
        "{note}"
    );
    let [note]: [String; 1] = notes("keys = \"**\"\n").await.try_into().unwrap();
    assert!(
        note.starts_with("the `keys` of the fault in line 5, `**`, also match"),
        "{note}"
    );
    assert_eq!(notes("keys = \"app/**\"\n").await, [] as [&str; 0]);
    assert_eq!(notes("keys = \".tidegate/**\"\n").await, [] as [&str; 0]);
}
