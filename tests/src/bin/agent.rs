//! The `tidegate` command, once more: cargo builds the binaries of a test's own package before the test, and no others.

use std::process::ExitCode;

/// Makes the command panic on its main thread or on another one, to test how that is reported.
const PANIC: &str = "TIDEGATE_TEST_PANIC";

fn main() -> ExitCode {
    match std::env::var(PANIC).as_deref() {
        Ok("main") => tidegate::cli::guard(|| panic!("planted")),
        Ok("thread") => tidegate::cli::guard(|| {
            let ended = std::thread::spawn(|| panic!("planted")).join();
            ExitCode::from(u8::from(ended.is_err()) * 7)
        }),
        _ => tidegate::cli::main(),
    }
}
