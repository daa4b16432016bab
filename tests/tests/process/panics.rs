//! A panic is an internal error: it says so, says where to report it, and has the exit code of one.

use anyhow::{Result, ensure};
use tidegate_tests::command::{Ran, command};

use crate::INTERNAL;

fn panicking(place: &str) -> Result<Ran> {
    let mut command = command()?;
    let output = command.env("TIDEGATE_TEST_PANIC", place).output();
    Ok(output?.into())
}

#[test]
fn a_panic_is_reported_as_an_internal_error() -> Result<()> {
    let ran = panicking("main")?;
    ensure!(ran.code == Some(INTERNAL), "{ran:#?}");
    for part in [
        "error: internal error: planted",
        "agent.rs:",
        "report it at https://",
    ] {
        ensure!(ran.stderr.contains(part), "no `{part}` in {ran:#?}");
    }
    ensure!(ran.stderr.lines().count() == 1, "{ran:#?}");
    Ok(())
}

#[test]
fn a_panic_on_another_thread_is_reported_and_does_not_end_the_command() -> Result<()> {
    let ran = panicking("thread")?;
    ensure!(ran.code == Some(7), "{ran:#?}");
    ensure!(ran.stderr.contains("internal error: planted"), "{ran:#?}");
    Ok(())
}
