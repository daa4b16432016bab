use std::path::Path;

use super::search::try_seed;
use super::*;
use crate::config::{Settings, Source};
use crate::planted::{self, Defect};
use crate::sandbox::scenario::{Property, Scenario, around, run};

/// The bundled policies under their defaults.
const DEFAULTS: &str = "[staging]\nlayout = \"parseable\"\n";

/// The other layouts, whose streams have no markers, and repairs.
const PLAIN: &str = "[staging]\nlayout = \"plain\"\n[verify]\nrepair = true\n";

/// Plans that once showed something, each with what.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/seeds");

/// Seeds within which the planted defects of these tests are found.
const FEW_ENOUGH: u64 = 100;

pub(super) async fn ground(text: &str) -> Blueprint {
    let source = Source::new("tidegate.toml", text).simulated();
    let settings = Settings::from_source(&source, &|_| None).unwrap();
    blueprint(settings).await.unwrap()
}

/// How many seeds are tried: `TIDEGATE_SEEDS` says so where there is time for more than a few.
pub(super) fn seeds(few: u64) -> u64 {
    std::env::var("TIDEGATE_SEEDS").map_or(few, |text| text.parse().unwrap())
}

fn assert_sound(plan: &Plan, ground: &Blueprint) {
    let scenario = plan.scenario(ground).unwrap();
    let played = play(&scenario, &ground.policies, ground.instances);
    if let Some(violation) = violations(&scenario, &ground.policies, &played).first() {
        let focus = violation.focus(&scenario);
        let timeline = around(&played.entries, &focus, violation.at).join("\n");
        panic!("seed {}: {violation}\n{timeline}", plan.seed);
    }
}

async fn assert_seeds_are_sound(text: &str, few: u64) {
    let ground = ground(text).await;
    let search = Search {
        seeds: 0..seeds(few),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        enough: 10,
    };
    let findings = search.run(&ground, &|| {}).unwrap();
    for finding in &findings {
        for violation in &finding.violations {
            println!("seed {}: {violation}", finding.plan.seed);
        }
    }
    if let Some(finding) = findings.first() {
        let property = finding.violations[0].property;
        assert_sound(&shrink(&finding.plan, property, &ground).plan, &ground);
    }
}

#[tokio::test]
async fn the_defaults_hold_every_property() {
    assert_seeds_are_sound(DEFAULTS, 60).await;
}

#[tokio::test]
async fn streams_without_markers_and_repairs_hold_every_property() {
    assert_seeds_are_sound(PLAIN, 30).await;
}

#[tokio::test]
async fn what_was_found_once_is_not_found_again() {
    let ground = ground(DEFAULTS).await;
    let mut files: Vec<_> = std::fs::read_dir(KEPT)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension() == Some("toml".as_ref()))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        println!("{}", file.display());
        let mut plan = read(&file);
        plan.settle(&ground);
        assert_sound(&plan, &ground);
    }
}

