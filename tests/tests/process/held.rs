//! Staged files that are older than their stream by another machine's clock.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use tidegate::time::{Clock, SystemClock};
use tidegate_tests::node::schema;
use tidegate_tests::place::Place;
use tidegate_tests::s3::Endpoint;

use crate::{SETTLED, UNSETTLED};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_held_back_is_judged_by_the_new_tolerance_at_the_next_start() -> Result<()>
{
    let endpoint = Endpoint::start().await?;
    let ahead = SystemClock::new().now().plus(Duration::from_secs(60));
    let marker = format!("{{\"created-at\": \"{ahead}\"}}");
    endpoint
        .meddle("app/.stream/.stream.json", Some(marker.into()))
        .await?;
    let place = Place::new()?;
    place.configure_store(&endpoint.settings(), "")?;
    let path = place.path("tidegate.toml");
    let parseable = fs::read_to_string(&path)?
        .replace("[node]\nid = \"n1\"\n", "")
        .replace("layout = \"plain\"", "");
    fs::write(&path, &parseable)?;
    fs::write(
        place.path("staging/ingestor.n1.json"),
        "{\"node_id\": \"n1\", \"node_type\": \"ingestor\"}",
    )?;
    fs::create_dir(place.path("staging/app"))?;
    fs::write(
        place.path("staging/app/.ingestor.n1.schema"),
        schema(&[("a", "Utf8")]),
    )?;
    let work = move || {
        let held = place.run(&["run", "--until-settled", "--for", "3s"])?;
        ensure!(held.code == Some(UNSETTLED), "{held:#?}");
        ensure!(held.stderr.contains("sync.clock_tolerance"), "{held:#?}");
        fs::write(
            &path,
            format!("{parseable}\n[sync]\nclock_tolerance = \"5m\"\n"),
        )?;
        let ran = place.run(&["run", "--until-settled", "--for", "20s"])?;
        ensure!(ran.code == Some(SETTLED), "{ran:#?}");
        anyhow::Ok(())
    };
    tokio::task::spawn_blocking(work).await?
}
