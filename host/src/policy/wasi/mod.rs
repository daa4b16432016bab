//! WASI 0.2 with nothing inside, for components whose toolchain imports it.
//!
//! Every interface of the packages `cli`, `clocks`, `filesystem`, `io`, `random` and `sockets` is there, so that such a
//! component links and its runtime starts; nothing of the machine is behind any of them. Time is the decision's
//! `facts.now` and stands still, randomness comes from its `facts.entropy`, standard output becomes log lines. So a
//! decision of such a policy depends on what is recorded, as every other one does, and is made again exactly.
//!
//! Nothing here waits, and each call costs fuel, so that a loop of calls ends as a loop of instructions does.

mod cli;
mod clocks;
mod filesystem;
mod interface;
mod io;
mod random;
mod seal;
mod sockets;

use wasmtime::component::Linker;

use self::interface::Interface;
pub(super) use self::seal::{Output, Seal};
use super::host::Call;

/// The interfaces that are there.
const SEALED: [&str; 27] = [
    "cli/environment",
    "cli/exit",
    "cli/stderr",
    "cli/stdin",
    "cli/stdout",
    "cli/terminal-input",
    "cli/terminal-output",
    "cli/terminal-stderr",
    "cli/terminal-stdin",
    "cli/terminal-stdout",
    "clocks/monotonic-clock",
    "clocks/wall-clock",
    "filesystem/preopens",
    "filesystem/types",
    "io/error",
    "io/poll",
    "io/streams",
    "random/insecure",
    "random/insecure-seed",
    "random/random",
    "sockets/instance-network",
    "sockets/ip-name-lookup",
    "sockets/network",
    "sockets/tcp",
    "sockets/tcp-create-socket",
    "sockets/udp",
    "sockets/udp-create-socket",
];

/// Whether an import is one of these, of any patch version of 0.2.
pub(super) fn is_sealed(import: &str) -> bool {
    let parts = import
        .strip_prefix("wasi:")
        .and_then(|name| name.split_once("@0.2."));
    parts.is_some_and(|(interface, patch)| {
        let is_patch = !patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit());
        is_patch && SEALED.contains(&interface)
    })
}

/// Adds all of it. Patch versions only add functions, and Wasmtime takes one definition for all of them.
pub(super) fn add_to_linker(linker: &mut Linker<Call>) -> wasmtime::Result<()> {
    cli::add(linker)?;
    clocks::add(linker)?;
    filesystem::add(linker)?;
    io::add(linker)?;
    random::add(linker)?;
    sockets::add(linker)
}
