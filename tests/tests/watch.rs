//! The watch over the staging directory, in the real program.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use anyhow::{Result, ensure};
use tidegate_tests::node::schema;
use tidegate_tests::place::Place;

/// A place with these settings of `[staging]`.
fn place(staging: &str) -> Result<Place> {
    let place = Place::new()?;
    let text = fs::read_to_string(place.path("tidegate.toml"))?;
    let with = format!("layout = \"plain\"\n{staging}");
    let text = text.replace("layout = \"plain\"", &with);
    fs::write(place.path("tidegate.toml"), text)?;
    Ok(place)
}

/// Scans so far apart that none finds a change while a test runs.
const NO_SCANS: &str = "scan_interval = \"1h\"\nrescan_interval = \"1h\"";

const RUN: [&str; 3] = ["run", "--log", "info"];

#[test]
fn changes_are_published_without_scans() -> Result<()> {
    let place = place(NO_SCANS)?;
    place.stage("app", &schema(&[("a", "Utf8")]))?;
    let mut agent = place.start(&RUN)?;
    agent.logs(&["app", "→ synced"])?;
    place.stage("new", &schema(&[("a", "Utf8")]))?;
    agent.logs(&["new", "→ synced"])?;
    place.stage("app", "{\"fields\": [")?;
    agent.logs(&["app", "staged schema"])?;
    Ok(())
}

#[test]
fn unreadable_directories_and_links_do_not_end_the_watch() -> Result<()> {
    let place = place(NO_SCANS)?;
    place.stage("app", &schema(&[("a", "Utf8")]))?;
    symlink("/", place.path("staging/link"))?;
    for closed in ["staging/lost+found", "staging/closed"] {
        fs::create_dir(place.path(closed))?;
        fs::set_permissions(place.path(closed), fs::Permissions::from_mode(0o0))?;
    }
    let mut agent = place.start_unprivileged(&RUN)?;
    let line = agent.logs(&["not watched"])?;
    ensure!(
        line.contains("`closed` is not watched: permission denied"),
        "{line}"
    );
    agent.logs(&["app", "→ synced"])?;
    place.stage("new", &schema(&[("a", "Utf8")]))?;
    agent.logs(&["new", "→ synced"])?;
    Ok(())
}

#[test]
fn streams_that_are_not_watched_are_scanned() -> Result<()> {
    let limited = "scan_interval = \"10ms\"\nrescan_interval = \"1h\"\nmax_watches = 1";
    let place = place(limited)?;
    place.stage("app", &schema(&[("a", "Utf8")]))?;
    let mut agent = place.start(&RUN)?;
    let line = agent.logs(&["not watched"])?;
    ensure!(
        line.contains("`app` is not watched, so it is scanned every 10ms")
            && line.contains("`staging.max_watches`"),
        "{line}"
    );
    agent.logs(&["app", "→ synced"])?;
    place.stage("app", "{\"fields\": [")?;
    agent.logs(&["app", "staged schema"])?;
    Ok(())
}
