//! The host's side of a policy's imports.
//!
//! One [`Call`] is the data of one instance's store. Every host function enters through [`Call::enter`], which counts
//! it, and leaves through [`Call::leave`], which notes what came of it.

mod budget;
mod last_error;
mod log;
mod reader;
mod staging;
mod state;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use wasmtime::Engine;
use wasmtime::component::Linker;

use self::budget::Budget;
use self::last_error::LastError;
use super::cause::{CallFailure, Cause, shown};
use super::grants::{GrantSet, GrantValues, Granted, LayoutKeys};
use super::limits::{Limits, Meter};
use super::report::{HostCallNote, HostCallOutcome, LogLevel, LogLine, MAX_NOTES, Usage};
use super::state::{Overlay, StateSwap};
use super::wasi::{self, Seal};
use super::world::World;
use crate::contract::{ContractVersion, Facts};
use crate::text::{counted, verb};
use crate::time::Clock;

/// What an object or a file that a host function describes counts of `limits.bytes_returned`, besides its strings.
const ROW_COST: u64 = 32;

/// What a policy is doing, and so which imports it may call.
pub(super) enum Stage {
    /// `lifecycle.describe`: none.
    Describe,
    /// `lifecycle.configure`: `log` only.
    Configure,
    /// A decision, once the instance is configured: all.
    Decide,
}

/// What a decision is about.
pub(super) struct Subject {
    pub(super) world: Arc<dyn World>,
    pub(super) values: GrantValues,
    /// Only where something may be written.
    pub(super) layout: Option<LayoutKeys>,
}

/// The data of one instance's store.
pub(super) struct Call {
    stage: Stage,
    pub(super) meter: Meter,
    budget: Budget,
    subject: Option<Subject>,
    grants: Arc<GrantSet>,
    readable: Option<Granted>,
    clock: Arc<dyn Clock>,
    in_host: Duration,
    notes: Vec<HostCallNote>,
    logs: Vec<LogLine>,
    last_error: LastError,
    overlay: Overlay,
    /// What WASI is made of.
    pub(super) seal: Seal,
}

impl Call {
    pub(super) fn new(limits: &Limits, grants: Arc<GrantSet>, clock: Arc<dyn Clock>) -> Self {
        Self {
            stage: Stage::Describe,
            meter: Meter::new(limits),
            budget: Budget::new(limits),
            subject: None,
            grants,
            readable: None,
            clock,
            in_host: Duration::ZERO,
            notes: Vec::new(),
            logs: Vec::new(),
            last_error: LastError::default(),
            overlay: Overlay::default(),
            seal: Seal::default(),
        }
    }

    /// Makes a reused instance's data new again; what its memories hold stays charged.
    pub(super) fn renew(&mut self, limits: &Limits) {
        self.meter.begin();
        self.budget = Budget::new(limits);
        self.readable = None;
        self.in_host = Duration::ZERO;
    }

    pub(super) fn enter_stage(&mut self, stage: Stage) {
        self.stage = stage;
    }

    /// Enters the last stage, with what the decision is made from.
    pub(super) fn begin_decision(&mut self, facts: &Facts) {
        self.stage = Stage::Decide;
        self.seal.begin(facts.now, facts.entropy);
    }

    pub(super) fn set_subject(&mut self, subject: Subject) {
        self.subject = Some(subject);
    }

    /// Takes what the call leaves for its report; an instance that is reused keeps nothing of it.
    pub(super) fn finish(&mut self) -> Leftovers {
        self.flush();
        let dropped = self.budget.dropped_log_bytes();
        if dropped > 0 {
            self.logs.push(LogLine {
                level: LogLevel::Warn,
                message: format!(
                    "{} of log lines {} dropped (`limits.log_bytes`)",
                    counted(dropped, "byte"),
                    verb(&dropped, "was", "were")
                ),
            });
        }
        self.subject = None;
        Leftovers {
            usage: Usage {
                in_host: self.in_host,
                peak_memory: self.meter.peak_memory(),
                ..self.budget.usage()
            },
            host_calls: std::mem::take(&mut self.notes),
            state: std::mem::take(&mut self.overlay).into_swaps(),
            logs: std::mem::take(&mut self.logs),
            said: self.last_error.take(),
        }
    }

    /// Begins a host call: `None` when the guest is to be told that its host calls are used up.
    fn enter(
        &mut self,
        function: &'static str,
        subject: &str,
        accepted: usize,
    ) -> wasmtime::Result<Option<Entered>> {
        let world = match (&self.stage, &self.subject) {
            (Stage::Decide, Some(subject)) => Arc::clone(&subject.world),
            _ => return Err(forbidden(function, &self.stage).into()),
        };
        if !self.budget.host_call()? {
            return Ok(None);
        }
        self.budget.accept(accepted as u64)?;
        let note = self.notes.len();
        if note < MAX_NOTES {
            self.notes.push(HostCallNote {
                function,
                subject: shown(subject),
                outcome: HostCallOutcome::Unfinished,
                elapsed: Duration::ZERO,
            });
        }
        Ok(Some(Entered {
            world,
            note,
            started: self.clock.monotonic(),
        }))
    }

    /// Ends a host call.
    fn leave(&mut self, entered: &Entered, outcome: HostCallOutcome) {
        let elapsed = self.clock.monotonic().saturating_sub(entered.started);
        self.in_host = self.in_host.saturating_add(elapsed);
        if let Some(note) = self.notes.get_mut(entered.note) {
            note.outcome = outcome;
            note.elapsed = elapsed;
        }
    }
}

/// A host call under way.
struct Entered {
    world: Arc<dyn World>,
    note: usize,
    started: Duration,
}

/// What a call leaves besides its verdict.
pub(super) struct Leftovers {
    pub(super) usage: Usage,
    pub(super) host_calls: Vec<HostCallNote>,
    pub(super) state: Vec<StateSwap>,
    pub(super) logs: Vec<LogLine>,
    /// The error that the policy reported last.
    pub(super) said: Option<String>,
}

fn forbidden(function: &str, stage: &Stage) -> CallFailure {
    let during = match stage {
        Stage::Describe => "`describe`, which may call no import",
        Stage::Configure => "`configure`, which may call `log` only",
        Stage::Decide => "a call that is about no stream",
    };
    CallFailure::new(Cause::Trap, format!("`{function}` was called in {during}"))
}

/// A linker with everything that the host offers in these versions of the contract; what writes objects only where it
/// was granted.
pub(super) fn linker(
    engine: &Engine,
    versions: &[ContractVersion],
    writer: bool,
) -> wasmtime::Result<Linker<Call>> {
    let mut linker = Linker::new(engine);
    for version in versions {
        version.add_to_linker(&mut linker, writer)?;
    }
    wasi::add_to_linker(&mut linker)?;
    Ok(linker)
}
