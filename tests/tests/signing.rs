//! Signatures: who signs, what an operator's host then runs, and what it refuses.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result, ensure};
use tidegate_tests::command::Ran;
use tidegate_tests::registry::{Desk, NEVER, Registry};

/// A desk with the key pair `own`, and the key as `trust.keys` takes it.
fn with_key() -> Result<(Desk, String)> {
    let desk = Desk::new()?;
    let key = made(&desk, "own")?;
    Ok((desk, key))
}

fn made(desk: &Desk, name: &str) -> Result<String> {
    let made = desk.json(&["policy", "key", name])?;
    Ok(made["key"].as_str().unwrap_or_default().to_owned())
}

fn sign(desk: &Desk, file: &str, key: &str) -> Result<()> {
    desk.json(&["policy", "sign", file, "--key", key])?;
    Ok(())
}

/// The table that trusts these keys; with `require`, nothing else.
fn trust(keys: &[&str], require: bool) -> String {
    format!("[trust]\nkeys = {keys:?}\nrequire_signature = {require}\n")
}

/// What the host says of a component under this table.
fn judged(desk: &Desk, component: &str, table: &str) -> Result<Ran> {
    desk.configure(component, table)?;
    desk.run(&["sync", "--dry-run"])
}

/// Makes sure that the host refuses the component, naming the policy, its place, and what to do.
fn refused(desk: &Desk, component: &str, table: &str, words: &[&str]) -> Result<()> {
    let ran = judged(desk, component, table)?;
    ensure!(ran.code == Some(5), "{ran:?}");
    for word in ["tidegate.toml:9:13", "policy `own`"].iter().chain(words) {
        ensure!(ran.stderr.contains(word), "`{word}` was expected: {ran:?}");
    }
    let checked = desk.run(&["check"])?;
    ensure!(checked.code == Some(5), "{checked:?}");
    Ok(())
}

fn taken(desk: &Desk, component: &str, table: &str) -> Result<()> {
    let ran = judged(desk, component, table)?;
    ensure!(ran.code == Some(0), "{ran:?}");
    Ok(())
}

#[test]
fn a_required_signature_must_be_there_and_right() -> Result<()> {
    let (desk, own) = with_key()?;
    let required = trust(&[&own], true);
    refused(
        &desk,
        NEVER,
        &required,
        &["no signature", "tidegate policy sign"],
    )?;
    sign(&desk, NEVER, "own.pem")?;
    taken(&desk, NEVER, &required)?;
    let checked = desk.run(&["check"])?;
    ensure!(
        checked.stdout.contains(&format!("signed by {own}")),
        "{checked:?}"
    );

    let signature = fs::read_to_string(desk.path("never.wasm.sig"))?;
    let component = desk.component()?;
    for table in [&required, &trust(&[&own], false)] {
        // Another component in its place.
        fs::write(desk.path(NEVER), wat::parse_str("(component)")?)?;
        refused(
            &desk,
            NEVER,
            table,
            &["not of this component", "sign it anew"],
        )?;
        // One bit of it.
        let mut changed = component.clone();
        changed[40_000] ^= 1;
        fs::write(desk.path(NEVER), changed)?;
        refused(&desk, NEVER, table, &["not of this component"])?;
        fs::write(desk.path(NEVER), &component)?;
        // The signature of another component.
        fs::write(desk.path("other.wasm"), wat::parse_str("(component)")?)?;
        sign(&desk, "other.wasm", "own.pem")?;
        fs::copy(desk.path("other.wasm.sig"), desk.path("never.wasm.sig"))?;
        refused(&desk, NEVER, table, &["belongs to another one"])?;
        // A signature that was cut off.
        for end in [0, 10, 60, signature.len() - 5] {
            fs::write(desk.path("never.wasm.sig"), &signature[..end])?;
            refused(&desk, NEVER, table, &["can't be read", "sign it anew"])?;
        }
        // A kind that nobody knows, and what is no text.
        fs::write(
            desk.path("never.wasm.sig"),
            signature.replace("ed25519", "ed448"),
        )?;
        refused(&desk, NEVER, table, &["ed448", "the only kind there is"])?;
        fs::write(desk.path("never.wasm.sig"), [0xff; 64])?;
        refused(&desk, NEVER, table, &["can't be read"])?;
        fs::write(desk.path("never.wasm.sig"), &signature)?;
        taken(&desk, NEVER, table)?;
    }
    Ok(())
}

#[test]
fn a_key_that_nobody_trusts_vouches_for_nothing() -> Result<()> {
    let (desk, own) = with_key()?;
    let other = made(&desk, "other")?;
    sign(&desk, NEVER, "other.pem")?;
    for require in [true, false] {
        refused(
            &desk,
            NEVER,
            &trust(&[&own], require),
            &["signed by", &other, "`trust.keys` does not name"],
        )?;
    }
    // Without keys nobody looks, whatever is there; with them, what has no signature runs unless it must have one.
    taken(&desk, NEVER, "")?;
    fs::remove_file(desk.path("never.wasm.sig"))?;
    fs::create_dir(desk.path("never.wasm.sig"))?;
    taken(&desk, NEVER, "")?;
    refused(&desk, NEVER, &trust(&[&own], false), &["never.wasm.sig"])?;
    fs::remove_dir(desk.path("never.wasm.sig"))?;
    taken(&desk, NEVER, &trust(&[&own], false))?;
    Ok(())
}

#[test]
fn keys_are_changed_without_a_moment_of_distrust() -> Result<()> {
    let (desk, old) = with_key()?;
    let new = made(&desk, "new")?;
    sign(&desk, NEVER, "own.pem")?;
    sign(&desk, NEVER, "new.pem")?;
    for keys in [
        vec![&*old],
        vec![&old, &new],
        vec![&new],
        vec!["new.pub.pem"],
    ] {
        taken(&desk, NEVER, &trust(&keys, true))?;
    }
    Ok(())
}

