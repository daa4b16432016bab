//! How the program behaves as a process: signals, pipes, panics, its log, and what it prints on narrow terminals.

mod credentials;
mod durations;
mod first_look;
mod held;
mod log;
mod narrow;
mod panics;
mod pipes;
mod signals;

use anyhow::{Result, ensure};
use tidegate::storage::StoreSettings;
use tidegate_tests::command::Ran;
use tidegate_tests::node::schema;
use tidegate_tests::place::Place;

const SETTLED: i32 = 0;
const INTERNAL: i32 = 1;
const USAGE: i32 = 2;
const UNSETTLED: i32 = 3;
const STORE: i32 = 4;

/// A store at a port where nothing listens.
fn nobody() -> StoreSettings {
    StoreSettings::new("s3://bucket")
        .with_option("endpoint", "http://127.0.0.1:9")
        .with_option("allow_http", "true")
        .with_option("region", "us-east-1")
        .with_option("access_key_id", "k")
        .with_option("secret_access_key", "s")
        .with_option("metadata_endpoint", "http://127.0.0.1:9")
}

/// A place with these streams staged, all of which can be published.
fn staged(streams: &[&str]) -> Result<Place> {
    let place = Place::new()?;
    for stream in streams {
        place.stage(stream, &schema(&[("a", "Utf8")]))?;
    }
    Ok(place)
}

fn ended(ran: &Ran, code: i32) -> Result<()> {
    ensure!(ran.code == Some(code), "not exit {code}: {ran:#?}");
    Ok(())
}
