use anyhow::{Result, ensure};
use tidegate_tests::registry::{Desk, NEVER, Registry, Trick};

use crate::{failed_with, pushed, reference, stocked};

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_alone_is_refused_with_the_line_to_write() -> Result<()> {
    let desk = Desk::new()?;
    let (registry, pinned) = stocked(&desk).await?;
    let tag = reference(&registry, "1");
    desk.configure(&tag, "")?;
    for arguments in [&["check"] as &[&str], &["sync", "--dry-run"]] {
        let ran = desk.run(arguments)?;
        let line = format!("component = \"{pinned}\"");
        failed_with(
            &ran,
            5,
            &[
                "tidegate.toml:9:13",
                "tags move",
                &line,
                "registry.allow_tags",
            ],
        )?;
    }
    registry.play(Trick::Status(503));
    let ran = desk.run(&["check"])?;
    failed_with(
        &ran,
        5,
        &["tags move", "tidegate policy list", "registry.allow_tags"],
    )?;
    ensure!(desk.cached()?.is_empty(), "nothing was pulled");
    // The line does it.
    registry.play(Trick::None);
    desk.configure(&pinned, "")?;
    let ran = desk.run(&["check"])?;
    ensure!(
        ran.code == Some(0) && ran.stdout.contains(&pinned),
        "{ran:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_component_needs_its_registry_once() -> Result<()> {
    let desk = Desk::new()?;
    let (registry, pinned) = stocked(&desk).await?;
    desk.configure(&pinned, "")?;
    let ran = desk.run(&["sync", "--dry-run"])?;
    ensure!(ran.code == Some(0), "{ran:?}");
    ensure!(!registry.take_seen().is_empty());
    let ran = desk.run(&["sync", "--dry-run"])?;
    ensure!(ran.code == Some(0), "{ran:?}");
    ensure!(registry.take_seen().is_empty(), "it was in the cache");
    drop(registry);
    let ran = desk.run(&["sync", "--dry-run"])?;
    ensure!(ran.code == Some(0), "{ran:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_tag_is_followed_and_its_last_meaning_stands_in_for_a_registry_that_is_down()
-> Result<()> {
    const ALLOWED: &str = "[registry]\nallow_tags = true\n";
    let desk = Desk::new()?;
    let (registry, first) = stocked(&desk).await?;
    let tag = reference(&registry, "1");
    desk.configure(&tag, ALLOWED)?;
    let ran = desk.run(&["check"])?;
    ensure!(ran.code == Some(0), "{ran:?}");
    let line = format!("component = \"{first}\"");
    ensure!(
        ran.stdout.contains("warn") && ran.stdout.contains(&line),
        "{ran:?}"
    );

    // The tag moves, and the component with it; what it meant before is still there for who pinned it.
    let mut component = desk.component()?;
    component.extend([0, 2, 1, b'x']);
    std::fs::write(desk.path(NEVER), component)?;
    let second = pushed(&desk, &tag)?;
    ensure!(first != second);
    let ran = desk.run(&["check"])?;
    ensure!(ran.stdout.contains(&second), "{ran:?}");
    let kept = desk.json(&["policy", "list"])?;
    let references: Vec<_> = kept["components"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    ensure!(references.len() == 2, "{kept}");

    registry.play(Trick::Status(503));
    let ran = desk.run(&["sync", "--dry-run"])?;
    ensure!(ran.code == Some(0), "{ran:?}");
    let digest = second.split_once('@').map_or("", |(_, digest)| digest);
    ensure!(
        ran.stderr.contains("WARN") && ran.stderr.contains(digest),
        "{ran:?}"
    );
    // A refusal is no outage: nobody may keep a component alive that was withdrawn from him.
    registry.play(Trick::Status(403));
    let ran = desk.run(&["sync", "--dry-run"])?;
    failed_with(&ran, 5, &["does not allow"])?;
    drop(registry);
    let ran = desk.run(&["sync", "--dry-run"])?;
    ensure!(
        ran.code == Some(0) && ran.stderr.contains(digest),
        "{ran:?}"
    );
    let pinned = Desk::run(&desk, &["policy", "pull", &first])?;
    ensure!(pinned.code == Some(0), "{pinned:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_of_the_components_bytes_holds_as_well() -> Result<()> {
    let desk = Desk::new()?;
    let (_registry, pinned) = stocked(&desk).await?;
    let zeros = "0".repeat(64);
    desk.configure(&format!("{pinned}\"\nsha256 = \"{zeros}"), "")?;
    let ran = desk.run(&["check"])?;
    failed_with(&ran, 5, &["tidegate.toml:10", "`sha256` pins"])?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn simulated_worlds_take_components_from_registries() -> Result<()> {
    let desk = Desk::new()?;
    let (registry, pinned) = stocked(&desk).await?;
    let scenario = "title = \"nothing is published without a schema\"\nuntil = \"1h\"\n\
                    [config.sync]\nfallback = [\"own\"]\n\
                    [config.policies.own]\ncomponent = \"builtin:ladder\"\n";
    std::fs::write(desk.path("scenario.toml"), scenario)?;
    let tag = format!("own={}", reference(&registry, "1"));
    let ran = desk.run(&["policy", "test", "scenario.toml", "--policy", &tag])?;
    ensure!(ran.code == Some(0), "{ran:?}");
    ensure!(!registry.take_seen().is_empty());
    desk.configure(&pinned, "")?;
    let explore = [
        "policy",
        "explore",
        "--config",
        "tidegate.toml",
        "--seeds",
        "1",
    ];
    let ran = desk.run(&explore)?;
    ensure!(ran.code == Some(0), "{ran:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_component_of_a_registry_decided_is_decided_again() -> Result<()> {
    let desk = Desk::new()?;
    let registry = Registry::start().await?;
    let tag = format!("oci://{}/acme/presence:1", registry.host());
    std::fs::copy("../plugins/bundled/presence.wasm", desk.path(NEVER))?;
    let pinned = pushed(&desk, &tag)?;
    let text = format!(
        "[node]\nid = \"n1\"\n[staging]\ndir = \"staging\"\nlayout = \"plain\"\n[store]\nurl = \"file://{}\"\n\
         [registry]\nallow_tags = true\n[policies.own]\ncomponent = \"{tag}\"\nsettings = {{ settle = \"0s\" }}\n\
         [sync]\nexistence = [\"own\"]\nfallback = []\nretry = []\nstart_jitter = \"0s\"\n",
        desk.path("store").display()
    );
    std::fs::write(desk.path("tidegate.toml"), text)?;
    std::fs::create_dir(desk.path("staging/app"))?;
    let schema = r#"{"fields":[],"metadata":{}}"#;
    std::fs::write(desk.path("staging/app/schema.json"), schema)?;
    let ran = desk.run(&["run", "--until-settled", "--record", "decisions"])?;
    ensure!(ran.code == Some(0), "{ran:?}");
    // By what the tag meant then, from the cache.
    drop(registry);
    let replayed = desk.json(&["policy", "replay", "decisions"])?;
    ensure!(replayed["same"].as_u64() > Some(0), "{replayed}");
    ensure!(replayed["different"] == 0, "{replayed}");
    std::fs::remove_dir_all(desk.path("cache"))?;
    let ran = desk.run(&["policy", "replay", "decisions"])?;
    failed_with(&ran, 2, &[&pinned, "can't be had", "--policy"])?;
    Ok(())
}
