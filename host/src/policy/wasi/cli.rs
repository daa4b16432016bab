use wasmtime::component::{Linker, Resource};

use super::Interface;
use super::io;
use super::seal::Output;
use crate::policy::cause::{CallFailure, Cause};
use crate::policy::host::Call;

/// `wasi:cli/terminal-input` and `terminal-output`: there is none.
struct TerminalInput;
struct TerminalOutput;

/// `wasi:cli`.
pub(super) fn add(linker: &mut Linker<Call>) -> wasmtime::Result<()> {
    let mut environment = Interface::of(linker, "cli/environment")?;
    environment.func("get-environment", |_, ()| {
        Ok((Vec::<(String, String)>::new(),))
    })?;
    environment.func("get-arguments", |_, ()| Ok((Vec::<String>::new(),)))?;
    environment.func("initial-cwd", |_, ()| Ok((None::<String>,)))?;

    let mut exit = Interface::of(linker, "cli/exit")?;
    exit.func("exit", |_, (status,): (Result<(), ()>,)| {
        exited(status.is_err().into())
    })?;
    exit.func("exit-with-code", |_, (code,): (u8,)| exited(code))?;

    let mut stdin = Interface::of(linker, "cli/stdin")?;
    stdin.func("get-stdin", |call, ()| Ok((io::stdin(call)?,)))?;
    let mut stdout = Interface::of(linker, "cli/stdout")?;
    stdout.func("get-stdout", |call, ()| {
        Ok((io::output(call, Output::Stdout)?,))
    })?;
    let mut stderr = Interface::of(linker, "cli/stderr")?;
    stderr.func("get-stderr", |call, ()| {
        Ok((io::output(call, Output::Stderr)?,))
    })?;

    Interface::of(linker, "cli/terminal-input")?.resource::<TerminalInput>("terminal-input")?;
    Interface::of(linker, "cli/terminal-output")?.resource::<TerminalOutput>("terminal-output")?;
    let mut of_stdin = Interface::of(linker, "cli/terminal-stdin")?;
    of_stdin.func("get-terminal-stdin", |_, ()| {
        Ok((None::<Resource<TerminalInput>>,))
    })?;
    for name in ["stdout", "stderr"] {
        let mut of = Interface::of(linker, &format!("cli/terminal-{name}"))?;
        of.func(&format!("get-terminal-{name}"), |_, ()| {
            Ok((None::<Resource<TerminalOutput>>,))
        })?;
    }
    Ok(())
}

/// A policy that leaves before its verdict.
fn exited(code: u8) -> wasmtime::Result<()> {
    let message = format!("the guest called exit({code}): a policy ends by its verdict");
    Err(CallFailure::new(Cause::Trap, message).into())
}
