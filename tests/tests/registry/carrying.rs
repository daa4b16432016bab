use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tidegate::digest::Digest;
use tidegate::registry::{Reference, RegistrySettings, push};
use tidegate_tests::registry::{Desk, LOGIN, NEVER, Registry};

use crate::{failed_with, pushed, reference};

/// The variable that names the real registry.
const VARIABLE: &str = "TIDEGATE_TEST_REGISTRY";

/// A real registry's host, and who may use it.
fn real() -> Result<Option<(String, String, String)>> {
    let Some(address) = std::env::var_os(VARIABLE) else {
        return Ok(None);
    };
    let address = address.to_string_lossy().into_owned();
    let rest = address.strip_prefix("http://").context("no http://")?;
    let (login, host) = rest.split_once('@').context("no @")?;
    let (name, password) = login.split_once(':').context("no password")?;
    Ok(Some((
        host.to_owned(),
        name.to_owned(),
        password.to_owned(),
    )))
}

/// Out, listed, and in again at another desk, signed; then by a configuration.
fn there_and_back(host: &str, login: (&str, &str)) -> Result<()> {
    let author = Desk::new()?;
    author.log_in(host, login.0, login.1)?;
    let key = author.json(&["policy", "key", "release"])?;
    author.json(&["policy", "sign", NEVER, "--key", "release.pem"])?;
    // Of its own, for a real registry keeps what earlier runs left.
    let name = format!("acme/{}", Digest::of(key["key"].to_string().as_bytes()));
    let tag = format!("oci://{host}/{name}:1.0");
    let pinned = pushed(&author, &tag)?;
    ensure!(pinned.starts_with(&format!("{tag}@sha256:")), "{pinned}");
    let again = author.json(&["policy", "push", NEVER, &tag])?;
    ensure!(again["sent"] == false, "{again}");
    ensure!(again["reference"] == *pinned, "the same digest: {again}");
    pushed(&author, &format!("oci://{host}/{name}:latest"))?;

    let operator = Desk::new()?;
    operator.log_in(host, login.0, login.1)?;
    let listed = operator.json(&["policy", "list", &format!("oci://{host}/{name}")])?;
    let references: Vec<_> = listed["components"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    ensure!(
        references.len() == 2 && references[0]["reference"] == *pinned,
        "{listed}"
    );
    let pulled = operator.json(&["policy", "pull", &tag, "--output", "own.wasm"])?;
    ensure!(
        pulled["reference"] == *pinned && pulled["origin"] == "registry",
        "{pulled}"
    );
    ensure!(pulled["signed_by"][0] == key["key"], "{pulled}");
    ensure!(fs::read(operator.path("own.wasm"))? == author.component()?);
    let beside = fs::read(author.path("never.wasm.sig"))?;
    ensure!(fs::read(operator.path("own.wasm.sig"))? == beside);
    let kept = operator.json(&["policy", "list"])?;
    let kept = &kept["components"][0];
    ensure!(kept["name"] == "never" && kept["signed"] == true, "{kept}");
    ensure!(
        kept["sha256"] == Digest::of(&author.component()?).to_string(),
        "{kept}"
    );

    let trust = format!(
        "[trust]\nkeys = [{}]\nrequire_signature = true\n",
        key["key"]
    );
    operator.configure(&pinned, &trust)?;
    let checked = operator.run(&["check"])?;
    ensure!(checked.code == Some(0), "{checked:?}");
    ensure!(checked.stdout.contains("signed by ed25519:"), "{checked:?}");
    let rehearsed = operator.run(&["sync", "--dry-run"])?;
    ensure!(rehearsed.code == Some(0), "{rehearsed:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_goes_out_and_comes_in() -> Result<()> {
    let registry = Registry::start().await?;
    there_and_back(&registry.host(), LOGIN)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_registry_carries_components() -> Result<()> {
    let Some((host, name, password)) = real()? else {
        return Ok(());
    };
    there_and_back(&host, (&name, &password))?;
    // What this registry says of strangers, of those who know it wrong, and of what it does not have.
    let desk = Desk::new()?;
    let nothing = format!("oci://{host}/acme/nothing:1");
    let ran = desk.run(&["policy", "pull", &nothing])?;
    failed_with(&ran, 5, &["wants credentials", "docker login"])?;
    desk.log_in(&host, &name, "wrong")?;
    let ran = desk.run(&["policy", "pull", &nothing])?;
    failed_with(&ran, 5, &["refuses the credentials"])?;
    desk.log_in(&host, &name, &password)?;
    let ran = desk.run(&["policy", "pull", &nothing])?;
    failed_with(&ran, 5, &["does not have", "acme/nothing"])?;
    ensure!(desk.cached()?.is_empty(), "nothing is left of all that");
    Ok(())
}

/// What `oci-wasm`, by which `wkg` works, wrote of a component.
const GOLDEN: &str = "data/oci-wasm-0.6.0";

#[tokio::test]
async fn the_form_is_the_one_that_wkg_writes() -> Result<()> {
    let registry = Registry::start().await?;
    let component = fs::read(format!("{GOLDEN}/component.wasm"))?;
    let to: Reference = reference(&registry, "1").parse()?;
    let settings = RegistrySettings::default();
    push(&to, component.into(), [].into(), &settings).await?;
    let ours = registry.manifest(to.name(), "1").context("no manifest")?;
    let mut ours: Value = serde_json::from_slice(&ours)?;
    let digest = ours["config"]["digest"].as_str().context("no digest")?;
    let digest = digest.trim_start_matches("sha256:").parse();
    let digest = digest.map_err(anyhow::Error::msg)?;
    let config = registry.blob(&digest).context("no configuration")?;
    let mut config: Value = serde_json::from_slice(&config)?;
    let mut theirs: Value = serde_json::from_slice(&fs::read(format!("{GOLDEN}/manifest.json"))?)?;
    let mut their_config: Value =
        serde_json::from_slice(&fs::read(format!("{GOLDEN}/config.json"))?)?;
    // When it was made is all that differs, and with it what names and measures the configuration.
    for config in [&mut config, &mut their_config] {
        let created = config
            .as_object_mut()
            .and_then(|keys| keys.remove("created"));
        let created = created.context("no time")?;
        let text = created.as_str().unwrap_or_default();
        ensure!(text.ends_with('Z') && text.contains('T'), "{text}");
    }
    assert_eq!(config, their_config);
    for manifest in [&mut ours, &mut theirs] {
        let config = manifest["config"].as_object_mut().context("no object")?;
        ensure!(config.remove("digest").is_some() && config.remove("size").is_some());
    }
    assert_eq!(ours, theirs);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_wkg_pushed_is_pulled() -> Result<()> {
    let registry = Registry::start().await?;
    let read = |name: &str| fs::read(format!("{GOLDEN}/{name}"));
    let component = read("component.wasm")?;
    let manifest = read("manifest.json")?;
    registry.put(
        "acme/never",
        "1",
        &manifest,
        &[&read("config.json")?, &component],
    );
    let desk = Desk::new()?;
    let tag = reference(&registry, "1");
    let pulled = desk.json(&["policy", "pull", &tag, "-o", "own.wasm"])?;
    ensure!(pulled["signed_by"] == serde_json::json!([]), "{pulled}");
    ensure!(fs::read(desk.path("own.wasm"))? == component);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_used_is_not_pushed() -> Result<()> {
    let registry = Registry::start().await?;
    let desk = Desk::new()?;
    let tag = reference(&registry, "1");
    let wat = |text: &str| wat::parse_str(text);
    fs::write(desk.path("core.wasm"), wat("(module)")?)?;
    fs::write(desk.path("empty.wasm"), wat("(component)")?)?;
    fs::write(desk.path("cut.wasm"), &desk.component()?[..70_000])?;
    fs::File::create(desk.path("large.wasm"))?.set_len((64 << 20) + 1)?;
    fs::write(desk.path("signed.wasm"), desk.component()?)?;
    fs::write(desk.path("signed.wasm.sig"), "ed25519:cut\n")?;
    let unpinned = format!("oci://{}/acme/never", registry.host());
    let pinned = format!("{unpinned}@sha256:{}", Digest::of(b""));
    for (file, to, code, words) in [
        (
            "core.wasm",
            &*tag,
            5,
            &["core.wasm can't be pushed", "wasm-tools component new"] as &[_],
        ),
        ("empty.wasm", &tag, 5, &["does not export"]),
        (
            "cut.wasm",
            &tag,
            5,
            &["cut.wasm can't be pushed", "damaged"],
        ),
        ("large.wasm", &tag, 2, &["over 64 MiB"]),
        ("gone.wasm", &tag, 2, &["gone.wasm"]),
        (
            "signed.wasm",
            &tag,
            5,
            &["signed.wasm.sig", "remove the file"],
        ),
        (NEVER, &unpinned, 2, &["neither tag", "digest"]),
        (NEVER, &pinned, 2, &["tag alone"]),
        (NEVER, "ghcr.io/acme/never:1", 2, &["oci://host/name:tag"]),
    ] {
        let ran = desk.run(&["policy", "push", file, to])?;
        failed_with(&ran, code, words).with_context(|| format!("{file} to {to}"))?;
    }
    assert_eq!(registry.holdings(), (0, 0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pulled_file_replaces_no_other() -> Result<()> {
    let desk = Desk::new()?;
    let (_registry, pinned) = crate::stocked(&desk).await?;
    fs::write(desk.path("mine.wasm"), "mine")?;
    let ran = desk.run(&["policy", "pull", &pinned, "-o", "mine.wasm"])?;
    failed_with(&ran, 2, &["mine.wasm is there already"])?;
    assert_eq!(fs::read(desk.path("mine.wasm"))?, b"mine");
    fs::write(desk.path("new.wasm.sig"), "another's")?;
    let ran = desk.run(&["policy", "pull", &pinned, "-o", "new.wasm"])?;
    failed_with(&ran, 2, &["new.wasm.sig is there already"])?;
    ensure!(!desk.path("new.wasm").exists());
    Ok(())
}
