//! What is measured, by a clock that steps at every look: never how long anything takes.

use std::sync::Arc;
use std::time::Duration;

use super::report::quantile;
use super::*;
use crate::config::Source;
use crate::contract::Role;
use crate::policy::ComponentSource;
use crate::policy::tests::guest::{Guest, LOG};
use crate::policy::tests::world::StillClock;
use crate::sandbox::scenario::Scenario;

/// Ends after few rounds: each look at the clock is a millisecond later.
const LENGTH: Duration = Duration::from_millis(1);

fn standard(component: ComponentSource) -> Bench {
    Bench {
        component,
        under: Under::Standard {
            settings: serde_json::json!({}),
        },
        length: LENGTH,
        cache: None,
    }
}

fn by_scenarios(component: ComponentSource, text: &str, name: Option<&str>) -> Bench {
    let scenario = Scenario::from_source(Source::new("case.toml", text)).unwrap();
    Bench {
        component,
        under: Under::Scenarios {
            scenarios: vec![scenario],
            name: name.map(str::to_owned),
        },
        length: LENGTH,
        cache: None,
    }
}

async fn measured(bench: Bench) -> Result<Report, BenchError> {
    let clock = Arc::new(StillClock::stepping(1));
    super::bench(bench, clock, |_| {}).await
}

fn bytes(guest: &Guest) -> ComponentSource {
    ComponentSource::Bytes(guest.component().into())
}

fn builtin(name: &str) -> ComponentSource {
    ComponentSource::Builtin(name.to_owned())
}

/// A guest that counts so far in every decision.
fn counting(to: u32) -> Guest {
    let count = format!(
        "(loop $on (br_if $on (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {to}))))
         i32.const 1024"
    );
    Guest {
        check: count.clone(),
        choose: count.clone(),
        decide: count,
        ..Guest::default()
    }
}

#[tokio::test]
async fn a_heavier_guest_shows_more_fuel_in_every_role() {
    let light = measured(standard(bytes(&counting(1)))).await.unwrap();
    let heavy = measured(standard(bytes(&counting(10_000)))).await.unwrap();
    assert_eq!(light.roles.len(), Role::ALL.len());
    for (light, heavy) in light.roles.iter().zip(&heavy.roles) {
        assert_eq!((light.policy.failed, heavy.policy.failed), (0, 0));
        assert!(heavy.policy.reused.fuel.p50 > light.policy.reused.fuel.max + 10_000);
        assert!(heavy.policy.fresh.fuel.p50 > light.policy.fresh.fuel.max + 10_000);
        assert_eq!(heavy.bundled.fresh.fuel, light.bundled.fresh.fuel);
    }
}

#[tokio::test]
async fn bundled_policies_answer_all_decisions_and_are_equal_to_themselves() {
    for (name, role) in [
        ("presence", Role::Existence),
        ("ladder", Role::Fallback),
        ("backoff", Role::Retry),
    ] {
        let report = measured(standard(builtin(name))).await.unwrap();
        assert_eq!(
            (report.name.as_str(), &report.beyond_defaults),
            (name, &None)
        );
        let [of] = report.roles.as_slice() else {
            panic!("{name} fills one role");
        };
        assert_eq!((of.role, of.beside), (role, name));
        assert_eq!((of.policy.failed, of.bundled.failed), (0, 0), "{of:?}");
        assert_eq!(of.policy.fresh.fuel, of.bundled.fresh.fuel);
        assert_eq!(of.policy.reused.peak_memory, of.bundled.reused.peak_memory);
        assert!(of.decisions > 1 && of.policy.fresh.times >= of.decisions);
        // Settings are read once in an instance.
        assert!(of.policy.fresh.fuel.p50 > of.policy.reused.fuel.p50);
    }
}

#[tokio::test]
async fn what_fails_is_measured_and_told() {
    let report = measured(standard(bytes(&Guest {
        check: "unreachable".to_owned(),
        ..Guest::default()
    })))
    .await
    .unwrap();
    let [existence, fallback, retry] = report.roles.as_slice() else {
        panic!("three roles");
    };
    assert_eq!(existence.policy.failed, existence.decisions);
    assert!(
        existence
            .policy
            .failure
            .as_ref()
            .unwrap()
            .failure
            .message
            .contains("unreachable")
    );
    assert_eq!((fallback.policy.failed, retry.policy.failed), (0, 0));
}

