use wasmtime::component::{ComponentType, Linker, Lower, Resource};

use super::Interface;
use super::io::{Pollable, pollable};
use crate::policy::host::Call;

const NANOS_OF_MILLI: u64 = 1_000_000;

/// A moment, or the length between two.
#[derive(Clone, Copy, Debug, ComponentType, Lower)]
#[component(record)]
struct Datetime {
    #[component(name = "seconds")]
    seconds: u64,
    #[component(name = "nanoseconds")]
    nanoseconds: u32,
}

impl Datetime {
    fn of_millis(millis: u64) -> Self {
        Self {
            seconds: millis / 1_000,
            // Below 1,000 by the remainder.
            nanoseconds: (millis % 1_000) as u32 * NANOS_OF_MILLI as u32,
        }
    }
}

/// `wasi:clocks`: both stand at the decision's `facts.now`, to the millisecond.
pub(super) fn add(linker: &mut Linker<Call>) -> wasmtime::Result<()> {
    let mut wall = Interface::of(linker, "clocks/wall-clock")?;
    wall.func("now", |call, ()| {
        Ok((Datetime::of_millis(call.seal.now()),))
    })?;
    wall.func("resolution", |_, ()| Ok((Datetime::of_millis(1),)))?;

    let mut monotonic = Interface::of(linker, "clocks/monotonic-clock")?;
    monotonic.func("now", |call, ()| Ok((nanos(call),)))?;
    monotonic.func("resolution", |_, ()| Ok((NANOS_OF_MILLI,)))?;
    monotonic.func("subscribe-instant", |call, (when,): (u64,)| {
        let is_due = when <= nanos(call);
        timer(call, is_due)
    })?;
    monotonic.func("subscribe-duration", |call, (length,): (u64,)| {
        timer(call, length == 0)
    })
}

/// The clock in nanoseconds; it ends in the year 2554.
fn nanos(call: &Call) -> u64 {
    call.seal.now().saturating_mul(NANOS_OF_MILLI)
}

/// Time does not pass within a decision: a timer that is not due when it is made never is.
fn timer(call: &mut Call, is_due: bool) -> wasmtime::Result<(Resource<Pollable>,)> {
    Ok((pollable(call, is_due)?,))
}
