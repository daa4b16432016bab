//! Checks that can't fail check nothing: each planted defect is found, and each property has found one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::search::try_seed;
use super::tests::{ground, seeds};
use super::*;
use crate::planted::{self, Defect};
use crate::sandbox::scenario::Property;

/// A defect that is not found within so many seeds is not found.
const ALL: u64 = 20_000;

/// Seeds that are tried for each defect where there is little time, and how many defects they find at least.
const FEW: u64 = 15;
const FOUND_IN_FEW: usize = 12;

/// Bounds that take effect, no repairs, a stream whose fallback its gate must refuse, and one whose fallback doesn't
/// ask for peers.
const TIGHT: &str = r#"
[staging]
layout = "parseable"

[store]
requests_per_second = 20
burst = 20

[sync]
bounds = { min_delay = "3s", max_delay = "5m" }

[verify]
repair = "off"

[policies.wide]
component = "builtin:ladder"
settings = { rungs = ["named:wide"] }

[policies.bare]
component = "builtin:ladder"
settings = { rungs = ["empty"] }

[schemas.wide]
inline = '{"fields":[{"name":"wide","data_type":"Utf8","nullable":true,"dict_id":0,"dict_is_ordered":false,"metadata":{}}],"metadata":{}}'

[[rules]]
streams = ["web"]
fallback = ["wide"]

[[rules]]
streams = ["pstats"]
fallback = ["bare"]
"#;

/// The property that a defect is planted for, if another one notices it in an earlier world.
fn sought(defect: Defect) -> Option<Property> {
    (defect == Defect::ForgetsCaptured).then_some(Property::CapturedKept)
}

/// The first seed whose world violates a property because of the defect, and the properties that are violated in the
/// worlds up to there, or up to the one that violates what is [`sought`].
fn find(defect: Defect, ground: &Blueprint) -> Option<(u64, BTreeSet<Property>)> {
    let few = seeds(FEW);
    let sought = sought(defect).filter(|_| few >= ALL);
    let mut first = None;
    let mut found = BTreeSet::new();
    for seed in 0..few {
        let Some(finding) = planted::with(defect, || try_seed(seed, ground)).unwrap() else {
            continue;
        };
        let sound: BTreeSet<_> = examine(&finding.plan, ground)
            .unwrap()
            .into_iter()
            .map(|violation| violation.property)
            .collect();
        let violated = finding
            .violations
            .into_iter()
            .map(|violation| violation.property);
        found.extend(violated.filter(|property| !sound.contains(property)));
        if found.is_empty() {
            continue;
        }
        let first = *first.get_or_insert(seed);
        if sought.is_none_or(|sought| found.contains(&sought)) {
            return Some((first, found));
        }
    }
    first.map(|seed| (seed, found))
}

#[tokio::test]
async fn every_planted_defect_is_found_and_every_property_finds_one() {
    let ground = ground(TIGHT).await;
    let (next, found) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        while let Some(defect) = Defect::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            let seed = find(*defect, &ground);
            println!("{defect:?}: {seed:?}");
            found.lock().unwrap().insert(format!("{defect:?}"), seed);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    let found = found.into_inner().unwrap();
    if seeds(FEW) < ALL {
        let count = found.values().flatten().count();
        assert!(count >= FOUND_IN_FEW, "{count} of {found:?}");
        return;
    }
    let missed: Vec<_> = found.iter().filter(|(_, seed)| seed.is_none()).collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
    let properties = found.values().flatten().flat_map(|(_, of)| of);
    let properties: BTreeSet<_> = properties.copied().collect();
    let idle: Vec<_> = Property::ALL
        .into_iter()
        .filter(|property| !properties.contains(property))
        .collect();
    assert!(idle.is_empty(), "no defect was found by {idle:?}");
}
