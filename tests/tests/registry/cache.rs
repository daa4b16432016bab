use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use tidegate::digest::Digest;
use tidegate_tests::registry::{Desk, NEVER, Trick};

use crate::{failed_with, pushed, reference, stocked};

fn blob(desk: &Desk, digest: &str) -> PathBuf {
    desk.path("cache/tidegate/components/blobs/sha256")
        .join(digest)
}

/// Gives the desk's component other bytes, which mean the same.
fn change(desk: &Desk, mark: u8) -> Result<()> {
    let mut component = desk.component()?;
    component.extend([0, 2, 1, mark]);
    Ok(fs::write(desk.path(NEVER), component)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_is_removed_and_pulled_anew() -> Result<()> {
    let desk = Desk::new()?;
    let (registry, pinned) = stocked(&desk).await?;
    desk.configure(&pinned, "")?;
    let pull = || desk.run(&["sync", "--dry-run"]);
    ensure!(pull()?.code == Some(0));
    let whole = desk.cached()?;
    let manifest = pinned.rsplit(':').next().context("no digest")?.to_owned();
    let component = Digest::of(&desk.component()?).to_string();
    for damaged in [&component, &manifest] {
        let path = blob(&desk, damaged);
        let mut bytes = fs::read(&path)?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, &bytes)?;
        let ran = pull()?;
        ensure!(ran.code == Some(0), "{ran:?}");
        ensure!(
            ran.stderr.contains(damaged) && ran.stderr.contains("damaged"),
            "{ran:?}"
        );
        ensure!(ran.stderr.contains("pulled anew"), "{ran:?}");
        ensure!(desk.cached()? == whole);
        // Without a registry it is gone, and nothing runs in its place.
        fs::write(&path, &bytes)?;
        registry.play(Trick::Status(503));
        failed_with(&pull()?, 5, &["was damaged and is removed", "503"])?;
        ensure!(!path.exists());
        registry.play(Trick::None);
        ensure!(pull()?.code == Some(0));
    }
    // A file that is cut off, as by a full disk, is damaged too; one that is gone is merely gone.
    fs::write(blob(&desk, &component), &desk.component()?[..1000])?;
    ensure!(pull()?.stderr.contains("damaged"));
    fs::remove_file(blob(&desk, &component))?;
    let ran = pull()?;
    ensure!(ran.code == Some(0) && ran.stderr.is_empty(), "{ran:?}");
    // An index that can't be read hides nothing that is pinned.
    fs::write(desk.path("cache/tidegate/components/index.json"), "{")?;
    registry.take_seen();
    ensure!(pull()?.code == Some(0));
    ensure!(registry.take_seen().is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_used_for_long_makes_room() -> Result<()> {
    let desk = Desk::new()?;
    let (registry, first) = stocked(&desk).await?;
    change(&desk, b'x')?;
    let second = pushed(&desk, &reference(&registry, "2"))?;
    change(&desk, b'y')?;
    let third = pushed(&desk, &reference(&registry, "3"))?;
    // Two components fit, and not three.
    let size = desk.component()?.len() * 5 / 2;
    desk.configure(
        "builtin:never",
        &format!("[registry]\ncache_max = {size}\n"),
    )?;
    let pull = |reference: &str| {
        let pulled = desk.json(&["policy", "pull", reference, "--config", "tidegate.toml"])?;
        anyhow::Ok(pulled["origin"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(pull(&first)?, "registry");
    assert_eq!(pull(&second)?, "registry");
    // Used again, the first is no longer the one that was not used for the longest time.
    assert_eq!(pull(&first)?, "cache");
    assert_eq!(pull(&third)?, "registry");
    let kept = desk.json(&["policy", "list"])?;
    let kept: Vec<_> = kept["components"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|kept| kept["reference"].as_str())
        .map(str::to_owned)
        .collect();
    assert_eq!(kept, [first.clone(), third]);
    assert_eq!(pull(&first)?, "cache");
    assert_eq!(pull(&second)?, "registry");
    // Not one blob of what went stays behind: two manifests, configurations, components, the layout and the index.
    assert_eq!(desk.cached()?.len(), 8);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_can_not_be_used_is_warned_about() -> Result<()> {
    let desk = Desk::new()?;
    let (_registry, pinned) = stocked(&desk).await?;
    fs::write(desk.path("file"), "")?;
    desk.configure(&pinned, "[registry]\ncache = \"file/components\"\n")?;
    let ran = desk.run(&["sync", "--dry-run"])?;
    ensure!(ran.code == Some(0), "{ran:?}");
    ensure!(
        ran.stderr.contains("file/components") && ran.stderr.contains("not kept"),
        "{ran:?}"
    );
    // A pull is for the cache, or for a file.
    let pull = ["policy", "pull", &pinned, "--cache", "file/components"];
    let ran = desk.run(&pull)?;
    failed_with(&ran, 1, &["nothing to keep it", "--output"])?;
    let ran = desk.run(&[&pull as &[_], &["-o", "own.wasm"]].concat())?;
    ensure!(ran.code == Some(0), "{ran:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_is_an_image_layout() -> Result<()> {
    let desk = Desk::new()?;
    let (_registry, pinned) = stocked(&desk).await?;
    desk.json(&["policy", "pull", &pinned])?;
    let root = desk.path("cache/tidegate/components");
    assert_eq!(
        fs::read_to_string(root.join("oci-layout"))?,
        r#"{"imageLayoutVersion":"1.0.0"}"#
    );
    let index: serde_json::Value = serde_json::from_slice(&fs::read(root.join("index.json"))?)?;
    let entry = &index["manifests"][0];
    let name = entry["annotations"]["org.opencontainers.image.ref.name"].as_str();
    assert_eq!(name.map(|name| format!("oci://{name}")), Some(pinned));
    let digest = entry["digest"].as_str().context("no digest")?;
    let manifest = fs::read(blob(&desk, digest.trim_start_matches("sha256:")))?;
    assert_eq!(entry["size"], manifest.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_pull_at_once_and_a_crash_leaves_nothing_behind() -> Result<()> {
    let desk = Desk::new()?;
    let (registry, first) = stocked(&desk).await?;
    let mut pinned = vec![first];
    for (tag, mark) in [("2", b'x'), ("3", b'y')] {
        change(&desk, mark)?;
        pinned.push(pushed(&desk, &reference(&registry, tag))?);
    }
    let root = desk.path("cache/tidegate/components");
    fs::create_dir_all(&root)?;
    // What a writer that was killed leaves.
    fs::write(root.join(".incoming-half"), "half")?;
    let pulls: Vec<Result<_>> = std::thread::scope(|scope| {
        let pull = |reference| desk.run(&["policy", "pull", reference]);
        let all = pinned.iter().cycle().take(9);
        let started: Vec<_> = all.map(|one| scope.spawn(move || pull(one))).collect();
        let ended = started.into_iter().map(|one| one.join());
        ended
            .map(|ran| ran.unwrap_or_else(|_| anyhow::bail!("it panicked")))
            .collect()
    });
    for ran in pulls {
        let ran = ran?;
        ensure!(ran.code == Some(0) && ran.stderr.is_empty(), "{ran:?}");
    }
    registry.take_seen();
    for reference in &pinned {
        let pulled = desk.json(&["policy", "pull", reference])?;
        ensure!(pulled["origin"] == "cache", "{pulled}");
    }
    let kept = desk.json(&["policy", "list"])?;
    assert_eq!(
        kept["components"].as_array().map(Vec::len),
        Some(3),
        "{kept}"
    );
    ensure!(!root.join(".incoming-half").exists());
    assert_eq!(desk.cached()?.len(), 11);
    Ok(())
}
