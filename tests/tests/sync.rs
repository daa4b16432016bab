//! What an agent makes of a node's staging and a store: the same cases over every honest store.

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use object_store::ObjectStoreExt;
use tidegate::contract::{Failure, Phase, Trigger};
use tidegate::stream::StreamId;
use tidegate_tests::node::{Kind, Node, asked, schema};
use tidegate_tests::stores::{TestStore, honest_stores};

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
    for kind in [Kind::Plain, Kind::Parseable] {
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
        // The marker, and the object itself.
        ensure!(
            after.gets - before.gets == 2 && after.lists == before.lists,
            "{after:?}"
        );
        Ok(())
    })
    .await
}
