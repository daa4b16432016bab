//! The `tidegate` command, once more: cargo builds the binaries of a test's own package before the test, and no others.

fn main() -> std::process::ExitCode {
    tidegate::cli::main()
}
