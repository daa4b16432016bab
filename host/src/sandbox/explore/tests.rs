use super::search::try_seed;
use super::*;
use crate::config::{Settings, Source};
use crate::contract::FailureKind;
use crate::planted::{self, Defect};
use crate::sandbox::scenario::{Property, Scenario, around, run};
use crate::sandbox::store::Operation;

/// The bundled policies under their defaults.
const DEFAULTS: &str = "[staging]\nlayout = \"parseable\"\n";

/// The other layouts, whose streams have no markers, and repairs.
const PLAIN: &str = "[staging]\nlayout = \"plain\"\n[verify]\nrepair = \"all\"\n";

/// Seeds within which the planted defects of these tests are found.
const FEW_ENOUGH: u64 = 100;

pub(super) async fn ground(text: &str) -> Blueprint {
    let source = Source::new("tidegate.toml", text).simulated();
    let settings = Settings::from_source(&source, &|_| None).unwrap();
    Blueprint::load(settings, None).await.unwrap()
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
async fn what_is_written_is_what_was_played() {
    let ground = ground(DEFAULTS).await;
    for seed in 0..50 {
        let plan = generate(seed, &ground);
        let played = plan.scenario(&ground).unwrap();
        assert_eq!(played.quiet(), plan.quiet().duration());
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
            // The digest is of a text, and the texts differ.
            (
                format!("{:?}", played.settings),
                format!(
                    "{:?}",
                    Settings {
                        digest: played.settings.digest,
                        ..Settings::clone(&written.settings)
                    }
                ),
            ),
        ] {
            assert_eq!(one, other, "{text}");
        }
        assert_eq!((written.seed, written.shuffle), (seed, true));
    }
}

/// One of everything that can be planned.
fn everything() -> Plan {
    let [n1, n2, app] = ["n1", "n2", "app"].map(str::to_owned);
    let by = Span::secs(29);
    let content = || Content::schema("a:Utf8");
    let troubles = [
        Trouble::Fail {
            kind: FailureKind::Throttled,
        },
        Trouble::Slow { by },
        Trouble::Hang,
        Trouble::LoseAnswer,
        Trouble::Cut,
        Trouble::Tear,
        Trouble::Late { by },
        Trouble::Race { content: content() },
        Trouble::Clobber {
            content: Content::broken("null"),
        },
    ];
    let fault = |(nth, effect): (u64, Trouble)| FaultPlan {
        from: Span::secs(nth + 1),
        until: Span::secs(10),
        operations: Vec::new(),
        stream: None,
        node: None,
        percent: 100,
        count: None,
        effect,
    };
    let mut faults: Vec<_> = (0_u64..).zip(troubles).map(fault).collect();
    faults[0] = FaultPlan {
        operations: vec![Operation::Get, Operation::List],
        stream: Some(app.clone()),
        node: Some(n2.clone()),
        percent: 50,
        count: Some(3),
        ..faults[0].clone()
    };
    let (node, stream) = (|| n1.clone(), || app.clone());
    #[rustfmt::skip]
    let actions = [
        Action::CreateStream { stream: stream(), base: Some(content()) },
        Action::Stage { node: n2.clone(), stream: stream(), content: Content::schema("a:Utf8 b:Int64") },
        Action::Tear { node: node(), stream: stream(), content: content() },
        Action::Unstage { node: node(), stream: stream() },
        Action::Data { node: node(), stream: stream(), count: 3 },
        Action::Remove { node: node(), stream: stream() },
        Action::Publish { node: node(), stream: stream(), content: content() },
        Action::Put { peer: "p1".to_owned(), stream: stream(), content: Content::broken("{") },
        Action::Delete { node: n2.clone(), stream: stream() },
        Action::Crash { node: node() },
        Action::Start { node: node() },
        Action::Stop { node: node() },
        Action::Skew { node: n2.clone(), millis: -60_000 },
        Action::DeleteStream { stream: stream() },
    ];
    let moment = |(nth, action): (u64, Action)| Moment {
        at: Span::secs(nth),
        action,
    };
    Plan {
        seed: 7,
        until: Span::default(),
        store: StorePlan {
            latency: [5, 20, 100, 250].map(Span::ms),
            limits: Some((200, 400)),
            conditions: false,
        },
        faults,
        timeline: (0_u64..).zip(actions).map(moment).collect(),
        nodes: vec![n1.clone(), n2],
        streams: vec![app.clone()],
    }
}

#[tokio::test]
async fn all_that_is_planned_is_written() {
    let ground = ground(DEFAULTS).await;
    let mut plan = everything();
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
