use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use super::{Call, Stage, forbidden};
use crate::contract::v0_1::LOG;
use crate::contract::v0_1::bindings::tidegate::policy::log::Level;
use crate::policy::cause::escaped;
use crate::policy::report::{LogLevel, LogLine};

/// Adds `log`. By hand, since the generated trait does not reach the store's fuel: a line costs no host call, and those
/// over the bound are dropped without an end to the call, so it is a unit of fuel a byte that ends a flood of them.
pub(super) fn add_to_linker(linker: &mut Linker<Call>) -> wasmtime::Result<()> {
    linker.instance(LOG)?.func_wrap("write", write)
}

fn write(
    mut store: StoreContextMut<'_, Call>,
    (level, message): (Level, String),
) -> wasmtime::Result<()> {
    let left = store.get_fuel()?.saturating_sub(message.len() as u64);
    store.set_fuel(left)?;
    let call = store.data_mut();
    if let Stage::Describe = call.stage {
        return Err(forbidden("log.write", &call.stage).into());
    }
    if call.budget.log(message.len() as u64) {
        call.logs.push(LogLine {
            level: match level {
                Level::Trace => LogLevel::Trace,
                Level::Debug => LogLevel::Debug,
                Level::Info => LogLevel::Info,
                Level::Warn => LogLevel::Warn,
                Level::Error => LogLevel::Error,
            },
            message: escaped(&message),
        });
    }
    Ok(())
}
