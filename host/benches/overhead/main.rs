//! What Tidegate costs over the bare libraries, as ratios of medians from one run on one machine: `cargo bench`.
//!
//! A figure in the last column is the aim. Single parts by name: `cargo bench -- decision`.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark may panic, and measures real time"
)]

mod decision;
mod fleet;
mod node;
mod passes;
mod recorded;

use std::future::Future;
use std::time::{Duration, Instant};

/// The command's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() {
    let wanted: Vec<_> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let wanted = |name: &str| {
        wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted.as_str()))
    };
    println!(
        "{:<58} {:>12} {:>12} {:>7} {:>7}",
        "median", "bare", "tidegate", "ratio", "aim"
    );
    if wanted("decision") {
        decision::run().await;
    }
    if wanted("recorded") {
        recorded::run().await;
    }
    if wanted("fleet") {
        fleet::run().await;
    }
    if wanted("changed") {
        passes::changed().await;
    }
    if wanted("unchanged") {
        passes::unchanged().await;
    }
    if wanted("memory") {
        passes::memory().await;
    }
}

/// Medians of the two, run in turns so that a busy machine is busy for both.
async fn compare<A, B>(
    what: &str,
    rounds: usize,
    aim: &str,
    mut bare: impl FnMut() -> A,
    mut ours: impl FnMut() -> B,
) where
    A: Future<Output = Duration>,
    B: Future<Output = Duration>,
{
    let (mut bares, mut our_times) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        bares.push(bare().await);
        our_times.push(ours().await);
    }
    print(what, median(bares), median(our_times), aim);
}

fn print(what: &str, bare: Duration, ours: Duration, aim: &str) {
    let ratio = ours.as_secs_f64() / bare.as_secs_f64();
    let (bare, ours) = (format!("{bare:.2?}"), format!("{ours:.2?}"));
    println!("{what:<58} {bare:>12} {ours:>12} {ratio:>7.2} {aim:>7}");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// How long one of `count` takes.
async fn each<F: Future<Output = ()>>(count: u32, mut deed: impl FnMut() -> F) -> Duration {
    let start = Instant::now();
    for _ in 0..count {
        deed().await;
    }
    start.elapsed() / count
}
