//! Passes over many streams, beside the least that anybody could do about them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use object_store::{ObjectStoreExt, PutMode, PutPayload, UpdateVersion};

use crate::node::{IN_FLIGHT, Node, distant, settle};
use crate::{compare, median, print};

/// Changed streams of a pass.
const CHANGED: usize = 10_000;
const UNCHANGED: usize = 100_000;

/// Every stream has a new field. The agent scans, reads, asks, keeps, reads the store, merges and swaps; the bare loop
/// puts what is already in its memory.
pub(crate) async fn changed() {
    for (place, latency) in [
        ("in memory", Duration::ZERO),
        ("10 ms away", Duration::from_millis(10)),
    ] {
        let mut node = Node::new(CHANGED);
        node.stage();
        let objects = distant(latency);
        let mut agent = node.agent(Arc::clone(&objects), false).await;
        agent.scheduler().scan().await.unwrap();
        settle(&mut agent).await;
        let (mut ours, mut puts, mut swaps) = (Vec::new(), Vec::new(), Vec::new());
        let before = agent.core().store.requests();
        for _ in 0..3 {
            node.stage();
            let start = Instant::now();
            agent.scheduler().scan().await.unwrap();
            settle(&mut agent).await;
            ours.push(start.elapsed());
            let bare = distant(latency);
            let body = PutPayload::from(node.schema());
            puts.push(
                every(&node, |key| {
                    let (bare, body) = (&bare, body.clone());
                    async move {
                        bare.put(&key, body).await.unwrap();
                    }
                })
                .await,
            );
            swaps.push(
                every(&node, |key| {
                    let (bare, body) = (&bare, body.clone());
                    async move {
                        let found = bare.get(&key).await.unwrap();
                        let version = UpdateVersion {
                            e_tag: found.meta.e_tag.clone(),
                            version: None,
                        };
                        found.bytes().await.unwrap();
                        bare.put_opts(&key, body, PutMode::Update(version).into())
                            .await
                            .unwrap();
                    }
                })
                .await,
            );
        }
        let after = agent.core().store.requests();
        let ours = median(ours);
        for (what, bare) in [("puts", median(puts)), ("gets and puts", median(swaps))] {
            let what = format!("{CHANGED} changed streams, {place}: {what}");
            print(&what, bare, ours, "1.3");
        }
        println!(
            "    requests of three passes: {} gets, {} lists, {} puts",
            after.gets - before.gets,
            after.lists - before.lists,
            after.puts - before.puts
        );
        agent.close().await.unwrap();
    }
}

async fn every<F: Future<Output = ()>>(
    node: &Node,
    deed: impl Fn(object_store::path::Path) -> F,
) -> Duration {
    let start = Instant::now();
    futures::stream::iter(node.keys().map(deed))
        .buffer_unordered(IN_FLIGHT)
        .collect::<()>()
        .await;
    start.elapsed()
}

/// Nothing changed since the last scan.
pub(crate) async fn unchanged() {
    let mut node = Node::new(UNCHANGED);
    node.stage();
    let agent = node.agent(distant(Duration::ZERO), true).await;
    let agent = Arc::new(tokio::sync::Mutex::new(agent));
    agent.lock().await.scheduler().scan().await.unwrap();
    let staging = node.staging();
    compare(
        &format!("{UNCHANGED} unchanged streams"),
        5,
        "2",
        || {
            let staging = staging.clone();
            async move {
                let start = Instant::now();
                let seen = tokio::task::spawn_blocking(move || walk(&staging))
                    .await
                    .unwrap();
                assert_eq!(seen, UNCHANGED);
                start.elapsed()
            }
        },
        || {
            let agent = Arc::clone(&agent);
            async move {
                let start = Instant::now();
                agent.lock().await.scheduler().scan().await.unwrap();
                start.elapsed()
            }
        },
    )
    .await;
}

/// Lists every stream's directory and looks at every file: less would miss a change.
fn walk(staging: &Path) -> usize {
    let mut seen = 0;
    for stream in std::fs::read_dir(staging).unwrap() {
        for file in std::fs::read_dir(stream.unwrap().path()).unwrap() {
            seen += usize::from(file.unwrap().metadata().unwrap().is_file());
        }
    }
    seen
}

/// What stays in memory of a stream that is at rest.
pub(crate) async fn memory() {
    let mut node = Node::new(UNCHANGED);
    node.stage();
    let mut agent = node.agent(distant(Duration::ZERO), true).await;
    let before = resident();
    agent.scheduler().scan().await.unwrap();
    let scanned = resident();
    settle(&mut agent).await;
    let settled = resident();
    let each = |bytes: u64| bytes.saturating_sub(before) / UNCHANGED as u64;
    println!(
        "memory of {UNCHANGED} streams: {} bytes each when queued, {} bytes each at rest (aim 1024)",
        each(scanned),
        each(settled)
    );
}

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim()
        .trim_end_matches(" kB")
        .trim()
        .parse::<u64>()
        .unwrap()
        * 1024
}
