use futures::future::join_all;

use super::*;

fn scope() -> StateScope {
    StateScope {
        node: node(),
        stream: None,
    }
}

fn swap(key: &str, expected: Option<&[u8]>, value: Option<&[u8]>) -> Swap {
    Swap {
        policy: "breaker".to_owned(),
        scope: scope(),
        key: key.to_owned(),
        expected: expected.map(<[u8]>::to_vec),
        value: value.map(<[u8]>::to_vec),
    }
}

async fn value(ledger: &Ledger, key: &str) -> Option<Vec<u8>> {
    ledger.load_state("breaker", &scope(), key).await.unwrap()
}

#[tokio::test]
async fn all_swaps_happen_or_none() {
    let (_dir, path) = place();
    let ledger = open(&path).unwrap();
    assert!(
        ledger
            .commit_state(vec![
                swap("a", None, Some(b"1")),
                swap("b", None, Some(b"1"))
            ])
            .await
            .unwrap()
    );
    let both = vec![
        swap("a", Some(b"1"), Some(b"2")),
        swap("b", Some(b"other"), Some(b"2")),
    ];
    assert!(!ledger.commit_state(both).await.unwrap());
    assert_eq!(value(&ledger, "a").await.as_deref(), Some(&b"1"[..]));
    // A later swap sees what an earlier one of the same call did.
    let chain = vec![
        swap("a", Some(b"1"), Some(b"2")),
        swap("a", Some(b"2"), None),
    ];
    assert!(ledger.commit_state(chain).await.unwrap());
    assert_eq!(value(&ledger, "a").await, None);
    assert!(
        !ledger
            .commit_state(vec![swap("b", None, None)])
            .await
            .unwrap(),
        "b is there"
    );
}

#[tokio::test]
async fn scopes_and_policies_do_not_see_each_other() {
    let (_dir, path) = place();
    let ledger = open(&path).unwrap();
    ledger
        .commit_state(vec![swap("k", None, Some(b"shared"))])
        .await
        .unwrap();
    let of = |stream| StateScope {
        node: node(),
        stream: Some(stream),
    };
    for other in [
        of(app()),
        of(StreamId::with_tenant("t", "app")),
        StateScope {
            node: NodeId::new("n2"),
            stream: None,
        },
    ] {
        assert_eq!(
            ledger.load_state("breaker", &other, "k").await.unwrap(),
            None
        );
    }
    assert_eq!(
        ledger.load_state("other", &scope(), "k").await.unwrap(),
        None
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_increments_are_all_counted() {
    let (_dir, path) = place();
    let ledger = open(&path).unwrap();
    let tasks = (0..8).map(|_| {
        let ledger = ledger.clone();
        tokio::spawn(async move {
            for _ in 0..25 {
                loop {
                    let found = value(&ledger, "count").await;
                    let next = found.as_deref().map_or(0, |found| found[0]) + 1;
                    if ledger
                        .commit_state(vec![swap("count", found.as_deref(), Some(&[next]))])
                        .await
                        .unwrap()
                    {
                        break;
                    }
                }
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    assert_eq!(value(&ledger, "count").await, Some(vec![200]));
}

#[tokio::test]
async fn bounds_are_refused_with_the_limit_and_change_nothing() {
    let (_dir, path) = place();
    let ledger = open(&path).unwrap();
    let limit = async |swaps| match ledger.commit_state(swaps).await {
        Err(LedgerError::TooLarge { limit, .. }) => limit,
        other => panic!("{other:?}"),
    };
    let long_key = "k".repeat(STATE_KEY_MAX + 1);
    let before = swap("before", None, Some(b"1"));
    assert_eq!(
        limit(vec![before.clone(), swap(&long_key, None, Some(b"1"))]).await,
        128
    );
    assert_eq!(value(&ledger, "before").await, None);
    let wide = vec![0; STATE_VALUE_MAX + 1];
    assert_eq!(limit(vec![swap("k", None, Some(&wide))]).await, 64 * 1024);
    assert!(
        ledger
            .commit_state(vec![swap(&long_key[1..], None, Some(&wide[1..]))])
            .await
            .unwrap()
    );

    let more = (1..64)
        .map(|number| swap(&format!("k{number}"), None, Some(b"1")))
        .collect();
    assert!(ledger.commit_state(more).await.unwrap());
    assert_eq!(limit(vec![swap("k64", None, Some(b"1"))]).await, 64);
    let exchange = vec![swap("k1", Some(b"1"), None), swap("k64", None, Some(b"1"))];
    assert!(ledger.commit_state(exchange).await.unwrap());
}
