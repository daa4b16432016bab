//! What an agent makes of a node's staging and a store: the same cases over every honest store.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use arrow_schema::DataType;
use bytes::Bytes;
use futures::future::join_all;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use tidegate::contract::{Failure, Phase, Trigger};
use tidegate::stream::{NodeId, StreamId};
use tidegate::sync::Written;
use tidegate::sync::machine::Repair;
use tidegate_tests::meddling::Meddling;
use tidegate_tests::node::{Kind, Node, asked, schema};
use tidegate_tests::stores::{TestStore, honest_stores, memory, through};

const EMPTY: &str = r#"{"fields":[],"metadata":{}}"#;

fn app() -> StreamId {
    StreamId::new("app")
}

/// Runs one check over every honest store, and says over which it failed.
async fn over(check: impl AsyncFn(&TestStore) -> Result<()>) -> Result<()> {
    for store in honest_stores().await? {
        check(&store)
            .await
            .with_context(|| format!("over the store {}", store.name))?;
    }
    Ok(())
}

/// The same, with each layout.
async fn over_layouts(check: impl AsyncFn(&TestStore, Kind) -> Result<()>) -> Result<()> {
    for kind in [Kind::Plain, Kind::Parseable, Kind::Templates] {
        over(async |store| check(store, kind).await)
            .await
            .with_context(|| format!("with the layout {kind:?}"))?;
    }
    Ok(())
}

#[tokio::test]
async fn a_schema_is_published_where_nothing_stands() -> Result<()> {
    over_layouts(async |store, kind| {
        let (node, app) = (Node::new(store, kind)?, app());
        node.create(&app).await?;
        node.stage(&app, schema(&[("a", "Utf8"), ("b", "Int64")]))?;
        let mut agent = node.open().await?;
        ensure!(agent.pass().await?.settled);
        agent.expect(&app, Phase::Synced)?;
        ensure!(node.stored_fields(&app).await? == Some(vec!["a".into(), "b".into()]));
        agent.close().await
    })
    .await
}

