//! Credentials that are missing, and services that don't give any.

use anyhow::{Result, ensure};
use tidegate::contract::FailureKind::{PermissionDenied, Unavailable};
use tidegate::storage::StoreSettings;
use tidegate_tests::stub::{Answer, Stub, closed_port};

use crate::Request::{Create, List};
use crate::{fails, from_parseable};

/// An S3 store without credentials.
fn without(metadata: &str) -> StoreSettings {
    StoreSettings::new("s3://logs")
        .with_option("endpoint", "https://s3.test")
        .with_option("region", "us-east-1")
        .with_option("metadata_endpoint", metadata)
}

#[tokio::test]
async fn missing_credentials_are_called_that() -> Result<()> {
    let host = closed_port().await?;
    let metadata = format!("http://{host}");
    let words = [
        "no credentials",
        "metadata service",
        &*host,
        "Connection refused",
        "`store.options.access_key_id`",
        "AWS_ACCESS_KEY_ID",
    ];
    fails(&without(&metadata), List, Unavailable, &words).await?;
    Ok(())
}

#[tokio::test]
async fn an_answer_of_the_metadata_service_is_not_taken_for_the_stores() -> Result<()> {
    for (answer, kind, words) in [
        (Answer::new(404), PermissionDenied, "404 Not Found"),
        (Answer::new(403), PermissionDenied, "403 Forbidden"),
        (Answer::new(500), Unavailable, "500 Internal Server Error"),
        // Neither a header nor an address could be made of these.
        (
            Answer::new(200).body("<html>hello</html>"),
            Unavailable,
            "something other than credentials",
        ),
        (
            Answer::new(200).body("two\nlines"),
            Unavailable,
            "something other than credentials",
        ),
    ] {
        let stub = Stub::answering(answer).await?;
        for request in [List, Create] {
            let host = stub.host();
            let words = ["no credentials", "metadata service", &*host, words];
            let message = fails(&without(&stub.http_url()), request, kind, &words).await?;
            ensure!(!message.contains("s3.test"), "{message}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn missing_credentials_of_a_parseable_node_name_its_variables() -> Result<()> {
    let settings = from_parseable(&[
        ("P_S3_URL", "https://s3.test"),
        ("P_S3_BUCKET", "logs"),
        ("P_S3_REGION", "us-east-1"),
    ])?;
    let words = ["no credentials", "P_S3_ACCESS_KEY", "P_S3_SECRET_KEY"];
    let message = fails(&settings, List, Unavailable, &words).await?;
    ensure!(!message.contains("store.options"), "{message}");
    Ok(())
}

#[tokio::test]
async fn azure_and_its_token_service_are_told_apart() -> Result<()> {
    let stub = Stub::answering(Answer::new(404)).await?;
    let settings = StoreSettings::new("az://logs")
        .with_option("account_name", "acme")
        .with_option("endpoint", "https://acme.test")
        .with_option(
            "msi_endpoint",
            format!("{}/metadata/identity/oauth2/token", stub.http_url()),
        );
    let host = stub.host();
    let words = [
        "no credentials",
        "metadata service",
        &*host,
        "404 Not Found",
        "`store.options.access_key`",
        "AZURE_STORAGE_ACCOUNT_KEY",
    ];
    fails(&settings, List, PermissionDenied, &words).await?;

    let body = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}"#;
    let stub = Stub::answering(
        Answer::new(401)
            .header("content-type", "application/json")
            .body(body),
    )
    .await?;
    let settings = StoreSettings::new("az://logs")
        .with_option("account_name", "acme")
        .with_option("endpoint", "https://acme.test")
        .with_option("authority_host", stub.http_url())
        .with_option("authority_id", "tenant")
        .with_option("client_id", "id")
        .with_option("client_secret", crate::SECRET)
        .with_option("allow_http", "true");
    let host = stub.host();
    let words = [
        "no credentials",
        "token service",
        &*host,
        "AADSTS7000215",
        "`store.options.client_secret`",
    ];
    fails(&settings, List, PermissionDenied, &words).await?;
    Ok(())
}

#[tokio::test]
async fn a_web_identity_that_is_refused_names_its_settings() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let token = dir.path().join("token");
    let settings = StoreSettings::new("s3://logs")
        .with_option("endpoint", "https://s3.test")
        .with_option("region", "us-east-1")
        .with_option("role_arn", "arn:aws:iam::1:role/x")
        .with_option("web_identity_token_file", token.display().to_string())
        .with_option("endpoint_url_sts", "https://127.0.0.1:9");
    std::fs::write(&token, "a-token")?;
    let words = [
        "no credentials",
        "token service 127.0.0.1:9",
        "Connection refused",
        "`store.options.web_identity_token_file`",
    ];
    fails(&settings, List, Unavailable, &words).await?;
    Ok(())
}