fn read(file: &Path) -> Plan {
    toml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

#[tokio::test]
async fn a_seed_is_the_same_world_for_ever() {
    let ground = ground(DEFAULTS).await;
    let told = |seed| {
        let plan = generate(seed, &ground);
        let scenario = plan.scenario(&ground).unwrap();
        let played = play(&scenario, &ground.policies, None);
        let told = played.entries.iter().map(|entry| format!("{entry:?}"));
        let told: Vec<_> = told.collect();
        (plan, told)
    };
    for seed in 0..3 {
        assert!(told(seed) == told(seed), "seed {seed}");
    }
}

#[tokio::test]
async fn plans_survive_being_written_down() {
    let ground = ground(DEFAULTS).await;
    for seed in 0..50 {
        let plan = generate(seed, &ground);
        let text = toml::to_string(&plan).unwrap();
        assert_eq!(toml::from_str::<Plan>(&text).unwrap(), plan, "{text}");
    }
}

#[tokio::test]
async fn what_is_written_is_what_was_played() {
    let ground = ground(DEFAULTS).await;
    for seed in 0..50 {
        let plan = generate(seed, &ground);
        let played = plan.scenario(&ground).unwrap();
        assert_eq!(played.quiet(), plan.quiet.duration());
        let text = to_scenario(&plan, &violation(Property::Converges), None, &ground);
        let written = Scenario::from_source(Source::new("found.toml", text.clone()));
        let written = written.unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert!(written.title.contains("(converges)"), "{}", written.title);
        for (one, other) in [
            (
                format!("{:?}", played.store),
                format!("{:?}", written.store),
            ),
            (
                format!("{:?}", played.steps),
                format!("{:?}", written.steps),
            ),
            (
                format!("{:?}", played.nodes),
                format!("{:?}", written.nodes),
            ),
            (
                format!("{:?}", played.until),
                format!("{:?}", written.until),
            ),
            (
                format!("{:?}", played.settings),
                format!("{:?}", written.settings),
            ),
        ] {
            assert_eq!(one, other, "{text}");
        }
        assert_eq!((written.seed, written.shuffle), (seed, true));
    }
}

/// One of everything that can be planned.
const EVERYTHING: &str = r#"
seed = 7
quiet = "0s"
until = "0s"
nodes = ["n1", "n2"]
streams = ["app"]
store = { latency = ["5ms", "20ms", "100ms", "250ms"], limits = [200, 400], conditions = false }
faults = [
    { from = "1s", until = "9s", operations = ["get", "list"], stream = "app", node = "n2", percent = 50, count = 3, effect = "fail", kind = "throttled" },
    { from = "2s", until = "9s", percent = 100, effect = "slow", by = "500ms" },
    { from = "3s", until = "9s", percent = 100, effect = "hang" },
    { from = "4s", until = "9s", percent = 100, effect = "lose-answer" },
    { from = "5s", until = "9s", percent = 100, effect = "cut" },
    { from = "6s", until = "9s", percent = 100, effect = "tear" },
    { from = "7s", until = "9s", percent = 100, effect = "late", by = "29s" },
    { from = "8s", until = "9s", percent = 100, effect = "race", content = "a:Utf8" },
    { from = "8s", until = "9s", percent = 100, effect = "clobber", content = "!null" },
]
timeline = [
    { at = "0s", do = "create-stream", stream = "app", base = "a:Utf8" },
    { at = "1s", do = "stage", node = "n2", stream = "app", content = "a:Utf8 b:Int64" },
    { at = "2s", do = "tear", node = "n1", stream = "app", content = "a:Utf8" },
    { at = "3s", do = "unstage", node = "n1", stream = "app" },
    { at = "4s", do = "data", node = "n1", stream = "app", count = 3 },
    { at = "5s", do = "remove", node = "n1", stream = "app" },
    { at = "6s", do = "publish", node = "n1", stream = "app", content = "a:Utf8" },
    { at = "7s", do = "put", peer = "p1", stream = "app", content = "!{" },
    { at = "8s", do = "delete", node = "n2", stream = "app" },
    { at = "9s", do = "crash", node = "n1" },
    { at = "10s", do = "start", node = "n1" },
    { at = "11s", do = "stop", node = "n1" },
    { at = "12s", do = "skew", node = "n2", millis = -60000 },
    { at = "13s", do = "delete-stream", stream = "app" },
]
"#;

#[tokio::test]
async fn all_that_is_planned_is_written() {
    let ground = ground(DEFAULTS).await;
    let mut plan: Plan = toml::from_str(EVERYTHING).unwrap();
    plan.settle(&ground);
    let violation = violation(Property::Converges);
    insta::assert_snapshot!(to_scenario(&plan, &violation, None, &ground));
}

fn violation(property: Property) -> Violation {
    Violation {
        property,
        at: Span::secs(1).duration(),
        node: "n1".to_owned(),
        stream: "app".to_owned(),
        text: "is pending\nat the end".to_owned(),
    }
}

#[tokio::test]
async fn a_violation_is_shrunk_to_a_scenario_that_fails_for_as_long_as_the_defect_is_there() {
    let ground = ground(DEFAULTS).await;
    for (defect, property) in [
        (Defect::DropsRetry, Property::Converges),
        (Defect::SkipsMerge, Property::NothingDropped),
        (Defect::NeverLooksAgain, Property::LooksAgain),
    ] {
        let text = planted::with(defect, || {
            let found = (0..FEW_ENOUGH).find_map(|seed| {
                let finding = try_seed(seed, &ground).unwrap()?;
                let of = |violation: &Violation| violation.property == property;
                finding.violations.iter().any(of).then_some(finding.plan)
            });
            let plan = found.unwrap_or_else(|| panic!("{defect:?} violates no {property}"));
            let shrunk = shrink(&plan, property, &ground);
            assert!(shrunk.plan.timeline.len() <= plan.timeline.len());
            to_scenario(&shrunk.plan, &shrunk.violations[0], None, &ground)
        });
        let scenario = Scenario::from_source(Source::new("found.toml", text.clone())).unwrap();
        let line = text.lines().position(|line| line == "[[expect]]").unwrap() + 1;
        let failures = planted::with(defect, || run(&scenario, &ground.policies)).failures;
        assert_eq!(failures.len(), 1, "{text}\n{failures:#?}");
        assert_eq!(failures[0].line, Some(line), "{text}");
        let expected = format!("{property}: {}", property.meaning());
        assert_eq!(failures[0].expected, expected);
        assert!(!failures[0].timeline.is_empty());
        let report = run(&scenario, &ground.policies);
        assert!(report.passed(), "{text}\n{report:#?}");
    }
}
