//! Components that go out to registries and come in from them: the command as authors and operators use it, against a
//! registry that can be told to misbehave, and against a real one where there is any.
//!
//! `TIDEGATE_TEST_REGISTRY` names the real one, as `http://NAME:PASSWORD@HOST:PORT`.

mod cache;
mod carrying;
mod configured;
mod faults;
mod login;
mod redirects;
mod transport;

use anyhow::{Result, ensure};
use tidegate_tests::command::Ran;
use tidegate_tests::registry::{Desk, NEVER, Registry};

/// The repository that most tests work in.
const NAME: &str = "acme/never";

/// A registry that holds the desk's component under the tag `1`, and the reference with its digest.
async fn stocked(desk: &Desk) -> Result<(Registry, String)> {
    let registry = Registry::start().await?;
    let tag = reference(&registry, "1");
    let pinned = pushed(desk, &tag)?;
    registry.take_seen();
    Ok((registry, pinned))
}

fn reference(registry: &Registry, tag: &str) -> String {
    format!("oci://{}/{NAME}:{tag}", registry.host())
}

/// Pushes the desk's component; the reference with its digest.
fn pushed(desk: &Desk, tag: &str) -> Result<String> {
    let document = desk.json(&["policy", "push", NEVER, tag])?;
    Ok(document["reference"]
        .as_str()
        .unwrap_or_default()
        .to_owned())
}

/// Makes sure that a run failed with this code and all of these words.
fn failed_with(ran: &Ran, code: i32, words: &[&str]) -> Result<()> {
    ensure!(ran.code == Some(code), "{code} was expected: {ran:?}");
    for word in words {
        ensure!(
            ran.stderr.contains(word) || ran.stdout.contains(word),
            "`{word}` was expected: {ran:?}"
        );
    }
    Ok(())
}
