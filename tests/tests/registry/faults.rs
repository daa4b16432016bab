use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use tidegate::digest::Digest;
use tidegate_tests::registry::{Desk, NEVER, Registry, Trick};
use tidegate_tests::stub::{Answer, Stub, closed_port};

use crate::{NAME, failed_with, pushed, reference, stocked};

/// A manifest of a component, with something wrong.
fn manifest(kind: &str, config: &str, layers: &[(&str, u64)]) -> Bytes {
    let digest = Digest::of(b"");
    let layers: Vec<_> = layers
        .iter()
        .map(|(kind, size)| {
            format!(r#"{{"mediaType":"{kind}","digest":"sha256:{digest}","size":{size}}}"#)
        })
        .collect();
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{kind}","config":{{"mediaType":"{config}","digest":"sha256:{digest}","size":2}},"layers":[{}]}}"#,
        layers.join(",")
    );
    text.into()
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";

#[tokio::test(flavor = "multi_thread")]
async fn a_misbehaving_registry_is_told_in_words_and_leaves_the_cache_as_it_was() -> Result<()> {
    let desk = Desk::new()?;
    let (registry, pinned) = stocked(&desk).await?;
    // Something is there already, which must stay as it is.
    let other = pushed(&desk, &format!("oci://{}/acme/other:1", registry.host()))?;
    desk.json(&["policy", "pull", &other])?;
    // The same bytes under another name would be found in the cache.
    std::fs::write(desk.path(NEVER), {
        let mut component = desk.component()?;
        // A custom section of no bytes, named `x`.
        component.extend([0, 2, 1, b'x']);
        component
    })?;
    let tag = reference(&registry, "2");
    let pinned_2 = pushed(&desk, &tag)?;
    ensure!(pinned != pinned_2);
    let before = desk.cached()?;
    ensure!(before.len() == 5, "{:?}", before.keys());

    let image = "application/vnd.oci.image.config.v1+json";
    let index = "application/vnd.oci.image.index.v1+json";
    let tar = "application/vnd.oci.image.layer.v1.tar+gzip";
    let component = [(LAYER, 3)];
    // By tag, where the digest of the manifest is not known before; with it, none of these is what was asked for.
    let manifests = [
        (
            manifest(index, CONFIG, &component),
            "type application/vnd.oci.image.index",
        ),
        (
            manifest(MANIFEST, image, &component),
            "configuration is of type application/vnd.oci.image",
        ),
        (manifest(MANIFEST, CONFIG, &[(tar, 3)]), "layer is of type"),
        (manifest(MANIFEST, CONFIG, &[]), "0 layers"),
        (
            manifest(MANIFEST, CONFIG, &[(LAYER, 3), (LAYER, 3)]),
            "2 layers",
        ),
        (
            manifest(MANIFEST, CONFIG, &[(LAYER, (64 << 20) + 1)]),
            "over 67108864 bytes",
        ),
        (Bytes::from_static(b"<html>"), "no JSON document"),
        (Bytes::from_static(b"{}"), "can't be read"),
    ];
    let by_tag = manifests.map(|(bytes, words)| (&tag, Trick::Manifest(bytes), vec![words]));
    let other_bytes = || Bytes::from_static(b"other bytes");
    let by_digest = [
        (
            Trick::Status(500),
            vec!["fails (500: TOLD, told to fail)", "try again later"],
        ),
        (Trick::Status(429), vec!["fails (429"]),
        (
            Trick::Status(403),
            vec!["does not allow access", "(403: TOLD", "docker login"],
        ),
        (
            Trick::WebPage(404),
            vec!["404 Not Found and a web page", "is it an OCI registry?"],
        ),
        (
            Trick::Status(404),
            vec!["does not have the manifest", "tidegate policy list"],
        ),
        (Trick::Status(418), vec!["418", "is it an OCI registry?"]),
        (
            Trick::Manifest(other_bytes()),
            vec!["other bytes for the manifest", "nothing of it is used"],
        ),
        (
            Trick::EndlessManifests,
            vec!["the manifest", "over 1048576 bytes"],
        ),
        (
            Trick::Blob(other_bytes()),
            vec!["other bytes for the configuration"],
        ),
        (
            Trick::Blob(vec![b'x'; 90_000].into()),
            vec!["the configuration", "bytes, the most"],
        ),
        (
            Trick::HalfBlobs,
            vec!["broke off in the middle", "try again"],
        ),
        (
            Trick::EndlessBlobs,
            vec!["bytes, the most that is read of it"],
        ),
        (
            Trick::Redirect("ftp://127.0.0.1".to_owned()),
            vec!["307", "no address"],
        ),
        (
            Trick::Redirect(format!("http://{}", registry.host())),
            vec!["redirects more than 5 times"],
        ),
    ];
    let by_digest = by_digest.map(|(trick, words)| (&pinned_2, trick, words));
    for (reference, trick, words) in by_tag.into_iter().chain(by_digest) {
        registry.play(trick.clone());
        let ran = desk.run(&["policy", "pull", reference])?;
        let host = registry.host();
        failed_with(&ran, 5, &words)
            .and_then(|()| failed_with(&ran, 5, &[&host]))
            .with_context(|| format!("{trick:?}"))?;
        ensure!(desk.cached()? == before, "{trick:?} changed the cache");
        // An operator's agent is told the same, with the place.
        desk.configure(reference, "[registry]\nallow_tags = true\n")?;
        let ran = desk.run(&["sync", "--dry-run"])?;
        failed_with(&ran, 5, &words)
            .and_then(|()| failed_with(&ran, 5, &["tidegate.toml:9:13", "policy `own`"]))
            .with_context(|| format!("{trick:?}"))?;
        ensure!(desk.cached()? == before, "{trick:?} changed the cache");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_is_not_the_manifests_is_refused() -> Result<()> {
    let desk = Desk::new()?;
    let (registry, pinned) = stocked(&desk).await?;
    let digest = Digest::of(&desk.component()?);
    // The right length, and the configuration as it should be.
    let mut forged = desk.component()?;
    forged[5000] ^= 1;
    registry.swap(&digest, forged.into());
    let ran = desk.run(&["policy", "pull", &pinned])?;
    failed_with(
        &ran,
        5,
        &["other bytes for the component", &digest.to_string()],
    )?;
    ensure!(desk.cached()?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_down_is_told() -> Result<()> {
    let desk = Desk::new()?;
    let (registry, pinned) = stocked(&desk).await?;
    let host = registry.host();
    drop(registry);
    for arguments in [
        &["policy", "pull", &pinned] as &[&str],
        &["policy", "list", &format!("oci://{host}/{NAME}")],
        &["policy", "push", NEVER, &format!("oci://{host}/{NAME}:2")],
    ] {
        let ran = desk.run(arguments)?;
        failed_with(&ran, 5, &[&host, "can't be reached", "Connection refused"])?;
        ensure!(!ran.stderr.contains("caused by"), "{ran:?}");
    }
    ensure!(desk.cached()?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_is_not_taken_is_not_called_a_missing_component() -> Result<()> {
    let desk = Desk::new()?;
    let registry = Registry::start().await?;
    for status in [404, 405] {
        registry.play(Trick::NoPush(status));
        let ran = desk.run(&["policy", "push", NEVER, &reference(&registry, "1")])?;
        let said =
            format!("does not take a push to {NAME} ({status}: NAME_UNKNOWN, no such repository)");
        failed_with(&ran, 5, &[&said, "created first"])?;
        ensure!(!ran.stderr.contains("does not have"), "{ran:?}");
    }
    Ok(())
}

/// A web page, by the content type and by the content.
fn page() -> Answer {
    Answer::new(200)
        .header("content-type", "text/html")
        .body("<html>Welcome</html>")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_server_that_answers_200_is_not_a_registry() -> Result<()> {
    let desk = Desk::new()?;
    let server = Stub::answering(page()).await?;
    let tag = format!("oci://{}/{NAME}:1", server.host());
    let repository = format!("oci://{}/{NAME}", server.host());
    for arguments in [
        &["policy", "push", NEVER, &tag][..],
        &["policy", "pull", &tag],
        &["policy", "list", &repository],
    ] {
        let ran = desk.run(arguments)?;
        failed_with(
            &ran,
            5,
            &["200 OK and a web page", "is it an OCI registry?"],
        )?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_can_not_be_read_back_fails() -> Result<()> {
    let desk = Desk::new()?;
    // It accepts everything, and keeps nothing.
    for read in [page(), Answer::new(404)] {
        let server = Stub::http(move |request| match request.method().as_str() {
            "HEAD" => Answer::new(404),
            "POST" => Answer::new(202).header("location", "/upload"),
            "PUT" => Answer::new(201),
            _ => read.clone(),
        })
        .await?;
        let tag = format!("oci://{}/{NAME}:1", server.host());
        let ran = desk.run(&["policy", "push", NEVER, &tag])?;
        failed_with(&ran, 5, &["accepted the manifest", "does not serve it"])?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_push_gives_the_registrys_reason() -> Result<()> {
    let desk = Desk::new()?;
    let reason = r#"{"errors":[{"code":"SIZE_INVALID","message":"no components here"}]}"#;
    for (status, body, words) in [
        (400, reason, "400: SIZE_INVALID, no components here"),
        (413, "", "have that limit raised"),
    ] {
        let answer = Answer::new(status)
            .header("content-type", "application/json")
            .body(body);
        let server = Stub::answering(answer).await?;
        let tag = format!("oci://{}/{NAME}:1", server.host());
        let ran = desk.run(&["policy", "push", NEVER, &tag])?;
        failed_with(&ran, 5, &["does not accept the component", words])?;
        ensure!(!ran.stderr.contains("is it an OCI registry"), "{ran:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_does_not_exist_is_not_advised_to_be_listed() -> Result<()> {
    let desk = Desk::new()?;
    let answer = r#"{"errors":[{"code":"NAME_UNKNOWN","message":"unknown"}]}"#;
    let server = Stub::answering(Answer::new(404).body(answer)).await?;
    let repository = format!("oci://{}/{NAME}", server.host());
    let ran = desk.run(&["policy", "list", &repository])?;
    let words = format!("does not have the repository {NAME}");
    failed_with(&ran, 5, &[&words])?;
    ensure!(!ran.stderr.contains("policy list"), "{ran:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_may_not_see_may_be_private() -> Result<()> {
    let desk = Desk::new()?;
    let (registry, pinned) = stocked(&desk).await?;
    registry.play(Trick::Hides);
    let ran = desk.run(&["policy", "pull", &pinned])?;
    failed_with(&ran, 5, &["does not have", "private", "docker login"])?;
    desk.log_in_rightly(&registry.host())?;
    let ran = desk.run(&["policy", "pull", &pinned])?;
    failed_with(&ran, 5, &["does not have"])?;
    ensure!(!ran.stderr.contains("private"), "{ran:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_a_registry_leads_to_are_not_taken_for_it() -> Result<()> {
    let desk = Desk::new()?;
    let (registry, pinned) = stocked(&desk).await?;
    let host = registry.host();
    // A host for blobs, whose signed addresses expire.
    let blobs = Stub::answering(Answer::s3(403, "AccessDenied", "Request has expired")).await?;
    let allowed = format!("[registry]\nredirects = [\"{}\"]\n", blobs.host());
    desk.configure(&pinned, &allowed)?;
    registry.play(Trick::Redirect(blobs.http_url()));
    let pull = || desk.run(&["policy", "pull", &pinned, "-c", "tidegate.toml"]);
    let name = format!("{host}'s blob host {}", blobs.host());
    failed_with(&pull()?, 5, &[&name, "may have expired"])?;
    // A token service.
    for answer in [Answer::new(500), Answer::new(404)] {
        let tokens = Stub::answering(answer).await?;
        registry.play(Trick::TokenAt(tokens.http_url()));
        let name = format!("{host}'s token service {}", tokens.host());
        failed_with(&pull()?, 5, &[&name])?;
    }
    let gone = closed_port().await?;
    registry.play(Trick::TokenAt(format!("http://{gone}/token")));
    let name = format!("{host}'s token service {gone} can't be reached");
    failed_with(&pull()?, 5, &[&name, "Connection refused"])?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_hangs_is_left() -> Result<()> {
    let desk = Desk::new()?;
    let (registry, pinned) = stocked(&desk).await?;
    registry.play(Trick::HangingBlobs);
    desk.configure(&pinned, "[registry]\ntimeout = \"300ms\"\n")?;
    let ran = desk.run(&["sync", "--dry-run"])?;
    failed_with(&ran, 5, &["broke off in the middle of the configuration"])?;
    ensure!(desk.cached()?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_without_end_are_cut() -> Result<()> {
    let desk = Desk::new()?;
    let registry = Registry::start().await?;
    for tag in ["1", "2", "3", "4", "5"] {
        pushed(&desk, &reference(&registry, tag))?;
    }
    let repository = format!("oci://{}/{NAME}", registry.host());
    let listed = desk.json(&["policy", "list", &repository])?;
    let tags = listed["components"].as_array().map(Vec::len);
    ensure!(
        tags == Some(5) && listed["more"] == false,
        "all pages are read: {listed}"
    );
    registry.play(Trick::EndlessTags);
    registry.take_seen();
    let listed = desk.json(&["policy", "list", &repository])?;
    ensure!(listed["more"] == true, "{listed}");
    let pages = registry.take_seen();
    let pages = pages.iter().filter(|seen| seen.line.contains("/tags/list"));
    assert_eq!(pages.count(), 20);
    registry.play(Trick::TagsElsewhere("http://tags.example.com".to_owned()));
    let ran = desk.run(&["policy", "list", &repository])?;
    failed_with(&ran, 5, &["tags.example.com"])?;
    Ok(())
}
