use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Result, ensure};
use serde_json::json;
use tidegate_tests::registry::{Desk, LOGIN, NEVER, Trick};

use crate::{failed_with, pushed, reference, stocked};

#[tokio::test(flavor = "multi_thread")]
async fn credentials_come_from_the_docker_configuration() -> Result<()> {
    for trick in [Trick::Basic, Trick::Token] {
        let desk = Desk::new()?;
        let (registry, pinned) = stocked(&desk).await?;
        let host = registry.host();
        registry.play(trick.clone());
        let pull = || desk.run(&["policy", "pull", &pinned]);
        failed_with(&pull()?, 5, &[&host, "wants credentials", "docker login"])?;
        desk.log_in(&host, LOGIN.0, "wrong")?;
        let ran = pull()?;
        failed_with(&ran, 5, &[&host, "refuses the credentials"])?;
        ensure!(!format!("{ran:?}").contains("wrong"), "{ran:?}");
        desk.log_in("registry.example.com", LOGIN.0, LOGIN.1)?;
        failed_with(&pull()?, 5, &["wants credentials"])?;
        ensure!(desk.cached()?.is_empty());
        desk.log_in_rightly(&host)?;
        let ran = desk.run(&["--log", "trace", "policy", "pull", &pinned])?;
        ensure!(ran.code == Some(0), "{trick:?}: {ran:?}");
        ensure!(!format!("{ran:?}").contains("must-never-show"), "{ran:?}");
        // The whole way, with one login a repository.
        registry.take_seen();
        pushed(&desk, &reference(&registry, "2"))?;
        let refused = registry.take_seen();
        let refused = refused.iter().filter(|seen| seen.authorization.is_none());
        assert_eq!(refused.count(), 1, "{trick:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_helper_is_asked() -> Result<()> {
    let desk = Desk::new()?;
    let (registry, pinned) = stocked(&desk).await?;
    let host = registry.host();
    registry.play(Trick::Basic);
    let write = |script: &str| {
        let helper = desk.path("docker-credential-desk");
        fs::write(&helper, format!("#!/bin/sh\n{script}\n"))?;
        fs::set_permissions(&helper, fs::Permissions::from_mode(0o755))
    };
    let pull = || desk.run(&["policy", "pull", &pinned]);
    let answer = json!({ "Username": LOGIN.0, "Secret": LOGIN.1 });
    for (key, config) in [
        ("credHelpers", json!({ "credHelpers": { &host: "desk" } })),
        (
            "credsStore",
            json!({ "credsStore": "desk", "auths": { &host: {} } }),
        ),
    ] {
        fs::write(desk.path("docker/config.json"), config.to_string())?;
        let _ = fs::remove_file(desk.path("docker-credential-desk"));
        let ran = pull()?;
        let words = [
            &*host,
            "`docker-credential-desk` is not on the PATH",
            key,
            "docker/config.json",
        ];
        failed_with(&ran, 5, &words)?;
        // By the protocol of helpers, an error is on stdout.
        write("cat >/dev/null; echo the keychain is locked; echo a trace >&2; exit 3")?;
        let words = [
            "`docker-credential-desk` failed",
            "exit status: 3",
            "the keychain is locked",
            "a trace",
        ];
        failed_with(&pull()?, 5, &words)?;
        write("exit 1")?;
        failed_with(&pull()?, 5, &["it printed nothing"])?;
        write("cat >/dev/null; echo credentials not found in native keychain; exit 1")?;
        failed_with(&pull()?, 5, &["wants credentials"])?;
        write("cat >/dev/null; echo a-secret-that-must-never-show")?;
        let ran = pull()?;
        failed_with(
            &ran,
            5,
            &["`docker-credential-desk` does not print credentials as JSON"],
        )?;
        ensure!(!format!("{ran:?}").contains("must-never-show"), "{ran:?}");
        write(&format!("cat >/dev/null; echo '{answer}'"))?;
        let ran = pull()?;
        ensure!(ran.code == Some(0), "{ran:?}");
        fs::remove_dir_all(desk.path("cache"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_helper_without_its_interpreter_is_not_called_missing() -> Result<()> {
    let desk = Desk::new()?;
    let (registry, pinned) = stocked(&desk).await?;
    registry.play(Trick::Basic);
    let config = json!({ "credHelpers": { registry.host(): "desk" } }).to_string();
    fs::write(desk.path("docker/config.json"), config)?;
    let helper = desk.path("docker-credential-desk");
    fs::write(&helper, "#!/no/such/interpreter\n")?;
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755))?;
    let ran = desk.run(&["policy", "pull", &pinned])?;
    let words = ["docker-credential-desk` can't be run", "interpreter"];
    failed_with(&ran, 5, &words)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_helper_that_never_ends_is_stopped() -> Result<()> {
    let desk = Desk::new()?;
    let (registry, pinned) = stocked(&desk).await?;
    registry.play(Trick::Basic);
    let config = json!({ "credHelpers": { registry.host(): "desk" } }).to_string();
    fs::write(desk.path("docker/config.json"), config)?;
    let helper = desk.path("docker-credential-desk");
    desk.configure(&pinned, "[registry]\ntimeout = \"300ms\"\n")?;
    for (script, words) in [
        (
            "exec sleep 1000",
            "gave no answer within 300ms and was stopped",
        ),
        ("exec yes", "prints over 65536 bytes"),
    ] {
        fs::write(&helper, format!("#!/bin/sh\n{script}\n"))?;
        fs::set_permissions(&helper, fs::Permissions::from_mode(0o755))?;
        let ran = desk.run(&["policy", "pull", &pinned, "-c", "tidegate.toml"])?;
        failed_with(&ran, 5, &["`docker-credential-desk`", words])?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_takes_no_answer_is_left() -> Result<()> {
    let desk = Desk::new()?;
    let (registry, pinned) = stocked(&desk).await?;
    for (trick, words) in [
        (Trick::DeafToken, "wants credentials"),
        (Trick::EndlessToken, "over 65536 bytes"),
        (Trick::Status(401), "neither a Basic nor a Bearer challenge"),
        (
            Trick::TokenAt("not an address".to_owned()),
            "realm is no address",
        ),
        // Nobody's password goes out without TLS.
        (
            Trick::TokenAt("http://tokens.example.com/".to_owned()),
            "without TLS",
        ),
    ] {
        registry.play(trick);
        let ran = desk.run(&["policy", "pull", &pinned])?;
        failed_with(&ran, 5, &[words, &registry.host()])?;
    }
    fs::write(desk.path("docker/config.json"), "{")?;
    registry.play(Trick::Basic);
    let ran = desk.run(&["policy", "push", NEVER, &reference(&registry, "2")])?;
    failed_with(&ran, 5, &["docker/config.json is not valid JSON"])?;
    ensure!(desk.cached()?.is_empty());
    Ok(())
}

/// A registry that asks for nothing is told nothing.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_for_who_asks() -> Result<()> {
    let desk = Desk::new()?;
    let (registry, pinned) = stocked(&desk).await?;
    desk.log_in_rightly(&registry.host())?;
    desk.json(&["policy", "pull", &pinned])?;
    let seen = registry.take_seen();
    ensure!(!seen.is_empty());
    ensure!(
        seen.iter().all(|seen| seen.authorization.is_none()),
        "{seen:?}"
    );
    Ok(())
}
