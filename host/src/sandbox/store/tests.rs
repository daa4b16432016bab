//! The simulated store under object_store's own integration tests, and each fault by what the agent's view of it says.

use std::num::NonZeroU32;

use object_store::integration;

use super::*;
use crate::contract::FailureKind;
use crate::sandbox::clock::VirtualClock;
use crate::storage::{Fetched, Put, Store, StoreId, StoreSettings};

const SECOND: Duration = Duration::from_secs(1);

fn simulated(behaviour: StoreBehaviour) -> (Executor, Arc<SimulatedStore>) {
    let executor = Executor::new(None);
    let store = SimulatedStore::new(executor.clone(), behaviour, Dice::new(7));
    (executor, store)
}

fn faulty(faults: Vec<Fault>) -> (Executor, Arc<SimulatedStore>, Store) {
    let (executor, simulated) = simulated(StoreBehaviour {
        faults,
        ..StoreBehaviour::default()
    });
    let mut settings = StoreSettings::new("memory:///");
    settings.burst = NonZeroU32::MAX;
    settings.request_timeout = 10 * SECOND;
    let store = Store::with_object_store(
        simulated.port("n1"),
        StoreId::new("memory:///"),
        &settings,
        Arc::new(VirtualClock::new(executor.clone())),
    );
    (executor, simulated, store)
}

fn key() -> Path {
    Path::from("app/n1.schema.json")
}

#[test]
fn it_keeps_object_stores_contract() {
    let (executor, store) = simulated(StoreBehaviour::default());
    executor
        .run(async {
            let port = store.port("n1");
            integration::get_opts(&*port).await;
            integration::put_opts(&*port, true).await;
            assert!(
                integration::get_nonexistent_object(&*port, None)
                    .await
                    .is_err()
            );
        })
        .unwrap();
}

#[test]
fn a_write_that_failed_did_nothing() {
    for kind in [
        FailureKind::Throttled,
        FailureKind::PermissionDenied,
        FailureKind::NotFound,
    ] {
        let failure = StoreFailure::new(kind, "told to");
        let (executor, simulated, store) = faulty(vec![Fault::always(Effect::Fail(failure))]);
        let put = executor.run(store.create(&key(), "x".into())).unwrap();
        assert!(matches!(put, Put::Refused(failure) if failure.kind == kind));
        assert_eq!(simulated.read(&key()), None);
    }
}

#[test]
fn what_is_not_answered_may_be_done_or_not() {
    for (effect, done, kind) in [
        (Effect::Hang, false, FailureKind::Timeout),
        (Effect::LoseAnswer, true, FailureKind::Timeout),
        (Effect::Cut, true, FailureKind::Unavailable),
    ] {
        let (executor, simulated, store) = faulty(vec![Fault::always(effect.clone())]);
        let put = executor.run(store.create(&key(), "x".into())).unwrap();
        assert!(
            matches!(&put, Put::Ambiguous(failure) if failure.kind == kind),
            "{effect:?}: {put:?}"
        );
        assert_eq!(simulated.read(&key()).is_some(), done, "{effect:?}");
    }
}

#[test]
fn a_late_write_is_done_though_nobody_waits() {
    let (executor, simulated, store) = faulty(vec![Fault::always(Effect::Late(60 * SECOND))]);
    let put = executor.run(store.create(&key(), "x".into())).unwrap();
    assert!(matches!(put, Put::Ambiguous(_)));
    assert_eq!(simulated.read(&key()), None);
    executor.run(executor.sleep(60 * SECOND)).unwrap();
    assert_eq!(simulated.read(&key()), Some("x".into()));
}

#[test]
fn another_writer_comes_right_before_and_right_after() {
    let (executor, simulated, store) = faulty(vec![Fault::always(Effect::Race("theirs".into()))]);
    let put = executor.run(store.create(&key(), "ours".into())).unwrap();
    assert_eq!(put, Put::Exists);
    assert_eq!(simulated.read(&key()), Some("theirs".into()));

    let (executor, simulated, store) =
        faulty(vec![Fault::always(Effect::Clobber("theirs".into()))]);
    let put = executor.run(store.create(&key(), "ours".into())).unwrap();
    assert!(matches!(put, Put::Done(_)));
    assert_eq!(simulated.read(&key()), Some("theirs".into()));
}

