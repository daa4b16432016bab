//! What an operator reads when a store can't be used: real answers, real handshakes and real proxies on 127.0.0.1, through
//! object_store. Each message must name the cause and what to do about it, by keys that the configuration has.

mod answers;
mod check;
mod connections;
mod credentials;
mod strangers;

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use tidegate::config::{Settings, Source};
use tidegate::contract::{FailureKind, StoreFailure};
use tidegate::storage::{Key, Put, Store, StoreSettings};
use tidegate_tests::clock::StepClock;

/// The secret of all settings here, which no message may hold.
const SECRET: &str = "must&never<show>";

/// A request to a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Head,
    Get,
    List,
    Create,
}

/// An S3 store at this endpoint.
fn s3(endpoint: &str) -> StoreSettings {
    StoreSettings::new("s3://logs")
        .with_option("endpoint", endpoint)
        .with_option("region", "us-east-1")
        .with_option("access_key_id", "AKIASTUB")
        .with_option("secret_access_key", SECRET)
        .with_option("metadata_endpoint", "http://127.0.0.1:9")
}

/// The same, spoken to without TLS.
fn plain_s3(endpoint: &str) -> StoreSettings {
    s3(endpoint).with_option("allow_http", "true")
}

/// An Azure container at this endpoint.
fn azure(endpoint: &str) -> StoreSettings {
    StoreSettings::new("az://logs")
        .with_option("endpoint", endpoint)
        .with_option("account_name", "acme")
        .with_option("allow_http", "true")
        .with_option("access_key", "c2VjcmV0LW9mLWFjbWU=")
}

/// A GCS bucket at this endpoint, without a login.
fn gcs(endpoint: &str) -> StoreSettings {
    let key = r#"{"private_key":"x","private_key_id":"x","client_email":"x","disable_oauth":true}"#;
    StoreSettings::new("gs://logs")
        .with_option("base_url", endpoint)
        .with_option("allow_http", "true")
        .with_option("service_account_key", key)
}

/// The store of a node of Parseable with this environment.
fn parseable(url: &str) -> Result<StoreSettings> {
    from_parseable(&[
        ("P_S3_URL", url),
        ("P_S3_BUCKET", "logs"),
        ("P_S3_REGION", "us-east-1"),
        ("P_S3_ACCESS_KEY", "AKIASTUB"),
        ("P_S3_SECRET_KEY", SECRET),
    ])
}

fn from_parseable(variables: &[(&str, &str)]) -> Result<StoreSettings> {
    let text = "[staging]\ndir = \"staging\"\n[store]\nfrom = \"parseable\"\n\
                [store.options]\nmetadata_endpoint = \"http://127.0.0.1:9\"\n";
    let source = Source::new("tidegate.toml", text);
    let settings = Settings::from_source(&source, &|name| {
        let mut found = variables.iter().filter(|(key, _)| *key == name);
        found.next().map(|(_, value)| (*value).to_owned())
    })?;
    Ok(settings.store)
}

/// How a request fails.
async fn failure(settings: &StoreSettings, request: Request) -> Result<StoreFailure> {
    let store = Store::open(settings, Arc::new(StepClock::default()))?;
    let key = Key::parse("app/.stream/.schema")?;
    let failure = match request {
        Request::Head => store.head(&key).await.err(),
        Request::Get => store.get(&key, 4096).await.err(),
        Request::List => store.list(&key, 1).await.err(),
        Request::Create => match store.create(&key, "{}".into()).await {
            Put::Refused(failure) | Put::Ambiguous(failure) => Some(failure),
            Put::Done(_) | Put::Exists | Put::Stale => None,
        },
    };
    let Some(failure) = failure else {
        bail!("{request:?} did not fail");
    };
    ensure!(!failure.message.contains(SECRET), "{}", failure.message);
    ensure!(
        !failure.message.contains("must&amp;"),
        "{}",
        failure.message
    );
    Ok(failure)
}

/// Makes sure that a request fails with this kind and all of these words.
async fn fails(
    settings: &StoreSettings,
    request: Request,
    kind: FailureKind,
    words: &[&str],
) -> Result<String> {
    let failure = failure(settings, request).await?;
    let message = failure.message;
    for word in words {
        ensure!(message.contains(word), "`{word}` was expected: {message}");
    }
    ensure!(
        failure.kind == kind,
        "{kind:?} was expected, not {:?}: {message}",
        failure.kind
    );
    Ok(message)
}
