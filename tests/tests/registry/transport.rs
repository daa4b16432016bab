//! TLS, proxies and private authorities between an operator and a registry that is not on this machine.

use std::process::Command;

use anyhow::{Context, Result};
use tidegate_tests::command::{Ran, binary};
use tidegate_tests::registry::Desk;
use tidegate_tests::stub::{Answer, CA, Certificate, Stub, closed_port};

use crate::failed_with;

/// A name that no machine has, so that only a proxy can reach it.
const HOST: &str = "registry.test";

/// Lists a repository there, through this proxy.
fn list(desk: &Desk, variable: &str, proxy: &str, arguments: &[&str]) -> Result<Ran> {
    let mut command = Command::new(binary()?);
    command
        .env_clear()
        .current_dir(desk.dir())
        .env("HOME", desk.dir())
        .env(variable, proxy)
        .args(["policy", "list", &format!("oci://{HOST}/acme/x")])
        .args(arguments);
    Ok(command.output().context("can't run the command")?.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_down_or_refuses_is_named() -> Result<()> {
    let desk = Desk::new()?;
    let gone = closed_port().await?;
    let ran = list(&desk, "HTTPS_PROXY", &format!("http://{gone}"), &[])?;
    failed_with(
        &ran,
        5,
        &[HOST, &gone, "HTTPS_PROXY", "NO_PROXY", "Connection refused"],
    )?;
    for (status, words) in [(403, "fails to connect"), (407, "wants credentials")] {
        let proxy = Stub::answering(Answer::new(status)).await?;
        let ran = list(&desk, "ALL_PROXY", &proxy.http_url(), &[])?;
        failed_with(&ran, 5, &["the proxy", &proxy.host(), "ALL_PROXY", words])?;
        let ran = list(&desk, "HTTP_PROXY", &proxy.http_url(), &["--plain-http"])?;
        let answered = format!("answered {status}");
        failed_with(
            &ran,
            5,
            &["the proxy", &proxy.host(), "HTTP_PROXY", &answered],
        )?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_with_a_private_authority_is_reached_with_a_ca_file() -> Result<()> {
    let desk = Desk::new()?;
    // A registry on this machine is spoken to without TLS, so one of another name is reached through a proxy.
    let tunnel = Stub::tunnel(Certificate::OtherName, |_| Answer::new(500).body("reached")).await?;
    let list = |arguments: &[&str]| {
        let mut command = Command::new(binary()?);
        command
            .env_clear()
            .current_dir(desk.dir())
            .env("HOME", desk.dir())
            .env("HTTPS_PROXY", tunnel.http_url())
            .args(["policy", "list", "oci://other.example.com/acme/x"])
            .args(arguments);
        anyhow::Ok(Ran::from(command.output()?))
    };
    let ran = list(&[])?;
    failed_with(
        &ran,
        5,
        &[
            "authority that is not trusted",
            "`registry.ca_file`",
            "--ca-file",
        ],
    )?;
    let ran = list(&["--ca-file", CA])?;
    failed_with(&ran, 5, &["fails (500)"])?;
    desk.configure(
        "builtin:never",
        &format!("[registry]\nca_file = \"{CA}\"\n"),
    )?;
    let ran = list(&["-c", "tidegate.toml"])?;
    failed_with(&ran, 5, &["fails (500)"])?;
    let ran = list(&["--ca-file", "gone.pem"])?;
    failed_with(&ran, 2, &["CA certificates", "gone.pem"])?;
    Ok(())
}
