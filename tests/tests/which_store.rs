//! Which store a ledger is about: one that moved is recognized, another one is refused, and the operator has the last word.

use std::fs;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt};
use tidegate::storage::StoreSettings;
use tidegate_tests::node::schema;
use tidegate_tests::place::Place;
use tidegate_tests::s3::{Endpoint, Fault, Kind, Rule};

const SETTLED: i32 = 0;
const USAGE: i32 = 2;
const UNSETTLED: i32 = 3;
const STORE: i32 = 4;

const MARKER: &str = "app/.stream/.stream.json";
const OBJECT: &str = "app/.stream/.ingestor.n1.schema";

/// A Parseable node with one staged stream, configured for this store.
fn node(store: &StoreSettings) -> Result<Place> {
    let place = Place::new()?;
    let identity = "{\"node_id\": \"n1\", \"node_type\": \"ingestor\"}";
    fs::write(place.path("staging/ingestor.n1.json"), identity)?;
    fs::create_dir(place.path("staging/app"))?;
    let staged = schema(&[("a", "Utf8")]);
    fs::write(place.path("staging/app/.ingestor.n1.schema"), staged)?;
    configure(&place, store)?;
    Ok(place)
}

fn configure(place: &Place, store: &StoreSettings) -> Result<()> {
    place.configure_store(store, "")?;
    let path = place.path("tidegate.toml");
    let text = fs::read_to_string(&path)?;
    let text = text
        .replace("[node]\nid = \"n1\"\n", "")
        .replace("layout = \"plain\"", "watch = false");
    Ok(fs::write(path, text)?)
}

fn marker(created_at: &str) -> Option<Bytes> {
    Some(format!("{{\"created-at\": \"{created_at}\"}}").into())
}

/// An endpoint that has the stream.
async fn endpoint() -> Result<Endpoint> {
    let endpoint = Endpoint::start().await?;
    endpoint
        .meddle(MARKER, marker("2026-01-01T00:00:00.123Z"))
        .await?;
    Ok(endpoint)
}

/// Everything of one endpoint under a prefix of another, as a migration puts it there.
async fn copy(from: &Endpoint, to: &Endpoint, prefix: &str) -> Result<()> {
    let objects: Vec<_> = from.objects().list(None).try_collect().await?;
    for object in objects {
        let bytes = from.objects().get(&object.location).await?.bytes().await?;
        let key = format!("{prefix}{}", object.location);
        to.meddle(&key, Some(bytes)).await?;
    }
    Ok(())
}

/// Runs a command while the endpoint answers it from this thread.
async fn ends(place: Place, arguments: &'static [&str], code: i32, said: &[&str]) -> Result<Place> {
    let work = move || {
        let ran = place.run(arguments)?;
        anyhow::Ok((place, ran))
    };
    let (place, ran) = tokio::task::spawn_blocking(work).await??;
    ensure!(ran.code == Some(code), "{arguments:?}: {ran:#?}");
    let all = format!("{}{}", ran.stdout, ran.stderr);
    for part in said {
        ensure!(all.contains(part), "no `{part}` in {ran:#?}");
    }
    Ok(place)
}

/// Runs the agent until it has logged a line with each of these lists of words, in this order.
async fn logs(place: Place, lines: &[&[&str]]) -> Result<Place> {
    let lines: Vec<Vec<String>> = lines
        .iter()
        .map(|words| words.iter().map(|word| (*word).to_owned()).collect())
        .collect();
    let work = move || {
        let mut agent = place.start(&["run", "--log", "info"])?;
        for words in &lines {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            agent.logs(&words)?;
        }
        agent.signal("TERM")?;
        agent.ends()?;
        anyhow::Ok(place)
    };
    tokio::task::spawn_blocking(work).await?
}

