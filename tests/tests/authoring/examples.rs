//! The examples are built, tested natively, and live through their scenarios.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::desk::Desk;

/// The most that the component of `tiny` may have, in bytes.
const TINY: u64 = 5_000;

/// Builds an example from a copy of its directory, so that nothing is left in the sources. `installed` is what its
/// language needs in a project, and `test` what tests its logic.
fn live(name: &str, installed: Option<(&str, &str)>, test: &str) -> Result<Option<u64>> {
    let Some(desk) = Desk::new()? else {
        return Ok(None);
    };
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/examples");
    let project = desk.path().join(name);
    copy(&sources.join(name), &project)?;
    if let Some((from, to)) = installed {
        desk.link(from, &project.join(to))?;
    }
    desk.succeed(&project, "tidegate policy build")?;
    desk.succeed(&project, test)?;
    let ran = desk.succeed(&project, "tidegate policy test scenarios")?;
    ensure!(ran.stdout.contains("as expected, 0 not"), "{}", ran.stdout);
    Ok(Some(
        fs::metadata(project.join(format!("{name}.wasm")))?.len(),
    ))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let Some(name) = path.file_name() else {
            continue;
        };
        if ["node_modules", ".venv", "target", "build"]
            .iter()
            .any(|made| name == *made)
        {
            continue;
        }
        match path.is_dir() {
            true => copy(&path, &to.join(name))?,
            false => _ = fs::copy(&path, to.join(name))?,
        }
    }
    Ok(())
}

#[test]
fn maintenance_window_lives_through_its_scenarios() -> Result<()> {
    let installed = ("js/node_modules", "node_modules");
    live("maintenance-window", Some(installed), "node --test").map(drop)
}

#[test]
fn adaptive_lives_through_its_scenarios() -> Result<()> {
    let installed = ("python/.venv", ".venv");
    live("adaptive", Some(installed), "python3 -m unittest").map(drop)
}

#[test]
fn tiny_is_tiny_and_lives_through_its_scenarios() -> Result<()> {
    if let Some(size) = live("tiny", None, "make test")? {
        ensure!(size < TINY, "{size} bytes");
    }
    Ok(())
}

/// It is a member of the guests' workspace, so it is built where it stands.
#[test]
fn quorum_lives_through_its_scenarios() -> Result<()> {
    let Some(desk) = Desk::new()? else {
        return Ok(());
    };
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/examples/quorum");
    desk.succeed(&example, "tidegate policy build")?;
    let ran = desk.succeed(&example, "tidegate policy test scenarios")?;
    ensure!(ran.stdout.contains("as expected, 0 not"), "{}", ran.stdout);
    Ok(())
}
