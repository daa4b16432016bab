//! The same as an operator sees it, by `tidegate check --online`, and what only the environment can cause.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tidegate_tests::command::{Ran, command};
use tidegate_tests::s3::{BUCKET, Endpoint, Fault, Kind, Rule};
use tidegate_tests::stub::{Answer, CA, Certificate, Stub, closed_port};

/// Runs `check --online` on a store with these lines below `[store]`.
fn check(dir: &Path, store: &str, variables: &[(&str, &str)]) -> Result<Ran> {
    fs::create_dir_all(dir.join("staging"))?;
    let text = format!(
        "[node]\nid = \"n1\"\n[staging]\ndir = \"staging\"\nlayout = \"plain\"\n[store]\n{store}\n\
         [sync]\nexistence = []\nfallback = []\nretry = []\n"
    );
    fs::write(dir.join("tidegate.toml"), text)?;
    let mut command = command()?;
    command
        .args(["check", "--online"])
        .current_dir(dir)
        .env("HOME", dir)
        .envs(variables.iter().copied());
    Ok(command.output().context("can't run the command")?.into())
}

fn store(endpoint: &str) -> String {
    format!(
        "url = \"s3://logs\"\n[store.options]\nendpoint = \"{endpoint}\"\nregion = \"us-east-1\"\n\
         access_key_id = \"AKIASTUB\"\nsecret_access_key = \"a-secret-key\"\nmetadata_endpoint = \"http://127.0.0.1:9\"\n"
    )
}

fn failed_with(ran: &Ran, words: &[&str]) -> Result<()> {
    ensure!(ran.code == Some(4), "{ran:?}");
    // Lines are wrapped for the terminal.
    let said = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        ensure!(said.contains(word), "`{word}` was expected: {said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_of_the_environment_is_named_by_its_variable() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let proxy = format!("http://{}", closed_port().await?);
    let ran = check(
        dir.path(),
        &store("https://s3.test"),
        &[("https_proxy", &proxy)],
    )?;
    failed_with(
        &ran,
        &["the proxy", "https_proxy", "NO_PROXY", "Connection refused"],
    )?;
    let refusing = Stub::answering(Answer::new(403)).await?;
    let ran = check(
        dir.path(),
        &store("https://s3.test"),
        &[("HTTPS_PROXY", &refusing.http_url())],
    )?;
    failed_with(&ran, &["the proxy", "refuses", "HTTPS_PROXY", "NO_PROXY"])?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_credentials_and_wrong_clocks_are_not_called_an_unreachable_store() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let none = "url = \"s3://logs\"\n[store.options]\nregion = \"us-east-1\"\nmetadata_endpoint = \"http://127.0.0.1:9\"\n";
    let ran = check(dir.path(), none, &[])?;
    failed_with(&ran, &["no credentials", "`store.options.access_key_id`"])?;
    ensure!(!ran.stdout.contains("reached"), "{}", ran.stdout);
    let stub = Stub::answering(
        Answer::s3(403, "RequestTimeTooSkewed", "too large")
            .header("date", "Wed, 21 Oct 2015 07:28:00 GMT"),
    )
    .await?;
    let settings = store(&stub.http_url()) + "allow_http = true\n";
    let ran = check(dir.path(), &settings, &[])?;
    failed_with(&ran, &["clock", "ahead"])?;
    ensure!(!ran.stdout.contains("these credentials"), "{}", ran.stdout);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_file_is_checked_with_its_place() -> Result<()> {
    let dir = tempfile::tempdir()?;
    fs::write(dir.path().join("empty.pem"), "nothing\n")?;
    fs::write(
        dir.path().join("bad.pem"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )?;
    fs::write(dir.path().join("blank.pem"), "\n")?;
    fs::write(
        dir.path().join("key.pem"),
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    )?;
    for (path, words) in [
        ("", "`ca_file` is empty: write a path"),
        ("gone.pem", "gone.pem"),
        (
            "blank.pem",
            "no certificate in PEM form (`-----BEGIN CERTIFICATE-----`): it is empty",
        ),
        ("key.pem", "PEM of another kind"),
        ("empty.pem", "convert it with `openssl x509"),
        ("bad.pem", "is not a valid certificate"),
    ] {
        let lines = format!("ca_file = \"{path}\"\n{}", store("https://127.0.0.1:9"));
        let ran = check(dir.path(), &lines, &[])?;
        ensure!(ran.code == Some(2), "{ran:?}");
        let said = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(
            said.contains(words) && said.contains("tidegate.toml:7:11"),
            "{said}"
        );
    }
    // The right one is used.
    let stub = Stub::https(Certificate::Valid, |_| {
        Answer::s3(403, "AccessDenied", "reached")
    })
    .await?;
    let lines = format!("ca_file = \"{CA}\"\n{}", store(&stub.https_url()));
    failed_with(&check(dir.path(), &lines, &[])?, &["AccessDenied: reached"])?;
    Ok(())
}

/// Runs `check --online` on this endpoint, which misbehaves by this rule.
async fn check_endpoint(rule: Rule) -> Result<Ran> {
    let endpoint = Endpoint::start().await?;
    endpoint.faults().add(rule);
    let dir = tempfile::tempdir()?;
    let [key, secret] = endpoint.secrets();
    let lines = format!(
        "url = \"s3://{BUCKET}\"\n[store.options]\nendpoint = \"{}\"\nregion = \"us-east-1\"\nallow_http = true\n\
         access_key_id = \"{key}\"\nsecret_access_key = \"{secret}\"\n",
        endpoint.url()
    );
    check(dir.path(), &lines, &[])
}

fn warned_of(ran: &Ran, words: &[&str]) -> Result<()> {
    ensure!(ran.code == Some(0), "{ran:?}");
    let said = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in ["usable, with"].iter().chain(words) {
        ensure!(said.contains(word), "`{word}` was expected: {said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_may_not_be_listed_is_warned_about() -> Result<()> {
    let rule = Rule::always(Fault::Answer(403, "AccessDenied")).on(Kind::List);
    let words = [
        "can't be compared",
        "allow these credentials to list",
        "AccessDenied",
    ];
    warned_of(&check_endpoint(rule).await?, &words)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_may_not_be_deleted_from_is_warned_about() -> Result<()> {
    let rule = Rule::always(Fault::Answer(403, "AccessDenied")).on(Kind::Delete);
    let words = [
        "store deletes",
        "allow these credentials to delete",
        "read, write, list and delete in the bucket",
    ];
    warned_of(&check_endpoint(rule).await?, &words)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_page_is_not_a_usable_store() -> Result<()> {
    let page = || {
        Answer::new(200)
            .header("content-type", "text/html")
            .body("<html>Welcome</html>")
    };
    let stub = Stub::answering(page()).await?;
    let dir = tempfile::tempdir()?;
    let settings = store(&stub.http_url()) + "allow_http = true\n";
    failed_with(
        &check(dir.path(), &settings, &[])?,
        &["a web page, not a store's answer"],
    )
}
