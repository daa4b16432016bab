//! What a store promises, over every kind of store; and what its failures are called, over an endpoint that misbehaves.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use futures::future::join_all;
use object_store::ObjectStoreExt;
use tidegate::contract::{FailureKind, StoreFailure, Version};
use tidegate::storage::{
    Condition, ConditionalSupport, Fetched, Key, OpenError, Probe, Put, Refetched, Store, StoreId,
    StoreSettings, probe,
};
use tidegate::stream::NodeId;
use tidegate::time::{Entropy, SystemClock, SystemEntropy};
use tidegate_tests::s3::{Conditions, ETags, Endpoint, Fault, Kind, Rejection, Rule, Seen};
use tidegate_tests::stores::{TestStore, honest_stores, stores};

#[path = "storage/secrets.rs"]
mod secrets;

/// More than any object here.
const MAX: u64 = 1 << 20;

fn key(text: &str) -> Result<Key> {
    Ok(Key::parse(text)?)
}

fn open(settings: &StoreSettings) -> Result<Store> {
    Ok(Store::open(settings, Arc::new(SystemClock::new()))?)
}

async fn read(store: &Store, key: &Key) -> Result<(Bytes, Version)> {
    match store.get(key, MAX).await? {
        Fetched::Found(object) => Ok((object.bytes, object.info.version.context("no version")?)),
        other => bail!("expected an object at {key}, found {other:?}"),
    }
}

fn done(put: Put) -> Result<()> {
    match put {
        Put::Done(_) => Ok(()),
        other => bail!("expected a write, got {other:?}"),
    }
}

/// Runs one check over every store given, and says over which it failed.
async fn over(stores: Vec<TestStore>, check: impl AsyncFn(&TestStore) -> Result<()>) -> Result<()> {
    for store in stores {
        check(&store)
            .await
            .with_context(|| format!("over the store {}", store.name))?;
    }
    Ok(())
}