#[test]
fn a_condition_that_is_ignored_is_no_condition() {
    let (executor, simulated, store) = faulty(vec![Fault::always(Effect::IgnoreCondition)]);
    simulated.put("somebody", &key(), "theirs".into());
    let put = executor.run(store.create(&key(), "ours".into())).unwrap();
    assert!(matches!(put, Put::Done(_)));
    assert_eq!(simulated.read(&key()), Some("ours".into()));
}

#[test]
fn a_torn_listing_is_a_failure_and_a_whole_one_is_in_order() {
    let (executor, simulated, store) = faulty(vec![Fault {
        count: Some(1),
        ..Fault::always(Effect::Tear)
    }]);
    for name in ["b", "a", "c"] {
        simulated.put("somebody", &Path::from(format!("app/{name}")), "x".into());
    }
    simulated.put("somebody", &Path::from("apple/a"), "x".into());
    let list = || executor.run(store.list(&Path::from("app"), 10)).unwrap();
    assert_eq!(list().unwrap_err().kind, FailureKind::Unavailable);
    let keys: Vec<_> = list()
        .unwrap()
        .objects
        .into_iter()
        .map(|object| object.key.to_string())
        .collect();
    assert_eq!(keys, ["app/a", "app/b", "app/c"]);
}

#[test]
fn a_rule_is_for_its_requests_its_time_and_its_number_of_them() {
    let throttled = StoreFailure::new(FailureKind::Throttled, "told to");
    let (executor, simulated, store) = faulty(vec![Fault {
        from: 10 * SECOND,
        until: Some(20 * SECOND),
        operations: vec![Operation::Get],
        keys: Some(globset::Glob::new("app/*").unwrap().compile_matcher()),
        after: 1,
        count: Some(2),
        ..Fault::always(Effect::Fail(throttled))
    }]);
    simulated.put("somebody", &key(), "x".into());
    simulated.put("somebody", &Path::from("web/x"), "x".into());
    let failed = |key: &Path| {
        let got = executor.run(store.get(key, 10)).unwrap();
        !matches!(got, Ok(Fetched::Found(_)))
    };
    assert!(!failed(&key()), "too early");
    executor.run(executor.at(10 * SECOND)).unwrap();
    assert!(!failed(&Path::from("web/x")), "another key");
    assert!(
        executor.run(store.head(&key())).unwrap().is_ok(),
        "another operation"
    );
    assert_eq!(
        [(); 5].map(|()| failed(&key())),
        [false, true, true, false, false]
    );
}

#[test]
fn a_limit_is_answered_with_slow_down() {
    let (executor, simulated) = simulated(StoreBehaviour {
        limits: Some(RateLimits {
            writes: 1,
            reads: 3,
            prefix_depth: 1,
        }),
        ..StoreBehaviour::default()
    });
    let port = simulated.port("n1");
    let key = key();
    let heads = (0..5).map(|_| object_store::ObjectStoreExt::head(&*port, &key));
    let answers = executor.run(futures::future::join_all(heads)).unwrap();
    let throttled = answers.iter().filter(|answer| {
        matches!(answer, Err(Error::Generic { source, .. })
            if source.downcast_ref::<StoreFailure>().is_some_and(|failure| failure.kind == FailureKind::Throttled))
    });
    assert_eq!(throttled.count(), 2);
}

#[test]
fn latency_passes_in_virtual_time() {
    let (executor, simulated) = simulated(StoreBehaviour {
        latency: Latency::constant(3 * SECOND),
        ..StoreBehaviour::default()
    });
    let port = simulated.port("n1");
    let key = key();
    let head = object_store::ObjectStoreExt::head(&*port, &key);
    assert!(executor.run(head).unwrap().is_err());
    assert_eq!(executor.now(), 3 * SECOND);
}
