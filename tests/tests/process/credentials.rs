//! Credentials that an operator corrects while the agent runs.

use std::fs;

use anyhow::{Result, ensure};
use tidegate_tests::node::schema;
use tidegate_tests::place::Place;
use tidegate_tests::s3::Endpoint;

use crate::SETTLED;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_wait_no_longer_once_the_secret_file_is_corrected() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    endpoint.change_secret("first");
    let place = Place::new()?;
    fs::write(place.path("secret"), "first\n")?;
    let mut store = endpoint.settings();
    store.options.remove("secret_access_key");
    place.configure_store(
        &store,
        "[store.option_files]\nsecret_access_key = \"secret\"",
    )?;
    let path = place.path("tidegate.toml");
    let patient = "\n[policies.backoff]\ncomponent = \"builtin:backoff\"\nsettings = { initial = \"1h\", max = \"1h\" }\n\
                   [sync]\nbounds = { min_delay = \"5s\", max_delay = \"1h\" }\n";
    fs::write(&path, fs::read_to_string(&path)? + patient)?;
    let work = move || {
        let mut agent = place.start(&["run", "--log", "info"])?;
        agent.logs(&["the agent runs"])?;
        endpoint.change_secret("second");
        place.stage("app", &schema(&[("a", "Utf8")]))?;
        agent.logs(&["WARN", "app"])?;
        fs::write(place.path("next"), "second\n")?;
        fs::rename(place.path("next"), place.path("secret"))?;
        agent.logs(&["the secret files of the store have changed"])?;
        agent.logs(&["app", "→ synced"])?;
        agent.signal("TERM")?;
        ensure!(agent.ends()? == Some(SETTLED));
        anyhow::Ok(())
    };
    tokio::task::spawn_blocking(work).await?
}