#[tokio::test]
async fn objects_come_back_as_they_were_written() -> Result<()> {
    over(stores().await?, async |TestStore { store, .. }| {
        let key = key("a/b")?;
        ensure!(store.head(&key).await?.is_none());
        ensure!(store.get(&key, MAX).await? == Fetched::Missing);
        let Put::Done(written) = store.create(&key, "hello".into()).await else {
            bail!("not written");
        };
        let (bytes, version) = read(store, &key).await?;
        ensure!(bytes == "hello");
        ensure!(written.version.is_none_or(|written| written == version));
        let info = store.head(&key).await?.context("missing")?;
        ensure!((info.size, info.version) == (5, Some(version)));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn odd_names_are_names() -> Result<()> {
    over(stores().await?, async |TestStore { store, .. }| {
        let names = [
            "a b",
            "50%",
            "%2e%2e",
            "x#y",
            "ünïcødé",
            "日本",
            "a+b&c",
            "q?x",
            "~t",
        ];
        for name in names {
            let key = key(&format!("odd/{name}/.{name}.schema"))?;
            done(store.create(&key, name.into()).await).with_context(|| name.to_owned())?;
            ensure!(read(store, &key).await?.0 == name, "{name}");
        }
        let listing = store.list(&key("odd")?, 100).await?;
        let mut expected: Vec<String> = names
            .iter()
            .map(|name| format!("odd/{name}/.{name}.schema"))
            .collect();
        expected.sort();
        let listed: Vec<&str> = listing.objects.iter().map(|o| o.key.as_ref()).collect();
        ensure!(listed == expected, "{listed:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn no_more_is_read_than_the_caller_allows() -> Result<()> {
    over(stores().await?, async |TestStore { store, .. }| {
        let key = key("large")?;
        done(store.create(&key, vec![7; 1000].into()).await)?;
        ensure!(
            matches!(store.get(&key, 999).await?, Fetched::TooLarge(info) if info.size == 1000)
        );
        ensure!(matches!(store.get(&key, 1000).await?, Fetched::Found(_)));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn ranges_are_cut_at_the_end() -> Result<()> {
    over(stores().await?, async |TestStore { store, .. }| {
        let (key, empty) = (key("ranged")?, key("empty")?);
        done(store.create(&key, "0123456789".into()).await)?;
        done(store.create(&empty, Bytes::new()).await)?;
        for (offset, length, expected) in [
            (0, 4, "0123"),
            (8, 4, "89"),
            (9, 1, "9"),
            (10, 4, ""),
            (u64::MAX, 4, ""),
            (3, 0, ""),
        ] {
            match store.get_range(&key, offset, length).await? {
                Fetched::Found(object) => {
                    ensure!(object.bytes == expected, "{offset}+{length}: {object:?}");
                    ensure!(object.info.size == 10);
                }
                other => bail!("{offset}+{length}: {other:?}"),
            }
        }
        ensure!(
            matches!(store.get_range(&empty, 0, 4).await?, Fetched::Found(o) if o.bytes.is_empty())
        );
        let missing = Key::parse("missing")?;
        ensure!(store.get_range(&missing, 0, 4).await? == Fetched::Missing);
        ensure!(store.get_range(&missing, 0, 0).await? == Fetched::Missing);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_unchanged_object_is_not_read_again() -> Result<()> {
    over(stores().await?, async |TestStore { store, .. }| {
        let key = key("watched")?;
        done(store.create(&key, "one".into()).await)?;
        let (_, version) = read(store, &key).await?;
        let counted = store.counted();
        ensure!(counted.get_if_changed(&key, &version, MAX).await? == Refetched::Unchanged);
        ensure!(counted.requests().total() == 1);
        done(store.update(&key, "two".into(), &version).await)?;
        match store.get_if_changed(&key, &version, MAX).await? {
            Refetched::Changed(Fetched::Found(object)) => ensure!(object.bytes == "two"),
            other => bail!("{other:?}"),
        }
        let gone = Key::parse("gone")?;
        ensure!(
            store.get_if_changed(&gone, &version, MAX).await?
                == Refetched::Changed(Fetched::Missing)
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn listings_are_sorted_capped_and_by_whole_segments() -> Result<()> {
    over(stores().await?, async |TestStore { store, .. }| {
        for name in [
            "s/.stream/b",
            "s/.stream/a",
            "s/.stream/z/y",
            "s/.streams/no",
            "s/c",
        ] {
            done(store.create(&key(name)?, "x".into()).await)?;
        }
        let prefix = key("s/.stream")?;
        let listing = store.list(&prefix, 3).await?;
        let keys: Vec<&str> = listing.objects.iter().map(|o| o.key.as_ref()).collect();
        ensure!(
            keys == ["s/.stream/a", "s/.stream/b", "s/.stream/z/y"],
            "{keys:?}"
        );
        ensure!(!listing.truncated);
        let capped = store.list(&prefix, 2).await?;
        ensure!(capped.truncated && capped.objects.len() == 2);
        ensure!(
            store
                .list(&key("nothing/here")?, 2)
                .await?
                .objects
                .is_empty()
        );
        ensure!(store.list(&Key::ROOT, 100).await?.objects.len() == 5);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn conditions_hold_one_after_another() -> Result<()> {
    over(
        honest_stores().await?,
        async |TestStore { store, .. }| {
            let key = key("guarded")?;
            done(store.create(&key, "1".into()).await)?;
            let (_, first) = read(store, &key).await?;
            ensure!(store.create(&key, "other".into()).await == Put::Exists);
            done(store.update(&key, "2".into(), &first).await)?;
            ensure!(store.update(&key, "stale".into(), &first).await == Put::Stale);
            ensure!(store.update(&Key::parse("none")?, "x".into(), &first).await == Put::Stale);
            ensure!(store.head(&Key::parse("none")?).await?.is_none());
            ensure!(read(store, &key).await?.0 == "2");
            Ok(())
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_creators_wins() -> Result<()> {
    const WRITERS: usize = 32;
    over(
        honest_stores().await?,
        async |TestStore { store, .. }| {
            let key = key("raced")?;
            let puts = spawned(WRITERS, |writer| {
                let (store, key) = (store.clone(), key.clone());
                async move { store.create(&key, format!("{writer}").into()).await }
            })
            .await?;
            let winners: Vec<usize> = puts
                .iter()
                .enumerate()
                .filter_map(|(writer, put)| matches!(put, Put::Done(_)).then_some(writer))
                .collect();
            let [winner] = winners.as_slice() else {
                bail!("winners: {winners:?}");
            };
            ensure!(puts.iter().filter(|put| **put == Put::Exists).count() == WRITERS - 1);
            ensure!(read(store, &key).await?.0 == winner.to_string());
            Ok(())
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_increment_is_lost() -> Result<()> {
    const WRITERS: usize = 8;
    const INCREMENTS: usize = 10;
    over(
        honest_stores().await?,
        async |TestStore { store, .. }| {
            let key = key("counter")?;
            done(store.create(&key, "0".into()).await)?;
            let outcomes = spawned(WRITERS, |_| {
                let (store, key) = (store.clone(), key.clone());
                async move {
                    for _ in 0..INCREMENTS {
                        increment(&store, &key).await?;
                    }
                    Ok::<(), anyhow::Error>(())
                }
            })
            .await?;
            outcomes.into_iter().collect::<Result<()>>()?;
            let (bytes, _) = read(store, &key).await?;
            ensure!(bytes == (WRITERS * INCREMENTS).to_string(), "{bytes:?}");
            Ok(())
        },
    )
    .await
}

async fn increment(store: &Store, key: &Key) -> Result<()> {
    loop {
        let (bytes, version) = read(store, key).await?;
        let next = std::str::from_utf8(&bytes)?.parse::<u64>()? + 1;
        match store.update(key, next.to_string().into(), &version).await {
            Put::Done(_) => return Ok(()),
            Put::Stale => {}
            other => bail!("{other:?}"),
        }
    }
}

async fn spawned<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    tasks: usize,
    make: impl Fn(usize) -> F,
) -> Result<Vec<T>> {
    let tasks: Vec<_> = (0..tasks).map(|n| tokio::spawn(make(n))).collect();
    Ok(join_all(tasks)
        .await
        .into_iter()
        .collect::<Result<_, _>>()?)
}

async fn probed(store: &Store) -> Result<ConditionalSupport, StoreFailure> {
    Ok(probed_in_full(store).await?.support)
}

async fn probed_in_full(store: &Store) -> Result<Probe, StoreFailure> {
    probe(store, &NodeId::new("n1"), &SystemEntropy).await
}

#[tokio::test]
async fn the_probe_reports_that_it_can_not_delete_its_objects() -> Result<()> {
    for (status, code) in [
        (403, "AccessDenied"),
        (405, "MethodNotAllowed"),
        (501, "NotImplemented"),
    ] {
        let endpoint = Endpoint::start().await?;
        let store = Store::open(&endpoint.settings(), Arc::new(SystemClock::new()))?;
        endpoint
            .faults()
            .add(Rule::always(Fault::Answer(status, code)).on(Kind::Delete));
        let probe = probed_in_full(&store).await?;
        ensure!(probe.support.honoured(), "{probe:?}");
        let left = probe.left.context("the objects are left")?;
        ensure!(left.message.contains(code), "{left}");
    }
    Ok(())
}

#[tokio::test]
async fn a_store_that_does_not_answer_head_is_asked_by_get() -> Result<()> {
    for (status, code) in [(405, "MethodNotAllowed"), (501, "NotImplemented")] {
        let endpoint = Endpoint::start().await?;
        let store = Store::open(&endpoint.settings(), Arc::new(SystemClock::new()))?;
        endpoint
            .faults()
            .add(Rule::always(Fault::Answer(status, code)).on(Kind::Head));
        let found = probed(&store).await?;
        ensure!(found.honoured() && found.head_differs, "{found:?}");
        store.adapt(found);
        ensure!(store.head(&Key::parse("app/x")?).await?.is_none());
    }
    Ok(())
}

#[tokio::test]
async fn the_probe_keeps_the_answer_to_a_rejected_condition() -> Result<()> {
    for (status, code) in [(501, "NotImplemented"), (404, "NoSuchKey")] {
        let endpoint = Endpoint::start().await?;
        let store = Store::open(&endpoint.settings(), Arc::new(SystemClock::new()))?;
        let rejection = Rejection::of_both(status, code);
        endpoint
            .faults()
            .set_conditions(Conditions::Reject(rejection));
        let probe = probed_in_full(&store).await?;
        assert_eq!(probe.support.create, Condition::Rejected);
        let answer = probe.rejection.context("there is an answer")?;
        ensure!(answer.message.contains(&format!("{status} ")), "{answer}");
    }
    Ok(())
}

#[tokio::test]
async fn writes_that_find_nothing_are_not_called_a_missing_bucket() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    let store = Store::open(&endpoint.settings(), Arc::new(SystemClock::new()))?;
    endpoint
        .faults()
        .add(Rule::always(Fault::Answer(404, "NoSuchKey")).on(Kind::Put));
    let failure = probed(&store).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Other);
    ensure!(
        failure.message.contains("the bucket bkt can be read"),
        "{failure}"
    );
    Ok(())
}

#[tokio::test]
async fn the_probe_tells_honest_stores_from_others_and_leaves_nothing() -> Result<()> {
    over(
        stores().await?,
        async |TestStore { store, honest, .. }| {
            let found = probed(store).await?;
            ensure!(found.honoured() == *honest, "{found}");
            let left = store.list(&Key::ROOT, 100).await?;
            ensure!(left.objects.is_empty(), "{left:?}");
            Ok(())
        },
    )
    .await
}

#[tokio::test]
async fn the_probe_names_what_a_store_gets_wrong() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    let store = open(&endpoint.settings())?;
    let rejected = |status, code| Conditions::Reject(Rejection::of_both(status, code));
    for (conditions, expected) in [
        (Conditions::Ignore, Condition::Ignored),
        (Conditions::LoseRaces, Condition::LosesRaces),
        (rejected(501, "NotImplemented"), Condition::Rejected),
        (rejected(405, "MethodNotAllowed"), Condition::Rejected),
        (rejected(400, "NotImplemented"), Condition::Rejected),
        (rejected(400, "InvalidArgument"), Condition::Rejected),
        // 412 for a key that does not exist, and for the version just read.
        (rejected(412, "PreconditionFailed"), Condition::NeverHolds),
        (Conditions::Honour, Condition::Honoured),
    ] {
        endpoint.faults().set_conditions(conditions);
        let found = probed(&store).await?;
        ensure!(
            (found.create, found.update) == (expected, expected),
            "{conditions:?}: {found}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_store_may_reject_conditional_creates_or_updates_alone() -> Result<()> {
    use Condition::{Honoured, Rejected};
    let endpoint = Endpoint::start().await?;
    let store = open(&endpoint.settings())?;
    for (creates, expected) in [(true, (Rejected, Honoured)), (false, (Honoured, Rejected))] {
        endpoint
            .faults()
            .set_conditions(Conditions::Reject(Rejection {
                creates,
                updates: !creates,
                ..Rejection::of_both(501, "NotImplemented")
            }));
        let found = probed(&store).await?;
        ensure!((found.create, found.update) == expected, "{found}");
        ensure!(!found.honoured());
    }
    Ok(())
}

#[tokio::test]
async fn a_store_that_rejects_every_write_is_not_one_that_rejects_conditions() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    let store = open(&endpoint.settings())?;
    let fault = Fault::Answer(400, "InvalidRequest");
    endpoint.faults().add(Rule::always(fault).on(Kind::Put));
    let failure = probed(&store).await.err().context("expected a failure")?;
    ensure!(failure.message.contains("InvalidRequest"), "{failure}");
    Ok(())
}

#[tokio::test]
async fn a_client_that_was_told_not_to_send_conditions_is_found_out() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    let settings = endpoint
        .settings()
        .with_option("conditional_put", "disabled");
    let found = probed(&open(&settings)?).await?;
    ensure!((found.create, found.update) == (Condition::Rejected, Condition::Rejected));
    Ok(())
}

#[tokio::test]
async fn a_store_that_rejects_or_ignores_conditions_has_them_checked_before_the_write() -> Result<()>
{
    let rejected = Conditions::Reject(Rejection::of_both(501, "NotImplemented"));
    for conditions in [rejected, Conditions::Ignore] {
        let endpoint = Endpoint::start().await?;
        let store = open(&endpoint.settings())?;
        endpoint.faults().set_conditions(conditions);
        store.adapt(probed(&store).await?);
        let key = key("k")?;
        let Put::Done(written) = store.create(&key, "1".into()).await else {
            bail!("not written");
        };
        ensure!(
            written.version.is_none(),
            "only reading back shows the version"
        );
        ensure!(store.create(&key, "other".into()).await == Put::Exists);
        let (_, first) = read(&store, &key).await?;
        done(store.update(&key, "2".into(), &first).await)?;
        ensure!(store.update(&key, "stale".into(), &first).await == Put::Stale);
        ensure!(store.update(&Key::parse("none")?, "x".into(), &first).await == Put::Stale);
        ensure!(read(&store, &key).await?.0 == "2");
        ensure!(store.head(&Key::parse("none")?).await?.is_none());
    }
    Ok(())
}

#[tokio::test]
async fn weak_etags_of_one_kind_of_answer_lose_no_update() -> Result<()> {
    for weak in [
        vec![Kind::Head],
        vec![Kind::Get],
        vec![Kind::Put],
        vec![Kind::Head, Kind::Get],
        vec![Kind::Head, Kind::Get, Kind::Put],
    ] {
        let endpoint = Endpoint::start().await?;
        let store = open(&endpoint.settings())?;
        for kind in &weak {
            endpoint.faults().set_etags(*kind, ETags::Weak);
        }
        ensure!(
            probed(&store).await? == ConditionalSupport::HONOURED,
            "{weak:?}"
        );
        let key = key("k")?;
        let Put::Done(created) = store.create(&key, "1".into()).await else {
            bail!("not written");
        };
        let (_, got) = read(&store, &key).await?;
        let described = store.head(&key).await?.context("missing")?.version;
        ensure!(created.version.as_ref() == Some(&got), "{weak:?}");
        ensure!(described.as_ref() == Some(&got), "{weak:?}");
        ensure!(store.get_if_changed(&key, &got, MAX).await? == Refetched::Unchanged);
        done(store.update(&key, "2".into(), &got).await)?;
        ensure!(store.update(&key, "3".into(), &got).await == Put::Stale);
    }
    Ok(())
}

#[tokio::test]
async fn where_head_gives_another_etag_than_get_objects_are_asked_for_by_get() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    let store = open(&endpoint.settings())?;
    endpoint.faults().set_etags(Kind::Head, ETags::Wrong);
    let found = probed(&store).await?;
    ensure!(found.honoured() && found.head_differs, "{found:?}");
    store.adapt(found);
    let key = key("k")?;
    done(store.create(&key, "1".into()).await)?;
    let described = store.head(&key).await?.context("missing")?;
    ensure!(described.size == 1);
    let version = described.version.context("no version")?;
    done(store.update(&key, "2".into(), &version).await)?;
    ensure!(store.head(&Key::parse("none")?).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn etags_that_never_match_are_reported_as_such() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    let store = open(&endpoint.settings())?;
    endpoint.faults().set_etags(Kind::Get, ETags::Wrong);
    let found = probed(&store).await?;
    ensure!(
        (found.create, found.update) == (Condition::Honoured, Condition::NeverHolds),
        "{found}"
    );
    store.adapt(found);
    let key = key("k")?;
    done(store.create(&key, "1".into()).await)?;
    let (_, version) = read(&store, &key).await?;
    done(store.update(&key, "2".into(), &version).await)?;
    ensure!(store.update(&key, "3".into(), &version).await == Put::Stale);
    Ok(())
}

#[tokio::test]
async fn no_probe_creates_a_bucket() -> Result<()> {
    over(stores().await?, async |TestStore { settings, .. }| {
        let Some((scheme @ ("s3" | "az"), _)) = settings.url.split_once("://") else {
            return Ok(());
        };
        let url = format!("{scheme}://tidegate-{:016x}", SystemEntropy.word());
        let missing = open(&StoreSettings {
            url,
            ..settings.clone()
        })?;
        let failure = probed(&missing).await.err().context("it was probed")?;
        ensure!(failure.kind == FailureKind::NotFound, "{failure}");
        let failure = missing.list(&Key::ROOT, 1).await.err();
        let failure = failure.context("the bucket exists")?;
        ensure!(failure.kind == FailureKind::NotFound, "{failure}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_probe_of_a_bucket_that_does_not_exist_writes_nothing() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    let store = open(&StoreSettings {
        url: "s3://elsewhere/prefix".into(),
        ..endpoint.settings()
    })?;
    let failure = probed(&store).await.err().context("expected a failure")?;
    ensure!(failure.kind == FailureKind::NotFound, "{failure}");
    ensure!(failure.message.contains("NoSuchBucket"), "{failure}");
    let requests = endpoint.faults().requests();
    ensure!(requests.puts == 0 && requests.total() > 0, "{requests:?}");
    Ok(())
}

#[tokio::test]
async fn the_probe_writes_in_the_hosts_own_corner_only() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    probed(&open(&endpoint.settings())?).await?;
    let seen = endpoint.witness().hold().await;
    let written = seen.iter().filter_map(|seen| match seen {
        Seen::Put { key, .. } => Some(key.as_str()),
        _ => None,
    });
    let keys: Vec<_> = written.collect();
    let own = keys.iter().all(|key| key.starts_with(".tidegate/probe/"));
    ensure!(!keys.is_empty() && own, "{keys:?}");
    Ok(())
}

#[tokio::test]
async fn a_probe_of_a_store_that_fails_knows_nothing() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    let store = open(&endpoint.settings())?;
    endpoint
        .faults()
        .add(Rule::every(5, Fault::DropAfter).on(Kind::Put));
    let failure = probed(&store).await.err().context("expected a failure")?;
    ensure!(failure.kind == FailureKind::Unavailable, "{failure}");
    Ok(())
}

/// One endpoint, one store on it with an object at `there`, and a fault for all that follows.
async fn failing(fault: Fault) -> Result<(Endpoint, Store)> {
    let endpoint = Endpoint::start().await?;
    let store = open(&endpoint.settings())?;
    done(store.create(&key("there")?, "{}".into()).await)?;
    endpoint.faults().add(Rule::always(fault));
    Ok((endpoint, store))
}

/// What every operation reports under the endpoint's fault: reads, then the two writes.
async fn reports(store: &Store) -> Result<(Vec<StoreFailure>, Vec<Put>)> {
    let (there, new) = (key("there")?, key("new")?);
    let version = Version::new("etag:\"0\"");
    let reads = vec![
        store.head(&there).await.err(),
        store.get(&there, MAX).await.err(),
        store.get_range(&there, 0, 1).await.err(),
        store.get_if_changed(&there, &version, MAX).await.err(),
        store.list(&Key::ROOT, 10).await.err(),
    ];
    let reads = reads
        .into_iter()
        .collect::<Option<_>>()
        .context("a read succeeded")?;
    let writes = vec![
        store.create(&new, "x".into()).await,
        store.update(&there, "x".into(), &version).await,
    ];
    Ok((reads, writes))
}

#[tokio::test]
async fn forbidden_is_permission_denied_and_nothing_was_written() -> Result<()> {
    let (_endpoint, store) = failing(Fault::Answer(403, "AccessDenied")).await?;
    let (reads, writes) = reports(&store).await?;
    for failure in reads {
        ensure!(failure.kind == FailureKind::PermissionDenied, "{failure}");
    }
    for put in writes {
        ensure!(
            matches!(&put, Put::Refused(f) if f.kind == FailureKind::PermissionDenied),
            "{put:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn throttling_carries_the_stores_advice() -> Result<()> {
    let (_endpoint, store) = failing(Fault::Throttle(Some("7".into()))).await?;
    let (reads, writes) = reports(&store).await?;
    for failure in reads {
        ensure!(failure.kind == FailureKind::Throttled, "{failure}");
        ensure!(failure.retry_after == Some(Duration::from_secs(7)));
    }
    for put in writes {
        let Put::Refused(failure) = put else {
            bail!("{put:?}");
        };
        ensure!(failure.kind == FailureKind::Throttled, "{failure}");
        ensure!(failure.retry_after == Some(Duration::from_secs(7)));
    }
    Ok(())
}

#[tokio::test]
async fn every_failed_operation_was_sent_once() -> Result<()> {
    let (endpoint, store) = failing(Fault::Answer(500, "InternalError")).await?;
    let before = endpoint.faults().requests().total();
    let (reads, writes) = reports(&store).await?;
    ensure!(reads.iter().all(|f| f.kind == FailureKind::Unavailable));
    ensure!(writes.iter().all(|put| matches!(put, Put::Ambiguous(_))));
    ensure!(endpoint.faults().requests().total() - before == 7);
    ensure!(store.requests() == endpoint.faults().requests());
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_is_ambiguous_whatever_was_done() -> Result<()> {
    for (fault, written) in [(Fault::DropAfter, true), (Fault::DropBefore, false)] {
        let (endpoint, store) = failing(fault).await?;
        let new = key("new")?;
        let put = store.create(&new, "x".into()).await;
        ensure!(
            matches!(&put, Put::Ambiguous(f) if f.kind == FailureKind::Unavailable),
            "{put:?}"
        );
        ensure!(endpoint.objects().head(&new).await.is_ok() == written);
        endpoint.faults().clear();
        ensure!(store.head(&new).await?.is_some() == written);
    }
    Ok(())
}

#[tokio::test]
async fn no_answer_in_time_is_a_timeout() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    let settings = StoreSettings {
        request_timeout: Duration::from_millis(50),
        ..endpoint.settings()
    };
    let store = open(&settings)?;
    endpoint.faults().add(Rule::always(Fault::Hang));
    let put = store.create(&key("k")?, "x".into()).await;
    ensure!(
        matches!(&put, Put::Ambiguous(f) if f.kind == FailureKind::Timeout),
        "{put:?}"
    );
    let failure = store.list(&Key::ROOT, 1).await.err().context("an answer")?;
    ensure!(failure.kind == FailureKind::Timeout, "{failure}");
    endpoint.faults().release();
    Ok(())
}

#[tokio::test]
async fn a_store_that_is_away_was_sent_nothing_and_may_come_back() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    let store = open(&endpoint.settings())?;
    let key = key("k")?;
    ensure!(store.head(&key).await?.is_none());
    endpoint.go_away().await;
    let put = store.create(&key, "x".into()).await;
    let Put::Refused(failure) = put else {
        bail!("{put:?}");
    };
    ensure!(failure.kind == FailureKind::Unavailable, "{failure}");
    ensure!(failure.message.contains("refused"), "{failure}");
    endpoint.come_back().await?;
    done(store.create(&key, "x".into()).await)
}

#[tokio::test]
async fn a_missing_bucket_is_not_a_missing_object() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    let store = open(&StoreSettings {
        url: "s3://elsewhere".into(),
        ..endpoint.settings()
    })?;
    let key = key("k")?;
    for failure in [
        store.get(&key, MAX).await.err(),
        store.list(&Key::ROOT, 1).await.err(),
    ] {
        let failure = failure.context("an answer")?;
        ensure!(failure.kind == FailureKind::NotFound, "{failure}");
    }
    for put in [
        store.create(&key, "x".into()).await,
        store
            .update(&key, "x".into(), &Version::new("etag:\"0\""))
            .await,
    ] {
        ensure!(
            matches!(&put, Put::Refused(f) if f.kind == FailureKind::NotFound),
            "{put:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_conflict_of_two_writers_is_a_lost_race() -> Result<()> {
    let (_endpoint, store) = failing(Fault::Answer(409, "ConditionalRequestConflict")).await?;
    let version = Version::new("etag:\"0\"");
    ensure!(store.create(&key("new")?, "x".into()).await == Put::Exists);
    ensure!(store.update(&key("there")?, "x".into(), &version).await == Put::Stale);
    Ok(())
}

#[tokio::test]
async fn a_listing_that_breaks_off_is_a_failure() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    let store = open(&endpoint.settings())?;
    for n in 0..1100 {
        let key = key(&format!("many/{n:04}"))?;
        endpoint.objects().put(&key, "x".into()).await?;
    }
    let listing = store.list(&key("many")?, 2000).await?;
    ensure!(listing.objects.len() == 1100 && !listing.truncated);
    ensure!(store.requests().lists == 2, "{:?}", store.requests());
    let broken = Rule::every(2, Fault::DropBefore)
        .on(Kind::List)
        .keys("many/*")?;
    endpoint.faults().add(broken);
    let failure = store.list(&key("many")?, 2000).await.err();
    ensure!(failure.context("a listing")?.kind == FailureKind::Unavailable);
    Ok(())
}

#[tokio::test]
async fn secrets_show_up_nowhere() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    let wrong = endpoint
        .settings()
        .with_option("secret_access_key", "wrong-secret-key");
    let store = open(&wrong)?;
    let (reads, writes) = reports(&store).await?;
    ensure!(
        reads
            .iter()
            .all(|f| f.kind == FailureKind::PermissionDenied)
    );
    let text = format!(
        "{wrong:?} {store:?} {:?} {reads:?} {writes:?}",
        endpoint.settings()
    );
    for secret in endpoint.secrets().into_iter().chain(["wrong-secret-key"]) {
        ensure!(!text.contains(secret), "{secret} in {text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_store_is_named_by_place_not_by_key() -> Result<()> {
    let endpoint = Endpoint::start().await?;
    let settings = StoreSettings {
        url: "s3://bkt/pre/fix/".into(),
        ..endpoint.settings()
    };
    let store = open(&settings)?;
    let expected = format!("s3://bkt/pre/fix?endpoint={}", endpoint.url());
    ensure!(store.id() == &StoreId::new(expected), "{}", store.id());
    let other = settings.with_option("secret_access_key", "another");
    ensure!(open(&other)?.id() == store.id());
    done(store.create(&key("k")?, "x".into()).await)?;
    ensure!(endpoint.objects().head(&key("pre/fix/k")?).await.is_ok());
    Ok(())
}

fn refused(settings: StoreSettings) -> Result<OpenError> {
    Store::open(&settings, Arc::new(SystemClock::new()))
        .err()
        .context("it opened")
}

#[test]
fn settings_that_can_not_work_are_refused_with_advice() -> Result<()> {
    let error = refused(StoreSettings::new("s3://bkt").with_option("endpiont", "x"))?;
    ensure!(
        error.to_string().contains("did you mean \"endpoint\"?"),
        "{error}"
    );
    let error = refused(StoreSettings::new("memory:///").with_option("region", "x"))?;
    ensure!(matches!(error, OpenError::Option { .. }), "{error}");
    for url in [
        "ftp://host/x",
        "logs",
        "file://relative/dir",
        "https://example.com/x",
    ] {
        let error = refused(StoreSettings::new(url))?;
        ensure!(error.to_string().contains("s3://BUCKET"), "{error}");
    }
    for url in [
        "az://c/p?sig=hunter2",
        "s3://me:hunter2@bkt",
        "s3://bkt/#hunter2",
    ] {
        let error = refused(StoreSettings::new(url))?;
        ensure!(
            !format!("{error:?} {error}").contains("hunter2"),
            "{error:?}"
        );
    }
    let error = refused(StoreSettings::new("file:///no/such/directory"))?;
    ensure!(error.to_string().contains("mkdir -p"), "{error}");
    Ok(())
}

/// All that stands below a directory, with its content.
fn tree(root: &std::path::Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root)? {
        let path = entry?.path();
        names.push(path.display().to_string());
        if path.is_dir() {
            names.extend(tree(&path)?);
        }
    }
    names.sort();
    Ok(names)
}

#[tokio::test]
async fn a_directory_holds_objects_and_nothing_else() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let root = directory.path().canonicalize()?.join("store");
    std::fs::create_dir(&root)?;
    let store = open(&StoreSettings::new(format!("file://{}", root.display())))?;
    ensure!(probed(&store).await? == ConditionalSupport::HONOURED);
    ensure!(tree(&root)?.is_empty(), "the probe wrote into the store");
    let beside = tree(&root.with_file_name(".tidegate-store"))?;
    ensure!(
        beside.iter().all(|name| name.ends_with(".lock")),
        "{beside:?}"
    );
    let key = key("app/.stream/.schema")?;
    done(store.create(&key, "1".into()).await)?;
    let (_, version) = read(&store, &key).await?;
    done(store.update(&key, "2".into(), &version).await)?;
    ensure!(store.create(&key, "3".into()).await == Put::Exists);
    ensure!(store.update(&key, "3".into(), &version).await == Put::Stale);
    let expected = ["app", "app/.stream", "app/.stream/.schema"]
        .map(|name| root.join(name).display().to_string());
    ensure!(tree(&root)? == expected, "{:?}", tree(&root)?);
    Ok(())
}

#[tokio::test]
async fn a_write_that_fails_leaves_no_directories() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let root = directory.path().canonicalize()?.join("store");
    std::fs::create_dir(&root)?;
    let store = open(&StoreSettings::new(format!("file://{}", root.display())))?;
    let long = key(&format!("new/{}", "n".repeat(300)))?;
    let put = store.create(&long, "x".into()).await;
    ensure!(matches!(put, Put::Refused(_)), "{put:?}");
    ensure!(tree(&root)?.is_empty(), "{:?}", tree(&root)?);
    Ok(())
}

#[tokio::test]
async fn a_directory_that_goes_away_is_no_empty_store() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let root = directory.path().join("store");
    std::fs::create_dir(&root)?;
    let store = open(&StoreSettings::new(format!("file://{}", root.display())))?;
    std::fs::remove_dir(&root)?;
    let key = key("a/b")?;
    for failure in [
        store.head(&key).await.err(),
        store.get(&key, MAX).await.err(),
        store.list(&Key::ROOT, 1).await.err(),
    ] {
        let failure = failure.context("an answer")?;
        ensure!(failure.kind == FailureKind::NotFound, "{failure}");
    }
    let put = store.create(&key, "x".into()).await;
    ensure!(
        matches!(&put, Put::Refused(f) if f.kind == FailureKind::NotFound),
        "{put:?}"
    );
    ensure!(!root.exists());
    Ok(())
}

#[tokio::test]
async fn stores_opened_apart_share_a_directory_by_its_lock() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let root = directory.path().join("store");
    std::fs::create_dir(&root)?;
    let settings = StoreSettings::new(format!("file://{}", root.display()));
    // Stores that are opened apart share nothing but the lock in the scratch directory.
    let stores = [open(&settings)?, open(&settings)?, open(&settings)?];
    let key = key("counter")?;
    let [first, ..] = &stores;
    done(first.create(&key, "0".into()).await)?;
    let outcomes = spawned(stores.len(), |n| {
        let (store, key) = (stores.get(n).cloned(), key.clone());
        async move {
            let store = store.context("no such store")?;
            for _ in 0..20 {
                increment(&store, &key).await?;
            }
            Ok::<(), anyhow::Error>(())
        }
    })
    .await?;
    outcomes.into_iter().collect::<Result<()>>()?;
    ensure!(read(first, &key).await?.0 == "60");
    Ok(())
}
