use wasmtime::component::Linker;

use super::Interface;
use crate::policy::cause::{CallFailure, Cause};
use crate::policy::host::Call;

/// The most random bytes that one call gives.
const MAX_BYTES: u64 = 64 << 10;

/// `wasi:random`: one generator for all of it, seeded by the decision's entropy.
pub(super) fn add(linker: &mut Linker<Call>) -> wasmtime::Result<()> {
    let mut random = Interface::of(linker, "random/random")?;
    random.func("get-random-bytes", bytes)?;
    random.func("get-random-u64", word)?;
    let mut insecure = Interface::of(linker, "random/insecure")?;
    insecure.func("get-insecure-random-bytes", bytes)?;
    insecure.func("get-insecure-random-u64", word)?;
    let mut seed = Interface::of(linker, "random/insecure-seed")?;
    seed.func("insecure-seed", |call, ()| {
        Ok(((call.seal.word(), call.seal.word()),))
    })
}

fn bytes(call: &mut Call, (length,): (u64,)) -> wasmtime::Result<(Vec<u8>,)> {
    let wanted = usize::try_from(length)
        .ok()
        .filter(|_| length <= MAX_BYTES)
        .ok_or_else(|| {
            let message =
                format!("the guest asked for {length} random bytes; {MAX_BYTES} are the most");
            CallFailure::new(Cause::Trap, message)
        })?;
    call.seal.owe(length);
    let mut bytes = vec![0; wanted];
    call.seal.fill(&mut bytes);
    Ok((bytes,))
}

fn word(call: &mut Call, (): ()) -> wasmtime::Result<(u64,)> {
    Ok((call.seal.word(),))
}
