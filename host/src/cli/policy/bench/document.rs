//! The report as JSON.

use std::time::Duration;

use serde::Serialize;

use super::super::super::CommandError;
use crate::contract::Role;
use crate::digest::Digest;
use crate::policy::LogLine;
use crate::sandbox::bench::{Loading, Measured, Report, RoleReport, Run};

/// The version of the JSON output.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    component: &'a str,
    name: &'a str,
    policy_version: &'a str,
    sha256: Digest,
    size: u64,
    #[serde(flatten)]
    loading: Times,
    beyond_defaults: Option<&'a str>,
    roles: Vec<OfRole<'a>>,
}

#[derive(Serialize)]
struct Times {
    compile_us: f64,
    load_us: f64,
}

#[derive(Serialize)]
struct OfRole<'a> {
    role: Role,
    decisions: usize,
    policy: Of<'a>,
    bundled: Bundled<'a>,
    ratio: Ratios,
}

#[derive(Serialize)]
struct Bundled<'a> {
    component: String,
    #[serde(flatten)]
    loading: Times,
    #[serde(flatten)]
    of: Of<'a>,
}

#[derive(Serialize)]
struct Of<'a> {
    fresh: Shown,
    reused: Shown,
    failed: usize,
    failure: Option<String>,
    failure_cause: Option<&'static str>,
    failure_log: Vec<&'a LogLine>,
}

#[derive(Serialize)]
struct Shown {
    times: usize,
    p50_us: f64,
    p99_us: f64,
    fuel_p50: u64,
    fuel_max: u64,
    peak_memory: u64,
}

/// What each line of the page says last; `None` where the bundled policy's part is nothing.
#[derive(Serialize)]
struct Ratios {
    fresh_p50: Option<f64>,
    fresh_p99: Option<f64>,
    reused_p50: Option<f64>,
    reused_p99: Option<f64>,
    fresh_fuel: Option<f64>,
    reused_fuel: Option<f64>,
    peak_memory: Option<f64>,
    compile: Option<f64>,
    load: Option<f64>,
}

pub(super) fn json(report: &Report) -> Result<String, CommandError> {
    let document = Document {
        version: VERSION,
        component: &report.component,
        name: &report.name,
        policy_version: &report.version,
        sha256: report.sha256,
        size: report.size,
        loading: times(report.loading),
        beyond_defaults: report.beyond_defaults.as_deref(),
        roles: report
            .roles
            .iter()
            .map(|role| of_role(report, role))
            .collect(),
    };
    Ok(serde_json::to_string_pretty(&document).map_err(anyhow::Error::new)? + "\n")
}

fn of_role<'a>(report: &Report, role: &'a RoleReport) -> OfRole<'a> {
    let (policy, bundled) = (&role.policy, &role.bundled);
    let lengths = |one: Duration, other: Duration| ratio(one.as_secs_f64(), other.as_secs_f64());
    let counts = |one: u64, other: u64| ratio(one as f64, other as f64);
    OfRole {
        role: role.role,
        decisions: role.decisions,
        policy: of(policy),
        bundled: Bundled {
            component: format!("builtin:{}", role.beside),
            loading: times(role.bundled_loading),
            of: of(bundled),
        },
        ratio: Ratios {
            fresh_p50: lengths(policy.fresh.p50, bundled.fresh.p50),
            fresh_p99: lengths(policy.fresh.p99, bundled.fresh.p99),
            reused_p50: lengths(policy.reused.p50, bundled.reused.p50),
            reused_p99: lengths(policy.reused.p99, bundled.reused.p99),
            fresh_fuel: counts(policy.fresh.fuel.p50, bundled.fresh.fuel.p50),
            reused_fuel: counts(policy.reused.fuel.p50, bundled.reused.fuel.p50),
            peak_memory: counts(policy.fresh.peak_memory, bundled.fresh.peak_memory),
            compile: lengths(report.loading.compile, role.bundled_loading.compile),
            load: lengths(report.loading.load, role.bundled_loading.load),
        },
    }
}

fn of(measured: &Measured) -> Of<'_> {
    let failure = measured.failure.as_ref();
    Of {
        fresh: shown(&measured.fresh),
        reused: shown(&measured.reused),
        failed: measured.failed,
        failure: failure.map(|decision| decision.failure.to_string()),
        failure_cause: failure.map(|decision| decision.failure.cause.name()),
        failure_log: failure.map_or_else(Vec::new, |decision| decision.log.iter().collect()),
    }
}

fn shown(run: &Run) -> Shown {
    Shown {
        times: run.times,
        p50_us: micros(run.p50),
        p99_us: micros(run.p99),
        fuel_p50: run.fuel.p50,
        fuel_max: run.fuel.max,
        peak_memory: run.peak_memory,
    }
}

fn times(loading: Loading) -> Times {
    Times {
        compile_us: micros(loading.compile),
        load_us: micros(loading.load),
    }
}

fn micros(length: Duration) -> f64 {
    length.as_nanos() as f64 / 1_000.0
}

/// How many times the other one is the one.
pub(super) fn ratio(one: f64, other: f64) -> Option<f64> {
    (other > 0.0).then(|| one / other)
}