#[tokio::test]
async fn a_schema_is_merged_into_what_stands() -> Result<()> {
    over_layouts(async |store, kind| {
        let (node, app) = (Node::new(store, kind)?, app());
        node.create(&app).await?;
        node.store(&app, schema(&[("old", "Utf8"), ("both", "Int64")]))
            .await?;
        node.stage(&app, schema(&[("new", "Utf8"), ("both", "Int64")]))?;
        let mut agent = node.open().await?;
        agent.pass().await?;
        agent.expect(&app, Phase::Synced)?;
        let stored = node.stored_fields(&app).await?;
        ensure!(
            stored == Some(vec!["both".into(), "new".into(), "old".into()]),
            "{stored:?}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_standalone_node_publishes_the_streams_one_schema() -> Result<()> {
    over(async |store| {
        let (node, app) = (Node::new(store, Kind::Standalone)?, app());
        node.create(&app).await?;
        let keys = node.keys(&app)?;
        ensure!(keys.schema.as_ref() == "app/.stream/.schema");
        ensure!(keys.marker.context("no marker")?.as_ref() == "app/.stream/.stream.json");
        node.stage(&app, schema(&[("a", "Utf8")]))?;
        let mut agent = node.open().await?;
        ensure!(agent.pass().await?.settled);
        agent.expect(&app, Phase::Synced)?;
        node.stage(&app, schema(&[("b", "Utf8")]))?;
        agent.scan().await?;
        agent.expect(&app, Phase::Synced)?;
        ensure!(node.stored_fields(&app).await? == Some(vec!["a".into(), "b".into()]));
        agent.close().await
    })
    .await
}

#[tokio::test]
async fn a_store_that_holds_as_much_is_not_written_to() -> Result<()> {
    over(async |store| {
        let (node, app) = (Node::new(store, Kind::Parseable)?, app());
        node.create(&app).await?;
        node.store(&app, schema(&[("a", "Utf8"), ("b", "Int64")]))
            .await?;
        node.stage(&app, schema(&[("b", "Int64")]))?;
        let mut agent = node.open().await?;
        let before = agent.requests();
        agent.pass().await?;
        agent.expect(&app, Phase::Synced)?;
        let after = agent.requests();
        ensure!(after.puts == before.puts, "{after:?}");
        // The marker, and the object itself. A listing that shows no ETag, or writes it differently, does not show that
        // the object is unchanged, and it is read once more.
        ensure!(
            (2..=3).contains(&(after.gets - before.gets)) && after.lists - before.lists == 1,
            "{after:?}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_seed_fault_recovers() -> Result<()> {
    // Captured from Parseable 2.9.5: data and a staged schema, and no schema in the store.
    const STAGED: &str =
        include_str!("../data/parseable-2.9.5/staging/app/.ingestor.95659b0612138de.schema");
    const MARKER: &str = include_str!(
        "../data/parseable-2.9.5/store/app/.stream/.ingestor.95659b0612138de.stream.json"
    );
    const BASE: &str = include_str!("../data/parseable-2.9.5/store/app/.stream/.schema");
    over(async |store| {
        let node = Node::with(store, Kind::Parseable, "95659b0612138de", "")?;
        let app = app();
        let keys = node.keys(&app)?;
        node.objects()
            .put(&keys.marker.context("no marker")?, MARKER.into())
            .await?;
        node.objects()
            .put(&keys.base.context("no base")?, BASE.into())
            .await?;
        node.stage(&app, STAGED)?;
        ensure!(keys.schema.as_ref() == "app/.stream/.ingestor.95659b0612138de.schema");
        let mut agent = node.open().await?;
        ensure!(agent.pass().await?.settled);
        agent.expect(&app, Phase::Synced)?;
        let stored = node.stored_fields(&app).await?.context("nothing stored")?;
        ensure!(stored.contains(&"newfield".to_owned()) && stored.contains(&"host".to_owned()));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn peers_stand_in_until_the_true_schema_takes_over() -> Result<()> {
    over_layouts(async |store, kind| {
        let (node, app) = (Node::new(store, kind)?, app());
        node.create(&app).await?;
        let peer = node.peer_key("n2", &app)?;
        node.objects()
            .put(&peer, schema(&[("peer", "Utf8")]).into())
            .await?;
        node.stage_data(&app)?;
        let mut agent = node.open().await?;
        let tally = agent.pass().await?;
        let outcome = agent.expect(&app, Phase::Provisional)?;
        ensure!(tally.settled, "provisional counts as settled");
        ensure!(
            outcome
                .source
                .is_some_and(|source| source.to_string().contains("peers"))
        );
        ensure!(node.stored_fields(&app).await? == Some(vec!["peer".into()]));

        node.stage(&app, schema(&[("own", "Int64")]))?;
        agent.scan().await?;
        agent.expect(&app, Phase::Synced)?;
        ensure!(node.stored_fields(&app).await? == Some(vec!["own".into(), "peer".into()]));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_true_schema_replaces_its_own_fallback_where_the_two_contradict() -> Result<()> {
    const NAMED: &str = r#"
[sync]
allow_new_fields = true
[policies.ladder]
component = "builtin:ladder"
settings = { rungs = ["named:guess"] }
[schemas.guess]
inline = '{"fields":[{"name":"x","data_type":"Utf8","nullable":true,"dict_id":0,"dict_is_ordered":false,"metadata":{}}],"metadata":{}}'
"#;
    over(async |store| {
        let (node, app) = (Node::with(store, Kind::Plain, "n1", NAMED)?, app());
        node.stage_data(&app)?;
        let mut agent = node.open().await?;
        agent.pass().await?;
        agent.expect(&app, Phase::Provisional)?;
        node.stage(&app, schema(&[("x", "Int64")]))?;
        agent.scan().await?;
        agent.expect(&app, Phase::Synced)?;
        let stored = node.stored(&app).await?.context("nothing stored")?;
        ensure!(stored["fields"][0]["data_type"] == "Int64", "{stored}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_fallback_never_replaces_an_object() -> Result<()> {
    over_layouts(async |store, kind| {
        let (node, app) = (Node::new(store, kind)?, app());
        node.create(&app).await?;
        let peer = node.peer_key("n2", &app)?;
        node.objects()
            .put(&peer, schema(&[("peer", "Utf8")]).into())
            .await?;
        node.store(&app, "garbage that someone left").await?;
        node.stage_data(&app)?;
        let mut agent = node.open().await?;
        let before = agent.requests().puts;
        agent.pass().await?;
        ensure!(agent.requests().puts == before, "an object stood there");
        let key = node.keys(&app)?.schema;
        let found = node.objects().get(&key).await?.bytes().await?;
        ensure!(found == "garbage that someone left");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_marker_is_looked_up_by_its_key_before_anything_is_listed() -> Result<()> {
    let node = Node::new(&memory(), Kind::Parseable)?;
    let (own, streams, peers) = (
        StreamId::new("own"),
        StreamId::new("streams"),
        StreamId::new("peers"),
    );
    let marker = || Bytes::from("{\"created-at\": \"2026-01-01T00:00:00Z\"}");
    for (stream, name) in [
        (&own, ".ingestor.n1.stream.json"),
        (&streams, ".stream.json"),
        (&peers, ".ingestor.n2.stream.json"),
    ] {
        let key = Path::from(format!("{}/.stream/{name}", stream.name));
        node.objects().put(&key, marker().into()).await?;
    }
    for (stream, listings) in [(&own, 0), (&streams, 0), (&peers, 1)] {
        node.stage(stream, schema(&[("a", "Utf8")]))?;
        let mut agent = node.open().await?;
        let before = agent.requests().lists;
        agent.scan().await?;
        agent.expect(stream, Phase::Synced)?;
        // The probe is remembered, and the peers of a new schema are compared once.
        let listed = agent.requests().lists - before;
        ensure!(listed <= listings + 1, "{stream}: {listed} listings");
        agent.close().await?;
    }
    // Once it was found by a listing, its key is known.
    let mut agent = node.open().await?;
    let before = agent.requests();
    node.objects().delete(&node.keys(&peers)?.schema).await?;
    agent.look(Trigger::Verification).await;
    ensure!(
        agent.requests().lists == before.lists,
        "{:?}",
        agent.requests()
    );
    ensure!(agent.requests().gets > before.gets);
    Ok(())
}

#[tokio::test]
async fn a_stream_without_a_marker_is_left_alone() -> Result<()> {
    over(async |store| {
        let (node, app, bare) = (
            Node::new(store, Kind::Parseable)?,
            app(),
            StreamId::new("bare"),
        );
        node.stage(&app, schema(&[("a", "Utf8")]))?;
        node.stage_data(&bare)?;
        let mut agent = node.open().await?;
        let before = agent.requests().puts;
        ensure!(
            !agent.pass().await?.settled,
            "a stream that the store does not know is not settled"
        );
        let outcomes = agent.outcomes();
        ensure!(outcomes.len() == 2 && outcomes.iter().all(|(_, it)| it.phase == Phase::Unknown));
        ensure!(agent.requests().puts == before);
        ensure!(node.stored(&app).await?.is_none() && node.stored(&bare).await?.is_none());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_fallback_that_meets_another_writers_object_leaves_it_alone() -> Result<()> {
    let store = memory();
    let (mut node, app) = (Node::new(&store, Kind::Plain)?, app());
    node.objects()
        .put(&node.peer_key("n2", &app)?, schema(&[("p", "Utf8")]).into())
        .await?;
    node.stage_data(&app)?;
    let rival = |_| schema(&[("true", "Utf8")]);
    node.store = Some(through(&store, Meddling::rival(&store.objects, 1, rival)));
    let mut agent = node.open().await?;
    agent.pass().await?;
    agent.expect(&app, Phase::Synced)?;
    ensure!(node.stored_fields(&app).await? == Some(vec!["true".into()]));
    Ok(())
}

#[tokio::test]
async fn nothing_is_taken_for_absent_where_a_listing_is_cut_off() -> Result<()> {
    const NAMED: &str = r#"
[sync]
allow_new_fields = true
[policies.ladder]
component = "builtin:ladder"
settings = { rungs = ["named:guess"] }
[schemas.guess]
inline = '{"fields":[],"metadata":{}}'
"#;
    let store = memory();
    let node = Node::with(&store, Kind::Parseable, "n1", NAMED)?;
    let (app, bare) = (app(), StreamId::new("bare"));
    node.create(&bare).await?;
    node.stage_data(&bare)?;
    node.stage(&app, schema(&[("a", "Utf8")]))?;
    for stream in [&app, &bare] {
        let prefix = node.keys(stream)?.peers_prefix;
        for number in 0..=10_000 {
            let key = format!("{prefix}{number}").into();
            node.objects().put(&key, "".into()).await?;
        }
    }
    let mut agent = node.open().await?;
    agent.pass().await?;
    let outcomes = agent.outcomes();
    let phase = |id: &StreamId| {
        let mut last = outcomes.iter().rev();
        last.find(|(it, _)| it == id).map(|(_, it)| it.phase)
    };
    ensure!(phase(&app) == Some(Phase::Pending), "{:?}", phase(&app));
    ensure!(phase(&bare) == Some(Phase::Awaiting), "{:?}", phase(&bare));
    ensure!(node.stored(&app).await?.is_none() && node.stored(&bare).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn an_object_over_the_limit_is_a_conflict_and_stays() -> Result<()> {
    let store = memory();
    let (mut node, app) = (Node::new(&store, Kind::Plain)?, app());
    node.settings.staging.max_schema_size = 1_000;
    node.store(&app, " ".repeat(1_001)).await?;
    node.stage(&app, schema(&[("a", "Utf8")]))?;
    let mut agent = node.open().await?;
    let before = agent.requests().puts;
    agent.pass().await?;
    let failure = agent.expect(&app, Phase::Conflicted)?.failure;
    let failure = failure.context("no failure")?.to_string();
    ensure!(failure.contains("1001 bytes"), "{failure}");
    ensure!(agent.requests().puts == before);
    Ok(())
}

#[tokio::test]
async fn a_stream_exists_while_any_node_marks_it() -> Result<()> {
    let store = memory();
    let (node, app) = (Node::new(&store, Kind::Parseable)?, app());
    let theirs = node
        .settings
        .staging
        .layout
        .keys(&NodeId::new("n2"), &app)?;
    let marker = theirs.marker.context("no marker")?;
    let text = r#"{"created-at": "2026-01-01T00:00:00Z"}"#;
    node.objects().put(&marker, text.into()).await?;
    node.stage(&app, schema(&[("a", "Utf8")]))?;
    let mut agent = node.open().await?;
    agent.pass().await?;
    agent.expect(&app, Phase::Synced)?;
    ensure!(node.stored(&app).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn a_marker_that_cannot_be_read_is_a_marker_and_no_new_stream() -> Result<()> {
    let store = memory();
    let (node, app) = (Node::new(&store, Kind::Parseable)?, app());
    let marker = node.keys(&app)?.marker.context("no marker")?;
    node.objects().put(&marker, "half a mar".into()).await?;
    node.stage(&app, schema(&[("a", "Utf8")]))?;
    let mut agent = node.open().await?;
    agent.pass().await?;
    agent.expect(&app, Phase::Synced)?;

    node.create(&app).await?;
    node.stage(&app, schema(&[("a", "Utf8"), ("b", "Utf8")]))?;
    agent.scan().await?;
    agent.expect(&app, Phase::Synced)?;
    node.objects().put(&marker, "half a mar".into()).await?;
    node.stage(&app, schema(&[("c", "Utf8")]))?;
    agent.scan().await?;
    agent.expect(&app, Phase::Synced)?;
    let stored = node.stored_fields(&app).await?;
    ensure!(
        stored == Some(vec!["a".into(), "b".into(), "c".into()]),
        "{stored:?}"
    );
    Ok(())
}

#[tokio::test]
async fn without_policies_what_is_staged_is_published_and_nothing_else() -> Result<()> {
    const NOBODY: &str = "[sync]\nexistence = []\nfallback = []\nretry = []\n";
    let store = memory();
    let (node, app) = (Node::with(&store, Kind::Plain, "n1", NOBODY)?, app());
    let bare = StreamId::new("bare");
    node.stage(&app, schema(&[("a", "Utf8")]))?;
    node.stage_data(&bare)?;
    node.objects()
        .put(
            &node.peer_key("n2", &bare)?,
            schema(&[("p", "Utf8")]).into(),
        )
        .await?;
    let mut agent = node.open().await?;
    ensure!(agent.pass().await?.settled);
    let outcomes = agent.outcomes();
    let phase = |id: &StreamId| {
        outcomes
            .iter()
            .rev()
            .find(|(it, _)| it == id)
            .map(|(_, it)| it.phase)
    };
    ensure!(phase(&app) == Some(Phase::Synced) && phase(&bare) == Some(Phase::Idle));
    ensure!(node.stored(&app).await?.is_some() && node.stored(&bare).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn without_a_fallback_policy_nothing_is_placed() -> Result<()> {
    let store = memory();
    let node = Node::with(&store, Kind::Plain, "n1", "[sync]\nfallback = []\n")?;
    let app = app();
    node.stage_data(&app)?;
    node.objects()
        .put(&node.peer_key("n2", &app)?, schema(&[("p", "Utf8")]).into())
        .await?;
    let mut agent = node.open().await?;
    agent.pass().await?;
    agent.expect(&app, Phase::Awaiting)?;
    ensure!(node.stored(&app).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn a_stream_that_is_deleted_and_created_anew_takes_nothing_old_along() -> Result<()> {
    over(async |store| {
        let (node, app) = (Node::new(store, Kind::Parseable)?, app());
        node.create(&app).await?;
        node.stage(&app, schema(&[("old", "Utf8")]))?;
        let mut agent = node.open().await?;
        agent.pass().await?;
        agent.expect(&app, Phase::Synced)?;

        // Parseable deletes the prefix first and tells the node later.
        let keys = node.keys(&app)?;
        let marker = keys.marker.context("no marker")?;
        node.objects().delete(&keys.schema).await?;
        node.objects().delete(&marker).await?;
        agent.look(Trigger::Verification).await;
        agent.expect(&app, Phase::Gone)?;
        ensure!(node.stored(&app).await?.is_none());

        // What is staged by now is older than the stream.
        node.mark(&app, "2099-01-01T00:00:00Z").await?;
        agent.look(Trigger::Requested).await;
        agent.last(&app)?;
        ensure!(
            node.stored(&app).await?.is_none(),
            "the old schema came back"
        );

        // And what is staged afterwards is not.
        let path = node.staged_path(&app);
        node.stage(&app, schema(&[("new", "Utf8")]))?;
        let later = std::time::UNIX_EPOCH + std::time::Duration::from_secs(4_102_444_800);
        std::fs::File::open(path)?.set_modified(later)?;
        agent.scan().await?;
        agent.expect(&app, Phase::Synced)?;
        ensure!(node.stored_fields(&app).await? == Some(vec!["new".into()]));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_conflict_with_the_store_names_field_and_types() -> Result<()> {
    over_layouts(async |store, kind| {
        let (node, app) = (Node::new(store, kind)?, app());
        node.create(&app).await?;
        let stands = schema(&[("status", "Int64")]);
        node.store(&app, stands.clone()).await?;
        node.stage(&app, schema(&[("status", "Utf8"), ("more", "Utf8")]))?;
        let mut agent = node.open().await?;
        ensure!(!agent.pass().await?.settled);
        let outcome = agent.expect(&app, Phase::Conflicted)?;
        let Some(Failure::SchemaConflict(text)) = outcome.failure else {
            anyhow::bail!("{:?}", outcome.failure)
        };
        for part in ["status", "Int64", "Utf8"] {
            ensure!(text.contains(part), "{text}");
        }
        ensure!(node.stored(&app).await? == Some(serde_json::from_str(&stands)?));

        // The operator sets the node right: no restart is needed.
        node.stage(&app, schema(&[("status", "Int64"), ("more", "Utf8")]))?;
        agent.scan().await?;
        agent.expect(&app, Phase::Synced)?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_conflict_with_a_peer_names_the_peer() -> Result<()> {
    over_layouts(async |store, kind| {
        let (node, app) = (Node::new(store, kind)?, app());
        node.create(&app).await?;
        let peer = node.peer_key("n2", &app)?;
        node.objects()
            .put(&peer, schema(&[("status", "Int64")]).into())
            .await?;
        node.stage(&app, schema(&[("status", "Utf8")]))?;
        let mut agent = node.open().await?;
        agent.pass().await?;
        let outcome = agent.expect(&app, Phase::Conflicted)?;
        let text = outcome.failure.context("no failure")?.to_string();
        for part in ["status", "Int64 on node n2", "Utf8 on this node (n1)"] {
            ensure!(text.contains(part), "{text}");
        }
        ensure!(node.stored(&app).await?.is_none());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_unreadable_peer_blocks_nobody() -> Result<()> {
    over(async |store| {
        let (node, app) = (Node::new(store, Kind::Plain)?, app());
        let peer = node.peer_key("n2", &app)?;
        node.objects().put(&peer, "half a sch".into()).await?;
        node.stage(&app, schema(&[("a", "Utf8")]))?;
        let mut agent = node.open().await?;
        agent.pass().await?;
        let outcome = agent.expect(&app, Phase::Synced)?;
        let story = serde_json::to_string(&outcome.story)?;
        ensure!(
            story.contains(peer.as_ref()),
            "no word about the peer: {story}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_corrupt_object_is_a_conflict_that_only_repair_ends() -> Result<()> {
    over(async |store| {
        let (mut node, app) = (Node::new(store, Kind::Parseable)?, app());
        node.create(&app).await?;
        node.store(&app, r#"{"fields":[{"na"#).await?;
        node.stage(&app, schema(&[("a", "Utf8")]))?;
        let mut agent = node.open().await?;
        agent.pass().await?;
        let outcome = agent.expect(&app, Phase::Conflicted)?;
        let failure = outcome.failure.context("no failure")?.to_string();
        ensure!(failure.contains("corrupt"), "{failure}");
        let key = node.keys(&app)?.schema;
        ensure!(node.objects().get(&key).await?.bytes().await? == r#"{"fields":[{"na"#);
        agent.close().await?;

        node.settings.streams.rules.repair = Repair::All;
        let mut agent = node.open().await?;
        agent.pass().await?;
        agent.expect(&app, Phase::Synced)?;
        ensure!(node.stored_fields(&app).await? == Some(vec!["a".into()]));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_staged_file_that_is_no_schema_is_reported_and_not_uploaded() -> Result<()> {
    over(async |store| {
        let node = Node::new(store, Kind::Parseable)?;
        let bad = [
            ("empty", ""),
            ("truncated", r#"{"fields":[{"name":"a","data_ty"#),
            ("not-json", "PAR1"),
            (
                "not-arrow",
                r#"{"fields":[{"name":"a","data_type":"Text"}]}"#,
            ),
        ];
        for (name, text) in bad {
            let stream = StreamId::new(name);
            node.create(&stream).await?;
            node.stage(&stream, text)?;
        }
        let mut agent = node.open().await?;
        let before = agent.requests().puts;
        ensure!(!agent.pass().await?.settled);
        let outcomes = agent.outcomes();
        ensure!(outcomes.len() == bad.len());
        for (stream, outcome) in outcomes {
            let Some(Failure::SchemaInvalid(_)) = &outcome.failure else {
                anyhow::bail!("{stream}: {:?}", outcome.failure)
            };
            ensure!(node.stored(&stream).await?.is_none());
        }
        ensure!(agent.requests().puts == before);

        // It becomes a schema, and all is well.
        for (name, _) in bad {
            node.stage(&StreamId::new(name), schema(&[("a", "Utf8")]))?;
        }
        agent.scan().await?;
        let phases: Vec<_> = agent
            .outcomes()
            .into_iter()
            .map(|(_, it)| it.phase)
            .collect();
        ensure!(phases == [Phase::Synced; 4], "{phases:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn writers_that_race_lose_no_field() -> Result<()> {
    const WRITERS: usize = 4;
    const STREAMS: usize = 4;
    over(async |store| {
        // Several agents that take themselves for the same node, as after a botched failover.
        let nodes = (0..WRITERS).map(|_| Node::new(store, Kind::Plain));
        let nodes = nodes.collect::<Result<Vec<_>>>()?;
        let streams: Vec<_> = (0..STREAMS)
            .map(|at| StreamId::new(format!("s{at}")))
            .collect();
        let mut agents = Vec::new();
        for (at, node) in nodes.iter().enumerate() {
            for stream in &streams {
                node.stage(
                    stream,
                    schema(&[(&format!("f{at}"), "Utf8"), ("all", "Int64")]),
                )?;
            }
            agents.push(node.open().await?);
        }
        for result in join_all(agents.iter_mut().map(|agent| agent.pass())).await {
            result?;
        }
        for stream in &streams {
            let stored = nodes[0].stored_fields(stream).await?;
            ensure!(
                stored == Some(["all", "f0", "f1", "f2", "f3"].map(String::from).to_vec()),
                "{stream}: {stored:?}"
            );
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn nothing_changed_costs_no_request_and_no_decision() -> Result<()> {
    over(async |store| {
        let (node, app) = (Node::new(store, Kind::Parseable)?, app());
        node.create(&app).await?;
        node.stage(&app, schema(&[("a", "Utf8"), ("b", "Int64")]))?;
        let mut agent = node.open().await?;
        agent.pass().await?;
        agent.expect(&app, Phase::Synced)?;
        let before = agent.requests();

        agent.scan().await?;
        ensure!(
            agent.outcomes().is_empty(),
            "an attempt at an unchanged file"
        );
        // Nodes restage the same fields in varying order, every minute.
        node.stage(&app, schema(&[("b", "Int64"), ("a", "Utf8")]))?;
        agent.scan().await?;
        let outcome = agent.expect(&app, Phase::Synced)?;
        ensure!(asked(&outcome).is_empty(), "{:?}", asked(&outcome));
        ensure!(agent.requests() == before);
        agent.close().await?;

        // Nor does a restart, except for what the probe wants to know.
        let mut agent = node.open().await?;
        let before = agent.requests();
        agent.scan().await?;
        ensure!(agent.requests() == before);
        ensure!(
            agent
                .outcomes()
                .iter()
                .all(|(_, outcome)| asked(outcome).is_empty())
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_object_that_went_missing_is_reported_and_restored_unless_repairs_are_off() -> Result<()>
{
    over(async |store| {
        let (mut node, app) = (Node::new(store, Kind::Parseable)?, app());
        node.settings.streams.rules.repair = Repair::Off;
        node.create(&app).await?;
        node.stage(&app, schema(&[("a", "Utf8")]))?;
        let key = node.keys(&app)?.schema;
        let mut agent = node.open().await?;
        agent.pass().await?;
        // The node has deleted its staging by now.
        std::fs::remove_file(node.staged_path(&app))?;
        agent.scan().await?;
        agent.outcomes();
        node.objects().delete(&key).await?;
        agent.look(Trigger::Verification).await;
        let outcome = agent.last(&app)?;
        ensure!(outcome.phase != Phase::Synced, "{:#?}", outcome.story);
        let story = serde_json::to_string(&outcome.story)?;
        ensure!(story.contains("the stored object is missing"), "{story}");
        ensure!(
            node.stored(&app).await?.is_none(),
            "restored with repairs off"
        );
        agent.close().await?;

        node.settings.streams.rules.repair = Repair::Missing;
        let mut agent = node.open().await?;
        agent.look(Trigger::Verification).await;
        agent.expect(&app, Phase::Synced)?;
        ensure!(node.stored_fields(&app).await? == Some(vec!["a".into()]));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_overwritten_object_gets_its_fields_back() -> Result<()> {
    over(async |store| {
        let (node, app) = (Node::new(store, Kind::Plain)?, app());
        node.stage(&app, schema(&[("a", "Utf8"), ("b", "Utf8")]))?;
        let mut agent = node.open().await?;
        agent.pass().await?;
        node.store(&app, schema(&[("b", "Utf8"), ("c", "Utf8")]))
            .await?;
        agent.look(Trigger::Verification).await;
        agent.expect(&app, Phase::Synced)?;
        let stored = node.stored_fields(&app).await?;
        ensure!(
            stored == Some(vec!["a".into(), "b".into(), "c".into()]),
            "{stored:?}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn tenants_keep_their_streams_apart() -> Result<()> {
    over_layouts(async |store, kind| {
        let mut node = Node::new(store, kind)?;
        node.settings.staging.tenants = true;
        let streams = ["acme", "ümlaut co"].map(|tenant| StreamId::with_tenant(tenant, "app"));
        for (at, stream) in streams.iter().enumerate() {
            node.create(stream).await?;
            node.stage(stream, schema(&[(&format!("f{at}"), "Utf8")]))?;
        }
        let mut agent = node.open().await?;
        ensure!(agent.pass().await?.settled);
        for (at, stream) in streams.iter().enumerate() {
            ensure!(node.stored_fields(stream).await? == Some(vec![format!("f{at}")]));
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn odd_names_go_all_the_way() -> Result<()> {
    over_layouts(async |store, kind| {
        let long = "x".repeat(255);
        let names = [
            "a b",
            "50%",
            "%2e",
            "x#y",
            "ünïcødé 日本",
            "a+b&c?d",
            "~t",
            long.as_str(),
        ];
        let node = Node::new(store, kind)?;
        for name in names {
            let stream = StreamId::new(name);
            node.create(&stream).await?;
            node.stage(&stream, schema(&[("a", "Utf8")]))?;
        }
        let mut agent = node.open().await?;
        let tally = agent.pass().await?;
        for (stream, outcome) in agent.outcomes() {
            ensure!(
                outcome.phase == Phase::Synced,
                "{stream}: {:#?}",
                outcome.story
            );
        }
        ensure!(tally.settled && tally.of(Phase::Synced) as usize == names.len());
        for name in names {
            let stored = node.stored_fields(&StreamId::new(name)).await?;
            ensure!(stored == Some(vec!["a".into()]), "{name}");
        }
        let before = agent.requests();
        agent.scan().await?;
        ensure!(agent.requests() == before && agent.outcomes().is_empty());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_name_that_no_store_takes_as_a_key_is_told_and_harms_no_other_stream() -> Result<()> {
    over(async |store| {
        let mut node = Node::new(store, Kind::Plain)?;
        node.settings.staging.tenants = true;
        // Each byte of it takes three in a key, and a key has a thousand at most.
        let wide = "ä".repeat(127);
        let wide = StreamId::with_tenant(&*wide, &*wide);
        let app = StreamId::with_tenant("acme", "app");
        for stream in [&wide, &app] {
            node.stage(stream, schema(&[("a", "Utf8")]))?;
        }
        let mut agent = node.open().await?;
        ensure!(!agent.pass().await?.settled);
        let outcomes = agent.outcomes();
        let of = |stream| outcomes.iter().rev().find(|(id, _)| id == stream);
        let (_, outcome) = of(&wide).context("it was passed over")?;
        ensure!(outcome.phase == Phase::Abandoned && outcome.wake.is_none());
        let failure = outcome.failure.as_ref().context("no cause")?.to_string();
        ensure!(
            failure.contains("longer than the 1024 that stores take"),
            "{failure}"
        );
        ensure!(of(&app).context("no attempt")?.1.phase == Phase::Synced);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_empty_schema_is_placed_where_nobody_knows_better() -> Result<()> {
    over_layouts(async |store, kind| {
        let (node, app) = (Node::new(store, kind)?, app());
        node.create(&app).await?;
        node.stage_data(&app)?;
        let mut agent = node.open().await?;
        agent.pass().await?;
        agent.expect(&app, Phase::Provisional)?;
        ensure!(node.stored(&app).await? == Some(serde_json::from_str(EMPTY)?));
        Ok(())
    })
    .await
}

/// In memory alone: the store has to meddle at one exact moment, and all stores keep the same promises.
#[tokio::test]
async fn a_write_that_was_cut_off_is_read_back_first_after_a_restart() -> Result<()> {
    for done in [true, false] {
        let store = memory();
        let (mut node, app) = (Node::new(&store, Kind::Plain)?, app());
        node.stage(&app, schema(&[("a", "Utf8")]))?;
        let silent = Meddling::silent(&store.objects, done);
        node.store = Some(through(&store, Arc::clone(&silent) as _));
        let mut agent = node.open().await?;
        // The agent dies while its write is under way.
        tokio::select! {
            passed = agent.pass() => anyhow::bail!("the write was not held: {passed:?}"),
            () = silent.reached() => {}
        }
        let core = Arc::downgrade(agent.agent.core());
        drop(agent);
        // Its tasks are cut off when the runtime comes to them.
        while core.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
        ensure!(node.stored(&app).await?.is_some() == done);

        node.store = Some(store.store.counted());
        let mut agent = node.open().await?;
        let before = agent.requests();
        agent.settle().await;
        let first = agent.expect(&app, Phase::Synced)?;
        let steps = serde_json::to_value(&first.story.steps)?;
        ensure!(steps[0]["method"] == "GET", "{steps:#}");
        ensure!(agent.requests().puts - before.puts == u64::from(!done));
        ensure!(node.stored_fields(&app).await? == Some(vec!["a".into()]));
    }
    Ok(())
}

#[tokio::test]
async fn a_rival_between_read_and_write_loses_nothing() -> Result<()> {
    let rival = |at: u32| schema(&[(&format!("rival{at}"), "Utf8"), ("a", "Utf8")]);
    for stands in [true, false] {
        let store = memory();
        let (mut node, app) = (Node::new(&store, Kind::Plain)?, app());
        if stands {
            node.store(&app, schema(&[("old", "Utf8")])).await?;
        }
        node.stage(&app, schema(&[("a", "Utf8"), ("b", "Utf8")]))?;
        node.store = Some(through(&store, Meddling::rival(&store.objects, 1, rival)));
        let mut agent = node.open().await?;
        agent.pass().await?;
        let outcome = agent.expect(&app, Phase::Synced)?;
        let stored = node.stored_fields(&app).await?;
        ensure!(
            stored == Some(vec!["a".into(), "b".into(), "rival0".into()]),
            "{stored:?}"
        );
        ensure!(
            outcome.failure.is_none(),
            "a lost race is no failed attempt"
        );
    }
    Ok(())
}

#[tokio::test]
async fn races_that_are_lost_again_and_again_are_left_to_the_retry_policy() -> Result<()> {
    let store = memory();
    let (mut node, app) = (Node::new(&store, Kind::Plain)?, app());
    node.store(&app, schema(&[("old", "Utf8")])).await?;
    node.stage(&app, schema(&[("a", "Utf8")]))?;
    let rival = Meddling::rival(&store.objects, u32::MAX, |at| {
        schema(&[(&format!("rival{at}"), "Utf8")])
    });
    node.store = Some(through(&store, Arc::clone(&rival) as _));
    let mut agent = node.open().await?;
    agent.pass().await?;
    let outcome = agent.expect(&app, Phase::Pending)?;
    let failure = outcome.failure.clone().context("no failure")?.to_string();
    ensure!(failure.contains("races in a row"), "{failure}");
    // The first try and eight more.
    ensure!(rival.writes() == 9, "{} writes", rival.writes());
    ensure!(asked(&outcome).contains(&"backoff".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_file_that_goes_between_scan_and_read_is_no_failure() -> Result<()> {
    let store = memory();
    let (node, app) = (Node::new(&store, Kind::Plain)?, app());
    node.stage(&app, schema(&[("a", "Utf8")]))?;
    let mut agent = node.open().await?;
    agent.agent.scheduler().scan().await?;
    std::fs::remove_file(node.staged_path(&app))?;
    agent.settle().await;
    let outcome = agent.expect(&app, Phase::Idle)?;
    ensure!(outcome.failure.is_none(), "{:?}", outcome.failure);
    // The node stages it again, and it arrives.
    node.stage(&app, schema(&[("a", "Utf8")]))?;
    agent.scan().await?;
    agent.expect(&app, Phase::Synced)?;
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_replaced_between_scan_and_read_arrives_in_its_last_form() -> Result<()> {
    let store = memory();
    let (node, app) = (Node::new(&store, Kind::Plain)?, app());
    node.stage(&app, schema(&[("first", "Utf8")]))?;
    let mut agent = node.open().await?;
    agent.agent.scheduler().scan().await?;
    node.stage(&app, schema(&[("first", "Utf8"), ("second", "Utf8")]))?;
    agent.settle().await;
    agent.scan().await?;
    ensure!(agent.agent.tally().of(Phase::Synced) == 1);
    let stored = node.stored_fields(&app).await?;
    ensure!(
        stored == Some(vec!["first".into(), "second".into()]),
        "{stored:?}"
    );
    Ok(())
}

#[tokio::test]
async fn what_was_captured_is_published_though_the_node_deletes_it_meanwhile() -> Result<()> {
    let store = memory();
    let (mut node, app) = (Node::new(&store, Kind::Plain)?, app());
    node.stage(&app, schema(&[("a", "Utf8")]))?;
    node.store = Some(through(&store, Meddling::failing(&store.objects)));
    let mut agent = node.open().await?;
    agent.pass().await?;
    agent.expect(&app, Phase::Pending)?;
    agent.close().await?;
    // Parseable deletes what it has staged within half a minute.
    std::fs::remove_dir_all(node.staged_path(&app).parent().context("no folder")?)?;
    node.store = Some(store.store.counted());
    let mut agent = node.open().await?;
    agent.look(Trigger::Requested).await;
    agent.expect(&app, Phase::Synced)?;
    ensure!(node.stored_fields(&app).await? == Some(vec!["a".into()]));
    Ok(())
}

#[tokio::test]
async fn a_staging_directory_that_goes_while_the_agent_is_away_is_noticed() -> Result<()> {
    let store = memory();
    let node = Node::with(&store, Kind::Plain, "n1", "[sync]\nfallback = []\n")?;
    let app = app();
    node.stage_data(&app)?;
    let mut agent = node.open().await?;
    agent.pass().await?;
    agent.expect(&app, Phase::Awaiting)?;
    agent.close().await?;
    let staged = node.staged_path(&app);
    std::fs::remove_dir_all(staged.parent().context("no folder")?)?;
    let mut agent = node.open().await?;
    agent.scan().await?;
    agent.expect(&app, Phase::Idle)?;
    Ok(())
}

#[tokio::test]
async fn staging_is_read_and_never_changed() -> Result<()> {
    over_layouts(async |store, kind| {
        let (node, app) = (Node::new(store, kind)?, app());
        node.create(&app).await?;
        node.stage(&app, schema(&[("a", "Utf8")]))?;
        node.stage_data(&app)?;
        let dir = node.settings.staging.dir.clone();
        let before = listing(&dir)?;
        let mut agent = node.open().await?;
        agent.pass().await?;
        agent.look(Trigger::Verification).await;
        agent.close().await?;
        ensure!(listing(&dir)? == before);
        Ok(())
    })
    .await
}

/// Every file below a folder, with its content and its time.
fn listing(
    folder: &std::path::Path,
) -> Result<Vec<(std::path::PathBuf, Vec<u8>, std::time::SystemTime)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(listing(&path)?);
        } else {
            let modified = path.metadata()?.modified()?;
            found.push((path.clone(), std::fs::read(path)?, modified));
        }
    }
    found.sort();
    Ok(found)
}

/// Two nodes that publish `mixed` with two types, and the agent of the first.
async fn disagreeing(store: &TestStore) -> Result<(Node, StreamId)> {
    let (node, app) = (Node::new(store, Kind::Parseable)?, app());
    node.create(&app).await?;
    node.store(&app, schema(&[("mixed", "Float64"), ("own", "Utf8")]))
        .await?;
    node.objects()
        .put(
            &node.peer_key("n2", &app)?,
            schema(&[("mixed", "Utf8")]).into(),
        )
        .await?;
    node.stage(&app, schema(&[("mixed", "Float64"), ("own", "Utf8")]))?;
    Ok((node, app))
}

#[tokio::test]
async fn nodes_that_disagree_are_reported_and_resolved() -> Result<()> {
    over(async |store| {
        let (mut node, app) = disagreeing(store).await?;
        node.settings.streams.rules.check_peers_interval = std::time::Duration::from_secs(3_600);
        let mut agent = node.open().await?;
        agent.pass().await?;
        // The stored object covers what is staged, and a pass compares the nodes anyway.
        let outcome = agent.expect(&app, Phase::Conflicted)?;
        let failure = outcome.failure.context("no failure")?.to_string();
        ensure!(failure.contains("Utf8 on node n2"), "{failure}");

        let core = agent.agent.core();
        let other = core
            .plan_resolution(&app, "mixed", &DataType::Int64)
            .await?;
        ensure!(other.remaining.len() == 1, "{other:?}");
        let resolution = core.plan_resolution(&app, "mixed", &DataType::Utf8).await?;
        ensure!(resolution.remaining.is_empty(), "{resolution:?}");
        let before = node.stored(&app).await?;
        let (outcome, written) = core.resolve(&resolution).await?;
        ensure!(outcome.phase == Phase::Synced, "{:?}", outcome.failure);
        ensure!(written == Written::Yes, "{written:?}");
        let wanted = schema(&[("mixed", "Utf8"), ("own", "Utf8")]);
        ensure!(node.stored(&app).await? == Some(serde_json::from_str(&wanted)?));
        ensure!(before != node.stored(&app).await?);

        // A second writer in between: nothing is overwritten.
        node.store(&app, schema(&[("mixed", "Float64")])).await?;
        let (outcome, written) = agent.agent.core().resolve(&resolution).await?;
        ensure!(outcome.phase == Phase::Conflicted, "{}", outcome.phase);
        ensure!(written == Written::Overtaken, "{written:?}");
        let kept = schema(&[("mixed", "Float64")]);
        ensure!(node.stored(&app).await? == Some(serde_json::from_str(&kept)?));
        Ok(())
    })
    .await
}
