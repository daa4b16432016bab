use super::{Call, Stage, forbidden};
use crate::contract::{Log, LogLevel};
use crate::policy::cause::escaped;
use crate::policy::report::LogLine;
use crate::policy::wasi::Output;

impl Log for Call {
    fn write(&mut self, level: LogLevel, message: &str) -> wasmtime::Result<()> {
        if let Stage::Describe = self.stage {
            return Err(forbidden("log.write", &self.stage).into());
        }
        if level == LogLevel::Error {
            self.last_error.log(message);
        }
        self.log(level, message);
        Ok(())
    }
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
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
        if output == Output::Stderr {
            self.last_error.print(&line);
        }
        self.log(level, &line);
    }
}
