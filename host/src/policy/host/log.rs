use super::{Call, Stage, forbidden};
use crate::contract::v0_1::bindings::tidegate::policy::log::{Host, Level};
use crate::policy::cause::escaped;
use crate::policy::report::{LogLevel, LogLine};

impl Host for Call {
    fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        if let Stage::Describe = self.stage {
            return Err(forbidden("log.write", &self.stage).into());
        }
        if self.budget.log(message.len() as u64)? {
            self.logs.push(LogLine {
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
}