#[tokio::test]
async fn a_decision_that_fails_is_told_with_what_the_policy_logged() {
    let check = "(call $log (i32.const 2) (i32.const 2048) (i32.const 7))
         (call $log (i32.const 4) (i32.const 2055) (i32.const 7)) unreachable";
    let guest = Guest::checking(check)
        .importing(&[LOG])
        .with_text("lookingno luck");
    let report = measured(standard(bytes(&guest))).await.unwrap();
    let failed = report.roles[0].policy.failure.as_ref().unwrap();
    let shown = failed.failure.to_string();
    assert!(shown.ends_with("; the policy logged: no luck"), "{shown}");
    let log: Vec<_> = failed
        .log
        .iter()
        .map(|line| line.message.as_str())
        .collect();
    assert_eq!(log, ["looking", "no luck"]);
}

#[tokio::test]
async fn memory_over_the_default_limit_is_measured_and_told() {
    let report = measured(standard(bytes(&Guest {
        memory: "(memory (export \"memory\") 1600)",
        ..Guest::default()
    })))
    .await
    .unwrap();
    assert_eq!(report.roles[0].policy.fresh.peak_memory, 1_600 << 16);
    let why = report.beyond_defaults.unwrap();
    assert!(why.contains("limits.memory"), "{why}");
}

/// An outage in which two streams fail, under settings without jitter.
const OUTAGE: &str = r#"
title = "An outage"
until = "5m"
config.staging.layout = "plain"
config.policies.steady = { component = "builtin:backoff", settings = { jitter = "none" } }
config.sync.retry = ["steady"]
faults = [{ until = "20s", operations = ["create"], effect = "fail", kind = "unavailable" }]
timeline = [
  { at = "0s", do = "stage", stream = "a", fields = { id = "Int64" } },
  { at = "0s", do = "stage", stream = "b", fields = { id = "Int64" } },
]
"#;

#[tokio::test]
async fn scenarios_ask_what_their_policy_was_asked() {
    let bench = by_scenarios(builtin("backoff"), OUTAGE, None);
    let report = measured(bench).await.unwrap();
    let [retry] = report.roles.as_slice() else {
        panic!("one role is asked: {report:?}");
    };
    // After 1, 2, 4, 8 and 16 seconds, of both streams.
    assert_eq!((retry.role, retry.decisions), (Role::Retry, 10));
    assert_eq!((retry.policy.failed, retry.bundled.failed), (0, 0));
}

#[tokio::test]
async fn another_component_takes_the_place_of_a_named_policy() {
    let guest = Guest {
        world: "retry-policy",
        ..counting(5_000)
    };
    let name = Some("steady");
    let bench = by_scenarios(bytes(&guest), OUTAGE, name);
    let report = measured(bench).await.unwrap();
    assert_eq!(report.roles[0].role, Role::Retry);
    assert!(report.roles[0].policy.fresh.fuel.p50 > 5_000);
}

#[tokio::test]
async fn what_can_not_be_measured_is_told() {
    let quiet = OUTAGE.replace("20s", "1ms");
    let refused = |bench| async { measured(bench).await.unwrap_err() };
    let told = [
        (
            by_scenarios(builtin("circuit-breaker"), OUTAGE, None),
            "--policy NAME",
        ),
        (
            by_scenarios(builtin("backoff"), OUTAGE, Some("other")),
            "`other`",
        ),
        (
            by_scenarios(builtin("backoff"), &quiet, None),
            "ask it nothing",
        ),
        (
            standard(builtin("backof")),
            "can't measure `builtin:backof`",
        ),
        (
            standard(ComponentSource::Bytes(b"text"[..].into())),
            "no WebAssembly",
        ),
        (
            Bench {
                under: Under::Standard {
                    settings: serde_json::json!({ "jiter": "none" }),
                },
                ..standard(builtin("backoff"))
            },
            "--settings JSON",
        ),
    ];
    for (bench, words) in told {
        let error = refused(bench).await.to_string();
        assert!(error.contains(words), "{words} in {error}");
    }
}

#[test]
fn quantiles_are_values_that_were_measured() {
    assert_eq!(quantile(&[1, 2, 3, 4], 0.5), 2);
    assert_eq!(quantile(&[1, 2, 3, 4], 0.99), 4);
    assert_eq!(quantile(&[7], 0.5), 7);
    assert_eq!(quantile::<u64>(&[], 0.5), 0);
}
