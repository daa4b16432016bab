//! The `tidegate` command.

/// Attempts allocate a lot and keep little: this takes a fifth off what an agent, or a simulated fleet of them, computes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    tidegate::cli::main()
}