#[tokio::test]
async fn another_spelling_of_the_address_is_the_same_store() -> Result<()> {
    let endpoint = endpoint().await?;
    let place = node(&endpoint.settings())?;
    let mut place = ends(place, &["sync"], SETTLED, &["synced"]).await?;
    let local = endpoint.url().replace("127.0.0.1", "LOCALHOST");
    for (url, address) in [
        ("s3://bkt", local.clone()),
        ("s3://bkt/", local),
        ("s3a://bkt", format!("{}/", endpoint.url())),
    ] {
        let mut settings = endpoint.settings().with_option("endpoint", address);
        settings.url = url.to_owned();
        configure(&place, &settings)?;
        let puts = endpoint.faults().requests().puts;
        place = ends(place, &["check"], SETTLED, &["all is well"]).await?;
        place = ends(place, &["sync"], SETTLED, &["synced"]).await?;
        ensure!(
            endpoint.faults().requests().puts == puts,
            "a remembered probe holds for the same store"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_store_that_moved_to_another_server_is_recognized_by_what_it_holds() -> Result<()> {
    let (old, new) = (endpoint().await?, Endpoint::start().await?);
    let place = node(&old.settings())?;
    let place = ends(place, &["sync"], SETTLED, &["synced"]).await?;
    copy(&old, &new, "").await?;
    configure(&place, &new.settings())?;
    let said = [
        "warn  ledger",
        "whether this is the same is not known",
        "--online",
    ];
    let place = ends(place, &["check"], SETTLED, &said).await?;
    let said = ["ok    ledger", "streams that are the same: 1 of 1"];
    let place = ends(place, &["check", "--online"], SETTLED, &said).await?;
    // What the new server lacks is noticed at once, though the ledger says that it is synced.
    new.meddle(OBJECT, None).await?;
    let place = logs(
        place,
        &[
            &["is now about", "the same there: 1 of 1"],
            &["all streams are compared with the new store"],
            &["app", "the stored object is missing"],
        ],
    )
    .await?;
    ends(place, &["ledger", "adopt"], SETTLED, &["nothing to adopt"]).await?;
    Ok(())
}

#[tokio::test]
async fn an_equally_named_bucket_elsewhere_is_another_store() -> Result<()> {
    let old = endpoint().await?;
    let place = node(&old.settings())?;
    let mut place = ends(place, &["sync"], SETTLED, &["synced"]).await?;
    let (empty, same_name) = (Endpoint::start().await?, Endpoint::start().await?);
    let later = marker("2026-01-01T00:00:00.124Z");
    same_name.meddle(MARKER, later).await?;
    same_name
        .meddle(OBJECT, Some(schema(&[("a", "Utf8")]).into()))
        .await?;
    for other in [&empty, &same_name] {
        configure(&place, &other.settings())?;
        let address = other.url();
        let said = [
            "is about the store s3://bkt?endpoint=",
            address.as_str(),
            "and that are missing or differ here: 1 of 1",
            "tidegate ledger adopt",
        ];
        for arguments in [&["sync"] as &[&str], &["verify"], &["check", "--online"]] {
            place = ends(place, arguments, USAGE, &said).await?;
        }
        ensure!(other.faults().requests().puts <= 40, "only `check` probes");
        let object = other.objects().get(&OBJECT.into()).await;
        ensure!(object.is_ok() == (address == same_name.url()));
    }
    // The ledger is still the first store's.
    configure(&place, &old.settings())?;
    ends(place, &["sync"], SETTLED, &["synced"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_store_that_does_not_answer_at_its_new_address_is_not_judged() -> Result<()> {
    let (old, new) = (endpoint().await?, Endpoint::start().await?);
    let place = node(&old.settings())?;
    let place = ends(place, &["sync"], SETTLED, &["synced"]).await?;
    copy(&old, &new, "").await?;
    new.go_away().await;
    configure(&place, &new.settings())?;
    let said = ["can't be found out while it does not answer"];
    let place = ends(place, &["sync"], STORE, &said).await?;
    let said = ["nothing was changed, since the store did not answer"];
    let place = ends(place, &["ledger", "adopt", "--yes"], STORE, &said).await?;
    new.come_back().await?;
    ends(place, &["sync"], SETTLED, &["synced"]).await?;
    Ok(())
}

#[tokio::test]
async fn an_operator_adopts_the_ledger_for_objects_that_moved_to_another_bucket() -> Result<()> {
    let endpoint = endpoint().await?;
    let place = node(&endpoint.settings())?;
    let place = ends(place, &["sync"], SETTLED, &["synced"]).await?;
    copy(&endpoint, &endpoint, "moved/").await?;
    let mut settings = endpoint.settings();
    settings.url = "s3://bkt/moved".to_owned();
    configure(&place, &settings)?;
    let said = ["that is another store", "tidegate ledger adopt"];
    let place = ends(place, &["sync"], USAGE, &said).await?;
    let place = ends(place, &["check"], USAGE, &said).await?;

    let said = [
        "the ledger's store   s3://bkt?endpoint=",
        "the configured one   s3://bkt/moved?endpoint=",
        MARKER,
        "the same marker",
        "nothing was changed",
    ];
    let place = ends(place, &["ledger", "adopt"], SETTLED, &said).await?;
    let place = ends(place, &["sync"], USAGE, &["that is another store"]).await?;
    let said = ["the same marker", "adopted"];
    let place = ends(place, &["ledger", "adopt", "--yes"], SETTLED, &said).await?;
    let said = ["the ledger was adopted for this store"];
    let place = ends(place, &["status"], UNSETTLED, &said).await?;
    let place = ends(place, &["sync"], SETTLED, &["synced"]).await?;
    let place = ends(place, &["status"], SETTLED, &[]).await?;
    ends(place, &["verify"], SETTLED, &[]).await?;
    Ok(())
}

#[tokio::test]
async fn an_adoption_shows_what_speaks_against_it() -> Result<()> {
    let endpoint = endpoint().await?;
    let place = node(&endpoint.settings())?;
    let place = ends(place, &["sync"], SETTLED, &["synced"]).await?;
    let mut settings = endpoint.settings();
    settings.url = "s3://bkt/empty".to_owned();
    configure(&place, &settings)?;
    let said = [
        "does not exist",
        "streams that are missing or differ: 1 of 1",
    ];
    ends(place, &["ledger", "adopt"], SETTLED, &said).await?;
    Ok(())
}

#[tokio::test]
async fn a_ledger_that_never_saw_a_stream_is_used_for_the_corrected_bucket() -> Result<()> {
    let endpoint = endpoint().await?;
    let mut wrong = endpoint.settings();
    wrong.url = "s3://bkt/misspelt".to_owned();
    let place = node(&wrong)?;
    let ran = tokio::task::spawn_blocking(move || {
        let ran = place.run(&["sync"])?;
        anyhow::Ok((place, ran))
    });
    let (place, ran) = ran.await??;
    ensure!(ran.code.is_some_and(|code| code != 101), "{ran:#?}");
    configure(&place, &endpoint.settings())?;
    let said = [
        "ok    ledger",
        "knows nothing of it, and will be used for this one",
    ];
    let place = ends(place, &["check"], SETTLED, &said).await?;
    ends(place, &["sync"], SETTLED, &["synced"]).await?;
    let object = endpoint.objects().get(&OBJECT.into()).await;
    object.context("not published")?;
    Ok(())
}

#[tokio::test]
async fn a_bucket_that_does_not_exist_is_reported_and_not_created() -> Result<()> {
    let endpoint = endpoint().await?;
    let mut settings = endpoint.settings();
    settings.url = "s3://misspelt".to_owned();
    let place = node(&settings)?;
    let said = [
        "FAIL  store ",
        "s3://misspelt",
        "does not exist",
        "NoSuchBucket",
    ];
    let place = ends(place, &["check", "--online"], STORE, &said).await?;
    let said = [
        "the store s3://misspelt",
        "does not exist",
        "create its bucket",
    ];
    let place = ends(place, &["sync"], STORE, &said).await?;
    let place = logs(place, &[&said]).await?;
    // Having nothing to do does not make it a success.
    fs::remove_dir_all(place.path("staging/app"))?;
    ends(place, &["sync"], STORE, &said).await?;
    ensure!(endpoint.faults().requests().puts == 0);
    Ok(())
}

#[tokio::test]
async fn a_verification_of_a_wrong_store_fails_whatever_the_ledger_knows() -> Result<()> {
    let endpoint = endpoint().await?;
    let mut wrong = endpoint.settings();
    wrong.url = "s3://bkt/wrong".to_owned();
    let place = node(&wrong)?;
    let place = ends(place, &["sync"], STORE, &["unknown"]).await?;
    let said = [
        "no marker of the one stream that is staged",
        "Searched: s3://bkt/wrong",
        "app: unsettled — the stream is unknown",
    ];
    let place = ends(place, &["verify"], STORE, &said).await?;
    // The ledger knows of nothing to check in there, and it is asked all the same.
    fs::remove_dir_all(place.path("staging/app"))?;
    wrong.url = "s3://misspelt".to_owned();
    configure(&place, &wrong)?;
    ends(place, &["verify"], STORE, &["does not exist"]).await?;
    Ok(())
}

#[tokio::test]
async fn status_refuses_a_ledger_of_another_store_as_the_agent_does() -> Result<()> {
    let endpoint = endpoint().await?;
    let place = node(&endpoint.settings())?;
    let place = ends(place, &["sync"], SETTLED, &["synced"]).await?;
    let place = ends(place, &["status"], SETTLED, &["1 synced"]).await?;
    let mut other = endpoint.settings();
    other.url = "s3://other".to_owned();
    configure(&place, &other)?;
    let said = ["about the store s3://bkt", "not about s3://other"];
    let place = ends(place, &["status"], USAGE, &said).await?;
    ends(place, &["sync"], USAGE, &said).await?;
    Ok(())
}

#[tokio::test]
async fn a_verification_reports_what_is_not_published_yet() -> Result<()> {
    let endpoint = endpoint().await?;
    let place = node(&endpoint.settings())?;
    let place = ends(place, &["sync"], SETTLED, &["synced"]).await?;
    let place = ends(place, &["verify"], SETTLED, &["all as the ledger knows it"]).await?;
    let refused = Rule::always(Fault::Answer(403, "AccessDenied")).on(Kind::Put);
    endpoint.faults().add(refused.keys("app/**")?);
    let staged = schema(&[("a", "Utf8"), ("b", "Utf8")]);
    fs::write(place.path("staging/app/.ingestor.n1.schema"), staged)?;
    let place = ends(place, &["sync"], STORE, &["app     pending"]).await?;
    let said = ["app: unsettled — the stream is pending"];
    let place = ends(place, &["verify"], UNSETTLED, &said).await?;
    // Staged, and not in the ledger.
    fs::create_dir(place.path("staging/new"))?;
    fs::write(
        place.path("staging/new/.ingestor.n1.schema"),
        schema(&[("a", "Utf8")]),
    )?;
    let said = ["new: unsettled — it is staged, and no attempt has looked at it yet"];
    ends(place, &["verify"], UNSETTLED, &said).await?;
    Ok(())
}

#[tokio::test]
async fn a_store_that_lost_every_stream_does_not_look_healthy() -> Result<()> {
    let endpoint = endpoint().await?;
    endpoint
        .meddle(
            "web/.stream/.stream.json",
            marker("2026-01-01T00:00:00.123Z"),
        )
        .await?;
    let place = node(&endpoint.settings())?;
    fs::create_dir(place.path("staging/web"))?;
    let staged = schema(&[("a", "Utf8")]);
    fs::write(place.path("staging/web/.ingestor.n1.schema"), staged)?;
    let place = ends(
        place,
        &["sync"],
        SETTLED,
        &["app     synced", "web     synced"],
    )
    .await?;
    let objects: Vec<_> = endpoint.objects().list(None).try_collect().await?;
    for object in objects {
        endpoint.meddle(object.location.as_ref(), None).await?;
    }
    let lost = "no marker of any of the 2 streams that are staged, though it had them before";
    let place = ends(place, &["sync"], STORE, &[lost]).await?;
    let place = ends(place, &["status"], STORE, &["no-stream-known", lost]).await?;
    let said = ["no marker of any of the 2 streams that are staged"];
    let place = ends(place, &["verify"], STORE, &said).await?;
    // The node removes what it staged of streams that were deleted.
    for stream in ["app", "web"] {
        fs::remove_dir_all(place.path("staging").join(stream))?;
    }
    let place = ends(place, &["sync"], SETTLED, &["gone"]).await?;
    ends(place, &["status"], SETTLED, &["2 streams: 2 gone"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_wrong_store_is_one_line_in_the_log_and_not_one_for_each_stream() -> Result<()> {
    let endpoint = endpoint().await?;
    let mut wrong = endpoint.settings();
    wrong.url = "s3://bkt/wrong".to_owned();
    let place = node(&wrong)?;
    for stream in 0..20 {
        let folder = place.path("staging").join(format!("s{stream}"));
        fs::create_dir(&folder)?;
        fs::write(folder.join(".ingestor.n1.schema"), schema(&[("a", "Utf8")]))?;
    }
    let work = move || place.run(&["sync", "--log", "info"]);
    let ran = tokio::task::spawn_blocking(work).await??;
    ensure!(ran.code == Some(STORE), "{ran:#?}");
    let lines = ran.stderr.matches("the store does not know this stream");
    ensure!(lines.count() == 1, "{}", ran.stderr);
    Ok(())
}

/// Nodes delete staged schemas soon after their upload, so a wrong store must be noticed without any.
#[tokio::test]
async fn a_wrong_store_is_noticed_while_no_schema_is_staged() -> Result<()> {
    let endpoint = endpoint().await?;
    let right = endpoint.settings();
    let mut wrong = right.clone();
    wrong.url = "s3://bkt/wrong".to_owned();
    let place = node(&wrong)?;
    fs::remove_file(place.path("staging/app/.ingestor.n1.schema"))?;
    fs::create_dir(place.path("staging/web"))?;
    let none = "no marker of any of the 2 streams that are staged";
    let place = ends(place, &["sync"], STORE, &[none]).await?;
    let until_settled = &["run", "--until-settled", "--for", "2s"];
    let place = ends(place, until_settled, STORE, &[none]).await?;
    let place = ends(place, &["status"], STORE, &["no-stream-known", none]).await?;
    configure(&place, &right)?;
    let place = ends(place, &["sync"], SETTLED, &[]).await?;
    ends(place, &["status"], SETTLED, &["2 streams: 2 idle"]).await?;
    Ok(())
}

/// The ledger alone says that all is well.
#[tokio::test]
async fn a_settled_ledger_does_not_vouch_for_a_store_that_fails() -> Result<()> {
    let endpoint = endpoint().await?;
    let place = node(&endpoint.settings())?;
    let place = ends(place, &["sync"], SETTLED, &["synced"]).await?;
    let refuse = Rule::always(Fault::Answer(403, "AccessDenied"));
    endpoint.faults().add(refuse);
    let failing = ["the store has answered no request since"];
    let place = ends(place, &["sync"], STORE, &failing).await?;
    let place = ends(place, &["status"], STORE, &["store-failing"]).await?;
    let until_settled = &["run", "--until-settled", "--for", "3s"];
    let place = ends(place, until_settled, STORE, &failing).await?;
    endpoint.faults().clear();
    let place = ends(place, until_settled, SETTLED, &[]).await?;
    ends(place, &["status"], SETTLED, &["1 stream: 1 synced"]).await?;
    Ok(())
}

#[tokio::test]
async fn what_changed_in_staging_while_no_agent_ran_is_not_called_settled() -> Result<()> {
    let endpoint = endpoint().await?;
    let place = node(&endpoint.settings())?;
    let place = ends(place, &["sync"], SETTLED, &["synced"]).await?;
    let changed = ["1 stream changed in staging since the last look"];
    let staged = schema(&[("a", "Utf8"), ("b", "Utf8")]);
    fs::write(place.path("staging/app/.ingestor.n1.schema"), staged)?;
    let place = ends(place, &["status"], UNSETTLED, &changed).await?;
    let place = ends(place, &["verify"], UNSETTLED, &changed).await?;
    let place = ends(place, &["sync"], SETTLED, &[]).await?;
    let place = ends(place, &["verify"], SETTLED, &[]).await?;
    // A node removes the directory of a stream that was deleted.
    fs::remove_dir_all(place.path("staging/app"))?;
    ends(place, &["status"], UNSETTLED, &changed).await?;
    Ok(())
}

/// One stream among others, whose failure could be its own.
#[tokio::test]
async fn a_settled_ledger_does_not_vouch_for_the_one_stream_that_is_asked_for() -> Result<()> {
    let endpoint = endpoint().await?;
    let place = node(&endpoint.settings())?;
    let other = place.path("staging/web");
    fs::create_dir(&other)?;
    fs::write(other.join(".ingestor.n1.schema"), schema(&[("a", "Utf8")]))?;
    endpoint
        .meddle(
            "web/.stream/.stream.json",
            marker("2026-01-01T00:00:00.123Z"),
        )
        .await?;
    let place = ends(place, &["sync"], SETTLED, &["synced"]).await?;
    let place = ends(place, &["sync", "app"], SETTLED, &[]).await?;
    let refuse = Rule::always(Fault::Answer(403, "AccessDenied"));
    endpoint.faults().add(refuse);
    let unanswered = ["the store did not answer about 1 stream"];
    ends(place, &["sync", "app"], STORE, &unanswered).await?;
    Ok(())
}

/// Without a listing nobody knows what the other nodes store.
#[tokio::test]
async fn nodes_that_can_not_be_compared_are_not_called_settled() -> Result<()> {
    let endpoint = endpoint().await?;
    let place = node(&endpoint.settings())?;
    let refuse = Rule::always(Fault::Answer(403, "AccessDenied")).on(Kind::List);
    endpoint.faults().add(refuse);
    let words = ["1 stream could not be compared with what other nodes store"];
    let place = ends(place, &["sync"], STORE, &words).await?;
    let place = ends(place, &["status"], STORE, &["nodes-not-compared"]).await?;
    let until_settled = &["run", "--until-settled", "--for", "3s"];
    let place = ends(place, until_settled, STORE, &words).await?;
    endpoint.faults().clear();
    let place = ends(place, until_settled, SETTLED, &[]).await?;
    ends(place, &["status"], SETTLED, &["1 stream: 1 synced"]).await?;
    Ok(())
}

#[tokio::test]
async fn what_happened_to_the_store_while_no_agent_ran_is_found_before_a_command_ends() -> Result<()>
{
    for command in [&["sync"][..], &["run", "--until-settled", "--for", "20s"]] {
        let endpoint = endpoint().await?;
        let place = node(&endpoint.settings())?;
        let place = ends(place, &["sync"], SETTLED, &["synced"]).await?;
        fs::remove_file(place.path("staging/app/.ingestor.n1.schema"))?;
        endpoint
            .meddle(OBJECT, Some(schema(&[("a", "Int64")]).into()))
            .await?;
        ends(place, command, UNSETTLED, &["Int64", "Utf8"]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_conflict_with_what_is_stored_already_is_found_by_one_sync() -> Result<()> {
    for staged in [true, false] {
        let endpoint = endpoint().await?;
        let place = node(&endpoint.settings())?;
        if !staged {
            fs::remove_file(place.path("staging/app/.ingestor.n1.schema"))?;
        }
        endpoint
            .meddle(OBJECT, Some(schema(&[("a", "Utf8")]).into()))
            .await?;
        let peer = "app/.stream/.ingestor.n2.schema";
        endpoint
            .meddle(peer, Some(schema(&[("a", "Int64")]).into()))
            .await?;
        let disagree = ["nodes disagree about the field `a`"];
        ends(place, &["sync"], UNSETTLED, &disagree).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_first_look_that_the_store_refuses_is_not_idle() -> Result<()> {
    let endpoint = endpoint().await?;
    let place = node(&endpoint.settings())?;
    fs::remove_file(place.path("staging/app/.ingestor.n1.schema"))?;
    let refuse = Rule::always(Fault::Answer(403, "AccessDenied")).on(Kind::Get);
    endpoint.faults().add(refuse.keys("app/**")?);
    let place = ends(place, &["sync"], STORE, &["AccessDenied"]).await?;
    ends(place, &["status"], STORE, &["unseen"]).await?;
    Ok(())
}
