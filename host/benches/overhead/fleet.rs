//! Decisions of a simulated fleet, beside the same component in a bare Wasmtime loop. A simulated decision brings all
//! that leads to it and follows on it: the scan, the requests, the store, the memory.

use std::time::{Duration, Instant};

use tidegate::config::{Settings, Source};
use tidegate::sandbox::fleet::{Fleet, Scenario};

use crate::compare;
use crate::decision::Raw;

pub(crate) async fn run() {
    let fleet = Fleet {
        nodes: 20,
        streams: 20,
        length: Duration::from_secs(3 * 3600),
        seed: 7,
        scenario: Scenario::named("outage").unwrap().unwrap(),
    };
    let source = Source::new("defaults", "").simulated();
    let settings = Settings::from_source(&source, &|_| None).unwrap();
    let blueprint = fleet.blueprint(settings, 1).await.unwrap();
    let raw = Raw::new();
    compare(
        "a decision, in a simulated fleet",
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
