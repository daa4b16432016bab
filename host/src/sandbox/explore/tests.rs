use std::path::Path;

use super::*;
use crate::config::{Settings, Source};

/// The bundled policies under their defaults.
const DEFAULTS: &str = "[staging]\nlayout = \"parseable\"\n";

/// The other layouts, whose streams have no markers, and repairs.
const PLAIN: &str = "[staging]\nlayout = \"plain\"\n[verify]\nrepair = true\n";

/// Plans that once showed something, each with what.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/seeds");

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
    let played = play(plan, ground);
    if let Some(violation) = judge(plan, ground, &played).first() {
        let seed = plan.seed;
        let timeline = around(&played, violation).join("\n");
        panic!("seed {seed}: {violation}\n{timeline}");
    }
}

async fn assert_seeds_are_sound(text: &str, few: u64) {
    let ground = ground(text).await;
    let search = Search {
        seeds: 0..seeds(few),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        enough: 10,
    };
    let findings = search.run(&ground, &|| {});
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
        plan.settle(play::settling_time(&ground).into());
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
        let played = play(&plan, &ground);
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
async fn a_scenario_is_the_plan_with_what_does_not_hold_in_it() {
    let ground = ground(DEFAULTS).await;
    let plan = generate(1, &ground);
    let violation = Violation {
        property: Property::Converges,
        at: plan.until.duration(),
        node: "n1".to_owned(),
        stream: "app".to_owned(),
        text: "is pending\nat the end".to_owned(),
    };
    let text = to_scenario(&plan, &violation, None, &ground);
    let written: toml::Table = toml::from_str(&text).unwrap();
    assert_eq!(written["seed"].as_integer(), Some(1));
    assert_eq!(written["shuffle"].as_bool(), Some(true));
    let expected = written["expect"][0]["property"].as_str();
    assert_eq!(expected, Some("converges"));
    let steps = written["timeline"].as_array().unwrap();
    assert!(steps.len() >= plan.timeline.len());
    assert_eq!(
        written["faults"].as_array().map(Vec::len),
        Some(plan.faults.len())
    );
}
