use anyhow::{Result, ensure};
use tidegate_tests::registry::{Desk, Registry, Trick};

use crate::{failed_with, pushed, reference, stocked};

/// A registry that keeps its blobs elsewhere, and where that is.
async fn split(desk: &Desk) -> Result<(Registry, Registry, String)> {
    let (registry, pinned) = stocked(desk).await?;
    let elsewhere = Registry::start().await?;
    pushed(desk, &reference(&elsewhere, "1"))?;
    elsewhere.take_seen();
    registry.play(Trick::Redirect(format!("http://{}", elsewhere.host())));
    Ok((registry, elsewhere, pinned))
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_is_followed_to_when_it_was_allowed() -> Result<()> {
    let desk = Desk::new()?;
    let (registry, elsewhere, pinned) = split(&desk).await?;
    let (from, to) = (registry.host(), elsewhere.host());
    let ran = desk.run(&["policy", "pull", &pinned])?;
    let setting = format!("redirects = [\"{to}\"]");
    let flag = format!("--allow-redirect {to}");
    failed_with(&ran, 5, &[&from, &to, &setting, &flag])?;
    ensure!(elsewhere.take_seen().is_empty(), "nothing was asked there");
    ensure!(desk.cached()?.is_empty());

    // What the message says to write helps.
    desk.configure(&pinned, &format!("[registry]\n{setting}\n"))?;
    let ran = desk.run(&["sync", "--dry-run"])?;
    ensure!(ran.code == Some(0), "{ran:?}");
    let fresh = Desk::new()?;
    let ran = fresh.run(&["policy", "pull", &pinned, "--allow-redirect", &to])?;
    ensure!(ran.code == Some(0), "{ran:?}");
    ensure!(!elsewhere.take_seen().is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_stay_with_the_registry() -> Result<()> {
    let desk = Desk::new()?;
    let (registry, elsewhere, pinned) = split(&desk).await?;
    let to = elsewhere.host();
    registry.play(Trick::BasicAndRedirect(format!("http://{to}")));
    // Those of the other host stay at home as well: it is not who was asked.
    let config = serde_json::json!({ "auths": {
        registry.host(): { "username": "author", "password": "a-password-that-must-never-show" },
        &to: { "username": "author", "password": "a-password-that-must-never-show" },
    }});
    std::fs::write(desk.path("docker/config.json"), config.to_string())?;
    let ran = desk.run(&["policy", "pull", &pinned, "--allow-redirect", &to])?;
    ensure!(ran.code == Some(0), "{ran:?}");
    let authorized = registry
        .take_seen()
        .into_iter()
        .filter(|seen| seen.authorization.is_some());
    ensure!(authorized.count() > 0);
    let seen = elsewhere.take_seen();
    ensure!(!seen.is_empty());
    ensure!(
        seen.iter().all(|seen| seen.authorization.is_none()),
        "{seen:?}"
    );
    // A host that wants them is not given any.
    elsewhere.play(Trick::Basic);
    let fresh = Desk::new()?;
    std::fs::write(fresh.path("docker/config.json"), config.to_string())?;
    let ran = fresh.run(&["policy", "pull", &pinned, "--allow-redirect", &to])?;
    failed_with(
        &ran,
        5,
        &["does not allow access", "no credentials are sent"],
    )?;
    let seen = elsewhere.take_seen();
    ensure!(
        seen.iter().all(|seen| seen.authorization.is_none()),
        "{seen:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_tls_is_not_followed_to() -> Result<()> {
    let desk = Desk::new()?;
    let (registry, pinned) = stocked(&desk).await?;
    registry.play(Trick::Redirect("http://blobs.example.com".to_owned()));
    let allow = ["--allow-redirect", "blobs.example.com"];
    let ran = desk.run(&["policy", "pull", &pinned, allow[0], allow[1]])?;
    failed_with(&ran, 5, &["blobs.example.com", "without TLS"])?;
    ensure!(desk.cached()?.is_empty());
    Ok(())
}