#[test]
fn the_bundled_policies_need_no_signature() -> Result<()> {
    let (desk, own) = with_key()?;
    taken(&desk, "builtin:never", &trust(&[&own], true))
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_travel_with_components() -> Result<()> {
    let registry = Registry::start().await?;
    let (author, own) = with_key()?;
    let other = made(&author, "other")?;
    let push = |tag: &str| {
        let to = format!("oci://{}/acme/never:{tag}", registry.host());
        let pushed = author.json(&["policy", "push", NEVER, &to])?;
        anyhow::Ok(pushed["reference"].as_str().unwrap_or_default().to_owned())
    };
    let unsigned = push("1")?;
    sign(&author, NEVER, "own.pem")?;
    let signed = push("2")?;
    let operator = Desk::new()?;
    let required = trust(&[&own], true);
    refused(
        &operator,
        &unsigned,
        &required,
        &["no signature", "who did"],
    )?;
    taken(&operator, &signed, &required)?;
    refused(
        &operator,
        &signed,
        &trust(&[&other], false),
        &["does not name"],
    )?;
    // An author's slip is found before anybody can trip over it.
    let mut component = author.component()?;
    component.extend([0, 2, 1, b'x']);
    fs::write(author.path(NEVER), component)?;
    let to = format!("oci://{}/acme/never:3", registry.host());
    let ran = author.run(&["policy", "push", NEVER, &to])?;
    ensure!(
        ran.code == Some(5) && ran.stderr.contains("never.wasm.sig"),
        "{ran:?}"
    );
    // What is pulled under a configuration is held against it.
    operator.configure("builtin:never", &required)?;
    let pull = [
        "policy",
        "pull",
        &unsigned,
        "-c",
        "tidegate.toml",
        "-o",
        "own.wasm",
    ];
    let ran = operator.run(&pull)?;
    ensure!(
        ran.code == Some(5) && ran.stderr.contains("no signature"),
        "{ran:?}"
    );
    ensure!(!operator.path("own.wasm").exists());
    Ok(())
}

#[test]
fn keys_are_private_and_never_overwritten() -> Result<()> {
    let (desk, _) = with_key()?;
    let mode = fs::metadata(desk.path("own.pem"))?.permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = fs::read(desk.path("own.pem"))?;
    let ran = desk.run(&["policy", "key", "own"])?;
    ensure!(
        ran.code == Some(2) && ran.stderr.contains("never overwritten"),
        "{ran:?}"
    );
    assert_eq!(fs::read(desk.path("own.pem"))?, before);
    let ran = desk.run(&["policy", "key", "nowhere/own"])?;
    ensure!(
        ran.code == Some(2) && ran.stderr.contains("nowhere/own"),
        "{ran:?}"
    );
    Ok(())
}

#[test]
fn what_can_not_sign_or_be_signed_is_told() -> Result<()> {
    let (desk, _) = with_key()?;
    fs::write(desk.path("core.wasm"), wat::parse_str("(module)")?)?;
    fs::write(desk.path("text.pem"), "a key, believe me")?;
    for (file, key, words) in [
        (NEVER, "own.pub.pem", "it is a public one"),
        (NEVER, "text.pem", "it is not a PEM file"),
        (NEVER, "gone.pem", "can't read the key gone.pem"),
        (NEVER, "docker", "is a directory"),
        ("core.wasm", "own.pem", "no WebAssembly component"),
        ("own.pem", "own.pem", "no WebAssembly component"),
        ("gone.wasm", "own.pem", "can't read gone.wasm"),
    ] {
        let ran = desk.run(&["policy", "sign", file, "--key", key])?;
        ensure!(
            ran.code == Some(2) && ran.stderr.contains(words),
            "{file} {key}: {ran:?}"
        );
    }
    desk.configure(NEVER, &trust(&["own.pem"], true))?;
    let ran = desk.run(&["check"])?;
    ensure!(ran.code == Some(2), "{ran:?}");
    let place = ran.stdout.contains("tidegate.toml:16:9");
    ensure!(
        place && ran.stdout.contains("it is a private one"),
        "{ran:?}"
    );
    Ok(())
}

/// The commands of `host/docs/signing.md`, where there is an openssl.
#[test]
fn openssl_makes_keys_for_us_and_checks_what_we_sign() -> Result<()> {
    let (desk, _) = with_key()?;
    let page = fs::read_to_string("../host/docs/signing.md")?;
    let blocks = page.split("```sh\n").skip(1);
    let blocks: Vec<_> = blocks
        .filter_map(|block| block.split("```").next())
        .collect();
    ensure!(!blocks.is_empty(), "the page has no commands");
    if desk.shell("command -v openssl base64")?.code != Some(0) {
        return Ok(());
    }
    fs::copy(desk.path(NEVER), desk.path("policy.wasm"))?;
    for block in blocks {
        let ran = desk.shell(block).context("no shell")?;
        ensure!(ran.code == Some(0), "{block}\n{ran:?}");
        if block.contains("-verify") {
            ensure!(
                ran.stdout.contains("Signature Verified Successfully"),
                "{ran:?}"
            );
        }
    }
    // A byte of another component, and openssl says so too.
    let mut component = desk.component()?;
    component.extend([0, 2, 1, b'x']);
    fs::write(desk.path("policy.wasm"), component)?;
    let block = page
        .split("```sh\n")
        .find(|block| block.contains("-verify"));
    let block = block.and_then(|block| block.split("```").next());
    let ran = desk.shell(block.context("no check")?)?;
    ensure!(ran.code != Some(0), "{ran:?}");
    Ok(())
}
