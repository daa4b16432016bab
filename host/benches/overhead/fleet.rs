//! Decisions of a simulated fleet, beside the same component in a bare Wasmtime loop. A simulated decision brings all
//! that leads to it and follows on it: the scan, the requests, the store, the memory.

use std::path::Path;
use std::time::{Duration, Instant};

use tidegate::config::{Settings, Source};
use tidegate::sandbox::fleet::{Fleet, Scenario};

use crate::compare;
use crate::decision::Raw;

/// A store that never answers: nothing happens but decisions to try again, and the request before each.
const DOWN: &str = r#"
about = "The store is down all the time."

[store]
latency = { min = "5ms", p50 = "20ms", p99 = "100ms", max = "250ms" }

[[store.faults]]
effect = "fail"
kind = "unavailable"
"#;

pub(crate) async fn run() {
    let down = Scenario::read("down", Path::new("down.toml"), DOWN).unwrap();
    against_raw("a decision, in a fleet whose store is down", down).await;
    let outage = Scenario::named("outage").unwrap().unwrap();
    against_raw("a decision, in a fleet that is mostly well", outage).await;
}

async fn against_raw(what: &str, scenario: Scenario) {
    let fleet = Fleet {
        nodes: 20,
        streams: 20,
        length: Duration::from_secs(3 * 3600),
        seed: 7,
        scenario,
    };
    let source = Source::new("defaults", "").simulated();
    let settings = Settings::from_source(&source, &|_| None).unwrap();
    let blueprint = fleet.blueprint(settings, 1).await.unwrap();
    let raw = Raw::new();
    compare(
        what,
        9,
        "2",
        || raw.each_fresh(2_000),
        || async {
            let start = Instant::now();
            let counts = fleet.play(&blueprint, 1, &|| {}).unwrap();
            start.elapsed() / u32::try_from(counts.decisions).unwrap()
        },
    )
    .await;
}
