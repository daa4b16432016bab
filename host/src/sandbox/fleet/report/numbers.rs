//! The numbers of a run.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::sandbox::fleet::{Counts, Ended, Fleet};
use crate::sandbox::store::Operation;
use crate::time::millis;

/// What Amazon S3 asks for requests, in ten-millionths of a US dollar: S3 Standard, US East (N. Virginia), as listed on
/// <https://aws.amazon.com/s3/pricing/> in January 2025. Deletions cost nothing; neither do server errors, "slow down"
/// among them: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ErrorCodeBilling.html>.
const WRITE_OR_LIST: u64 = 50;
const READ: u64 = 4;

/// The prices in words, for whoever reads a report.
pub const PRICES: &str = "S3 Standard, US East (N. Virginia), list prices as of January 2025 \
                          (aws.amazon.com/s3/pricing): $0.005 for 1,000 writes or listings, $0.0004 for 1,000 other \
                          reads, deletions free; requests that were throttled, failed or never answered are not billed";

/// Behind the end of a fault, how long the herd is looked at.
pub(super) const HERD: Duration = Duration::from_secs(15 * 60);

/// Before the end of a fault, from when on requests are shown.
pub(super) const BEFORE: Duration = Duration::from_secs(2 * 60);

/// The most ends of faults that are looked at.
const MAX_HERDS: usize = 4;

/// The numbers of a run; part of `simulate --json`, version 1.
#[derive(Clone, Debug, Serialize)]
pub struct Numbers {
    /// Streams of all nodes together.
    pub streams: u64,
    /// Schemas that were staged, first ones and changed ones.
    pub changes: u64,
    /// How long it took until they were seen in the store.
    pub convergence: Convergence,
    /// Those that were not, when the simulation ended.
    pub unconverged: u64,
    /// Streams that were not settled when it ended.
    pub unsettled: u64,
    /// Requests.
    pub requests: u64,
    /// Requests by how they ended.
    #[serde(serialize_with = "by_name")]
    pub outcomes: Vec<(&'static str, u64)>,
    /// Requests that were throttled, failed or never answered.
    pub failed: u64,
    /// Requests by operation.
    #[serde(serialize_with = "by_name")]
    pub operations: Vec<(&'static str, u64)>,
    /// What S3 would ask for them, in US dollars.
    pub cost_usd: f64,
    /// The busiest second.
    pub peak: Peak,
    /// What followed on the end of each fault.
    pub herds: Vec<Herd>,
    /// Questions to policies.
    pub decisions: u64,
    /// Those without a verdict.
    pub failed_decisions: u64,
    /// Fuel of all of them.
    pub fuel: u64,
    /// Looks of the regular verification.
    pub verifications: u64,
    /// Agents that ended by themselves.
    pub ended: u64,
}

/// From a schema's change in staging to the end of the attempt that saw it in the store, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Convergence {
    /// For half of them at most.
    pub p50_ms: Option<u64>,
    /// For 99 of 100 at most.
    pub p99_ms: Option<u64>,
    /// For all that were seen there.
    pub max_ms: Option<u64>,
}

/// The busiest second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Peak {
    /// When, in seconds after the beginning.
    pub at_s: u64,
    /// Requests in it.
    pub requests: u64,
}

/// What followed on the end of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Herd {
    /// When the fault ended, in seconds after the beginning.
    pub end_s: u64,
    /// The busiest second of the fifteen minutes behind it.
    pub peak: Peak,
}

impl Numbers {
    /// The numbers of what was counted.
    pub fn of(fleet: &Fleet, counts: &Counts) -> Self {
        let quantile = |part| counts.convergence.quantile(part).map(millis);
        let operations = Operation::ALL.into_iter().zip(&counts.operations);
        Self {
            streams: counts.streams,
            changes: counts.changes,
            convergence: Convergence {
                p50_ms: quantile(500_000),
                p99_ms: quantile(990_000),
                max_ms: quantile(1_000_000),
            },
            unconverged: counts.unconverged,
            unsettled: counts.unsettled,
            requests: counts.requests(),
            outcomes: Ended::ALL
                .map(|ended| (ended.name(), counts.requests_that(ended)))
                .to_vec(),
            failed: counts.failed(),
            operations: operations
                .map(|(operation, counts)| (operation.name(), counts.iter().sum()))
                .collect(),
            cost_usd: cost(counts) as f64 / 1e7,
            peak: peak(counts, Duration::ZERO, fleet.length),
            herds: ends(fleet)
                .map(|end| Herd {
                    end_s: end.as_secs(),
                    peak: peak(counts, end, end.saturating_add(HERD)),
                })
                .collect(),
            decisions: counts.decisions,
            failed_decisions: counts.failed_decisions,
            fuel: counts.fuel,
            verifications: counts.verifications,
            ended: counts.ended,
        }
    }
}

/// One key each, in the order in which they are told.
fn by_name<S: Serializer>(counts: &[(&'static str, u64)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(counts.iter().copied())
}

/// When faults end, each time once.
pub(super) fn ends(fleet: &Fleet) -> impl Iterator<Item = Duration> {
    let windows = fleet.scenario.windows().into_iter();
    let mut ends: Vec<_> = windows
        .filter_map(|(_, until)| until)
        .filter(|until| *until < fleet.length)
        .collect();
    ends.sort_unstable();
    ends.dedup();
    ends.into_iter().take(MAX_HERDS)
}

fn peak(counts: &Counts, from: Duration, until: Duration) -> Peak {
    let (at, requests) = counts.peak(from, until);
    Peak {
        at_s: at.as_secs(),
        requests,
    }
}

fn cost(counts: &Counts) -> u64 {
    let operations = Operation::ALL.into_iter().zip(&counts.operations);
    operations
        .map(|(operation, counts)| {
            let billed = [Ended::Answered, Ended::Refused].into_iter();
            let billed: u64 = billed.filter_map(|ended| counts.get(ended as usize)).sum();
            let price = match operation {
                Operation::Create | Operation::Update | Operation::Overwrite | Operation::List => {
                    WRITE_OR_LIST
                }
                Operation::Head | Operation::Get => READ,
                Operation::Delete => 0,
            };
            billed.saturating_mul(price)
        })
        .sum()
}
