//! Internal errors: a panic is reported as one, and ends the command with [`INTERNAL`].

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::process::ExitCode;

use super::{INTERNAL, output};

/// Where to report an internal error.
const REPORT: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/issues");

/// Runs the command. A panic on any thread is reported as an internal error; one that would end the command ends it
/// with [`INTERNAL`].
pub fn guard(command: impl FnOnce() -> ExitCode) -> ExitCode {
    std::panic::set_hook(Box::new(report));
    // Nothing of the command is used after a panic.
    catch_unwind(AssertUnwindSafe(command)).unwrap_or(ExitCode::from(INTERNAL))
}

/// Reports a panic in the log or, where nothing is logged, on stderr.
fn report(panic: &PanicHookInfo<'_>) {
    let message = describe(panic);
    let backtrace = Backtrace::capture();
    if tracing::enabled!(tracing::Level::ERROR) {
        tracing::error!("{message}");
    } else {
        output::complain(&format!("error: {message}\n"));
    }
    if backtrace.status() == BacktraceStatus::Captured {
        output::complain(&format!("{backtrace}\n"));
    }
}

fn describe(panic: &PanicHookInfo<'_>) -> String {
    let message = panic.payload_as_str().unwrap_or("no message");
    let place = panic
        .location()
        .map(|place| format!(" ({}:{})", place.file(), place.line()));
    format!(
        "internal error: {message}{}; this is a bug in tidegate, please report it at {REPORT} with this message and the \
         output of `tidegate version`",
        place.unwrap_or_default()
    )
}
