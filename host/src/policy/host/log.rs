use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use super::{Call, Stage, forbidden};
use crate::contract::v0_1::LOG;
use crate::contract::v0_1::bindings::tidegate::policy::log::Level;
use crate::policy::cause::escaped;
use crate::policy::report::{LogLevel, LogLine};
use crate::policy::wasi::Output;

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
    let level = match level {
        Level::Trace => LogLevel::Trace,
        Level::Debug => LogLevel::Debug,
        Level::Info => LogLevel::Info,
        Level::Warn => LogLevel::Warn,
        Level::Error => LogLevel::Error,
    };
    call.log(level, &message);
    Ok(())
}

impl Call {
    /// Keeps a line as far as the budget goes.
    fn log(&mut self, level: LogLevel, message: &str) {
        if self.budget.log(message.len() as u64) {
            self.logs.push(LogLine {
                level,
                message: escaped(message),
            });
        }
    }

    /// Keeps the lines that a guest completes on its standard output or error.
    pub(in crate::policy) fn print(&mut self, output: Output, mut bytes: &[u8]) {
        while let Some(line) = self.seal.next_line(output, &mut bytes) {
            self.log_printed(output, &line);
        }
    }

    /// Keeps what it wrote there without a line's end.
    pub(super) fn flush(&mut self) {
        for (output, rest) in self.seal.end() {
            if !rest.is_empty() {
                self.log_printed(output, &rest);
            }
        }
    }

    fn log_printed(&mut self, output: Output, line: &[u8]) {
        let level = match output {
            Output::Stdout => LogLevel::Info,
            Output::Stderr => LogLevel::Warn,
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.log(level, &String::from_utf8_lossy(line));
    }
}
